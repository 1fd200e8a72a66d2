//! What a client has sent and nobody has looked at yet, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::door::{Door, InboxLimits, Incoming, Message};
use super::{Connection, Service, request_loop};
use crate::clock::Clock;
use crate::contract::{ErrorCode, EventClass, Reply};
use crate::limits::Exceeded;
use crate::memory::{Held, MemoryBudget};
use crate::transport::admission::{rate_limited, type_limited};

/// For how long nothing is read after a message that was too much, besides what its size adds.
const PAUSE: Duration = Duration::from_millis(1);
/// For how long nothing is read after a message that finds the inbox half full, where the reader does not wait for room.
const HALF_FULL_PAUSE: Duration = Duration::from_millis(50);
/// Bytes for which nothing is read for a microsecond.
const BYTES_PER_MICRO: usize = 16;
/// An inbox out of which nothing was taken for so long stands still.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A message for which there was no room.
pub(crate) struct Overflow<M> {
    pub(crate) message: M,
    /// When to try again, if messages are being taken out; else the server is to blame.
    pub(crate) retry_after: Option<Duration>,
}

/// See the module's description.
pub(super) struct Inbox<M> {
    limits: InboxLimits,
    messages: VecDeque<Incoming<M>>,
    bytes: Held,
    moved_at: Option<Instant>,
    pub(super) service: Service,
    /// Whether nothing more is taken.
    pub(super) is_closed: bool,
}

impl<M: Message> Inbox<M> {
    /// An empty inbox.
    pub(super) fn new(limits: InboxLimits, memory: &MemoryBudget) -> Self {
        Self {
            limits,
            messages: VecDeque::new(),
            bytes: memory.holder(),
            moved_at: None,
            service: Service::Unserved,
            is_closed: false,
        }
    }

    /// Whether there is room for a message of so many bytes. An empty inbox takes one of any size.
    fn has_room(&self, bytes: usize) -> bool {
        let max = self.limits.bytes.min(self.bytes.budget().fair_share());
        let fits = self.messages.is_empty() || self.bytes.bytes() + bytes <= max;
        self.messages.len() < self.limits.messages && fits
    }

    fn is_half_full(&self) -> bool {
        self.messages.len() > self.limits.messages / 2 || !self.has_room(self.bytes.bytes())
    }

    fn put(&mut self, incoming: Incoming<M>) {
        self.bytes.add(incoming.message.bytes());
        self.messages.push_back(incoming);
    }
}

impl<D: Door> Connection<D> {
    /// Charges a message to what the client may send, and queues it in the order of arrival. For how long nothing more is
    /// to be read: who sends more than the rates allow waits, and not those who share the server. Only who can send all the
    /// same is refused.
    pub(crate) fn receive(
        self: &Arc<Self>,
        mut message: D::Message,
    ) -> (Option<Duration>, Option<Overflow<D::Message>>) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.registry.traffic.received.count();
        let now = Clock.now().as_millis();
        self.last_activity.fetch_max(now, Ordering::Relaxed);
        let spent = self.spend(message.class()).map_err(rate_limited);
        let spent = spent.and_then(|wait| self.spend_type(&message).map(|()| wait));
        let (pause, refused) = match spent {
            Ok(wait) => (
                wait,
                self.app().lifecycle().is_draining().then(shutting_down),
            ),
            Err(refusal) => (pause(message.sent_bytes()), Some(refusal)),
        };
        let refused = refused.or_else(|| self.refuse_if_crowded(message.sent_bytes()));
        if refused.is_some() {
            message.forget_payload();
        } else if self.door.answer_at_once(&self.queue, &message) {
            return (some_pause(pause), None);
        }
        let overflow = self.queue_message(Incoming { message, refused });
        let crowded = if !D::INBOX.is_awaited && self.inbox.lock().is_half_full() {
            HALF_FULL_PAUSE
        } else {
            Duration::ZERO
        };
        (some_pause(pause.max(crowded)), overflow)
    }

    fn queue_message(
        self: &Arc<Self>,
        incoming: Incoming<D::Message>,
    ) -> Option<Overflow<D::Message>> {
        let mut inbox = self.inbox.lock();
        if inbox.is_closed {
            // As if it had come after the end, which is near: clients that can repeat it do.
            return None;
        }
        if !D::INBOX.is_awaited && !inbox.has_room(incoming.message.bytes()) {
            let is_moving = inbox.moved_at.is_some_and(|at| at.elapsed() < STANDSTILL);
            return Some(Overflow {
                message: incoming.message,
                retry_after: is_moving.then_some(STANDSTILL),
            });
        }
        inbox.put(incoming);
        if inbox.service == Service::Idle {
            inbox.service = Service::Serving;
            drop(inbox);
            self.spawn(request_loop::run(Arc::clone(self)));
        } else {
            drop(inbox);
            self.arrived.notify_one();
        }
        None
    }

    /// Refuses a message that is larger than most may be if all clients together have sent too much. What is smaller waits.
    fn refuse_if_crowded(&self, bytes: usize) -> Option<Reply> {
        let memory = self.app().receive_memory();
        let is_large = bytes > self.app().config().max_message;
        (is_large && memory.used() + bytes > memory.max()).then(|| {
            let message = "too much is being received; try again in a moment";
            Reply::refused(ErrorCode::Unavailable, message)
        })
    }

    /// Takes a message out of what the client may send: for how long nothing more is to be read.
    fn spend(&self, class: EventClass) -> Result<Duration, Exceeded> {
        let limits = self.app().limits();
        if !limits.are_messages_limited() {
            return Ok(Duration::ZERO);
        }
        let subscriber = self.subscriber();
        let shared = subscriber.as_ref().and_then(|one| one.user_budget());
        let spent = limits.spend(class, &self.budget, shared);
        spent.inspect_err(|exceeded| self.note_limited(exceeded.limit.as_str()))
    }

    /// Takes a message out of what the client may send of its type.
    fn spend_type(&self, message: &D::Message) -> Result<(), Reply> {
        let limits = self.app().limits();
        let Some(name) = message
            .type_name()
            .filter(|_| limits.are_messages_limited())
        else {
            return Ok(());
        };
        let subscriber = self.subscriber();
        let user = subscriber.as_ref().and_then(|one| one.user_budget());
        let spent = limits.spend_type(name, user.unwrap_or(&self.budget));
        spent.map_err(|exceeded| {
            self.note_limited(exceeded.limit.as_str());
            type_limited(name, exceeded)
        })
    }

    /// Takes so many commands more out of what the client may send, and waits until it may.
    pub(super) async fn spend_more(&self, commands: usize) -> Result<(), Reply> {
        let mut wait = Duration::ZERO;
        for _ in 0..commands {
            wait = wait.max(self.spend(EventClass::Command).map_err(rate_limited)?);
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Takes a frame that is no message, such as a ping, out of what the client may send. For how long nothing more is to
    /// be read.
    pub(crate) fn spend_frame(&self) -> Option<Duration> {
        some_pause(self.spend(EventClass::Signal).unwrap_or(PAUSE))
    }

    /// Waits until there is room for another message.
    pub(crate) async fn room_in_inbox(&self) {
        loop {
            let moved = self.moved.notified();
            if self.inbox.lock().has_room(0) {
                return;
            }
            moved.await;
        }
    }

    /// The next message, or `None` if there is none now.
    pub(super) fn next_message(&self) -> Option<Incoming<D::Message>> {
        let mut inbox = self.inbox.lock();
        let incoming = inbox.messages.pop_front()?;
        inbox.moved_at = Some(Instant::now());
        inbox.bytes.give_back(incoming.message.bytes());
        drop(inbox);
        // Whether the reader waits depends on what all others have sent as well.
        self.moved.notify_waiters();
        Some(incoming)
    }

    /// Ends the request loop if no message has arrived: an idle connection has no task for its requests.
    pub(super) fn rest(&self) -> bool {
        let mut inbox = self.inbox.lock();
        if !inbox.messages.is_empty() {
            return false;
        }
        inbox.messages = VecDeque::new();
        inbox.service = Service::Idle;
        drop(inbox);
        self.forget_session_if_gone();
        true
    }

    /// Keeps messages waiting until [`Connection::start_requests`], which must follow.
    pub(crate) fn begin_greeting(&self) {
        self.inbox.lock().service = Service::Greeting;
    }

    /// Waits for the first message of a client that is not served yet, for so long at most. What it says is looked at, and
    /// it stays where it is.
    pub(crate) async fn first_message<T>(
        &self,
        patience: Duration,
        look: impl Fn(&D::Message) -> T,
    ) -> Option<T> {
        let waiting = async {
            loop {
                let arrived = self.arrived.notified();
                let first = self
                    .inbox
                    .lock()
                    .messages
                    .front()
                    .map(|first| look(&first.message));
                match first {
                    Some(seen) => return seen,
                    None => arrived.await,
                }
            }
        };
        timeout(patience, waiting).await.ok()
    }

    /// Serves what has arrived while the client was being greeted.
    pub(crate) fn start_requests(self: &Arc<Self>) {
        if !self.rest() {
            self.inbox.lock().service = Service::Serving;
            self.spawn(request_loop::run(Arc::clone(self)));
        }
    }

    /// Takes nothing more, and forgets what waits: what was to serve it has failed.
    pub(super) fn stop_requests(&self) {
        let mut inbox = self.inbox.lock();
        inbox.is_closed = true;
        while let Some(incoming) = inbox.messages.pop_front() {
            inbox.bytes.give_back(incoming.message.bytes());
        }
        inbox.service = Service::Idle;
        drop(inbox);
        self.forget_session_if_gone();
    }
}

fn some_pause(pause: Duration) -> Option<Duration> {
    (!pause.is_zero()).then_some(pause)
}

/// A message costs at least as much as a few small ones, and a large one what it takes to look at it.
fn pause(bytes: usize) -> Duration {
    let micros = u64::try_from(bytes / BYTES_PER_MICRO).unwrap_or(u64::MAX);
    PAUSE + Duration::from_micros(micros)
}

fn shutting_down() -> Reply {
    Reply::refused(ErrorCode::Unavailable, "the server is shutting down")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::FLOOR;

    struct Sized(usize);

    impl Message for Sized {
        fn class(&self) -> EventClass {
            EventClass::Command
        }

        fn type_name(&self) -> Option<&str> {
            None
        }

        fn bytes(&self) -> usize {
            self.0
        }

        fn forget_payload(&mut self) {}
    }

    #[test]
    fn inbox_when_empty_takes_one_message_of_any_size() {
        let memory = MemoryBudget::new(FLOOR, usize::MAX);
        let mut others = memory.holder();
        others.add(FLOOR);
        let limits = InboxLimits {
            messages: 10,
            bytes: FLOOR,
            is_awaited: false,
        };
        let mut inbox = Inbox::new(limits, &memory);
        assert!(inbox.has_room(4 * FLOOR));
        inbox.put(Incoming {
            message: Sized(4 * FLOOR),
            refused: None,
        });
        assert!(!inbox.has_room(1));
    }
}
