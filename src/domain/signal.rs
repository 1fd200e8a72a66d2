//! An ephemeral message: who is here, who is typing. It is never logged. It may get lost, unless it says so.

use std::ops::Range;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Actor, ConnectionId, EventType, Fields};

/// See the module. Shared by everyone to whom it is delivered.
#[derive(Debug, Clone)]
pub struct Signal {
    /// What it says, named as events are: `typing`, `presence.join`.
    pub signal_type: EventType,
    /// What clients get as their only argument. It is never a string: clients that recover take a trailing string
    /// for a cursor.
    pub payload: Arc<RawValue>,
    /// The connection that caused it, which is not told.
    pub origin: Option<ConnectionId>,
    /// What is said once and holds until something else is said: who finds no room for it is told later.
    pub lasting: Option<Lasting>,
}

/// Of whom something is said that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lasting {
    /// The user.
    pub of: Actor,
    /// Nothing that was said of them before matters any more.
    pub is_end: bool,
    /// How others saw a user who is not there any more.
    pub was: Option<Fields>,
    /// The changes of presence, by number, after which a subscriber's last list must have been made for this to be news to it.
    pub known: Range<u64>,
}
