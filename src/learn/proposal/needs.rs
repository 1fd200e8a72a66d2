//! What a page reads of an event: by key, and what stands for what it says.

use std::collections::BTreeMap;

use super::super::listens::Need;
use super::super::shape::Shape;
use super::super::words::{has, split};
use super::value::Toml;

/// Words that say which of two values is meant.
pub(super) const QUALIFIERS: [&str; 14] = [
    "old", "new", "from", "to", "source", "target", "prev", "previous", "current", "data",
    "updated", "next", "src", "dest",
];

/// Keys under which a payload names its project, which need no rule.
pub(super) const NAMES_PROJECT: [&str; 5] =
    ["projectId", "boardId", "roomId", "project_id", "project"];

/// Words for who has sent something.
const SENDERS: [&str; 10] = [
    "user",
    "sender",
    "author",
    "creator",
    "owner",
    "actor",
    "from",
    "participant",
    "viewer",
    "editor",
];

/// A template, and what it could not find.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// `None`: the payload as it is.
    pub(super) data: Option<Toml>,
    /// Keys for which nothing was found.
    pub(super) missing: Vec<String>,
}

/// The paths of the needs, by their first key.
pub(super) fn by_key(needs: &[Need]) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut keys: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for need in needs {
        if let Need::Path(path) = need
            && let Some((first, rest)) = path.split_first()
        {
            let of_key = keys.entry(first.clone()).or_default();
            if !rest.is_empty() {
                of_key.push(rest.to_vec());
            }
        }
    }
    keys
}

/// Fills keys over a base.
pub(super) fn fill(
    keys: &BTreeMap<String, Vec<Vec<String>>>,
    base: Option<Toml>,
    find: impl Fn(&str, &[Vec<String>]) -> Option<Toml>,
) -> Filled {
    let mut filled = Filled {
        data: None,
        missing: Vec::new(),
    };
    let is_based = base.is_some();
    let mut data = base.unwrap_or(Toml::Table(Vec::new()));
    for (key, rest) in keys {
        match find(key, rest) {
            Some(value) => {
                data = data.with(key, value);
                filled.data = Some(data.clone());
            }
            None => filled.missing.push(key.clone()),
        }
    }
    if filled.data.is_none() && (!is_based || data != Toml::text("$data")) {
        filled.data = Some(data);
    }
    filled
}

/// Whether a shape has a key, and in it all that is read of it.
pub(super) fn holds(shape: &Shape, key: &str, rest: &[Vec<String>]) -> bool {
    let inner = match shape {
        Shape::Any => return true,
        Shape::List(Some(entry)) if key.parse::<usize>().is_ok() => Some(&**entry),
        shape => shape.get(key),
    };
    inner.is_some_and(|inner| {
        rest.iter().all(|path| match path.split_first() {
            Some((first, [])) => holds(inner, first, &[]),
            Some((first, rest)) => holds(inner, first, &[rest.to_vec()]),
            None => true,
        })
    })
}

/// Whether a key names an id.
pub(super) fn is_id(key: &str) -> bool {
    split(key).last().is_some_and(|word| word == "id")
}

pub(super) fn is_room(key: &str) -> bool {
    has(key, &["project", "board", "room", "workspace"])
}

/// What a key stands for that says who, where or when.
pub(super) fn special(key: &str) -> Option<&'static str> {
    let words = split(key);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let is_person = has(key, &SENDERS);
    Some(match last {
        "id" if has(key, &["socket", "connection"]) => "$socket.id",
        "id" if is_person => "$user.id",
        "by" | "uid" | "userid" => "$user.id",
        "user" | "sender" | "author" | "from" if words.len() == 1 => "$user",
        "username" | "displayname" | "nick" | "nickname" => "$user.name ?? $user.id",
        "you" | "me" if words.len() == 1 => "$user.id",
        "name" if is_person || has(key, &["display"]) => "$user.name ?? $user.id",
        "avatar" | "image" | "picture" | "photo" => "$user.image",
        "timestamp" | "time" | "at" | "date" => "$now",
        "id" if words.len() > 1 && is_room(key) => "$room",
        "room" | "project" | "board" if words.len() == 1 => "$room",
        _ => return None,
    })
}

/// Somebody, by what is read of them.
pub(super) fn somebody(rest: &[Vec<String>]) -> Toml {
    let mut person = Toml::table([
        ("id", Toml::text("$user.id")),
        ("name", Toml::text("$user.name ?? $user.id")),
    ]);
    for key in rest.iter().filter_map(|path| path.first()) {
        let value = match key.as_str() {
            "id" | "name" => continue,
            "_id" => "$user.id",
            key => special(key).unwrap_or("$user.id"),
        };
        person = person.with(key, Toml::text(value));
    }
    person
}
