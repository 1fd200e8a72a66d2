//! The payload of an event that is passed on, as a page reads it: from what was sent.

use std::collections::BTreeMap;

use super::super::listens::Need;
use super::super::shape::Shape;
use super::super::words::{has, split, stem};
use super::names::PEOPLE;
use super::needs::{Filled, QUALIFIERS, by_key, fill, holds, is_id, is_room, somebody, special};
use super::value::Toml;

/// Keys under which frontends wrap what they send.
pub(super) const WRAPPERS: [&str; 9] = [
    "data", "updates", "changes", "payload", "patch", "item", "details", "body", "fields",
];

/// Keys under which pages look for what somebody has said.
const TEXTS: [&str; 7] = [
    "text", "message", "content", "body", "value", "msg", "title",
];

/// The payload of an event that is passed on, from what was sent.
pub(super) fn relayed(needs: &[Need], name: &str, sent: Option<&Shape>) -> Filled {
    let keys = by_key(needs);
    if keys.is_empty() {
        return whole(needs, sent);
    }
    let Some(sent @ Shape::Object(_)) = sent else {
        return fill(&keys, None, |key, rest| {
            from_scalar(key, rest, (name, sent))
        });
    };
    let has = |base: &Shape, key: &str, rest: &[Vec<String>]| holds(base, key, rest);
    let score = |base: &Shape| {
        keys.iter()
            .filter(|(key, rest)| has(base, key, rest))
            .count()
    };
    let mut best = ("$data".to_owned(), sent, score(sent));
    for (key, inner) in sent
        .keys()
        .filter(|(_, inner)| matches!(inner, Shape::Object(_)))
    {
        if score(inner) > best.2 {
            best = (format!("$data.{key}"), inner, score(inner));
        }
    }
    let (base, shape, _) = best;
    let missing: BTreeMap<_, _> = keys
        .iter()
        .filter(|(key, rest)| !has(shape, key, rest))
        .map(|(key, rest)| (key.clone(), rest.clone()))
        .collect();
    if missing.is_empty() {
        let data = (base != "$data").then(|| Toml::text(base));
        return Filled {
            data,
            missing: Vec::new(),
        };
    }
    fill(&missing, Some(Toml::text(base)), |key, rest| {
        from_sent(key, rest, sent)
    })
}

/// What a page reads of a payload as a whole.
fn whole(needs: &[Need], sent: Option<&Shape>) -> Filled {
    let wants = |need: &Need| needs.contains(need);
    let key = |fits: fn(&Shape) -> bool| {
        let mut keys = sent.into_iter().flat_map(Shape::keys);
        keys.find(|(key, shape)| fits(shape) && (!matches!(shape, Shape::String) || is_id(key)))
            .map(|(key, _)| Toml::text(format!("$data.{key}")))
    };
    let data = match sent {
        Some(Shape::Object(_)) if wants(&Need::Text) => {
            key(|shape| matches!(shape, Shape::String | Shape::Number))
        }
        Some(Shape::Object(_)) if wants(&Need::List) => {
            key(|shape| matches!(shape, Shape::List(_)))
        }
        _ => return Filled::default(),
    };
    Filled {
        missing: if data.is_none() {
            vec!["the payload".to_owned()]
        } else {
            Vec::new()
        },
        data,
    }
}

/// A value from what was sent as a bare value.
pub(super) fn from_scalar(
    key: &str,
    rest: &[Vec<String>],
    (name, sent): (&str, Option<&Shape>),
) -> Option<Toml> {
    let is_scalar = matches!(sent, Some(Shape::String | Shape::Number | Shape::Any));
    let is_said = TEXTS.contains(&key);
    if is_scalar && rest.is_empty() && is_said {
        return Some(Toml::text("$data"));
    }
    if let Some(person) = special(key).filter(|_| !is_room(key) || !is_scalar) {
        return Some(if rest.is_empty() {
            Toml::text(person)
        } else {
            somebody(rest)
        });
    }
    // The id by itself is that of what the event's name says.
    let is_its_own =
        matches!(key, "id" | "_id") || split(name).iter().any(|word| has(key, &[word]));
    (rest.is_empty() && is_scalar && is_id(key) && is_its_own).then(|| Toml::text("$data"))
}

/// A value from what was sent as an object, under another key.
pub(super) fn from_sent(key: &str, rest: &[Vec<String>], sent: &Shape) -> Option<Toml> {
    if let Some(inner) = sent
        .keys()
        .find(|(_, inner)| inner.get(key).is_some() && holds(inner, key, rest))
    {
        return Some(Toml::text(format!("$data.{}.{key}", inner.0)));
    }
    if rest.is_empty()
        && let Some(found) = alike(key, sent)
    {
        return Some(Toml::text(format!("$data.{found}")));
    }
    if let Some(person) = special(key) {
        return Some(if rest.is_empty() {
            Toml::text(person)
        } else {
            somebody(rest)
        });
    }
    if rest.is_empty() && is_id(key) {
        let ids = sent
            .keys()
            .filter(|(key, shape)| is_id(key) && !is_room(key) && is_scalar(shape));
        if let Some((id, _)) = ids.min_by_key(|(id, _)| (has(id, &PEOPLE), id.len())) {
            return Some(Toml::text(format!("$data.{id}")));
        }
        return None;
    }
    thing(key, rest, sent)
}

/// The thing itself, from what wraps it: `column` from `columnData`, `data` or `updates`.
fn thing(key: &str, rest: &[Vec<String>], sent: &Shape) -> Option<Toml> {
    let objects = sent
        .keys()
        .filter(|(_, shape)| matches!(shape, Shape::Object(_)));
    let words = split(key);
    let mut objects = objects.filter(|(wrapper, _)| {
        let of_wrapper = split(wrapper);
        let names_it = of_wrapper
            .iter()
            .any(|word| words.iter().any(|own| stem(own) == stem(word)));
        names_it
            || of_wrapper
                .iter()
                .all(|word| WRAPPERS.contains(&word.as_str()))
    });
    let ids = sent.keys().filter(|(id, shape)| {
        is_id(id)
            && is_scalar(shape)
            && split(id)
                .iter()
                .any(|word| words.iter().any(|own| stem(own) == stem(word)))
    });
    let id = ids.map(|(id, _)| format!("$data.{id}")).next();
    let mut thing = objects
        .next()
        .map(|(wrapper, _)| Toml::text(format!("$data.{wrapper}")));
    if thing.is_none() && !rest.is_empty() {
        thing = Some(Toml::text("$data"));
    }
    let thing = thing?;
    let wants_id =
        |path: &Vec<String>| matches!(path.as_slice(), [only] if only == "_id" || only == "id");
    match id {
        Some(id) if rest.is_empty() || rest.iter().any(wants_id) => Some(
            thing
                .with("id", Toml::text(&*id))
                .with("_id", Toml::text(id)),
        ),
        _ => Some(thing),
    }
}

fn is_scalar(shape: &Shape) -> bool {
    matches!(shape, Shape::String | Shape::Number | Shape::Any)
}

/// A key that says the same without what qualifies it: `oldTagName` and `tagName`.
fn alike(key: &str, sent: &Shape) -> Option<String> {
    let plain = |key: &str| -> Vec<String> {
        let words = split(key).into_iter();
        words
            .filter(|word| !QUALIFIERS.contains(&word.as_str()))
            .map(|word| stem(&word))
            .collect()
    };
    let wanted = plain(key);
    let mut keys = sent
        .keys()
        .filter(|(_, shape)| !matches!(shape, Shape::Object(_)));
    let found = keys.find(|(sent, _)| !wanted.is_empty() && plain(sent) == wanted);
    found.map(|(key, _)| key.to_owned())
}
