//! How connections end: after what waits for the client was written, or at once; and a drain, which lets each client take
//! what waits for it.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::Connection;
use super::Service;
use super::backlog::Backlog;
use super::door::Door;
use super::send_queue::{Intake as _, Kind, SendQueue};
use crate::contract::{ErrorCode, Reply};
use crate::domain::Actor;
use crate::hub::SLOW_READER;

/// How long a client must have sent nothing before its connection ends in a drain: what it sent before is on its way, and
/// is to be answered.
const LINGER: Duration = Duration::from_millis(100);
/// How often that is waited for: some clients never stop, and what they send after that is not taken.
const LINGER_ROUNDS: usize = 10;
/// A client that takes nothing for so long will not take more.
const STALLED: Duration = Duration::from_secs(2);
/// Why a drain ends connections.
const SHUTDOWN: &str = "shutdown";

/// Why connections end that an operator ends.
const REPLACED: &str = "replaced";
const DISCONNECTED: &str = "disconnected by an operator";

/// Why a connection ends, for doors whose protocol has numbers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// The client has gone, or has nothing left to hear.
    Normal,
    /// The client breaks the protocol: the protocol's own number for that.
    Violation(u16),
    /// Something went wrong on the server.
    Internal,
    /// The server shuts down; another instance serves the client.
    Restart,
    /// The client was too slow; it can come back with its last cursor.
    TryAgain,
    /// An operator ended it.
    Kicked,
    /// A newer connection of its user has taken its place.
    Replaced,
    /// The client may not stay.
    Refused(ErrorCode),
}

impl<D: Door> Connection<D> {
    /// Ends the connection after what waits was written. Nothing more is taken from the client.
    pub(crate) fn finish(&self, close: Close, reason: impl Into<Cow<'static, str>>) {
        self.inbox.lock().is_closed = true;
        self.ending.get_or_init(|| (close, reason.into()));
        self.door.end(&self.queue, true);
    }

    /// Ends the connection at once. Its client can come back.
    pub(crate) fn abort(&self, close: Close, reason: impl Into<Cow<'static, str>>) {
        self.ending.get_or_init(|| (close, reason.into()));
        self.door.end(&self.queue, false);
    }

    /// Ends the connection for an operator. Nothing that comes in from now on takes effect, and nothing that waits.
    pub(super) fn disconnect(&self) {
        self.stop_requests();
        self.ending
            .get_or_init(|| (Close::Kicked, DISCONNECTED.into()));
        self.door.disconnect(&self.queue);
    }

    /// Ends the connection for a newer one of its user, and says so. What the client has sent still takes effect; it is not to
    /// come back by itself, where the protocol can say so.
    pub(super) fn replace(&self) {
        self.inbox.lock().is_closed = true;
        self.ending
            .get_or_init(|| (Close::Replaced, REPLACED.into()));
        let message = "a newer connection of this user has taken the place of this one";
        let refusal = Reply::refused(ErrorCode::Conflict, message).to_error_event("connection");
        let mut out = self.queue.intake();
        if !out.is_closed() && out.has_room(Kind::Answer, refusal.get().len()) {
            self.door.answer(&mut out, None, &refusal);
        }
        drop(out);
        self.door.disconnect(&self.queue);
    }

    /// How and why the connection ends.
    pub(crate) fn ending(&self) -> (Close, &str) {
        match self.ending.get() {
            Some((close, reason)) => (*close, reason),
            None => (Close::Normal, ""),
        }
    }

    /// Answers what the client has sent, and lets it take what waits for it, before [`Connection::restart`].
    pub(super) async fn settle(&self) {
        // What comes from now on waits in the log: the queue would else never be empty in a busy channel.
        if let Some(subscriber) = self.subscriber() {
            subscriber.hold();
        }
        let mut rounds = 0;
        loop {
            rounds += 1;
            if rounds == LINGER_ROUNDS {
                self.inbox.lock().is_closed = true;
            }
            let received = self.received.load(Ordering::Relaxed);
            tokio::time::sleep(LINGER).await;
            let service = self.inbox.lock().service;
            let is_answered = !matches!(service, Service::Greeting | Service::Serving);
            let is_quiet = self.received.load(Ordering::Relaxed) == received;
            let is_last = is_quiet || rounds >= LINGER_ROUNDS;
            let takes = self.takes_until(self.queue.drained()).await;
            if !takes || self.is_gone() || (is_answered && is_last) {
                break;
            }
        }
    }

    /// Ends the connection of a client that has taken what waits for it.
    pub(super) async fn restart(&self) {
        self.finish(Close::Restart, SHUTDOWN);
        if !self.takes_until(self.gone()).await {
            self.abort(Close::Restart, SHUTDOWN);
        }
    }

    /// Waits for something for as long as the client takes what waits for it; whether it happened.
    async fn takes_until(&self, event: impl Future<Output = ()>) -> bool {
        let mut event = std::pin::pin!(event);
        loop {
            let left = self.queue.left();
            if timeout(STALLED, &mut event).await.is_ok() {
                return true;
            }
            if self.queue.left() == left {
                return false;
            }
        }
    }

    async fn gone(&self) {
        loop {
            let went = self.went.notified();
            if self.is_gone() {
                return;
            }
            went.await;
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// Notes that the client has gone, and why if that was not known. Messages that are queued still take effect: a page
    /// that saves on unload does not wait.
    pub(crate) fn let_go(&self, reason: impl Into<Cow<'static, str>>) {
        self.ending.get_or_init(|| (Close::Normal, reason.into()));
        let was_gone = self.is_gone.swap(true, Ordering::AcqRel);
        self.queue.close();
        let total = self.registry.remove(self);
        let actor = self
            .subscriber()
            .map(|one| one.session.caller.actor.clone());
        self.end_session();
        self.forget_session_if_gone();
        drop(self.counted.lock().take());
        self.went.notify_waiters();
        if !was_gone && self.was_let_in.load(Ordering::Relaxed) {
            let (close, reason) = self.ending();
            tracing::info!(
                door = D::NAME,
                connection.id = %self.id,
                client.id = %self.client,
                total,
                actor = actor.as_ref().map(Actor::as_str),
                close = ?close,
                reason,
                messages = self.received.load(Ordering::Relaxed),
                sent = self.queue.left(),
                rate_limited = self.limited.load(Ordering::Relaxed),
                duration_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
                "connection closed"
            );
        }
    }
}

impl<D: Door> Backlog for Connection<D> {
    fn waiting(&self) -> usize {
        self.queue.bytes() + self.unsent.load(Ordering::Relaxed)
    }

    fn end_slow(&self) {
        self.abort(Close::TryAgain, SLOW_READER);
    }
}
