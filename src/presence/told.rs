//! What clients are told of somebody: in signals, and in the answer to a join.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::to_raw_value;

use super::change::{Change, Told};
use super::entry::{Entry, fields};

use super::windows::News;
use crate::domain::{Actor, EventType, Fields, Lasting, Signal};

const JOINED: EventType = EventType::known("presence.join");
const LEFT: EventType = EventType::known("presence.leave");
const UPDATED: EventType = EventType::known("presence.update");

/// Removes what only the server says.
pub(super) fn strip(data: &mut Fields) {
    for key in ["projectId", "userId", "connectionId", "joinedAt"] {
        data.remove(key);
    }
}

/// Somebody: what they say of themselves, and over it what the server knows.
pub(super) fn person(user: &Actor, entry: &Entry) -> Fields {
    let mut person = entry.data.as_deref().map(fields).unwrap_or_default();
    put(&mut person, "userId", user.as_str());
    put(&mut person, "connectionId", entry.connection.to_string());
    put(&mut person, "joinedAt", entry.joined_at.to_string());
    person
}

/// What became of somebody.
pub(super) fn signal(News { told, known }: News) -> Arc<Signal> {
    let Told { key, entry, .. } = &told;
    let (signal_type, mut payload) = match told.change {
        Change::Joined => (JOINED, person(&key.user, entry)),
        Change::Updated => (UPDATED, person(&key.user, entry)),
        Change::Left => {
            let mut left = Fields::new();
            put(&mut left, "userId", key.user.as_str());
            put(&mut left, "connectionId", entry.connection.to_string());
            (LEFT, left)
        }
    };
    put(&mut payload, "projectId", key.project.to_json());
    let payload = to_raw_value(&payload).expect("a map with string keys is always JSON");
    Arc::new(Signal {
        signal_type,
        payload: payload.into(),
        origin: told.origin,
        lasting: Some(Lasting {
            of: key.user.clone(),
            is_end: told.change == Change::Left,
            was: (told.change == Change::Left).then(|| person(&key.user, entry)),
            known,
        }),
    })
}

fn put(target: &mut Fields, key: &str, value: impl Into<Value>) {
    target.insert(key.to_owned(), value.into());
}
