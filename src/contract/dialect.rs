//! Dialects: what a frontend's own words mean, read from a TOML file. `dialects/README.md` is the reference.
//!
//! Pure: a dialect turns messages into requests and says what is told, and does nothing itself.

mod custom;
mod file;
mod rule;
mod set;
mod template;
mod told;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::field::is_field;
pub use super::toml_node::DialectError;
use super::toml_node::Source;
use super::vocabulary::{COMMON, Vocabulary};
use super::{EventClass, EventName};
use crate::domain::{FieldFilter, Id, Kind, ProjectId};
pub use custom::{CustomEvents, CustomEventsError};
use rule::ByName;
pub use rule::{Audience, Keep, OnRule, OnRules, Relay, Said, TellRule};
pub use set::{Approach, Dialects, Matching};
pub use template::{Root, Roots, Scope, Template, Wanted};
use told::ToldCache;
pub use told::{Happened, Nouns, Told};

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
    /// What is so for every client.
    pub rooms: RoomRule,
    /// Whether clients are told of presence without asking, if the file says so: by its key, or by a rule that tells it.
    pub presence: Option<bool>,
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

/// The rooms in which every client is.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoomRule {
    /// Whether every client is in the default one.
    pub joins_default: bool,
    /// Whether the default one is meant whatever project a message names.
    pub has_only_default: bool,
    /// Whether every client hears of all projects that it can see.
    pub hears_projects: bool,
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
    ///
    /// # Panics
    ///
    /// Never: its file is part of the program, and tested.
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
        self.rooms.joins_default
            || self.rooms.hears_projects
            || self.user.has_room
            || !self.greetings.is_empty()
    }

    /// Whether a rule lets clients join without being seen.
    #[must_use]
    pub fn hides_clients(&self) -> bool {
        let mut rules = self.on.values().flat_map(|rules| &rules.rules);
        rules.any(|rule| rule.hides)
    }

    /// Whether a project is the one in which every client is.
    #[must_use]
    pub fn is_default_room(&self, project: &ProjectId) -> bool {
        self.rooms.joins_default && self.default_room.as_ref() == Some(project)
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
        let is_renamed = kind.is_some_and(|kind| {
            let mut kinds = self.kinds.iter();
            kinds.any(|rule| rule.kind == kind && !rule.fields.is_empty())
        });
        is_renamed || (self.rooms.has_only_default && event.is_in_room())
    }

    /// Gives the fields of an event's first argument the names that are ours.
    pub fn rename(&self, event: EventName, argument: &mut Value) {
        if let Some(only) = self
            .default_room
            .as_ref()
            .filter(|_| self.rooms.has_only_default)
        {
            event.set_room(argument, only);
        }
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

    /// What a list of the state is to have, in our words: the kind, and values of its fields. Nothing if a key is none of these.
    #[must_use]
    pub fn filters(&self, wanted: &Wanted) -> Option<(Kind, Vec<FieldFilter>)> {
        let kind = Kind::of_plural(&wanted.plural).filter(|kind| *kind != Kind::Project)?;
        let rule = self.kinds.iter().find(|rule| rule.kind == kind);
        let filters = wanted.equal.iter().map(|(key, value)| {
            let field = match rule {
                Some(rule) => rule.field(key)?,
                None => key.clone(),
            };
            let value = value.clone();
            is_field(kind, &field).then_some(FieldFilter { field, value })
        });
        Some((kind, filters.collect::<Option<_>>()?))
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
    /// The field of ours of which a key of the shape tells.
    fn field(&self, key: &str) -> Option<String> {
        let named = match &self.shape {
            Some(shape) => shape.source_of(key)?,
            None => key.to_owned(),
        };
        let renamed = self.fields.iter().find(|(theirs, _)| *theirs == named);
        Some(renamed.map_or(named, |(_, ours)| ours.clone()))
    }

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

#[cfg(test)]
mod tests;
