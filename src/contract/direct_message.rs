//! Messages to clients that are connected now: what is published on `broadcast` and `client:<id>`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::json_object::json_text;
use super::schema::event::DirectAbout;
use super::schema::types::Time;
use super::{Condition, Publication};
use crate::domain::{
    Actor, ChannelName, ClientId, ConnectionId, EventId, EventType, Family, Timestamp,
};

/// A message to clients that are connected now. It is not logged.
#[derive(Debug, Clone)]
pub struct DirectMessage {
    /// Its own id.
    pub id: EventId,
    /// `broadcast`, or `client:<id>`.
    pub channel: ChannelName,
    /// What happened, as its publisher named it.
    pub message_type: EventType,
    /// The data, as it was sent.
    pub payload: Arc<RawValue>,
    /// What the sender says of it beside the data, see [`EnvelopeMembers`](super::EnvelopeMembers).
    pub envelope: Option<Box<RawValue>>,
    /// What ties it to the message that it answers.
    pub correlation_id: Option<String>,
    /// Who sent it.
    pub actor: Actor,
    /// When it was sent.
    pub at: Timestamp,
    /// The connection that sent it, which does not hear its own broadcasts.
    pub origin: Option<ConnectionId>,
    /// Which of the clients are meant; all if there is none.
    pub condition: Option<Box<Condition>>,
}

impl DirectMessage {
    /// What a publication becomes.
    #[must_use]
    pub fn new(
        publication: Publication,
        actor: Actor,
        origin: Option<ConnectionId>,
        at: Timestamp,
    ) -> Self {
        let Publication {
            channel,
            event_type,
            payload,
            envelope,
            direct,
            ..
        } = publication;
        let correlation_id = direct.correlation_id;
        Self {
            id: EventId::generate(),
            channel,
            message_type: event_type,
            payload: Arc::from(payload),
            correlation_id: correlation_id.or_else(|| correlated(envelope.as_deref()?)),
            envelope,
            actor,
            at,
            origin,
            condition: direct.condition,
        }
    }

    /// The client that it is for; `None` if it is for several.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        match self.channel.family() {
            Family::Client(id) => Some(id),
            _ => None,
        }
    }

    /// The same, if there can be such a client.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        self.client().and_then(ClientId::parse)
    }

    /// What is known of it besides its data.
    #[must_use]
    pub fn about(&self) -> Box<RawValue> {
        json_text(&DirectAbout {
            channel: self.channel.as_str(),
            id: self.id.0.to_string(),
            timestamp: Time(self.at),
            actor: self.actor.as_str(),
            correlation_id: self.correlation_id.as_deref(),
        })
    }

    /// About the bytes that it takes up on its way.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.payload.get().len() + self.message_type.as_str().len()
    }
}

/// What ties an enveloped message to what it answers: a text, or a number as text.
fn correlated(envelope: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Said {
        correlation_id: Option<Value>,
    }
    let said: Said = serde_json::from_str(envelope.get()).ok()?;
    match said.correlation_id? {
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}
