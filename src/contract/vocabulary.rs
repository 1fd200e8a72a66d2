//! How events are called: the words of `dialects/default.toml`, and those that a dialect adds.

use std::collections::HashMap;
use std::sync::LazyLock;

use parking_lot::RwLock;
use serde_json::Value;

use super::names::{Entry, EventName, MAX_NAME_BYTES, Name, Noun, words};
use super::toml_node::{DialectError, Node, Source};
use crate::domain::{Fields, Kind, KindDef};

/// The file of the words that everybody may use.
pub(super) const COMMON: Source<'_> = Source {
    file: "dialects/default.toml",
    text: include_str!("../../dialects/default.toml"),
};

/// What stands for every kind but members.
const EVERY_KIND: &str = "*:";
/// The kinds that it stands for, besides those that are declared.
const USUAL: [Kind; 5] = [
    Kind::Project,
    Kind::Task,
    Kind::Epic,
    Kind::Sprint,
    Kind::Comment,
];
/// What a row may say.
const KEYS: [&str; 9] = [
    "bulk", "is", "nouns", "verbs", "fillers", "alone", "set", "rename", "second",
];

/// The events that clients may send, and how they are called.
#[derive(Debug)]
pub(super) struct Vocabulary {
    entries: Vec<Entry>,
    documented: HashMap<String, usize>,
    /// The nouns of the senders' own, each once.
    own_nouns: Vec<String>,
}

/// The nouns that a dialect has for a kind, besides ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nouns {
    pub(super) kind: Kind,
    pub(super) names: Vec<String>,
}

impl Vocabulary {
    /// The words that everybody may use.
    pub(super) fn common() -> &'static Self {
        static COMMON_WORDS: LazyLock<Vocabulary> = LazyLock::new(|| {
            let root = COMMON.read().expect("the default dialect is TOML");
            let nouns = nouns_in(&root).expect("the default dialect is valid");
            Vocabulary::read(&root, &nouns, &[]).expect("the default dialect is valid")
        });
        &COMMON_WORDS
    }

    /// The words of everybody, with more nouns and kinds, and with what a dialect's file adds. It lives as long as the program,
    /// because messages refer to it.
    pub(super) fn extended(
        root: &Node<'_>,
        nouns: &[Nouns],
        declared: &[Kind],
    ) -> Result<&'static Self, DialectError> {
        let common = COMMON.read()?;
        let mut all = nouns_in(&common)?;
        all.extend_from_slice(nouns);
        let own = Self::read(root, &all, declared)?;
        let others = Self::read(&common, &all, declared)?;
        let entries = own.entries.into_iter().chain(others.entries);
        Ok(Box::leak(Box::new(Self::new(entries.collect()))))
    }

    fn new(entries: Vec<Entry>) -> Self {
        let mut documented = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            documented.entry(entry.canonical.clone()).or_insert(at);
        }
        let nouns = entries.iter().flat_map(|entry| &entry.nouns);
        let mut own_nouns: Vec<String> = nouns.filter_map(|noun| noun.own.clone()).collect();
        own_nouns.sort_unstable();
        own_nouns.dedup();
        Self {
            entries,
            documented,
            own_nouns,
        }
    }

    fn read(root: &Node<'_>, nouns: &[Nouns], declared: &[Kind]) -> Result<Self, DialectError> {
        let mut entries = Vec::new();
        let Some(names) = root.get("names") else {
            return Ok(Self::new(entries));
        };
        for (key, row) in names.entries()? {
            row.only(&KEYS)?;
            let Some(verb) = key.name.strip_prefix(EVERY_KIND) else {
                let unknown = || {
                    let message = format!(
                        "there is no event {:?} to be called otherwise; say with `is` what it means",
                        key.name
                    );
                    names.error_at(key, message)
                };
                let meant = row.get("is").map(Node::text).transpose()?;
                let name = Name::documented(meant.unwrap_or(&key.name)).ok_or_else(unknown)?;
                entries.push(entry(&key.name, name, row, nouns)?);
                continue;
            };
            for kind in USUAL.iter().chain(declared) {
                let canonical = format!("{kind}:{verb}");
                if let Some(name) = Name::documented(&canonical) {
                    entries.push(entry(&canonical, name, row, nouns)?);
                }
            }
        }
        Ok(Self::new(entries))
    }

    /// The number of a noun of the sender's own, from 1; 0 if it has none, as those have that are beyond 255.
    pub(super) fn noun_number(&'static self, noun: &str) -> u8 {
        let place = self.own_nouns.iter().position(|own| own == noun);
        place.map_or(0, |place| u8::try_from(place + 1).unwrap_or(0))
    }

    /// The noun of a number.
    pub(super) fn noun(&'static self, number: u8) -> Option<&'static str> {
        let place = usize::from(number).checked_sub(1)?;
        self.own_nouns.get(place).map(String::as_str)
    }

    /// All events.
    pub(super) fn entries(&'static self) -> &'static [Entry] {
        &self.entries
    }

    /// Finds the event that a name means, in whatever spelling.
    pub(super) fn find(&'static self, name: &str) -> Option<EventName> {
        if name.len() > MAX_NAME_BYTES {
            return None;
        }
        // As documented, which most are, a name is found without taking it apart.
        if let Some(at) = self.documented.get(name) {
            return Some(EventName::new(&self.entries[*at], None));
        }
        let noun = name.split_once(':').map(|(noun, _)| noun.parse());
        let kind = noun.and_then(Result::ok).and_then(Self::of_kind);
        if let Some(rows) = kind
            && let Some(at) = rows.documented.get(name)
        {
            return Some(EventName::new(&rows.entries[*at], None));
        }
        let words = words(name);
        let mut entries = self.entries.iter();
        let found = entries.find_map(|entry| entry.is_named_by(&words));
        found.or_else(|| {
            let declared = Kind::declared();
            let mut rows = declared.into_iter().filter_map(Self::of_kind);
            rows.find_map(|rows| {
                let mut entries = rows.entries.iter();
                entries.find_map(|entry| entry.is_named_by(&words))
            })
        })
    }

    /// What everybody may do with entities of a declared kind. It is made once for each definition of a kind.
    fn of_kind(kind: Kind) -> Option<&'static Self> {
        static OF_KINDS: RwLock<Vec<(&KindDef, &Vocabulary)>> = RwLock::new(Vec::new());
        let Kind::Other(definition) = kind else {
            return None;
        };
        let is_same = |(known, _): &&(&KindDef, _)| std::ptr::eq(*known, definition);
        if let Some((_, words)) = OF_KINDS.read().iter().find(is_same) {
            return Some(words);
        }
        let root = COMMON.read().ok()?;
        let mut all = Self::read(&root, &[], &[kind]).ok()?;
        all.entries.retain(
            |entry| matches!(entry.name, Name::Command(of, _) | Name::List(of) if of == kind),
        );
        let words: &'static Self = Box::leak(Box::new(Self::new(all.entries)));
        let mut known = OF_KINDS.write();
        known.retain(|(of, _)| *of != definition);
        known.push((definition, words));
        Some(words)
    }
}

impl EventName {
    /// Finds the event that a name means to everybody.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Vocabulary::common().find(name)
    }
}

/// The events that everybody may send.
pub(super) fn all() -> &'static [Entry] {
    Vocabulary::common().entries()
}

/// The event that a name means to everybody, in whatever spelling.
pub(super) fn find(event: &str) -> Option<&'static Entry> {
    EventName::find(event).map(EventName::entry)
}

fn entry(
    canonical: &str,
    name: Name,
    row: &Node<'_>,
    nouns: &[Nouns],
) -> Result<Entry, DialectError> {
    let list = |key: &str| row.get(key).map(Node::names).transpose();
    let is_said = |key: &str| Ok(row.get(key).map(Node::boolean).transpose()? == Some(true));
    let verbs = list("verbs")?.unwrap_or_else(|| vec![String::new()]);
    let split = |verb: &String| verb.split_whitespace().map(str::to_owned).collect();
    let kind = match name {
        Name::Command(kind, _) | Name::List(kind) => kind,
        _ => Kind::Project,
    };
    let second = row.get("second").map(Node::name).transpose()?;
    let projects = nouns.iter().filter(|nouns| nouns.kind == Kind::Project);
    let projects = projects.flat_map(|nouns| &nouns.names);
    Ok(Entry {
        canonical: canonical.to_owned(),
        name,
        nouns: nouns_of(kind, list("nouns")?, nouns),
        bulk: is_said("bulk")?,
        alone: is_said("alone")?,
        verbs: verbs.iter().map(split).collect(),
        fillers: list("fillers")?.unwrap_or_default(),
        set: set_in(row)?,
        rename: rename_in(row)?,
        second: second.map(str::to_owned),
        project_ids: projects
            .flat_map(|noun| [format!("{noun}Id"), format!("{noun}_id")])
            .collect(),
    })
}

/// The nouns of a row: those that it names, or else all of its kind.
fn nouns_of(kind: Kind, said: Option<Vec<String>>, nouns: &[Nouns]) -> Vec<Noun> {
    let of_kind = || {
        let nouns = nouns.iter().filter(|nouns| nouns.kind == kind);
        nouns.flat_map(|nouns| &nouns.names)
    };
    let own = |word: &str| of_kind().find(|name| **name == word || plural(name) == word);
    let mut all: Vec<Noun> = Vec::new();
    let mut add = |word: &str, own: Option<&String>| {
        if !all.iter().any(|noun| noun.word == word) {
            all.push(Noun {
                word: word.to_owned(),
                own: own.cloned(),
            });
        }
    };
    if let Some(said) = said {
        for word in said {
            add(&word, own(&word));
        }
        return all;
    }
    add(kind.as_str(), None);
    if kind != Kind::Member {
        add(kind.plural(), None);
    }
    for name in of_kind() {
        add(name, Some(name));
        add(&plural(name), Some(name));
    }
    all
}

fn set_in(row: &Node<'_>) -> Result<Fields, DialectError> {
    let Some(table) = row.get("set") else {
        return Ok(Fields::new());
    };
    let null = |value: Value| match value.as_str() {
        Some("$null") => Value::Null,
        _ => value,
    };
    let entries = table.entries()?.iter();
    Ok(entries
        .map(|(key, value)| (key.name.to_string(), null(value.json())))
        .collect())
}

fn rename_in(row: &Node<'_>) -> Result<Vec<(String, String)>, DialectError> {
    let Some(table) = row.get("rename") else {
        return Ok(Vec::new());
    };
    let entries = table.entries()?.iter();
    let pairs = entries.map(|(key, value)| Ok((key.name.to_string(), value.name()?.to_owned())));
    pairs.collect()
}

/// The nouns that a file has for kinds.
pub(super) fn nouns_in(root: &Node<'_>) -> Result<Vec<Nouns>, DialectError> {
    let Some(kinds) = root.get("kinds") else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for (key, kind) in kinds.entries()? {
        let Ok(known) = key.name.parse::<Kind>() else {
            continue;
        };
        let names = kind.get("names").map(Node::names).transpose()?;
        all.push(Nouns {
            kind: known,
            names: names.unwrap_or_default(),
        });
    }
    Ok(all)
}

/// `task` → `tasks`, `story` → `stories`
fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    }
}
