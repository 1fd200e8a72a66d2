//! Refusals: how they are told, and what makes a server refuse, for frontends that listen for that under a name of their own.

use serde_json::{Map, Value, json};

use super::arguments::{noun, words};
use super::hearing::Heard;

/// The words by which a refusal is called.
const REFUSALS: [&str; 8] = [
    "error",
    "rejected",
    "failed",
    "failure",
    "refused",
    "denied",
    "invalid",
    "unauthorized",
];
/// What stands for another value than was sent…
const OTHER: &str = "try-other";
/// … and for the one that another page sends before.
const OTHER_BEFORE: &str = "try-before";
/// A version that everything has had.
const STALE: u32 = 1;

/// Whether an event is called like a refusal.
pub(super) fn is_refusal(event: &str) -> bool {
    let words = words(event);
    words.iter().any(|word| REFUSALS.contains(&word.as_str()))
}

/// The code and the reason of a refusal.
pub(super) type Refusal = (Option<String>, String);

/// The refusal that an ack is.
pub(super) fn refusal_in_ack(ack: &Value) -> Option<Refusal> {
    let refused = ["ok", "success"].iter().any(|key| ack[key] == false);
    refused.then(|| reason(ack))
}

/// The refusal that an event is.
pub(super) fn refusal_in_event(heard: &Heard) -> Refusal {
    let (code, why) = reason(heard.payload());
    match heard.event.as_str() {
        "error" => (code, why),
        event => (code, format!("{event}: {why}")),
    }
}

fn reason(refusal: &Value) -> Refusal {
    let text = |key: &str| refusal[key].as_str().map(str::to_owned);
    let why = text("error").or_else(|| text("message"));
    (text("code"), why.unwrap_or_else(|| refusal.to_string()))
}

/// Whether a message may be refused as this event says: it is about the same thing.
pub(super) fn concerns(refusal: &str, event: &str) -> bool {
    noun(refusal) == noun(event) || is_refusal(&noun(refusal).unwrap_or_default())
}

/// Arguments with which another page changes what a message is about, so that the message comes too late.
pub(super) fn before(event: &str, args: &[Value]) -> Vec<Value> {
    changed(event, args, None)
}

/// Arguments that are likely to be refused: with nothing in them; or the same once more, made against a version that is
/// gone and with other values.
pub(super) fn variants(event: &str, args: &[Value]) -> [Vec<Value>; 2] {
    [vec![json!({})], changed(event, args, Some(STALE))]
}

/// The same arguments with other values, made against a version or against none.
fn changed(event: &str, args: &[Value], version: Option<u32>) -> Vec<Value> {
    let noun = noun(event).unwrap_or_default();
    let changed = args.iter().map(|arg| match arg {
        Value::Object(fields) => Value::Object(with_others(fields, &noun, version)),
        other => other.clone(),
    });
    changed.collect()
}

fn with_others(
    fields: &Map<String, Value>,
    noun: &str,
    version: Option<u32>,
) -> Map<String, Value> {
    let other = if version.is_some() {
        OTHER
    } else {
        OTHER_BEFORE
    };
    let mut changed = Map::new();
    for (key, value) in fields {
        let words = words(key);
        let is_id = words.last().is_some_and(|word| word == "id");
        let names = is_id && (words.len() == 1 || words.iter().any(|word| is_place(word, noun)));
        let value = match (value, version) {
            (Value::Number(_), version) if words.iter().any(|word| word == "version") => {
                match version {
                    Some(version) => version.into(),
                    None => continue,
                }
            }
            (Value::String(_), _) if !names => other.into(),
            (value, _) => value.clone(),
        };
        changed.insert(key.clone(), value);
    }
    if let Some(version) = version {
        changed
            .entry("expectedVersion")
            .or_insert_with(|| version.into());
    }
    changed
}

/// Whether an id with this word says what a message is about or where that is.
fn is_place(word: &str, noun: &str) -> bool {
    word == noun || ["project", "board", "room", "workspace"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_by_their_names() {
        for (event, expected) in [
            ("error", true),
            ("card:rejected", true),
            ("saveFailed", true),
            ("card:moved", false),
        ] {
            assert_eq!(is_refusal(event), expected, "{event}");
        }
        assert!(concerns("card:rejected", "card:move"));
        assert!(concerns("error", "card:move"));
        assert!(!concerns("sprint:error", "card:move"));
    }

    #[test]
    fn a_stale_message_is_about_the_same_card() {
        let sent =
            json!({"cardId": "c1", "toColumnId": "k2", "newPosition": 1, "clientVersion": 4});
        let sent = [sent];
        let [empty, stale] = variants("card:move", &sent);
        assert_eq!(empty, [json!({})]);
        let expected = json!({"cardId": "c1", "toColumnId": OTHER, "newPosition": 1, "clientVersion": 1, "expectedVersion": 1});
        assert_eq!(stale, [expected]);
        let expected = json!({"cardId": "c1", "toColumnId": OTHER_BEFORE, "newPosition": 1});
        assert_eq!(before("card:move", &sent), [expected]);
    }
}
