//! The answer to one request: the ack, the `error` event and the body of an HTTP response are this object.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::json_object::json_text;
use super::{ErrorCode, JsonObject};
use crate::domain::{Entity, Refusal, Seq};

/// Keys that follow from the outcome and are never stored among the rest.
const DERIVED: [&str; 4] = ["ok", "success", "code", "retryable"];

/// Keys under which entities stand. They are told as they are, as text.
const ENTITIES: [&str; 2] = ["data", "current"];

/// Most characters of a client's event name that are given back.
pub(super) const MAX_NAME_CHARS: usize = 64;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Set if it is a refusal.
    code: Option<ErrorCode>,
    /// Everything that does not follow from the code.
    rest: JsonObject,
}

/// What became of an accepted command.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The seq of its last event, or of the channel's head if there was none.
    pub seq: Seq,
    /// The cursor at that seq.
    pub cursor: String,
    /// The entity's version now.
    pub version: i64,
    /// The entity now.
    pub data: Arc<Entity>,
    /// Nothing had to change.
    pub noop: bool,
    /// It was made against an older version and did not collide.
    pub merged: bool,
    /// The number of tasks that have yet to follow.
    pub pending: usize,
}

impl Reply {
    /// A command was accepted.
    #[must_use]
    pub fn accepted(accepted: Accepted) -> Self {
        let mut rest = JsonObject::default();
        rest.insert("seq", accepted.seq);
        rest.insert("cursor", accepted.cursor);
        rest.insert("version", accepted.version);
        rest.insert_entity("data", &accepted.data);
        for (key, holds) in [("noop", accepted.noop), ("merged", accepted.merged)] {
            if holds {
                rest.insert(key, true);
            }
        }
        if accepted.pending > 0 {
            rest.insert("pending", accepted.pending);
        }
        Self::done(rest)
    }

    /// Something that is no change succeeded: a join, a snapshot, a sync.
    #[must_use]
    pub fn done(extra: impl Into<JsonObject>) -> Self {
        let mut rest = extra.into();
        for key in DERIVED {
            rest.remove(key);
        }
        Self { code: None, rest }
    }

    /// Something was refused, for a reason that a person can read.
    #[must_use]
    pub fn refused(code: ErrorCode, error: impl Into<String>) -> Self {
        let mut rest = JsonObject::default();
        rest.insert("error", error.into());
        Self {
            code: Some(code),
            rest,
        }
    }

    /// The server failed; what happened is in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::refused(ErrorCode::Internal, "something went wrong on the server")
    }

    /// A value breaks a rule: `field` must, or must not, …
    #[must_use]
    pub fn invalid(field: &str, what: impl std::fmt::Display) -> Self {
        Self::refused(ErrorCode::ValidationFailed, format!("{field} {what}")).with_field(field)
    }

    /// The same answer, naming the field that is to blame.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.rest.insert("field", field.into());
        self
    }

    /// The same answer, with the entity as it is.
    fn with_current(mut self, current: &Arc<Entity>) -> Self {
        self.rest.insert_entity("current", current);
        self
    }

    /// The same answer, naming the fields that were sent and have no effect.
    #[must_use]
    pub fn with_ignored(mut self, keys: Vec<String>) -> Self {
        if !keys.is_empty() {
            self.rest.insert("ignored", keys);
        }
        self
    }

    /// The same answer, saying when the same may succeed.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        // Whoever comes a moment too early is refused again.
        let millis = wait.as_nanos().div_ceil(1_000_000).max(1);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.rest.insert("retryAfterMs", millis);
        self
    }

    /// What a rule's refusal looks like from outside.
    #[must_use]
    pub fn from_refusal(refusal: &Refusal) -> Self {
        let refused = |code| Self::refused(code, refusal.to_string());
        match refusal {
            Refusal::NotFound { field, .. } => refused(ErrorCode::NotFound).with_field(*field),
            Refusal::Forbidden(_) => refused(ErrorCode::Forbidden),
            Refusal::Gone(kind) => refused(ErrorCode::Gone).with_field(kind.id_key()),
            Refusal::Conflict { field, current, .. } => refused(ErrorCode::Conflict)
                .with_field(field.clone())
                .with_current(current),
            Refusal::UnderWay { current, .. } => {
                let field = current.kind.id_key();
                refused(ErrorCode::Conflict)
                    .with_field(field)
                    .with_current(current)
            }
            Refusal::Precondition { current, .. } => {
                let reply = refused(ErrorCode::PreconditionFailed).with_field("If-Match");
                match current {
                    Some(current) => reply.with_current(current),
                    None => reply,
                }
            }
            Refusal::Invalid { field, .. } => {
                refused(ErrorCode::ValidationFailed).with_field(field)
            }
            Refusal::TooLarge { .. } => refused(ErrorCode::PayloadTooLarge),
        }
    }

    /// The answer that was given to the same command before. `None` if the text is no answer.
    #[must_use]
    pub fn duplicate_of(stored_json: &str) -> Option<Self> {
        let stored: BTreeMap<String, &RawValue> = serde_json::from_str(stored_json).ok()?;
        let mut rest = JsonObject::default();
        for (key, raw) in stored {
            if ENTITIES.contains(&&*key) {
                rest.insert_json(key, raw.to_owned());
            } else {
                let value: Value = serde_json::from_str(raw.get()).ok()?;
                rest.insert(key, value);
            }
        }
        let code = if rest.get("ok")?.as_bool()? {
            None
        } else {
            Some(rest.get("code")?.as_str()?.parse().ok()?)
        };
        for key in DERIVED {
            rest.remove(key);
        }
        rest.insert("duplicate", true);
        Some(Self { code, rest })
    }

    /// Whether it is no refusal.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.code.is_none()
    }

    /// How many of so many publications had been published before.
    #[must_use]
    pub fn duplicates(&self, publications: usize) -> usize {
        let is_duplicate = self.rest.get("duplicate").and_then(Value::as_bool);
        let counted = self.rest.get("duplicates").and_then(Value::as_u64);
        match (publications, counted) {
            (1, _) => usize::from(is_duplicate == Some(true)),
            (_, counted) => counted
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(0),
        }
    }

    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.code
    }

    /// The sentence for a person; empty if it is no refusal.
    #[must_use]
    pub fn message(&self) -> &str {
        self.text("error").unwrap_or_default()
    }

    /// A list of objects that the answer carries; empty if there is none.
    #[must_use]
    pub fn list(&self, key: &str) -> &[JsonObject] {
        self.rest.list(key)
    }

    /// The field that is to blame, if one is.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.text("field")
    }

    /// When the same may succeed, if that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let millis = self.get("retryAfterMs").and_then(Value::as_u64);
        millis.map(Duration::from_millis)
    }

    /// A value of the answer that is text already, because it is large.
    #[must_use]
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.rest.text_of(key)
    }

    /// The bytes of what is large of the answer.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.rest.text_bytes()
    }

    /// A value of the answer, besides what follows from its code.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.rest.get(key)
    }

    /// The answer besides what follows from its code.
    #[must_use]
    pub fn object(&self) -> &JsonObject {
        &self.rest
    }

    /// A value of the answer, whether it is kept as such or as text.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Cow<'_, Value>> {
        self.rest.value(key)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The answer as JSON text.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        json_text(self)
    }

    /// The answer as JSON text, in one piece of memory from the start: it may be large.
    ///
    /// # Panics
    ///
    /// Never, as [`json_text`].
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        const REST: usize = 1024;
        let mut text = Vec::with_capacity(self.text_bytes() + REST);
        serde_json::to_writer(&mut text, self).expect("a map with string keys is always JSON");
        text
    }

    /// One answer to several commands: what became of each stands in `results`.
    #[must_use]
    pub fn of_all(results: &[Self]) -> Self {
        let refused = results.iter().filter(|result| !result.is_ok());
        let mut all = match refused.clone().next() {
            None => Self::done(JsonObject::default()),
            Some(first) => {
                let message = format!(
                    "{} of {} were refused: {}",
                    refused.count(),
                    results.len(),
                    first.message()
                );
                let code = first.code().unwrap_or(ErrorCode::Internal);
                let all = Self::refused(code, message);
                match first.field() {
                    Some(field) => all.with_field(field),
                    None => all,
                }
            }
        };
        all.rest.insert_text("results", &results);
        all
    }

    /// The argument of the `error` event for those who asked for no ack: the same object, naming the event.
    #[must_use]
    pub fn to_error_event(&self, event: &str) -> Box<RawValue> {
        let mut reply = self.clone();
        let event: String = event.chars().take(MAX_NAME_CHARS).collect();
        reply.rest.insert("event", event);
        let message = reply.message().to_owned();
        reply.rest.insert("message", message);
        reply.to_raw()
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ok", &self.is_ok())?;
        map.serialize_entry("success", &self.is_ok())?;
        if let Some(code) = self.code {
            map.serialize_entry("code", &code)?;
            map.serialize_entry("retryable", &code.retryable())?;
        }
        self.rest.write(&mut map)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::payload;
    use crate::domain::{Actor, EntityId, Fields, Id, Kind, ProjectId, Stamp, Timestamp};

    fn task() -> Entity {
        let stamp = Stamp {
            at: Timestamp::from_millis(0),
            by: Actor::new("ada"),
        };
        let id = Id::from_text("t").unwrap();
        let mut task = Entity::blank(ProjectId(id.clone()), Kind::Task, EntityId(id), stamp);
        task.fields.insert("title", json!("Sow"));
        task
    }

    fn json_of(reply: &Reply) -> Value {
        serde_json::from_str(reply.to_raw().get()).unwrap()
    }

    #[test]
    fn an_accepted_command_says_only_what_applies() {
        let task = Arc::new(task());
        let state = Value::Object(payload::entity(&task));
        let accepted = Accepted {
            seq: 7,
            cursor: "e.1:7".to_owned(),
            version: 2,
            data: Arc::clone(&task),
            noop: false,
            merged: true,
            pending: 0,
        };
        let expected = json!({"ok": true, "success": true, "seq": 7, "cursor": "e.1:7", "version": 2,
            "data": state, "merged": true});
        let reply = Reply::accepted(accepted);
        assert_eq!(json_of(&reply), expected);
        assert_eq!(reply.value("data").as_deref(), Some(&state));
        assert_eq!(reply.get("data"), None);
        assert_eq!(reply.to_text(), reply.to_raw().get().as_bytes());
    }

    #[test]
    fn a_refusal_tells_its_code_and_field() {
        let reply = Reply::invalid("title", "must be a string");
        let mut expected = json!({"ok": false, "success": false, "code": "validation_failed", "retryable": false,
            "error": "title must be a string", "field": "title"});
        assert_eq!(json_of(&reply), expected);
        assert_eq!(reply.message(), "title must be a string");
        expected["event"] = json!("task:create");
        expected["message"] = json!("title must be a string");
        let event: Value = serde_json::from_str(reply.to_error_event("task:create").get()).unwrap();
        assert_eq!(event, expected);
    }

    #[test]
    fn waits_are_told_in_whole_milliseconds() {
        let reply = Reply::refused(ErrorCode::RateLimited, "slowly");
        for (nanos, millis) in [(0, 1), (1, 1), (1_000_000, 1), (1_000_001, 2)] {
            let reply = reply.clone().with_retry_after(Duration::from_nanos(nanos));
            assert_eq!(json_of(&reply)["retryAfterMs"], millis);
        }
    }

    #[test]
    fn a_repeated_command_gets_its_first_answer_again() {
        let mut extra = Fields::new();
        extra.insert("room".to_owned(), json!("project:1"));
        for first in [
            Reply::done(extra),
            Reply::refused(ErrorCode::Gone, "too late"),
        ] {
            let again = Reply::duplicate_of(first.to_raw().get()).unwrap();
            let mut expected = json_of(&first);
            expected["duplicate"] = json!(true);
            assert_eq!(json_of(&again), expected);
            assert_eq!(again.code(), first.code());
        }
        for broken in [
            "",
            "[]",
            "{}",
            r#"{"ok":false}"#,
            r#"{"ok":false,"code":"x"}"#,
        ] {
            assert_eq!(Reply::duplicate_of(broken), None);
        }
    }
}
