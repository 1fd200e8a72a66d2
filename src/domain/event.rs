//! A committed change.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::id::fresh_uuid;
use super::kind::{is_event_beside, is_our_word};
use super::{Actor, ChannelName, ChannelNo, ConnectionId, Timestamp};

/// An event's place in its channel: 1, 2, 3… without gaps.
pub type Seq = i64;

/// An event's id, a UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventId(pub Uuid);

impl EventId {
    /// A fresh id.
    #[must_use]
    pub fn generate() -> Self {
        Self(fresh_uuid())
    }
}

/// What happened, as the log names it: `task.updated`, `task.status_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventType(Cow<'static, str>);

impl EventType {
    /// A type that this program knows.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A type as the log has it.
    #[must_use]
    pub fn restore(name: String) -> Self {
        Self(Cow::Owned(name))
    }

    /// Whether the name is one of ours: a dotted one, which is spelled as each client wants it. What others publish keeps
    /// the name that they gave it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let parts = self.0.split_once('.');
        parts.is_some_and(|(word, verb)| is_our_word(word) || is_event_beside(word, verb))
    }

    /// Whether it could be taken for one of ours, in whatever spelling.
    #[must_use]
    pub fn sounds_like_ours(&self) -> bool {
        let end = self.0.find(|char: char| !char.is_ascii_lowercase());
        let (word, _) = self.0.split_at(end.unwrap_or(self.0.len()));
        is_our_word(word) || self.is_beside_in_any_spelling()
    }

    /// Whether it is the name of an event about a comment or an entity of a declared kind: `comment:created`,
    /// `commentCreated`.
    fn is_beside_in_any_spelling(&self) -> bool {
        let at = self.0.rfind(|char: char| !char.is_ascii_lowercase());
        let Some(at) = at.filter(|at| self.0.is_char_boundary(at + 1)) else {
            return false;
        };
        let (word, verb) = match self.0.as_bytes()[at] {
            b'A'..=b'Z' => (&self.0[..at], self.0[at..].to_ascii_lowercase()),
            _ => (&self.0[..at], self.0[at + 1..].to_owned()),
        };
        is_event_beside(word, &verb) || is_event_beside(&word.replace('-', "_"), &verb)
    }

    /// Whether it belongs into the list of projects as well.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.0.starts_with("project.") || self.is_about_members()
    }

    /// Whether it says who belongs to a project, and as what.
    #[must_use]
    pub fn is_about_members(&self) -> bool {
        self.0.starts_with("member.")
    }

    /// Whether it is about somebody who was removed from a project.
    #[must_use]
    pub fn is_a_removal(&self) -> bool {
        self.0 == "member.removed"
    }

    /// The dotted name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of a channel's log. Shared by everyone to whom it is delivered.
#[derive(Debug, Clone)]
pub struct Event {
    /// The channel's name.
    pub channel: ChannelName,
    /// The channel's number.
    pub channel_no: ChannelNo,
    /// The place in the channel.
    pub seq: Seq,
    /// The event's own id.
    pub id: EventId,
    /// The channel that it is about, if it stands here for a whole family.
    pub source: Option<ChannelName>,
    /// What happened.
    pub event_type: EventType,
    /// What clients get as first argument: JSON text that is never changed again.
    pub payload: Arc<RawValue>,
    /// What the sender of a published event said of it, as JSON text that is never changed: `id`, `timestamp`, `source`,
    /// `correlationId`, `version`, as far as they were sent.
    pub envelope: Option<Arc<RawValue>>,
    /// Who did it.
    pub actor: Actor,
    /// When it was committed.
    pub created_at: Timestamp,
    /// The connection that asked for it, as long as that is known: it is not kept in the log.
    pub origin: Option<ConnectionId>,
}

impl Event {
    /// The channel that it is about, as clients are told.
    #[must_use]
    pub fn subject(&self) -> &ChannelName {
        self.source.as_ref().unwrap_or(&self.channel)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn events_of_declared_kinds_are_ours_and_others_are_not() {
        Kind::declare("gadget", "gadgets", false).unwrap();
        Kind::declare("side_note", "side_notes", false).unwrap();
        let is = |name: &str| {
            let event_type = EventType::restore(name.to_owned());
            (event_type.is_ours(), event_type.sounds_like_ours())
        };
        for name in ["comment.created", "gadget.restored", "side_note.deleted"] {
            assert_eq!(is(name), (true, true), "{name}");
        }
        for name in [
            "comment:created",
            "commentUpdated",
            "gadget-deleted",
            "gadget_created",
            "side-note-created",
            "side_note:updated",
        ] {
            assert_eq!(is(name), (false, true), "{name}");
        }
        for name in [
            "comment:typing",
            "gadget.sold",
            "gadget",
            "gadgets.created",
            "unknown.created",
            "ä.created",
            "éA",
            ".created",
            "",
        ] {
            assert_eq!(is(name), (false, false), "{name}");
        }
    }
}
