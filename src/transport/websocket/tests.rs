//! What the unit tests share.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::domain::{Actor, ChannelName, ChannelNo, Event, EventId, EventType, Seq, Timestamp};

/// An event that somebody published.
pub(super) fn event(channel: &str, seq: Seq, payload: &str) -> Event {
    Event {
        channel: ChannelName::restore(channel),
        channel_no: ChannelNo(7),
        seq,
        id: EventId::generate(),
        source: None,
        event_type: EventType::restore("ai_progress".to_owned()),
        payload: Arc::from(RawValue::from_string(payload.to_owned()).unwrap()),
        envelope: None,
        actor: Actor::new("backend"),
        created_at: Timestamp::from_millis(1_700_000_000_123),
        origin: None,
    }
}
