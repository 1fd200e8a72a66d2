//! What the server tells a client of its own accord: its cursor, a reset, a revoked channel, a token that expires.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::clock::Clock;
use crate::contract::schema::event::AuthExpiring;
use crate::contract::schema::types::Time;
use crate::contract::{JsonObject, json_text};
use crate::domain::{EventType, Timestamp};
use crate::session::Reset;

/// Something that the server tells of its own accord.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) event_type: EventType,
    /// What is told; nothing but the cursor if there is nothing.
    pub(crate) payload: Option<Box<RawValue>>,
}

impl Notice {
    pub(crate) fn new(event_type: EventType, said: &impl Serialize) -> Self {
        Self {
            event_type,
            payload: Some(json_text(said)),
        }
    }

    /// Where the client stands.
    pub(crate) fn cursor() -> Self {
        Self {
            event_type: EventType::known("session.cursor"),
            payload: None,
        }
    }

    /// When a token expires, and how long that is for a client whose clock is wrong.
    pub(super) fn expiring(expires_at: Timestamp) -> Self {
        let left = expires_at
            .as_millis()
            .saturating_sub(Clock.now().as_millis());
        let said = AuthExpiring {
            expires_at: Time(expires_at),
            expires_in_ms: left.max(0),
        };
        Self::new(EventType::known("auth.expiring"), &said)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.payload
            .as_ref()
            .map_or(0, |payload| payload.get().len())
    }
}

/// Something that a client is told before any event.
#[derive(Debug)]
pub(crate) enum Missed {
    /// Its state is read when it is its turn: those of many clients may be more than fits into memory.
    Reset(Reset),
    /// It is known already. Rendered when it is its turn.
    Known(EventType, JsonObject),
}
