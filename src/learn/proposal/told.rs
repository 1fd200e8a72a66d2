//! The payload of one of our events, as a page reads it: from the event and the entity.

use std::collections::BTreeMap;

use super::super::listens::Need;
use super::super::shape::Shape;
use super::super::words::{is_one_of, singular, split};
use super::needs::{Filled, QUALIFIERS, by_key, fill, holds, special};
use super::value::Toml;

/// What the payload of each event about an entity has.
const ALWAYS_TOLD: [&str; 8] = [
    "id",
    "projectId",
    "version",
    "seq",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
];

/// The payload of one of our events, from the event and the entity.
pub(super) fn told(needs: &[Need], nouns: &[&str], sent: Option<&Shape>) -> Filled {
    if needs.contains(&Need::Text) {
        return Filled {
            data: Some(Toml::text("$entity.id ?? $data")),
            missing: Vec::new(),
        };
    }
    if needs.contains(&Need::List) {
        return Filled {
            data: Some(Toml::List(vec![Toml::text("$entity")])),
            missing: Vec::new(),
        };
    }
    let keys = by_key(needs);
    let missing: BTreeMap<_, _> = keys
        .into_iter()
        .filter(|(key, rest)| !is_told(key, rest, nouns, sent))
        .collect();
    if missing.is_empty() {
        return Filled::default();
    }
    fill(&missing, Some(Toml::text("$data")), |key, rest| {
        Some(from_entity(key, rest, nouns))
    })
}

/// Whether our event has a value as it is.
fn is_told(key: &str, rest: &[Vec<String>], nouns: &[&str], sent: Option<&Shape>) -> bool {
    let is_sent = sent.is_some_and(|sent| {
        holds(sent, key, rest)
            || (rest.is_empty() && sent.keys().any(|(_, inner)| inner.get(key).is_some()))
    });
    let is_ours = rest.is_empty()
        && (ALWAYS_TOLD.contains(&key)
            || nouns.first().is_some_and(|kind| key == format!("{kind}Id")));
    // What a backend changes has the fields that it sends.
    let is_field = sent.is_none()
        && rest.is_empty()
        && !key.ends_with("Id")
        && !key.starts_with('_')
        && !nouns.iter().any(|noun| is_one_of(key, &[noun]))
        && special(key).is_none()
        && split(key).len() == 1
        && !QUALIFIERS.contains(&key);
    let is_change = rest.is_empty() && ["oldStatus", "newStatus"].contains(&key);
    // Of the server's own word the page hears the latest.
    (is_sent || is_ours || is_field || is_change) && !(rest.is_empty() && key == "_id")
}

/// A value of our event that it has not under that key.
fn from_entity(key: &str, rest: &[Vec<String>], nouns: &[&str]) -> Toml {
    let words = split(key);
    let is_noun = |word: &String| nouns.iter().any(|noun| is_one_of(word, &[noun]));
    if !rest.is_empty() || (words.iter().any(is_noun) && !key.to_lowercase().ends_with("id")) {
        let inner: BTreeMap<_, _> =
            by_key(&rest.iter().cloned().map(Need::Path).collect::<Vec<_>>());
        if words
            .iter()
            .any(|word| is_noun(word) && singular(word) != word)
        {
            return Toml::List(vec![Toml::text("$entity")]);
        }
        let names_entity = inner
            .keys()
            .any(|key| split(key).iter().any(is_noun) && !key.to_lowercase().ends_with("id"));
        if names_entity && !words.iter().any(is_noun) {
            let entries = inner
                .iter()
                .map(|(key, rest)| (key.clone(), from_entity(key, rest, nouns)));
            return Toml::Table(entries.collect());
        }
        return wrapped(key, &inner);
    }
    if matches!(key, "_id" | "id") || words.iter().any(is_noun) {
        return Toml::text(format!("$entity.id ?? $data.{key}"));
    }
    if let Some(person) = special(key) {
        return Toml::text(format!("$data.{key} ?? $entity.{key} ?? {person}"));
    }
    if words
        .iter()
        .any(|word| is_one_of(word, &["column", "list", "lane"]))
    {
        let mut keys = vec![key];
        keys.extend(
            ["columnId", "column", "listId", "status"]
                .into_iter()
                .filter(|known| *known != key),
        );
        let keys = keys.iter().map(|key| format!("$entity.{key}"));
        let keys = keys.collect::<Vec<_>>().join(" ?? ");
        return Toml::text(format!("$data.{key} ?? {keys}"));
    }
    let qualified = words
        .iter()
        .filter(|word| !QUALIFIERS.contains(&word.as_str()));
    let plain: Vec<_> = qualified.cloned().collect();
    match plain.as_slice() {
        [] => Toml::text("$entity"),
        [plain] if words.len() > 1 => {
            Toml::text(format!("$data.{key} ?? $entity.{key} ?? $entity.{plain}"))
        }
        _ => Toml::text(format!("$data.{key} ?? $entity.{key}")),
    }
}

/// The entity with an `_id`, and with what else is read of it.
fn wrapped(key: &str, inner: &BTreeMap<String, Vec<Vec<String>>>) -> Toml {
    // What a backend publishes is as the page wants it.
    let mut entity = Toml::text(format!("$entity ?? $data.{key}"));
    for read in inner.keys() {
        if read == "_id" {
            let id = format!("$entity.id ?? $data.{key}._id");
            entity = entity.with("_id", Toml::text(id));
        } else if let Some(person) = special(read) {
            let value = format!("$entity.{read} ?? $data.{key}.{read} ?? {person}");
            entity = entity.with(read, Toml::text(value));
        }
    }
    entity
}
