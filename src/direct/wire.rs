//! How direct messages travel between instances, and how many they have reached there: JSON that a person can read with
//! `redis-cli`.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Reached;
use crate::contract::{Condition, DirectMessage};
use crate::domain::{
    Actor, ChannelName, ConnectionId, EventId, EventType, Fields, InstanceId, Timestamp,
};

/// A message, and who is to be told how many it has reached.
#[derive(Serialize, Deserialize)]
struct Sent<'a> {
    request: u64,
    #[serde(borrow)]
    from: Cow<'a, str>,
    id: EventId,
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<ConnectionId>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    envelope: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    correlation: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r#where: Option<Cow<'a, Fields>>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// A message of another instance.
pub(super) struct Heard {
    /// What the answer is to name.
    pub(super) request: u64,
    /// The instance that has sent it.
    pub(super) from: InstanceId,
    pub(super) message: DirectMessage,
}

/// How many clients of one instance a message has reached.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) request: u64,
    pub(super) instance: String,
    #[serde(flatten)]
    pub(super) reached: Reached,
}

/// A message as other instances read it; `None` if it cannot be written.
pub(super) fn encode(message: &DirectMessage, request: u64, from: &InstanceId) -> Option<Bytes> {
    let condition = message.condition.as_ref();
    written(&Sent {
        request,
        from: from.as_str().into(),
        id: message.id,
        channel: message.channel.as_str().into(),
        r#type: message.message_type.as_str().into(),
        actor: message.actor.as_str().into(),
        at: message.at.as_millis(),
        origin: message.origin,
        envelope: message.envelope.as_deref(),
        correlation: message.correlation_id.as_deref().map(Into::into),
        r#where: condition.map(|condition| Cow::Borrowed(condition.fields())),
        payload: &message.payload,
    })
}

/// Anything as JSON.
pub(super) fn written(said: &impl Serialize) -> Option<Bytes> {
    let written = serde_json::to_vec(said)
        .inspect_err(|error| tracing::error!(%error, "a message cannot be encoded"));
    written.ok().map(Bytes::from)
}

/// Reads a message of another instance; `None` if it is not understood, as that of a newer version.
pub(super) fn decode(message: &[u8]) -> Option<Heard> {
    let sent = serde_json::from_slice::<Sent<'_>>(message)
        .inspect_err(
            |error| tracing::debug!(%error, "another instance says what is not understood"),
        )
        .ok()?;
    let condition = sent.r#where.map(|fields| {
        // One that is not understood must not reach everybody.
        Condition::read(fields.into_owned().into()).map(Box::new)
    });
    Some(Heard {
        request: sent.request,
        from: InstanceId::restore(sent.from),
        message: DirectMessage {
            id: sent.id,
            channel: ChannelName::restore(&*sent.channel),
            message_type: EventType::restore(sent.r#type.into_owned()),
            payload: Arc::from(sent.payload.to_owned()),
            envelope: sent.envelope.map(ToOwned::to_owned),
            correlation_id: sent.correlation.map(Cow::into_owned),
            actor: Actor::new(&sent.actor),
            at: Timestamp::from_millis(sent.at),
            origin: sent.origin,
            condition: condition.transpose().ok()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(condition: Option<Box<Condition>>) -> DirectMessage {
        DirectMessage {
            id: EventId::generate(),
            channel: ChannelName::restore("broadcast"),
            message_type: EventType::restore("note".to_owned()),
            payload: Arc::from(
                RawValue::from_string(r#"{"a" : 1.50, "b":"é"}"#.to_owned()).unwrap(),
            ),
            envelope: Some(RawValue::from_string(r#"{"id":"m"}"#.to_owned()).unwrap()),
            correlation_id: Some("c-\"1".to_owned()),
            actor: Actor::new("ann"),
            at: Timestamp::from_millis(1_700_000_000_123),
            origin: Some(ConnectionId::generate()),
            condition,
        }
    }

    #[test]
    fn a_message_arrives_as_it_left() {
        let condition = Condition::read(json!({"subscribed": "ide"})).unwrap();
        let sent = message(Some(Box::new(condition)));
        let from = InstanceId::generate();
        let heard = decode(&encode(&sent, 7, &from).unwrap()).unwrap();
        assert_eq!((heard.request, heard.from), (7, from));
        assert_eq!(format!("{:?}", heard.message), format!("{sent:?}"));
    }

    #[test]
    fn a_condition_that_is_not_understood_reaches_nobody() {
        let bytes = encode(&message(None), 1, &InstanceId::generate()).unwrap();
        let mut sent: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert!(decode(sent.to_string().as_bytes()).is_some());
        sent["where"] = json!({"mood": "good"});
        assert!(decode(sent.to_string().as_bytes()).is_none());
    }
}
