//! What streams of server-sent events say.

use schemars::JsonSchema;
use serde_json::Value;

use super::kit::{Id, Time};

/// The data of a message: an event of a channel, or a signal.
#[derive(JsonSchema)]
pub struct StreamData {
    /// The channel that it is about.
    pub channel: String,
    /// What happened.
    pub message: StreamMessage,
}

/// What happened in a channel. A signal has only a type and data.
#[derive(JsonSchema)]
pub struct StreamMessage {
    /// As its publisher named it, or the name under which a project's event is heard: `task:updated`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// 1, 2, 3…: its place in the channel.
    pub seq: Option<i64>,
    /// Its own id, a `UUIDv7`.
    pub id: Option<String>,
    /// When it was committed.
    pub timestamp: Option<Time>,
    /// Who did it.
    pub actor: Option<String>,
    /// What its publisher said, as it was sent; of a project's event, what others hear as its payload.
    pub data: Value,
}

/// The data of a message named `access_revoked`: a channel may not be heard any more.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamRevoked {
    /// The channel.
    pub channel: String,
    /// The project whose channel it is, if it is one's.
    pub project_id: Option<Id>,
    /// Its room.
    pub room: Option<String>,
    /// Why.
    pub reason: super::event::RevokedReason,
    /// Of the event by which that is so, if it was one.
    pub seq: Option<i64>,
}
