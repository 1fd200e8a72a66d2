//! How connections end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::{Connection, lock};
use crate::hub::SLOW_READER;
use crate::transport::backlog::Backlog;
use crate::transport::websocket::close;

/// How long a client must have sent nothing before its connection ends: what it sent before is to be answered.
const LINGER: Duration = Duration::from_millis(100);
/// How often that is waited for: some clients never stop.
const LINGER_ROUNDS: usize = 10;
/// A client that takes nothing for so long will not take more.
const STALLED: Duration = Duration::from_secs(2);

impl Backlog for Connection {
    fn waiting(&self) -> usize {
        self.outlet.bytes()
    }

    fn end_slow(&self) {
        self.cut(close::COME_BACK, SLOW_READER);
    }
}

impl Connection {
    /// Ends the connection after what waits was written. Nothing more is taken from the client, who may be slow to take it.
    pub(in super::super) fn end(&self, code: u16, reason: &'static str) {
        self.inbox().closed = true;
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
        let mut rounds = 0;
        loop {
            rounds += 1;
            if rounds == LINGER_ROUNDS {
                self.inbox().closed = true;
            }
            let received = self.received.load(Ordering::Relaxed);
            tokio::time::sleep(LINGER).await;
            let is_answered = !self.inbox().pumping;
            let is_quiet = self.received.load(Ordering::Relaxed) == received;
            let is_last = is_quiet || rounds >= LINGER_ROUNDS;
            let takes = self.goes_on_until(self.outlet.drained()).await;
            if !takes || self.is_gone() || (is_answered && is_last) {
                break;
            }
        }
        self.end(close::RESTART, "shutdown");
        if !self.goes_on_until(self.has_gone()).await {
            self.cut(close::RESTART, "shutdown");
        }
    }

    /// Waits until something is so, for as long as the client takes what waits for it; whether it came to be so.
    async fn goes_on_until(&self, event: impl Future<Output = ()>) -> bool {
        let mut event = std::pin::pin!(event);
        loop {
            let taken = self.outlet.taken();
            if timeout(STALLED, &mut event).await.is_ok() {
                return true;
            }
            if self.outlet.taken() == taken {
                return false;
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
            self.gateway.tenure.forget(self.id);
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
