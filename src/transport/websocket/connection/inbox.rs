//! What a client has sent and nobody has looked at yet, in order.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use super::{Connection, Packet, lock};
use crate::clock::Clock;
use crate::contract::{ErrorCode, EventClass, Reply, ServerWord};
use crate::hub::Offer;
use crate::limits::Exceeded;
use crate::transport::outlet::Kind;
use crate::transport::websocket::message::{Message, Unreadable};
use crate::transport::websocket::pump;

/// Messages that may wait in an inbox; more are not read.
const INBOX_MESSAGES: usize = 1024;
/// Bytes that may wait in an inbox.
const INBOX_BYTES: usize = 1024 * 1024;
/// For how long nothing is read after a message that was too much, besides what its size adds.
const PAUSE: Duration = Duration::from_millis(1);
/// Bytes for which nothing is read for a microsecond.
const BYTES_PER_MICRO: usize = 16;
/// A message as it came in.
pub(in super::super) struct Incoming {
    pub(in super::super) message: Result<Message, Unreadable>,
    /// Why it takes no effect. It waits with the others all the same: answers keep the order of the questions.
    pub(in super::super) refused: Option<Reply>,
}

impl Incoming {
    fn bytes(&self) -> usize {
        self.message.as_ref().map_or(0, Message::bytes)
    }
}

#[derive(Default)]
pub(super) struct Inbox {
    messages: VecDeque<Incoming>,
    bytes: usize,
    /// Whether a pump is at work.
    pub(super) pumping: bool,
    /// Whether nothing more is taken.
    pub(super) closed: bool,
}

impl Inbox {
    /// One on which a pump works from the start.
    pub(super) fn at_work() -> Self {
        Self {
            pumping: true,
            ..Self::default()
        }
    }

    fn has_room(&self) -> bool {
        self.messages.len() < INBOX_MESSAGES && self.bytes < INBOX_BYTES
    }
}

impl Connection {
    /// Takes a text in, in the order of arrival, and sees to it that a pump is at work. For how long nothing more is to be
    /// read: who floods the server waits, and not those who share it.
    pub(in super::super) fn receive(self: &Arc<Self>, text: &str) -> Option<Duration> {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.gateway.note_message();
        let message = Message::read(self.spelling, text);
        let exceeded = self.spend(pump::class(message.as_ref().ok())).err();
        let pause = exceeded.as_ref().map(|_| pause(text.len()));
        let draining = self.gateway.app.lifecycle().is_draining();
        let refused = match exceeded {
            Some(exceeded) => Some(refusal(exceeded)),
            None if draining => {
                let message = "the server is shutting down";
                Some(Reply::refused(ErrorCode::Unavailable, message))
            }
            None => None,
        };
        match &message {
            // At once: it asks whether the connection is there, and not for what was said before.
            Ok(message) if message.name == "ping" && refused.is_none() && self.pong(message) => {}
            _ => self.queue(Incoming { message, refused }),
        }
        pause
    }

    /// Answers a ping, if there is room for that.
    fn pong(&self, message: &Message) -> bool {
        let id = message.id.as_deref();
        let text = self.spelling.say(ServerWord::Pong, Clock.now(), id, &[]);
        self.outlet.try_push(Kind::Answer, Packet::other(text)) != Offer::Full
    }

    /// Takes a frame that says nothing, such as a ping, out of what the client may send. For how long nothing more is to be
    /// read.
    pub(in super::super) fn spend_frame(&self) -> Option<Duration> {
        self.spend(EventClass::Signal).err().map(|_| PAUSE)
    }

    fn queue(self: &Arc<Self>, mut incoming: Incoming) {
        if let (Some(_), Ok(message)) = (&incoming.refused, &mut incoming.message) {
            message.forget_data();
        }
        let mut inbox = self.inbox();
        if inbox.closed {
            // As if it had come after the end, which is near.
            return;
        }
        inbox.bytes += incoming.bytes();
        inbox.messages.push_back(incoming);
        if inbox.pumping {
            drop(inbox);
            self.arrived.notify_one();
        } else {
            inbox.pumping = true;
            drop(inbox);
            let pump = pump::run(Arc::clone(self), None);
            self.gateway.app.lifecycle().spawn(pump);
        }
    }

    /// Takes a message out of what the client may send.
    fn spend(&self, class: EventClass) -> Result<(), Exceeded> {
        let limits = self.gateway.app.limits();
        if !limits.are_messages_limited() {
            return Ok(());
        }
        let seat = self.seat();
        let shared = seat.as_ref().and_then(|seat| seat.user_budget.as_deref());
        let spent = limits.spend(class, &self.budget, shared);
        spent.inspect_err(|exceeded| self.note_limited(exceeded.limit.as_str()))
    }

    /// Waits until there is room for another message.
    pub(in super::super) async fn has_room(&self) {
        loop {
            let moved = self.moved.notified();
            if self.inbox().has_room() {
                return;
            }
            moved.await;
        }
    }

    /// The next message, or `None` if there is none now.
    pub(in super::super) fn next_message(&self) -> Option<Incoming> {
        let mut inbox = self.inbox();
        let had_room = inbox.has_room();
        let incoming = inbox.messages.pop_front()?;
        inbox.bytes -= incoming.bytes();
        if !had_room {
            self.moved.notify_waiters();
        }
        Some(incoming)
    }

    /// Ends the pump if nothing has arrived. An idle connection has none.
    pub(in super::super) fn rest(&self) -> bool {
        let mut inbox = self.inbox();
        inbox.pumping = !inbox.messages.is_empty();
        if !inbox.pumping {
            inbox.messages = VecDeque::new();
        }
        !inbox.pumping
    }

    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }
}

/// A message costs at least as much as a few small ones, and a large one what it takes to look at it.
fn pause(bytes: usize) -> Duration {
    let micros = u64::try_from(bytes / BYTES_PER_MICRO).unwrap_or(u64::MAX);
    PAUSE + Duration::from_micros(micros)
}

/// What a client is told whose message is too much.
fn refusal(Exceeded { limit, retry_after }: Exceeded) -> Reply {
    Reply::refused(ErrorCode::RateLimited, limit.sentence()).with_retry_after(retry_after)
}
