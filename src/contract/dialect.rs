//! Dialects: what a frontend's own words mean, read from a TOML file. `dialects/README.md` is the reference.
//!
//! Pure: a dialect turns messages into requests and says what is told, and does nothing itself.

mod custom;
mod rule;
mod set;
mod template;
mod told;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use super::toml_node::DialectError;
use super::toml_node::{self, Node, Source};
use super::vocabulary::{COMMON, Vocabulary, nouns_in};
use super::{EventClass, EventName};
use crate::domain::{Id, Kind, ProjectId};
pub use custom::{CustomEvents, CustomEventsError};
pub use rule::{Audience, Keep, OnRule, OnRules, Relay, Said, TellRule};
use rule::{ByName, GREETING};
pub use set::{Approach, Dialects, Matching};
pub use template::{Root, Roots, Scope, Template};
use told::ToldCache;
pub use told::{Happened, Nouns, Told};

/// Rules of a file.
const MAX_RULES: usize = 1000;
/// Kinds of a file.
const MAX_KINDS: usize = 64;

/// See the module's description.
#[derive(Debug)]
pub struct Dialect {
    /// Its name: that of the file without its ending.
    pub name: String,
    /// What its file says of itself.
    pub about: String,
    /// Which connections speak it.
    pub matching: Matching,
    /// The project that is meant where a message names none.
    pub default_room: Option<ProjectId>,
    /// Whether every client is in it.
    pub joins_default_room: bool,
    user: UserRule,
    /// What a client is told when it has connected.
    pub greetings: Vec<Said>,
    person: Option<Template>,
    kinds: Vec<KindRule>,
    on: ByName<OnRules>,
    tell: ByName<Vec<TellRule>>,
    custom: CustomEvents,
    vocabulary: &'static Vocabulary,
    /// Relays that are kept, and of which those who caused them are not told.
    to_others: ByName<()>,
    tells_plainly: bool,
    cache: ToldCache,
}

/// Who somebody is.
#[derive(Debug, Default)]
struct UserRule {
    id: Option<Template>,
    name: Option<Template>,
    image: Option<Template>,
    has_room: bool,
}

/// How a kind is called and looks.
#[derive(Debug)]
struct KindRule {
    kind: Kind,
    /// Their name of a field, and ours.
    fields: Vec<(String, String)>,
    shape: Option<Template>,
}

/// What a message of some name means.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// An event of ours.
    Event(EventName),
    /// What rules say.
    Rules(Arc<OnRules>),
    /// An event that goes to the room as it is.
    Custom(Keep),
    /// Nothing.
    Unknown,
}

impl Meaning {
    /// What a message counts as.
    #[must_use]
    pub fn class(&self) -> EventClass {
        match self {
            Self::Event(event) => event.class(),
            Self::Rules(rules) => rules.class,
            Self::Custom(Keep::Log) => EventClass::Command,
            // Unknown events, such as each move of a mouse, count as signals: they leave the client its reads and commands.
            Self::Custom(Keep::Signal) | Self::Unknown => EventClass::Signal,
        }
    }
}

impl Dialect {
    /// The dialect of those who have none, with the custom events of the settings.
    #[must_use]
    pub fn common(custom: &CustomEvents) -> Self {
        Self::from_source(COMMON, "default", custom).expect("the default dialect is valid")
    }

    /// Reads a dialect's file. `name` is what connections call it.
    ///
    /// # Errors
    ///
    /// What is wrong, and on which line.
    pub fn read(
        name: &str,
        file: &str,
        text: &str,
        custom: &CustomEvents,
    ) -> Result<Self, DialectError> {
        Self::from_source(Source { file, text }, name, custom)
    }

    fn from_source(
        source: Source<'_>,
        name: &str,
        custom: &CustomEvents,
    ) -> Result<Self, DialectError> {
        let root = source.read()?;
        root.only(&[
            "about", "match", "room", "user", "person", "kinds", "names", "greet", "on", "tell",
            "custom",
        ])?;
        let kinds = kinds_in(&root)?;
        let vocabulary = if name == "default" {
            Vocabulary::common()
        } else {
            let declared: Vec<Kind> = kinds.iter().map(|rule| rule.kind).collect();
            Vocabulary::extended(&root, &nouns_in(&root)?, &declared)?
        };
        let (mut on, mut to_others) = (ByName::default(), ByName::default());
        if let Some(rules) = root.get("on") {
            for (key, rule) in limited(rules)? {
                let rules = OnRules::read(rule, vocabulary)?;
                for relay in rules.rules.iter().flat_map(|rule| &rule.relay) {
                    if (relay.keep, relay.to.is_others()) == (Keep::Log, true) {
                        to_others.insert(relay.event.as_deref().unwrap_or(&key.name), ());
                    }
                }
                on.insert(&key.name, rules);
            }
        }
        // What everybody may say may be said in every dialect.
        let common = COMMON.read()?;
        if let Some(rules) = common.get("on").filter(|_| name != "default") {
            for (key, rule) in rules.entries()? {
                if on.get(&key.name).is_none() {
                    on.insert(&key.name, OnRules::read(rule, vocabulary)?);
                }
            }
        }
        let mut tell = ByName::default();
        if let Some(rules) = root.get("tell") {
            for (key, rule) in limited(rules)? {
                tell.insert(&key.name, TellRule::of(key, rule)?);
            }
        }
        let greetings = root.get("greet").map_or(&[][..], Node::items);
        let greetings = greetings
            .iter()
            .map(|greeting| Said::read(greeting, GREETING));
        let (default_room, joins_default_room) = room_in(&root)?;
        let person = root.get("person").map(|person| {
            person.only(&["shape"])?;
            let Some(shape) = person.get("shape") else {
                return Err(person.error("needs `shape`"));
            };
            Template::read(shape, Roots::of(&[Root::It]))
        });
        let tells_plainly =
            tell.is_empty() && to_others.is_empty() && kinds.iter().all(KindRule::is_plain);
        let own = match root.get("custom") {
            Some(table) => CustomEvents::in_table(table)?,
            None => CustomEvents::default(),
        };
        Ok(Self {
            name: name.to_owned(),
            about: match root.get("about") {
                Some(about) => about.text()?.to_owned(),
                None => String::new(),
            },
            matching: Matching::read(&root)?,
            default_room,
            joins_default_room,
            user: UserRule::read(&root)?,
            greetings: greetings.collect::<Result<_, _>>()?,
            person: person.transpose()?,
            kinds,
            on,
            tell,
            custom: own.before(custom),
            vocabulary,
            tells_plainly,
            to_others,
            cache: ToldCache::default(),
        })
    }

    /// What a message of this name means.
    #[must_use]
    pub fn meaning(&self, name: &str) -> Meaning {
        if let Some(rules) = self.on.get(name) {
            return Meaning::Rules(Arc::clone(rules));
        }
        if let Some(event) = self.vocabulary.find(name) {
            return Meaning::Event(event);
        }
        match self.custom.of(name) {
            Some(Some(keep)) => Meaning::Custom(keep),
            _ => Meaning::Unknown,
        }
    }

    /// Whether clients hear all events as they are.
    #[must_use]
    pub fn tells_plainly(&self) -> bool {
        self.tells_plainly
    }

    /// What a client calls tasks and projects, as it is kept for each connection.
    #[must_use]
    pub fn spoken(&self, before: u16, event: EventName) -> u16 {
        let Some((kind, noun)) = event.noun() else {
            return before;
        };
        let [mut task, mut project] = before.to_be_bytes();
        match kind {
            Kind::Task => task = self.vocabulary.noun_number(noun),
            Kind::Project => project = self.vocabulary.noun_number(noun),
            _ => {}
        }
        u16::from_be_bytes([task, project])
    }

    /// The nouns that are kept like that.
    #[must_use]
    pub fn nouns(&self, spoken: u16) -> Nouns {
        let [task, project] = spoken.to_be_bytes();
        Nouns {
            task: self.vocabulary.noun(task),
            project: self.vocabulary.noun(project),
        }
    }

    /// Whether a root is used anywhere.
    #[must_use]
    pub fn uses(&self, root: Root) -> bool {
        let on = self.on.values().flat_map(|rules| &rules.rules);
        let mut on = on.flat_map(|rule| rule.templates().chain(rule.conditions()));
        let mut greetings = self.greetings.iter().filter_map(|said| said.data.as_ref());
        let user = [&self.user.id, &self.user.name, &self.user.image];
        let mut user = user.into_iter().flatten();
        user.any(|template| template.roots().contain(root))
            || on.any(|template| template.roots().contain(root))
            || greetings.any(|template| template.roots().contain(root))
    }

    /// How many rules it has for what clients send, and for what they hear.
    #[must_use]
    pub fn rules(&self) -> (usize, usize) {
        let on = self.on.values().map(|rules| rules.rules.len()).sum();
        (on, self.tell.values().map(Vec::len).sum())
    }

    /// The kinds that it declares or changes.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.kinds.iter().map(|rule| rule.kind)
    }

    /// Whether anything is to be done when a client has connected.
    #[must_use]
    pub fn greets(&self) -> bool {
        self.joins_default_room || self.user.has_room || !self.greetings.is_empty()
    }

    /// Whether a connection hears the channel of its user without asking.
    #[must_use]
    pub fn has_user_room(&self) -> bool {
        self.user.has_room
    }

    /// Who somebody is, where tokens are not verified.
    #[must_use]
    pub fn user_id(&self, scope: &Scope<'_>) -> Option<String> {
        let id = self.user.id.as_ref()?.render(scope)?;
        Id::from_json(&id).ok().map(|id| id.as_str().to_owned())
    }

    /// What others see of somebody: `name` and `image`.
    #[must_use]
    pub fn profile(&self, scope: &Scope<'_>) -> Map<String, Value> {
        let parts = [("name", &self.user.name), ("image", &self.user.image)];
        let parts = parts.into_iter().filter_map(|(key, template)| {
            let value = template.as_ref()?.render(scope)?;
            (!value.is_null()).then(|| (key.to_owned(), value))
        });
        parts.collect()
    }

    /// Gives the fields of an event's first argument the names that are ours.
    #[must_use]
    pub fn renames(&self, event: EventName) -> bool {
        let kind = event.kind();
        kind.is_some_and(|kind| {
            let mut kinds = self.kinds.iter();
            kinds.any(|rule| rule.kind == kind && !rule.fields.is_empty())
        })
    }

    /// Gives the fields of an event's first argument the names that are ours.
    pub fn rename(&self, event: EventName, argument: &mut Value) {
        let Some(kind) = event.kind() else {
            return;
        };
        let Some(rule) = self.kinds.iter().find(|rule| rule.kind == kind) else {
            return;
        };
        let Value::Object(object) = argument else {
            return;
        };
        rule.rename(object);
        for inner in object.values_mut() {
            if let Value::Object(inner) = inner {
                rule.rename(inner);
            }
        }
    }

    /// An entity as those see it who speak the dialect.
    #[must_use]
    pub fn shaped(&self, kind: Kind, mut entity: Value) -> Value {
        let Some(rule) = self.kinds.iter().find(|rule| rule.kind == kind) else {
            return entity;
        };
        if let Value::Object(object) = &mut entity {
            for (theirs, ours) in &rule.fields {
                if let Some(value) = object.get(ours).cloned() {
                    object.insert(theirs.clone(), value);
                }
            }
        }
        match &rule.shape {
            Some(shape) => shape.render_it(&Scope::new(), &entity).unwrap_or(entity),
            None => entity,
        }
    }

    /// Somebody as those see them who speak the dialect.
    #[must_use]
    pub fn person(&self, person: Value) -> Value {
        match &self.person {
            Some(shape) => shape.render_it(&Scope::new(), &person).unwrap_or(person),
            None => person,
        }
    }

    /// The rules for an event that is told, if there are any.
    fn tell_rules(&self, name: &str) -> Option<&Arc<Vec<TellRule>>> {
        self.tell.get(name)
    }
}

impl KindRule {
    fn is_plain(&self) -> bool {
        self.fields.is_empty() && self.shape.is_none()
    }

    fn rename(&self, object: &mut Map<String, Value>) {
        for (theirs, ours) in &self.fields {
            if !object.contains_key(ours)
                && let Some(value) = object.remove(theirs)
            {
                object.insert(ours.clone(), value);
            }
        }
    }
}

impl UserRule {
    fn read(root: &Node<'_>) -> Result<Self, DialectError> {
        let Some(user) = root.get("user") else {
            return Ok(Self::default());
        };
        user.only(&["id", "name", "image", "room"])?;
        let known = Roots::of(&[Root::Auth, Root::Query, Root::Token]);
        let template = |key: &str| {
            let value = user.get(key);
            value.map(|value| Template::read(value, known)).transpose()
        };
        Ok(Self {
            id: template("id")?,
            name: template("name")?,
            image: template("image")?,
            has_room: user.get("room").map(Node::boolean).transpose()? == Some(true),
        })
    }
}

fn limited<'a, 'b>(
    table: &'b Node<'a>,
) -> Result<&'b [(toml_node::Key<'a>, Node<'a>)], DialectError> {
    let entries = table.entries()?;
    if entries.len() > MAX_RULES {
        return Err(table.error(format!("has more than {MAX_RULES} rules")));
    }
    Ok(entries)
}

fn room_in(root: &Node<'_>) -> Result<(Option<ProjectId>, bool), DialectError> {
    let Some(room) = root.get("room") else {
        return Ok((None, false));
    };
    room.only(&["default", "join"])?;
    let default = room.get("default").map(|default| {
        let id =
            Id::from_text(default.text()?).map_err(|error| default.error(error.to_string()))?;
        Ok(ProjectId(id))
    });
    let default = default.transpose()?;
    let joins = match room.get("join") {
        None => false,
        Some(join) if join.boolean()? && default.is_none() => {
            return Err(join.error("needs `default`: the room in which every client is"));
        }
        Some(join) => join.boolean()?,
    };
    Ok((default, joins))
}

fn kinds_in(root: &Node<'_>) -> Result<Vec<KindRule>, DialectError> {
    let Some(table) = root.get("kinds") else {
        return Ok(Vec::new());
    };
    let entries = table.entries()?;
    if entries.len() > MAX_KINDS {
        return Err(table.error(format!("has more than {MAX_KINDS} kinds")));
    }
    let mut kinds = Vec::new();
    for (key, node) in entries {
        node.only(&["names", "fields", "shape", "plural", "change"])?;
        let mut fields = Vec::new();
        if let Some(table) = node.get("fields") {
            for (theirs, ours) in table.entries()? {
                fields.push((theirs.name.to_string(), ours.name()?.to_owned()));
            }
        }
        let shape = node.get("shape");
        let shape = shape.map(|shape| Template::read(shape, Roots::of(&[Root::It])));
        kinds.push(KindRule {
            kind: kind_of(key, node, table)?,
            fields,
            shape: shape.transpose()?,
        });
    }
    Ok(kinds)
}

/// The kind that a table is about: one that is there, or a new one.
fn kind_of(
    key: &toml_node::Key<'_>,
    node: &Node<'_>,
    table: &Node<'_>,
) -> Result<Kind, DialectError> {
    let of_kind = |name: &str| node.get(name).map(Node::text).transpose();
    let (plural, change) = (of_kind("plural")?, of_kind("change")?);
    let is_of_author = match change {
        None | Some("member") => false,
        Some("author") => true,
        Some(_) => {
            let message = "must be \"author\", or \"member\", which is so without it";
            return Err(table.error_at(key, format!("`change` {message}")));
        }
    };
    match key.name.parse::<Kind>() {
        Ok(kind) if !matches!(kind, Kind::Other(_)) => match plural.or(change) {
            None => Ok(kind),
            Some(_) => Err(table.error_at(
                key,
                "is there already: its plural, and who may change it, stay as they are",
            )),
        },
        _ => {
            let plural = plural.map_or_else(|| format!("{}s", key.name), str::to_owned);
            Kind::declare(&key.name, &plural, is_of_author)
                .map_err(|error| table.error_at(key, error.to_string()))
        }
    }
}

#[cfg(test)]
mod tests;
