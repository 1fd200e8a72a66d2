//! A command's arguments: an object, or a bare id and perhaps an object, and perhaps a key at the end.

use serde_json::Value;

use super::field::{IDEMPOTENCY_KEYS, TEMPORARY_IDS, first};
use super::fingerprint::Fingerprint;
use super::names::{Entry, Name, Verb};
use super::payload_limits::{self, PAYLOAD};
use super::{Limits, Reply, idempotency};
use crate::domain::Fields;

/// The first argument, when it may be an id or an object.
pub(super) enum First {
    Bare(Value),
    Object(Fields),
}

impl First {
    /// Reads an argument. `None`: it is neither.
    pub(super) fn read(argument: Value, limits: Limits) -> Result<Option<Self>, Reply> {
        Ok(match argument {
            Value::Object(object) => Some(Self::Object(object)),
            Value::Number(_) => Some(Self::Bare(argument)),
            Value::String(ref text) => match payload_limits::object_in(text, limits)? {
                Some(Value::Object(object)) => Some(Self::Object(object)),
                _ => Some(Self::Bare(argument)),
            },
            _ => None,
        })
    }
}

/// A command's arguments, told apart.
#[derive(Debug)]
pub(super) struct CommandArguments {
    /// An id that stands by itself.
    pub(super) bare: Option<Value>,
    /// A status that stands by itself.
    pub(super) status: Option<Value>,
    /// The payload; empty if there is none.
    pub(super) object: Fields,
    /// The idempotency key.
    pub(super) key: Option<String>,
}

impl CommandArguments {
    pub(super) fn read(
        entry: &Entry,
        arguments: Vec<Value>,
        limits: Limits,
    ) -> Result<Self, Reply> {
        let mut rest = arguments.into_iter();
        let first = rest.next().map(|first| First::read(first, limits));
        let first = first.transpose()?.flatten();
        Self::tell_apart(entry, first, rest)
    }

    /// Those of a command whose id stands beside it. The text of an id may be that of an object, and is an id all the same.
    pub(super) fn about(entry: &Entry, id: &str, arguments: Vec<Value>) -> Result<Self, Reply> {
        let id = First::Bare(id.into());
        Self::tell_apart(entry, Some(id), arguments.into_iter())
    }

    fn tell_apart(
        entry: &Entry,
        first: Option<First>,
        rest: impl Iterator<Item = Value>,
    ) -> Result<Self, Reply> {
        let mut rest: Vec<Value> = rest.filter(|argument| !argument.is_null()).collect();
        let (bare, object) = match first {
            Some(First::Object(object)) => (None, Some(object)),
            Some(First::Bare(id)) => (Some(id), None),
            None => return Err(needs_object(entry)),
        };
        let takes_status = bare.is_some() && matches!(entry.name, Name::Command(_, Verb::Status));
        let status = match rest.first() {
            Some(Value::String(_)) if takes_status => Some(rest.remove(0)),
            _ => None,
        };
        let takes_second = bare.is_some() && entry.second.is_some();
        let second = match rest.first() {
            Some(Value::String(_) | Value::Number(_)) if takes_second => Some(rest.remove(0)),
            _ => None,
        };
        let trailing = rest.pop_if(|last| last.is_string());
        let object = object.or_else(|| first_object(rest));
        let says_all = status.is_some() || second.is_some() || !entry.set.is_empty();
        if object.is_none() && !says_all && !allows_bare(entry.name) {
            return Err(needs_object(entry));
        }
        let mut object = object.unwrap_or_default();
        complete(entry, second, &mut object);
        let key = match (idempotency::key_in(&object)?, trailing) {
            (None, Some(Value::String(text))) => Some(idempotency::trailing(&text)?),
            (key, _) => key,
        };
        let mut arguments = Self {
            bare,
            status,
            object,
            key,
        };
        if arguments.key.is_none() && matches!(entry.name, Name::Command(_, Verb::Create)) {
            arguments.key = arguments.temporary_id(entry);
        }
        Ok(arguments)
    }

    /// The key of something new that has a temporary id: the same once more is the same, but frontends count these ids from 1
    /// with each page load, so something else under one is something else.
    fn temporary_id(&self, entry: &Entry) -> Option<String> {
        let (_, id) = first(&self.object, &TEMPORARY_IDS)?;
        let id = id.as_str().filter(|id| (1..=64).contains(&id.len()))?;
        let fingerprint = fingerprint(entry, [&self.bare, &self.status], &self.object);
        Some(format!("temp:{id}:{fingerprint:x}"))
    }
}

/// A hash over what is asked for, whatever the key: the event, what stands by itself, and the payload.
pub(super) fn fingerprint(entry: &Entry, bare: [&Option<Value>; 2], object: &Fields) -> i64 {
    let mut hash = Fingerprint::new();
    hash.text(&entry.canonical);
    for bare in bare {
        hash.value(bare.as_ref().unwrap_or(&Value::Null));
    }
    for (key, value) in object {
        if !IDEMPOTENCY_KEYS.contains(&&**key) {
            hash.text(key);
            hash.value(value);
        }
    }
    hash.finish()
}

/// Says in a payload what the event's name says, in our words.
fn complete(entry: &Entry, second: Option<Value>, object: &mut Fields) {
    for (theirs, ours) in &entry.rename {
        if !object.contains_key(ours)
            && let Some(value) = object.remove(theirs)
        {
            object.insert(ours.clone(), value);
        }
    }
    if let (Some(key), Some(second)) = (&entry.second, second) {
        object.entry(key).or_insert(second);
    }
    for (key, value) in &entry.set {
        object.entry(key).or_insert_with(|| value.clone());
    }
}

fn first_object(arguments: Vec<Value>) -> Option<Fields> {
    arguments.into_iter().find_map(|argument| match argument {
        Value::Object(object) => Some(object),
        _ => None,
    })
}

/// Whether an id alone says everything.
fn allows_bare(name: Name) -> bool {
    match name {
        Name::Join
        | Name::Leave
        | Name::JoinList
        | Name::LeaveList
        | Name::Snapshot
        | Name::Sync
        | Name::List(_)
        | Name::Subscribe
        | Name::Unsubscribe
        | Name::Refresh
        | Name::Signal(..) => true,
        Name::Command(_, verb) => match verb {
            Verb::Delete | Verb::Restore | Verb::Start | Verb::Complete | Verb::Toggle => true,
            Verb::Create | Verb::Update | Verb::Status | Verb::Move => false,
        },
    }
}

fn needs_object(entry: &Entry) -> Reply {
    Reply::invalid(PAYLOAD, format!("of {} must be an object", entry.canonical))
}
