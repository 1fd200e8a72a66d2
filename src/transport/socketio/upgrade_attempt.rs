//! The guard of a session's change to a WebSocket.

use std::sync::Arc;

use super::packet_counter::PacketCounter;

/// An attempt to change to a WebSocket, the only one of its session. Dropped, it has come to nothing.
#[derive(Debug)]
pub(super) struct Attempt(Arc<PacketCounter>);

impl Attempt {
    /// Begins, unless there is another attempt, or one has succeeded.
    pub(super) fn begin(counter: &Arc<PacketCounter>) -> Option<Self> {
        counter.upgrade.begin().then(|| Self(Arc::clone(counter)))
    }

    /// The client was heard over the WebSocket, and is to stop polling.
    pub(super) fn probed(&self) {
        self.0.upgrade.set_probed();
    }

    /// The session is on the WebSocket from now on.
    pub(super) fn succeed(self) {
        self.0.upgrade.set_done();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.0.upgrade.give_up() {
            tracing::debug!("an upgrade came to nothing; the session stays on long-polling");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout};

    use super::super::upgrade_state::POLL;
    use super::*;

    #[test]
    fn a_session_has_one_attempt_at_a_time_until_one_succeeds() {
        let counter = Arc::new(PacketCounter::default());
        let first = Attempt::begin(&counter).unwrap();
        assert!(Attempt::begin(&counter).is_none());
        first.probed();
        drop(first);
        let second = Attempt::begin(&counter).unwrap();
        assert!(!counter.upgrade.is_probed());
        second.succeed();
        assert!(Attempt::begin(&counter).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn polls_are_over_while_a_client_waits_for_it_and_not_after() {
        let counter = Arc::new(PacketCounter::default());
        let over = || timeout(Duration::from_secs(10), counter.upgrade.poll_is_over());
        assert!(over().await.is_err());
        let attempt = Attempt::begin(&counter).unwrap();
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
