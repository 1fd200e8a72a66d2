//! How connections end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Connection, lock};
use crate::transport::websocket::close;

/// How long a client must have sent nothing before its connection ends: what it sent before is to be answered.
const LINGER: Duration = Duration::from_millis(100);
/// How often that is waited for: some clients never stop.
const LINGER_ROUNDS: usize = 10;
/// A client that takes nothing for so long will not take more.
const STALLED: Duration = Duration::from_secs(2);

impl Connection {
    /// Ends the connection after what waits was written.
    pub(in super::super) fn end(&self, code: u16, reason: &'static str) {
        self.farewell.get_or_init(|| code);
        self.outlet.finish(reason);
    }

    /// Ends the connection at once: whoever is on the other end can come back.
    pub(in super::super) fn cut(&self, code: u16, reason: &'static str) {
        self.farewell.get_or_init(|| code);
        self.outlet.close(reason);
        self.was_cut.notify_one();
    }

    /// What the client is told at the end: a number, and a reason.
    pub(in super::super) fn farewell(&self) -> (u16, &'static str) {
        let code = self.farewell.get().copied().unwrap_or(close::NORMAL);
        (code, self.outlet.reason().unwrap_or_default())
    }

    /// Answers what the client has sent, lets it take what waits for it, and ends its connection.
    pub(in super::super) async fn retire(&self) {
        for round in 1..=LINGER_ROUNDS {
            if round == LINGER_ROUNDS {
                self.inbox().closed = true;
            }
            let received = self.received.load(Ordering::Relaxed);
            tokio::time::sleep(LINGER).await;
            let is_quiet = self.received.load(Ordering::Relaxed) == received;
            if self.is_gone() || (is_quiet && !self.inbox().pumping) {
                break;
            }
        }
        self.end(close::RESTART, "shutdown");
        loop {
            let taken = self.outlet.taken();
            if tokio::time::timeout(STALLED, self.has_gone()).await.is_ok() {
                return;
            }
            if self.outlet.taken() == taken {
                return self.cut(close::RESTART, "shutdown");
            }
        }
    }

    async fn has_gone(&self) {
        loop {
            let went = self.went.notified();
            if self.is_gone() {
                return;
            }
            went.await;
        }
    }

    pub(in super::super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Notes that the client has gone. Messages that are queued still take effect: a page that saves on unload does not
    /// wait.
    pub(in super::super) fn let_go(&self) {
        self.outlet.close("gone");
        self.gateway.remove(self.id);
        let was_gone = self.gone.swap(true, Ordering::AcqRel);
        if let Some(seat) = lock(&self.seat).take() {
            seat.session.close();
            if let Some(identity) = seat.session.identity() {
                self.gateway.tenure.forget(self.id, &identity);
            }
        }
        drop(lock(&self.counted).take());
        self.went.notify_waiters();
        if !was_gone {
            let (code, reason) = self.farewell();
            tracing::info!(
                connection.id = %self.id,
                code,
                reason,
                messages = self.received.load(Ordering::Relaxed),
                rate_limited = self.limited.load(Ordering::Relaxed),
                duration_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
                "websocket closed"
            );
        }
    }
}
