//! Counts what passes through the doors, for whoever watches over the server. Counters are relaxed atomics: nobody waits for
//! them, and an idle connection costs nothing.

mod latency;
mod refusals;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::contract::Reply;
use crate::contract::schema::metrics::LoggedError;
use latency::Latency;
use refusals::Refusals;

/// What has passed through one door since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Connections that were let in.
    pub opened: Counter,
    /// Clients that were refused.
    pub failed: Counter,
    /// Of the connections: those whose clients said where to go on.
    pub resumed: Counter,
    /// Messages of clients.
    pub received: Counter,
    /// Messages to clients.
    pub sent: Counter,
    /// Messages that were refused.
    pub refused: Counter,
    latest: Refusals,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds so many.
    pub fn add(&self, more: u64) {
        if more > 0 {
            self.0.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Traffic {
    /// Notes a message that is refused.
    pub fn refuse(&self, event: &str, reply: &Reply) {
        self.refused.count();
        self.latest.put(event, reply);
    }

    /// The latest refusals, the oldest first.
    #[must_use]
    pub fn errors(&self) -> Vec<LoggedError> {
        self.latest.all()
    }
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Doors>);

#[derive(Debug, Default)]
struct Doors {
    socketio: Arc<Traffic>,
    websocket: Arc<Traffic>,
    sse: Arc<Traffic>,
    latency: Latency,
}

impl Metrics {
    /// What passes through a door, by its name.
    #[must_use]
    pub fn of(&self, door: &str) -> &Arc<Traffic> {
        match door {
            "sse" => &self.0.sse,
            "websocket" => &self.0.websocket,
            _ => &self.0.socketio,
        }
    }

    /// Notes how long a message took from being looked at to being answered.
    pub fn answered(&self, took: Duration) {
        self.0.latency.put(took);
    }

    /// How long the latest answers took, in milliseconds; the latest last.
    #[must_use]
    pub fn latency(&self) -> Vec<f64> {
        self.0.latency.all()
    }
}
