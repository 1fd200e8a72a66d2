//! An ephemeral message: who is here, who is typing. It is never logged, and it may get lost.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{ConnectionId, EventType};

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
}
