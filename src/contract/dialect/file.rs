//! Reads the file of a dialect.

use super::rule::{ByName, GREETING, OnRules, TellRule};
use super::set::Matching;
use super::told::ToldCache;
use super::{
    CustomEvents, Dialect, DialectError, Keep, KindRule, RoomRule, Root, Roots, Said, Template,
    UserRule,
};
use crate::contract::toml_node::{Key, Node, Source};
use crate::contract::vocabulary::{COMMON, Vocabulary, nouns_in};
use crate::domain::{Id, Kind, ProjectId};

/// Rules of a file.
const MAX_RULES: usize = 1000;
/// Kinds of a file.
const MAX_KINDS: usize = 64;
/// The tables of a file.
const TABLES: [&str; 12] = [
    "about", "match", "presence", "room", "user", "person", "kinds", "names", "greet", "on",
    "tell", "custom",
];
/// What it takes to tell who comes and goes.
const PRESENCE: [&str; 3] = ["presence:join", "presence:update", "presence:leave"];

impl Dialect {
    pub(super) fn from_source(
        source: Source<'_>,
        name: &str,
        custom: &CustomEvents,
    ) -> Result<Self, DialectError> {
        let root = source.read()?;
        root.only(&TABLES)?;
        let is_common = name == "default";
        let kinds = kinds_in(&root)?;
        let vocabulary = if is_common {
            Vocabulary::common()
        } else {
            let declared: Vec<Kind> = kinds.iter().map(|rule| rule.kind).collect();
            Vocabulary::extended(&root, &nouns_in(&root)?, &declared)?
        };
        let mut on = ByName::default();
        let to_others = read_on(&root, vocabulary, &mut on)?;
        if !is_common {
            add_common(vocabulary, &mut on)?;
        }
        let tell = tell_in(&root)?;
        let (default_room, rooms) = rooms_in(&root)?;
        let greetings = root.get("greet").map_or(&[][..], Node::items);
        let greetings = greetings.iter().map(|said| Said::read(said, GREETING));
        let own = root.get("custom").map(CustomEvents::in_table).transpose()?;
        let about = root.get("about").map(Node::text).transpose()?;
        Ok(Self {
            name: name.to_owned(),
            about: about.unwrap_or_default().to_owned(),
            matching: Matching::read(&root)?,
            default_room,
            rooms,
            presence: presence_in(&root, &tell)?,
            user: UserRule::read(&root)?,
            greetings: greetings.collect::<Result<_, _>>()?,
            person: person_in(&root)?,
            tells_plainly: tell.is_empty()
                && to_others.is_empty()
                && kinds.iter().all(KindRule::is_plain),
            kinds,
            on,
            tell,
            custom: own.unwrap_or_default().before(custom),
            vocabulary,
            to_others,
            cache: ToldCache::default(),
        })
    }
}

/// Reads what messages mean. The kept relays of which those who caused them are not told.
fn read_on(
    root: &Node<'_>,
    vocabulary: &'static Vocabulary,
    on: &mut ByName<OnRules>,
) -> Result<ByName<()>, DialectError> {
    let mut to_others = ByName::default();
    let Some(table) = root.get("on") else {
        return Ok(to_others);
    };
    for (key, rules) in limited(table)? {
        let rules = OnRules::read(rules, vocabulary)?;
        for relay in rules.rules.iter().flat_map(|rule| &rule.relay) {
            if (relay.keep, relay.to.is_others()) == (Keep::Log, true) {
                to_others.insert(relay.event.as_deref().unwrap_or(&key.name), ());
            }
        }
        on.insert(&key.name, rules);
    }
    Ok(to_others)
}

/// What everybody may say may be said in every dialect.
fn add_common(
    vocabulary: &'static Vocabulary,
    on: &mut ByName<OnRules>,
) -> Result<(), DialectError> {
    let common = COMMON.read()?;
    let Some(table) = common.get("on") else {
        return Ok(());
    };
    for (key, rules) in table.entries()? {
        if on.get(&key.name).is_none() {
            on.insert(&key.name, OnRules::read(rules, vocabulary)?);
        }
    }
    Ok(())
}

fn tell_in(root: &Node<'_>) -> Result<ByName<Vec<TellRule>>, DialectError> {
    let mut tell = ByName::default();
    if let Some(table) = root.get("tell") {
        for (key, rules) in limited(table)? {
            tell.insert(&key.name, TellRule::of(key, rules)?);
        }
    }
    Ok(tell)
}

/// Whether clients are told of presence without asking: a dialect that tells it has clients that look.
fn presence_in(
    root: &Node<'_>,
    tell: &ByName<Vec<TellRule>>,
) -> Result<Option<bool>, DialectError> {
    let Some(said) = root.get("presence") else {
        let tells = PRESENCE.iter().any(|name| tell.get(name).is_some());
        return Ok(tells.then_some(true));
    };
    match said.text()? {
        "always" => Ok(Some(true)),
        "never" => Ok(Some(false)),
        "asked" => Ok(None),
        _ => Err(said.error("must be asked, always or never")),
    }
}

fn person_in(root: &Node<'_>) -> Result<Option<Template>, DialectError> {
    let Some(person) = root.get("person") else {
        return Ok(None);
    };
    person.only(&["shape"])?;
    match person.get("shape") {
        Some(shape) => Template::read(shape, Roots::of(&[Root::It])).map(Some),
        None => Err(person.error("needs `shape`")),
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

fn limited<'a, 'b>(table: &'b Node<'a>) -> Result<&'b [(Key<'a>, Node<'a>)], DialectError> {
    let entries = table.entries()?;
    if entries.len() > MAX_RULES {
        return Err(table.error(format!("has more than {MAX_RULES} rules")));
    }
    Ok(entries)
}

fn rooms_in(root: &Node<'_>) -> Result<(Option<ProjectId>, RoomRule), DialectError> {
    let Some(table) = root.get("room") else {
        return Ok((None, RoomRule::default()));
    };
    table.only(&["default", "join", "only", "projects"])?;
    let default = table.get("default").map(|default| {
        let id =
            Id::from_text(default.text()?).map_err(|error| default.error(error.to_string()))?;
        Ok(ProjectId(id))
    });
    let default = default.transpose()?;
    let is_said = |key: &str| match table.get(key) {
        None => Ok(false),
        Some(said) if said.boolean()? && default.is_none() && key != "projects" => {
            Err(said.error("needs `default`: the room in which every client is"))
        }
        Some(said) => said.boolean(),
    };
    let rooms = RoomRule {
        joins_default: is_said("join")?,
        has_only_default: is_said("only")?,
        hears_projects: is_said("projects")?,
    };
    Ok((default, rooms))
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
fn kind_of(key: &Key<'_>, node: &Node<'_>, table: &Node<'_>) -> Result<Kind, DialectError> {
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
