//! When a client on long-polling polled: engineioxide wants its pongs alone, and whoever posts them without ever taking
//! anything would stay for ever.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct PollTracker {
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

impl PollTracker {
    /// Whether there was no poll for so long.
    pub(super) fn are_missing(&self, patience: Duration) -> bool {
        let state = self.state.lock();
        state.waiting == 0 && state.last.elapsed() > patience
    }

    /// Notes that a poll waits for its answer.
    pub(super) fn begin(&self) {
        self.state.lock().waiting += 1;
    }

    /// Notes that a poll has been answered, or given up.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.waiting -= 1;
        state.last = Instant::now();
    }
}
