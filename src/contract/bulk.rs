//! Commands about many entities in one message: `{taskIds: […], updates: {…}}`, `{tasks: [{id, …}, …]}`, or a list by itself.

use serde_json::Value;

use super::Reply;
use super::field::{first, id_keys, is_usual};
use super::names::{Entry, Name, Verb};
use crate::domain::{Fields, Kind};

/// Most commands of a message.
pub const MAX_COMMANDS: usize = 100;

/// The arguments of each command, if the message has several: an object each.
///
/// # Errors
///
/// The refusal of a list that is empty, too long, or of something else than ids and objects.
pub(super) fn commands_in(
    entry: &Entry,
    arguments: &[Value],
) -> Result<Option<Vec<Fields>>, Reply> {
    let (Name::Command(kind, verb), true) = (entry.name, entry.bulk) else {
        return Ok(None);
    };
    let (key, items, shared) = match arguments.first() {
        Some(Value::Array(items)) => ("payload".to_owned(), items, Fields::new()),
        Some(Value::Object(object)) => match list_in(kind, verb, object) {
            Some((key, items)) => {
                let mut shared = object.clone();
                shared.remove(&key);
                (key, items, shared)
            }
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    if items.is_empty() {
        return Err(Reply::invalid(&key, "must not be empty"));
    }
    if items.len() > MAX_COMMANDS {
        let what = format!("must not name more than {MAX_COMMANDS}");
        return Err(Reply::invalid(&key, what));
    }
    let command = |(index, item): (usize, &Value)| {
        let mut command = shared.clone();
        match item {
            Value::Object(own) => command.extend(own.clone()),
            Value::String(_) | Value::Number(_) if verb != Verb::Create => {
                command.insert(kind.id_key().to_owned(), item.clone());
            }
            _ => return Err(Reply::invalid(&key, "must be a list of ids or objects")),
        }
        // A list of ids is an order.
        if verb == Verb::Move && !item.is_object() {
            command.insert("position".to_owned(), index.into());
        }
        Ok(command)
    };
    let commands = items.iter().enumerate().map(command);
    commands.collect::<Result<_, _>>().map(Some)
}

/// The list that takes the place of an id.
fn list_in(kind: Kind, verb: Verb, object: &Fields) -> Option<(String, &Vec<Value>)> {
    let is_one = first(object, &id_keys(kind)).is_some()
        || (verb == Verb::Create && object.keys().any(|key| is_usual(key)));
    if is_one {
        return None;
    }
    let (name, plural) = (kind.as_str(), kind.plural());
    let keys = [
        format!("{name}Ids"),
        format!("{name}_ids"),
        "ids".to_owned(),
        plural.to_owned(),
        format!("{plural}Order"),
        format!("{name}Order"),
        "order".to_owned(),
    ];
    keys.into_iter().find_map(|key| {
        let items = object.get(&key)?.as_array()?;
        Some((key, items))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::EventName;

    fn commands(event: &str, argument: Value) -> Result<Option<Value>, Reply> {
        let entry = EventName::find(event).unwrap().entry();
        let commands = commands_in(entry, &[argument])?;
        Ok(commands.map(|commands| json!(commands)))
    }

    #[test]
    fn one_message_has_many_commands() {
        for (event, argument, expected) in [
            (
                "task:bulk_update",
                json!({"projectId": "p", "taskIds": ["a", 7], "updates": {"x": 1}}),
                json!([{"projectId": "p", "taskId": "a", "updates": {"x": 1}},
                    {"projectId": "p", "taskId": 7, "updates": {"x": 1}}]),
            ),
            (
                "tasks:reorder",
                json!({"taskIds": ["a", "b"]}),
                json!([{"taskId": "a", "position": 0}, {"taskId": "b", "position": 1}]),
            ),
            (
                "tasks:create",
                json!({"projectId": "p", "tasks": [{"title": "A"}]}),
                json!([{"projectId": "p", "title": "A"}]),
            ),
            (
                "tasks:update",
                json!([{"id": "a", "x": 1}]),
                json!([{"id": "a", "x": 1}]),
            ),
        ] {
            assert_eq!(
                commands(event, argument.clone()).unwrap(),
                Some(expected),
                "{argument}"
            );
        }
        for (event, argument) in [
            ("task:bulk_update", json!({"taskId": "a", "ids": [1]})),
            ("task:update", json!({"taskIds": ["a"]})),
            ("tasks:create", json!({"title": "a", "tasks": []})),
            ("task:delete", json!("a")),
            (
                "sprint:complete",
                json!({"sprintId": "s", "taskIds": ["a"]}),
            ),
        ] {
            assert_eq!(
                commands(event, argument.clone()).unwrap(),
                None,
                "{argument}"
            );
        }
    }

    #[test]
    fn bad_lists_are_named() {
        for (argument, field) in [
            (json!({"taskIds": []}), "taskIds"),
            (json!({"taskIds": [true]}), "taskIds"),
            (json!({"ids": vec!["a"; 101]}), "ids"),
            (json!([]), "payload"),
        ] {
            let refusal = commands("tasks:update", argument).unwrap_err();
            assert_eq!(refusal.field(), Some(field));
        }
    }
}
