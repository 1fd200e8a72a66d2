//! Arguments of messages: the listener's own ids in place of the actor's, and ids that the server made in place of those
//! that the facts made up.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The words of an event's name that say what is done and not with what.
const CREATES: [&str; 4] = ["create", "add", "new", "created"];

/// The words of a name in lower case, however they are joined.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for char in name.chars() {
        if !char.is_alphanumeric() {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            if char.is_uppercase() && after_small {
                words.push(char.to_lowercase().collect());
            } else {
                word.extend(char.to_lowercase());
            }
        }
        after_small = char.is_lowercase() || char.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a message makes something.
pub(super) fn creates(event: &str) -> bool {
    let words = words(event);
    words.iter().any(|word| CREATES.contains(&word.as_str()))
}

/// What a message is about: the first word that does not say what is done, in the singular.
pub(super) fn noun(event: &str) -> Option<String> {
    let words = words(event);
    let mut words = words.into_iter();
    let noun = words.find(|word| !CREATES.contains(&word.as_str()))?;
    Some(noun.strip_suffix('s').unwrap_or(&noun).to_owned())
}

/// Replaces a text wherever it stands.
pub(super) fn replace(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::String(text) => text.replace(from, to).into(),
        Value::Array(items) => items.iter().map(|item| replace(item, from, to)).collect(),
        Value::Object(fields) => {
            let replaced = fields.iter();
            let replaced = replaced.map(|(key, value)| (key.clone(), replace(value, from, to)));
            Value::Object(replaced.collect())
        }
        other => other.clone(),
    }
}

/// The id of what an event, an answer or a message is about: beside the fields, or in what wraps them.
pub(super) fn id_in(payload: &Value, noun: &str) -> Option<String> {
    let named = format!("{noun}Id");
    let keys = ["id", "_id", named.as_str()];
    let id = |value: &Value| keys.iter().find_map(|key| text(value.get(key)?));
    id(payload).or_else(|| {
        let inner = payload.as_object()?.iter();
        let mut inner = inner
            .filter(|(key, _)| key.as_str() == "data" || words(key).contains(&noun.to_owned()));
        inner.find_map(|(_, value)| id(value))
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Ids that the server made, and what the facts call them.
///
/// Facts are written without knowing the ids of what is created without one: a later message names it `t1`, where a page
/// would name it as it has heard of it. So the first id of a kind that a later message names stands for the one created.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// By noun: what was created and not named since.
    unnamed: HashMap<String, String>,
    /// By the facts' id: the server's.
    bound: HashMap<String, String>,
}

impl Ids {
    /// Notes that something was created, under an id that the message did not name.
    pub(super) fn created(&mut self, event: &str, id: String) {
        if let Some(noun) = noun(event) {
            self.unnamed.entry(noun).or_insert(id);
        }
    }

    /// The arguments as a page would send them. Second: what was put in place of what.
    pub(super) fn apply(&mut self, event: &str, args: &[Value]) -> (Vec<Value>, Option<String>) {
        let mut said = None;
        if !creates(event)
            && let Some(noun) = noun(event)
            && self.unnamed.contains_key(&noun)
            && let Some(literal) = args.first().and_then(|first| named(first, &noun))
            && !self.bound.contains_key(&literal)
            && let Some(id) = self.unnamed.remove(&noun)
        {
            said = Some(format!("{literal} is {id}"));
            self.bound.insert(literal, id);
        }
        (args.iter().map(|arg| self.put(arg)).collect(), said)
    }

    fn put(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.bound.get(text).unwrap_or(text).as_str().into(),
            Value::Array(items) => items.iter().map(|item| self.put(item)).collect(),
            Value::Object(fields) => {
                let put = fields
                    .iter()
                    .map(|(key, value)| (key.clone(), self.put(value)));
                Value::Object(put.collect())
            }
            other => other.clone(),
        }
    }
}

/// The id that a message names: by itself, or under the name of its kind.
fn named(first: &Value, noun: &str) -> Option<String> {
    match first {
        Value::String(id) => Some(id.clone()),
        Value::Object(fields) => id_in(&Value::Object(fields.clone()), noun),
        _ => None,
    }
}

/// A payload that has all that a handler reads.
pub(super) fn payload_with(needs: &[String]) -> Value {
    let mut payload = Value::Null;
    for need in needs {
        match need.as_str() {
            "=any" => {}
            "=string" => payload = "try-1".into(),
            "=array" => payload = Value::Array(Vec::new()),
            path => set(&mut payload, path.split('.')),
        }
    }
    match payload {
        Value::Null => Value::Object(Map::new()),
        payload => payload,
    }
}

/// Puts something at the end of a path.
fn set<'a>(at: &mut Value, mut path: impl Iterator<Item = &'a str>) {
    let Some(key) = path.next() else {
        if at.is_null() {
            *at = "try-1".into();
        }
        return;
    };
    if key == "0" {
        if !at.is_array() {
            *at = Value::Array(vec![Value::Null]);
        }
        if let Some(items) = at.as_array_mut() {
            if items.is_empty() {
                items.push(Value::Null);
            }
            set(&mut items[0], path);
        }
    } else {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        if let Some(fields) = at.as_object_mut() {
            set(fields.entry(key).or_insert(Value::Null), path);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_noun_of_a_name_is_what_it_is_about() {
        for (event, expected) in [
            ("task:create", "task"),
            ("add-task", "task"),
            ("newCard", "card"),
            ("columns:reorder", "column"),
        ] {
            assert_eq!(noun(event).as_deref(), Some(expected), "{event}");
        }
    }

    #[test]
    fn the_first_id_that_is_named_stands_for_what_was_created() {
        let mut ids = Ids::default();
        ids.created("user:create", "019f".to_owned());
        let first = json!({"id": "u1", "data": {"name": "m"}});
        let (args, said) = ids.apply("user:update", &[first]);
        assert_eq!(args, [json!({"id": "019f", "data": {"name": "m"}})]);
        assert_eq!(said.as_deref(), Some("u1 is 019f"));
        let (args, said) = ids.apply("task:assign", &[json!({"userId": "u1"})]);
        assert_eq!((args, said), (vec![json!({"userId": "019f"})], None));
    }

    #[test]
    fn a_payload_has_what_is_needed() {
        for (needs, expected) in [
            (&["=any"][..], json!({})),
            (&["=string"], json!("try-1")),
            (
                &["=array", "0.userId", "0.name"],
                json!([{"userId": "try-1", "name": "try-1"}]),
            ),
            (
                &["task._id", "task.userId", "data"],
                json!({"task": {"_id": "try-1", "userId": "try-1"}, "data": "try-1"}),
            ),
            (
                &["data.newSprint", "data"],
                json!({"data": {"newSprint": "try-1"}}),
            ),
        ] {
            let needs: Vec<_> = needs.iter().map(|need| (*need).to_owned()).collect();
            assert_eq!(payload_with(&needs), expected);
        }
    }
}
