//! Where a session on long-polling stands with its change to a WebSocket. It stays on long-polling until the client has said
//! over the WebSocket that it has changed; an attempt that comes to nothing leaves no trace, as in Node.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

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
pub(super) const POLL: Duration = Duration::from_millis(10);
const LONGEST_POLL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct UpgradeState {
    state: AtomicU8,
    probed: Notify,
    /// Polls that were answered since the client was heard over the WebSocket.
    answered: AtomicU8,
}

impl UpgradeState {
    /// Whether an attempt begins: there is no other, and none has succeeded.
    pub(super) fn begin(&self) -> bool {
        let begun = self
            .state
            .compare_exchange(IDLE, OPEN, Ordering::AcqRel, Ordering::Acquire);
        begun.is_ok()
    }

    /// Notes that the client was heard over the WebSocket, and is to stop polling.
    pub(super) fn set_probed(&self) {
        self.answered.store(0, Ordering::Release);
        self.state.store(PROBED, Ordering::Release);
        self.probed.notify_waiters();
    }

    /// Notes that the session is on the WebSocket.
    pub(super) fn set_done(&self) {
        self.state.store(DONE, Ordering::Release);
    }

    /// Ends an attempt, unless it has succeeded. Whether it had not.
    pub(super) fn give_up(&self) -> bool {
        let given_up = |state| (state != DONE).then_some(IDLE);
        self.state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, given_up)
            .is_ok()
    }

    pub(super) fn is_probed(&self) -> bool {
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
