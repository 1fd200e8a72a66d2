//! When a client on long-polling polled: engineioxide wants its pongs alone, and whoever posts them without ever taking
//! anything would stay for ever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::meter::Meter;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Polls {
    /// Guards the polls that wait, and when the last one ended.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: u32,
    last: Instant,
}

impl Default for State {
    fn default() -> Self {
        Self {
            waiting: 0,
            last: Instant::now(),
        }
    }
}

impl Polls {
    /// Whether there was no poll for so long.
    pub(super) fn are_missing(&self, patience: Duration) -> bool {
        let state = self.state.lock();
        state.waiting == 0 && state.last.elapsed() > patience
    }
}

/// A poll that waits for its answer.
#[derive(Debug)]
pub(super) struct Polling(Arc<Meter>);

impl Polling {
    pub(super) fn begin(meter: &Arc<Meter>) -> Self {
        meter.polls.state.lock().waiting += 1;
        Self(Arc::clone(meter))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        let mut state = self.0.polls.state.lock();
        state.waiting -= 1;
        state.last = Instant::now();
    }
}
