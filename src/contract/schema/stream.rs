//! What streams of server-sent events say.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::RevokedReason;
use super::types::{Id, Time, wire};

wire! {
    /// The data of a message: an event of a channel, or a signal, which has only a channel, a type and a message.
    #[derive(Serialize)]
    StreamData<'a> {
        /// The channel that it is about.
        #[schemars(with = "String")]
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<&'a str>,
        /// Its own id, a `UUIDv7`.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// 1, 2, 3…: its place in the channel.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<i64>,
        /// As its publisher named it, `message` if it has no name, or the name under which a project's event is heard:
        /// `task:updated`.
        #[serde(rename = "type")]
        event_type: &'a str,
        /// When it was committed.
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<Time>,
        /// Who did it.
        #[serde(skip_serializing_if = "Option::is_none")]
        actor: Option<&'a str>,
        /// What was published, as it was sent; of a project's event, what others hear as its payload.
        #[schemars(with = "Value")]
        message: &'a RawValue,
    }

    /// The data of a message named `access_revoked`: a channel may not be heard any more.
    StreamRevoked {
        /// The channel.
        channel: String,
        /// The project whose channel it is, if it is one's.
        project_id: Option<Id>,
        /// Its room.
        room: Option<String>,
        /// Why.
        reason: RevokedReason,
        /// Of the event by which that is so, if it was one.
        seq: Option<i64>,
    }
}
