//! How events and signals travel between instances: JSON that a person can read with `redis-cli`. Payloads are
//! carried as they stand, so that clients of every instance get the same bytes.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use super::ring::weight;
use super::{From, Joined, SubscribeError, Subscriber};
use crate::domain::{
    Actor, ChannelName, ChannelNo, ConnectionId, Event, EventId, EventType, Seq, Signal, Timestamp,
};
use crate::memory::{Held, MemoryBudget};
use crate::store::Channel;

/// Payload bytes in one message; a single event may have more.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// An event with a larger payload is not carried: Redis cuts subscribers off for which 32 MiB wait. Other instances find it in the
/// log, when they look there next or hear of a later one.
const MAX_CARRIED_BYTES: usize = 8 * 1024 * 1024;

/// The broker's topic for a channel.
pub(super) fn topic(channel: &ChannelName) -> String {
    format!("channel:{channel}")
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Relayed<'a> {
    #[serde(borrow)]
    Events(Vec<RelayedEvent<'a>>),
    #[serde(borrow)]
    Signal(RelayedSignal<'a>),
}

#[derive(Serialize, Deserialize)]
struct RelayedEvent<'a> {
    no: i64,
    seq: Seq,
    id: EventId,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    at: i64,
    origin: Option<ConnectionId>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    envelope: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct RelayedSignal<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    origin: Option<ConnectionId>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// The messages that carry these events, in order.
pub(super) fn events(events: &[Arc<Event>]) -> Vec<Bytes> {
    let mut messages = Vec::with_capacity(1);
    let is_too_large = |event: &Arc<Event>| event.payload.get().len() > MAX_CARRIED_BYTES;
    for mut rest in events.split(is_too_large) {
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().take_while(|event| {
                bytes += event.payload.get().len();
                bytes += event.envelope.as_ref().map_or(0, |said| said.get().len());
                bytes <= MESSAGE_BYTES
            });
            let (these, later) = rest.split_at(fitting.count().max(1));
            let these = these.iter().map(|event| RelayedEvent::new(event));
            messages.extend(encode(&Relayed::Events(these.collect())));
            rest = later;
        }
    }
    messages
}

/// The message that carries a signal.
pub(super) fn signal(signal: &Signal) -> Option<Bytes> {
    encode(&Relayed::Signal(RelayedSignal {
        r#type: signal.signal_type.as_str().into(),
        origin: signal.origin,
        payload: &signal.payload,
    }))
}

fn encode(message: &Relayed<'_>) -> Option<Bytes> {
    let encoded = serde_json::to_vec(message)
        .inspect_err(|error| tracing::error!(error = %error, "a message cannot be encoded"));
    encoded.ok().map(Bytes::from)
}

/// What another instance says of a channel, as its feed takes it.
pub(super) fn decode(channel: &ChannelName, message: &[u8]) -> serde_json::Result<Message> {
    Ok(match serde_json::from_slice(message)? {
        Relayed::Events(events) => {
            let events = events.into_iter().map(|event| Arc::new(event.of(channel)));
            Message::Events(events.collect())
        }
        Relayed::Signal(signal) => Message::Signal(Arc::new(Signal {
            signal_type: EventType::restore(signal.r#type.into_owned()),
            payload: Arc::from(signal.payload.to_owned()),
            origin: signal.origin,
            lasting: None,
        })),
    })
}

impl<'a> RelayedEvent<'a> {
    fn new(event: &'a Event) -> Self {
        Self {
            no: event.channel_no.0,
            seq: event.seq,
            id: event.id,
            r#type: event.event_type.as_str().into(),
            actor: event.actor.as_str().into(),
            at: event.created_at.as_millis(),
            origin: event.origin,
            source: event.source.as_ref().map(|source| source.as_str().into()),
            envelope: event.envelope.as_deref(),
            payload: &event.payload,
        }
    }
}

impl RelayedEvent<'_> {
    fn of(self, channel: &ChannelName) -> Event {
        Event {
            source: self
                .source
                .map(|source| ChannelName::restore(source.into_owned())),
            channel: channel.clone(),
            channel_no: ChannelNo(self.no),
            seq: self.seq,
            id: self.id,
            event_type: EventType::restore(self.r#type.into_owned()),
            payload: Arc::from(self.payload.to_owned()),
            envelope: self.envelope.map(|said| Arc::from(said.to_owned())),
            actor: Actor::new(&self.actor),
            created_at: Timestamp::from_millis(self.at),
            origin: self.origin,
        }
    }
}

/// What a feed is told.
pub(super) enum Message {
    /// Events that this instance has committed.
    Committed(Arc<[Arc<Event>]>),
    /// Events, as another instance says.
    Events(Arc<[Arc<Event>]>),
    Announced,
    Signal(Arc<Signal>),
    Subscribe {
        id: u64,
        subscriber: Arc<dyn Subscriber>,
        from: From,
        /// The channel's number, and how far its log reaches at least, if that was read.
        committed: Option<(ChannelNo, Seq)>,
        reply: oneshot::Sender<Result<Joined, SubscribeError>>,
    },
    Unsubscribe {
        id: u64,
        reply: Option<oneshot::Sender<()>>,
    },
    Settle(oneshot::Sender<()>),
    /// Others need memory more: forget so many bytes, which can be read from the log again.
    GiveUp(usize),
}

/// What this instance has heard of a channel's log.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The highest seq, so that a feed notices what it was not told.
    pub(super) head: AtomicI64,
    /// Events up to this seq have been removed.
    pub(super) pruned: AtomicI64,
}

/// A message in a feed's mailbox, counted in the memory for events until the feed has taken it.
pub(super) struct Queued {
    pub(super) message: Message,
    _held: Held,
}

/// Where a channel's feed takes what is published, here and elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Inlet {
    mailbox: mpsc::Sender<Queued>,
    memory: MemoryBudget,
    pub(super) heard: Arc<Heard>,
}

impl Inlet {
    pub(super) fn new(mailbox: mpsc::Sender<Queued>, memory: MemoryBudget) -> Self {
        Self {
            mailbox,
            memory,
            heard: Arc::default(),
        }
    }

    /// Hands a message to the feed. One that finds no room in the mailbox, or in the memory for events, is repaired from
    /// the log if it is of events, and lost if it is a signal.
    pub(super) fn put(&self, message: Message) {
        if let Message::Committed(events) | Message::Events(events) = &message
            && let Some(last) = events.last()
        {
            self.heard.head.fetch_max(last.seq, Ordering::AcqRel);
        }
        let bytes = weight_of(&message);
        let message = match message {
            Message::Committed(_) | Message::Events(_) if self.memory.is_exceeded() => {
                Message::Announced
            }
            Message::Signal(_) if self.memory.is_exceeded() => return,
            message => message,
        };
        let mut held = self.memory.holder();
        if !matches!(message, Message::Announced) {
            held.add(bytes);
        }
        let queued = Queued {
            message,
            _held: held,
        };
        if self.mailbox.try_send(queued).is_err() {
            tracing::debug!("a feed is busy; it will read the log");
        }
    }

    /// Hands a message to the feed once its mailbox has room. Whether there is still a feed.
    pub(super) async fn send(&self, message: Message) -> bool {
        let queued = Queued {
            message,
            _held: self.memory.holder(),
        };
        self.mailbox.send(queued).await.is_ok()
    }

    /// Lets the feed know how far the log reaches, and from where.
    pub(super) fn announce(&self, channel: &Channel) {
        let Channel {
            seq, pruned_seq, ..
        } = *channel;
        self.heard.pruned.fetch_max(pruned_seq, Ordering::AcqRel);
        if self.heard.head.fetch_max(seq, Ordering::AcqRel) < seq {
            self.put(Message::Announced);
        }
    }
}

fn weight_of(message: &Message) -> usize {
    match message {
        Message::Committed(events) | Message::Events(events) => {
            events.iter().map(|event| weight(event)).sum()
        }
        Message::Signal(signal) => signal.payload.get().len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: Seq, payload: &str) -> Arc<Event> {
        Arc::new(Event {
            source: Some(ChannelName::restore("agent:a".to_owned())),
            channel: ChannelName::restore("project:p".to_owned()),
            channel_no: ChannelNo(7),
            seq,
            id: EventId::generate(),
            event_type: EventType::known("task.updated"),
            payload: Arc::from(RawValue::from_string(payload.to_owned()).unwrap()),
            envelope: Some(Arc::from(
                RawValue::from_string(r#"{"id" : "e"}"#.to_owned()).unwrap(),
            )),
            actor: Actor::new("ann"),
            created_at: Timestamp::from_millis(1_700_000_000_123),
            origin: Some(ConnectionId::generate()),
        })
    }

    fn decoded(message: &[u8]) -> Arc<[Arc<Event>]> {
        match decode(&ChannelName::restore("project:p".to_owned()), message).unwrap() {
            Message::Events(events) => events,
            _ => panic!("these are events"),
        }
    }

    #[test]
    fn an_event_arrives_as_it_left() {
        let sent = event(3, r#"{"a" : 1.50, "b":"\u00e9é"}"#);
        let messages = events(&[Arc::clone(&sent)]);
        let [got] = &*decoded(&messages[0]) else {
            panic!("there is one")
        };
        assert_eq!(format!("{got:?}"), format!("{sent:?}"));
        assert_eq!(got.payload.get(), sent.payload.get());
    }

    #[test]
    fn many_bytes_become_several_messages_in_order() {
        let large = format!("{:?}", "x".repeat(MESSAGE_BYTES / 2));
        let sent: Vec<_> = (1..=4).map(|seq| event(seq, &large)).collect();
        let got: Vec<_> = events(&sent)
            .iter()
            .map(|message| decoded(message))
            .collect();
        assert!(got.len() > 1);
        let seqs: Vec<_> = got
            .iter()
            .flat_map(|events| events.iter().map(|event| event.seq))
            .collect();
        assert_eq!(seqs, [1, 2, 3, 4]);
    }

    #[test]
    fn an_event_that_is_too_large_is_left_to_the_log() {
        let large = format!("{:?}", "x".repeat(MAX_CARRIED_BYTES));
        let sent = [event(1, "{}"), event(2, &large), event(3, "{}")];
        let seqs: Vec<_> = events(&sent)
            .iter()
            .flat_map(|message| {
                decoded(message)
                    .iter()
                    .map(|event| event.seq)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(seqs, [1, 3]);
    }

    #[test]
    fn a_signal_arrives_as_it_left() {
        let sent = Signal {
            signal_type: EventType::known("typing"),
            payload: Arc::from(RawValue::from_string("{}".to_owned()).unwrap()),
            origin: None,
            lasting: None,
        };
        let message = signal(&sent).unwrap();
        let got = decode(&ChannelName::restore("c".to_owned()), &message).unwrap();
        assert!(matches!(got, Message::Signal(got) if got.signal_type == sent.signal_type));
    }

    #[test]
    fn other_bytes_are_refused() {
        for other in ["", "{}", "[1]", r#"{"events":[{}]}"#, "\u{0}"] {
            assert!(decode(&ChannelName::restore("c".to_owned()), other.as_bytes()).is_err());
        }
    }
}
