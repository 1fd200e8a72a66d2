//! Where a session on long-polling stands with its change to a WebSocket. It stays on long-polling until the client has said
//! over the WebSocket that it has changed; an attempt that comes to nothing leaves no trace, as in Node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::meter::Meter;

/// No attempt is made.
const IDLE: u8 = 0;
/// A WebSocket is open and has not said anything yet.
const OPEN: u8 = 1;
/// Both ends have heard one another over it, and the client waits for its last poll to be answered.
const PROBED: u8 = 2;
/// The session is on the WebSocket.
const DONE: u8 = 3;

/// How long a poll waits after one was answered for that, twice as long after each further one, up to a limit. The client
/// may not know yet that it is to change, and polls again; or it never learns, and polls on.
const POLL: Duration = Duration::from_millis(10);
const LONGEST_POLL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Upgrading {
    state: AtomicU8,
    probed: Notify,
    /// Polls that were answered since the client was heard over the WebSocket.
    answered: AtomicU8,
}

impl Upgrading {
    /// Whether a WebSocket is there that the session has not changed to.
    pub(super) fn is_probing(&self) -> bool {
        matches!(self.state.load(Ordering::Acquire), OPEN | PROBED)
    }

    fn is_probed(&self) -> bool {
        self.state.load(Ordering::Acquire) == PROBED
    }

    /// Resolves when a poll that waits is to be answered without a packet, because the client waits for that.
    pub(super) async fn poll_is_over(&self) {
        if self.is_probed() {
            sleep(pause_after(self.answered.load(Ordering::Acquire))).await;
        }
        loop {
            let mut probed = std::pin::pin!(self.probed.notified());
            probed.as_mut().enable();
            if self.is_probed() {
                let next = |answered: u8| Some(answered.saturating_add(1));
                let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
                self.answered.fetch_update(set, fetch, next).ok();
                return;
            }
            probed.await;
        }
    }
}

/// How long the next poll waits if so many were answered.
fn pause_after(answered: u8) -> Duration {
    match answered {
        0 => Duration::ZERO,
        _ => LONGEST_POLL.min(POLL * 2_u32.saturating_pow(u32::from(answered) - 1)),
    }
}

/// An attempt to change to a WebSocket, the only one of its session. Dropped, it has come to nothing.
#[derive(Debug)]
pub(super) struct Attempt(Arc<Meter>);

impl Attempt {
    /// Begins, unless there is another attempt, or one has succeeded.
    pub(super) fn begin(meter: &Arc<Meter>) -> Option<Self> {
        let state = &meter.upgrading.state;
        let begun = state.compare_exchange(IDLE, OPEN, Ordering::AcqRel, Ordering::Acquire);
        begun.ok().map(|_| Self(Arc::clone(meter)))
    }

    /// The client was heard over the WebSocket, and is to stop polling.
    pub(super) fn probed(&self) {
        self.0.upgrading.answered.store(0, Ordering::Release);
        self.0.upgrading.state.store(PROBED, Ordering::Release);
        self.0.upgrading.probed.notify_waiters();
    }

    pub(super) fn is_probed(&self) -> bool {
        self.0.upgrading.is_probed()
    }

    /// The session is on the WebSocket from now on.
    pub(super) fn succeed(self) {
        self.0.upgrading.state.store(DONE, Ordering::Release);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let state = &self.0.upgrading.state;
        let given_up = |state| (state != DONE).then_some(IDLE);
        let changed = state.fetch_update(Ordering::AcqRel, Ordering::Acquire, given_up);
        if changed.is_ok() {
            tracing::debug!("an upgrade came to nothing; the session stays on long-polling");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[test]
    fn a_session_has_one_attempt_at_a_time_until_one_succeeds() {
        let meter = Arc::new(Meter::default());
        let first = Attempt::begin(&meter).unwrap();
        assert!(Attempt::begin(&meter).is_none());
        first.probed();
        drop(first);
        let second = Attempt::begin(&meter).unwrap();
        assert!(!second.is_probed());
        second.succeed();
        assert!(Attempt::begin(&meter).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn polls_are_over_while_a_client_waits_for_it_and_not_after() {
        let meter = Arc::new(Meter::default());
        let over = || timeout(Duration::from_secs(10), meter.upgrading.poll_is_over());
        assert!(over().await.is_err());
        let attempt = Attempt::begin(&meter).unwrap();
        let waiting = over();
        let probing = async {
            sleep(Duration::from_secs(1)).await;
            attempt.probed();
        };
        let begun = Instant::now();
        assert!(tokio::join!(waiting, probing).0.is_ok());
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        assert!(over().await.is_ok());
        assert_eq!(begun.elapsed(), Duration::from_secs(1) + POLL);
        drop(attempt);
        assert!(over().await.is_err());
    }
}
