//! What signals tell of.

use crate::domain::{EventType, Kind};

/// What a signal tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalKind {
    /// The user is typing.
    Typing,
    /// The user is editing a task.
    Editing,
    /// What the others are told of the user besides being there.
    Presence,
}

impl SignalKind {
    /// The event that the others hear, if the signal is passed on as it is.
    #[must_use]
    pub const fn event_type(self) -> Option<EventType> {
        match self {
            Self::Typing => Some(EventType::known("typing")),
            Self::Editing => Some(EventType::known("task.editing")),
            Self::Presence => None,
        }
    }

    /// The key that says whether it has begun or ended.
    pub(super) const fn flag(self) -> Option<&'static str> {
        match self {
            Self::Typing => Some("isTyping"),
            Self::Editing => Some("isEditing"),
            Self::Presence => None,
        }
    }

    /// The key for an id that stands by itself.
    pub(super) const fn bare_key(self) -> &'static str {
        match self {
            Self::Editing => Kind::Task.id_key(),
            Self::Typing | Self::Presence => Kind::Project.id_key(),
        }
    }
}
