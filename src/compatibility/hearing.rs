//! What the clients of a play hear, in the order in which it arrived.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Events that are kept; what comes after is counted and not kept.
const MAX_EVENTS: usize = 20_000;
/// Bytes of what is kept.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Which of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The one that acts.
    A,
    /// The one that listens.
    B,
}

/// An event that a page heard.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) page: Page,
    pub(super) namespace: String,
    pub(super) event: String,
    pub(super) args: Vec<Value>,
}

impl Heard {
    /// The first argument, which is nothing if there is none.
    pub(super) fn payload(&self) -> &Value {
        self.args.first().unwrap_or(&Value::Null)
    }
}

/// All that was heard.
#[derive(Debug)]
pub(super) struct Hearing {
    /// Guards what was heard and its size in bytes; held while one event is added or the list is looked through.
    events: Mutex<(Vec<Heard>, usize)>,
    /// How many events have come.
    count: watch::Sender<usize>,
}

impl Hearing {
    pub(super) fn new() -> Self {
        Self {
            events: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    /// Notes an event, of which the text had so many bytes.
    pub(super) fn add(&self, heard: Heard, bytes: usize) {
        if let Ok(mut kept) = self.events.lock()
            && kept.0.len() < MAX_EVENTS
            && kept.1 + bytes <= MAX_BYTES
        {
            kept.1 += bytes;
            kept.0.push(heard);
        }
        self.count.send_modify(|count| *count += 1);
    }

    /// The number of events so far: a point from which on to look.
    pub(super) fn len(&self) -> usize {
        self.events.lock().map_or(0, |kept| kept.0.len())
    }

    /// The events from a point on that fulfil a condition.
    pub(super) fn since(&self, from: usize, wanted: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let Ok(kept) = self.events.lock() else {
            return Vec::new();
        };
        let events = kept.0.get(from..).unwrap_or_default().iter();
        events.filter(|heard| wanted(heard)).cloned().collect()
    }

    /// The events before a point that fulfil a condition.
    pub(super) fn until(&self, to: usize, wanted: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let Ok(kept) = self.events.lock() else {
            return Vec::new();
        };
        let events = kept.0.iter().take(to);
        events.filter(|heard| wanted(heard)).cloned().collect()
    }

    /// Waits until nothing has been heard for a while, or the time is over.
    pub(super) async fn quiet(&self, quiet: Duration, at_most: Duration) {
        let mut count = self.count.subscribe();
        let end = Instant::now() + at_most;
        loop {
            count.borrow_and_update();
            let until = end.min(Instant::now() + quiet);
            if timeout_at(until, count.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Waits until a condition holds that may change with each event; whether it does in time.
    pub(super) async fn becomes(&self, condition: impl Fn() -> bool, at_most: Duration) -> bool {
        let mut count = self.count.subscribe();
        let end = Instant::now() + at_most;
        loop {
            count.borrow_and_update();
            if condition() {
                return true;
            }
            tokio::select! {
                changed = count.changed() => if changed.is_err() { return false },
                () = sleep_until(end) => return condition(),
            }
        }
    }
}
