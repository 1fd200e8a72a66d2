//! Puts what backends publish through Redis into the log.
//!
//! Every instance that hears a message submits it, with the name that all of them have for it as idempotency key: the
//! first one commits it, and the others are told that it is there. One task per source takes what has been heard in
//! chunks and waits until a chunk is in the log before it takes the next one, so that nothing can overtake.

mod message;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Serialize;

use crate::broker;
use crate::contract::Limits;
use crate::direct::Direct;
use crate::domain::{Actor, BackendSource, ConnectionId, PrivateId};
use crate::learn::Recorder;
use crate::shutdown::Lifecycle;
use crate::writer::{Caller, Writer};
use worker::Worker;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingress {
    heard: broker::Ingress,
    counts: Arc<Counts>,
}

/// What has become of messages.
#[derive(Debug, Default)]
struct Counts {
    published: AtomicU64,
    duplicates: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
}

/// What `/health` says of messages that backends publish through Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "IngressReport")]
pub struct Report {
    /// The channels of Redis, and patterns, that are listened to.
    channels: Vec<String>,
    /// Those whose messages name the channel that they are for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    envelope_channels: Vec<String>,
    /// `available`, or `unavailable`.
    status: &'static str,
    /// Messages that this instance has heard since it started.
    received: u64,
    /// Of these: those that it has committed…
    published: u64,
    /// … those that another instance had committed before…
    duplicates: u64,
    /// … those that cannot be events…
    refused: u64,
    /// … those for which there was no room, or that have waited for too long…
    dropped: u64,
    /// … and those that wait for the database.
    waiting: usize,
}

impl Ingress {
    pub(crate) fn new(heard: broker::Ingress) -> Self {
        Self {
            heard,
            counts: Arc::default(),
        }
    }

    /// Starts to put what is heard into the log.
    pub(crate) fn start(
        &self,
        (writer, direct): (&Arc<Writer>, &Direct),
        limits: Limits,
        recorder: &Arc<Recorder>,
        lifecycle: &Lifecycle,
    ) {
        let client = PrivateId::generate().client();
        let caller = Caller::new(ConnectionId::generate(), client, Some(Actor::INGRESS));
        for number in 0..self.heard.sources().len() {
            let worker = Worker::new((writer, direct), self, (number, recorder), &caller, limits);
            // Work, and no service: a shutdown waits until what was heard is in the log.
            lifecycle.spawn(worker.run());
        }
    }

    /// Whether what is published now is heard.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.heard.is_listening()
    }

    /// What `/health` says.
    #[must_use]
    pub fn report(&self) -> Report {
        let sources = self.heard.sources().iter();
        let (envelopes, channels): (Vec<_>, Vec<_>) =
            sources.partition(|source| matches!(source, BackendSource::Envelope(_)));
        let texts =
            |sources: Vec<&BackendSource>| sources.iter().map(ToString::to_string).collect();
        let traffic = self.heard.traffic();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Report {
            channels: texts(channels),
            envelope_channels: texts(envelopes),
            status: if self.is_listening() {
                "available"
            } else {
                "unavailable"
            },
            received: traffic.received,
            published: count(&self.counts.published),
            duplicates: count(&self.counts.duplicates),
            refused: count(&self.counts.refused),
            dropped: traffic.dropped + count(&self.counts.expired),
            waiting: traffic.waiting,
        }
    }
}
