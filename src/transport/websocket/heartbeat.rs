//! Whether a client is still there: when the next ping is due, and whether the last one was answered.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// What has come in from a client, and when it was asked last.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    /// Frames that have come in.
    heard: AtomicU64,
    /// Whether nothing is read now, so that nothing can be heard.
    paused: AtomicBool,
    /// Whether the client answered its last ping, or has got none yet.
    silent: AtomicBool,
    /// Guards the ping that was sent last: when, and how many frames had come in by then.
    asked: Mutex<Option<(Instant, u64)>>,
}

impl Heartbeat {
    /// Notes that something has come in.
    pub(super) fn heard(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        self.silent.store(false, Ordering::Relaxed);
    }

    /// Notes whether anything is read.
    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Whether the client answers.
    pub(super) fn is_alive(&self) -> bool {
        !self.silent.load(Ordering::Relaxed)
    }

    /// Tells what is due on a connection that exists since `since`. A ping that is due counts as sent.
    pub(super) fn due(
        &self,
        now: Instant,
        since: Instant,
        interval: Duration,
        timeout: Duration,
    ) -> Due {
        let mut asked = self.asked.lock();
        let heard = self.heard.load(Ordering::Relaxed);
        let next = match *asked {
            None => since + interval,
            Some((at, _)) if now < at + timeout => return Due::Later(at + timeout),
            Some((_, heard_then))
                if heard == heard_then && !self.paused.load(Ordering::Relaxed) =>
            {
                return Due::End;
            }
            Some((at, _)) => at + interval,
        };
        if now < next {
            return Due::Later(next);
        }
        *asked = Some((now, heard));
        self.silent.store(true, Ordering::Relaxed);
        Due::Ping
    }
}

/// What is due.
pub(super) enum Due {
    /// Nothing before this moment.
    Later(Instant),
    /// A ping.
    Ping,
    /// The end: the client has not answered its last ping in time.
    End,
}
