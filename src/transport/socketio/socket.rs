//! One connected client: its inbox, in which messages keep their order, and its outbox, in which no event
//! and no ack gets lost.

mod deliver;
mod incoming;
mod limit;
mod recover;
mod send;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use socketioxide::ProtocolVersion;
use socketioxide::socket::DisconnectReason;
use tokio::sync::Notify;

use super::admission::Guest;
use super::handshake::Handshake;
use super::meter::Meter;
use super::outbox::Outbox;
use super::{AckSender, IoSocket, SocketRef};
use crate::app::App;
use crate::connections::Connection;
use crate::contract::{ErrorCode, Reply};
use crate::domain::{ChannelName, ClientId};
use crate::hub::{Offer, Subscriber};
use crate::limits::{Budget, Place};
use crate::memory::Held;
use crate::session::Session;
use crate::transport::tenure::Tenure;
pub(super) use incoming::Incoming;
pub(super) use limit::refusal;
use send::{answering, encode};

/// Messages that may wait in an inbox.
const INBOX_MESSAGES: usize = 4096;
/// Bytes that may wait in an inbox.
const INBOX_BYTES: usize = 8 * 1024 * 1024;
/// When to try again if an inbox is full.
const INBOX_RETRY: Duration = Duration::from_secs(1);
/// What a packet weighs besides its payload.
const PACKET_OVERHEAD: usize = 64;

struct Inbox {
    messages: VecDeque<Incoming>,
    bytes: Held,
    /// When a message was taken out.
    moved_at: Option<Instant>,
    /// Whether a pump is at work, or will be once the client is welcome.
    pumping: bool,
    /// Whether nothing more is taken.
    closed: bool,
}

impl Inbox {
    /// Whether there is no room for a message: less is taken of each client if all together have sent much. An empty inbox
    /// takes one message of any size.
    fn is_full(&self, bytes: usize) -> bool {
        let max = INBOX_BYTES.min(self.bytes.budget().fair_share());
        let is_too_much = !self.messages.is_empty() && self.bytes.bytes() + bytes > max;
        self.messages.len() >= INBOX_MESSAGES || is_too_much
    }

    /// Whether somebody works on it: else the server is to blame if it is full.
    fn is_moving(&self) -> bool {
        self.moved_at
            .is_some_and(|moved_at| moved_at.elapsed() < INBOX_RETRY)
    }
}

struct Outgoing {
    socket: Weak<IoSocket>,
    outbox: Outbox,
}

/// See the module.
pub(super) struct Socket {
    pub(super) app: App,
    pub(super) session: Session,
    echo: bool,
    /// Which client it is, for others to see.
    pub(super) client: ClientId,
    /// Whether the client can go on in another connection: whether it is told of its id and its cursor.
    recoverable: bool,
    /// Whether events may follow: not before the answer to CONNECT, and not before a reset.
    welcomed: AtomicBool,
    meter: Arc<Meter>,
    tenure: Tenure,
    connected_at: Instant,
    messages: AtomicU64,
    gone: AtomicBool,
    /// Guards the messages that wait, and whether somebody works on them.
    inbox: Mutex<Inbox>,
    /// Guards the order of what goes out: what is counted and what is emitted stay in step.
    outgoing: Mutex<Outgoing>,
    /// The bytes of the answers that wait for room in the outbox.
    unsent: AtomicUsize,
    /// Tells the pump of new messages.
    pub(super) arrived: Notify,
    /// What the connection may still send, …
    budget: Arc<Budget>,
    /// … and its user, over all connections.
    user_budget: Option<Arc<Budget>>,
    /// Messages that were too many.
    limited: AtomicU64,
    /// Counts as connected until dropped, …
    connection: Mutex<Option<Connection>>,
    /// … and among those of its user.
    place: Mutex<Option<Place<String>>>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket")
            .field("connection", &self.session.caller.connection)
            .finish_non_exhaustive()
    }
}

impl Socket {
    /// Takes a client in.
    pub(super) fn connect(
        app: &App,
        socket: &SocketRef,
        weak: Weak<IoSocket>,
        handshake: &Handshake,
        guest: Guest,
        tenure: Tenure,
    ) -> Arc<Self> {
        let Guest {
            caller,
            client,
            identity,
            is_named: _,
        } = guest;
        let meter = socket.req_parts().extensions.get::<Arc<Meter>>();
        let meter = meter.cloned().unwrap_or_default();
        let style = handshake.event_style.unwrap_or(app.config().event_style);
        tracing::debug!(
            connection.id = %caller.connection,
            actor = caller.actor.as_str(),
            "connected"
        );
        // A name that anybody can take is no user: anybody could use up what its owner may do.
        let user = identity.is_some().then_some(&caller.actor);
        let user_budget = user.and_then(|user| app.limits().budget_of(user.as_str()));
        let budget = Arc::<Budget>::default();
        let session = Session::new(app.clone(), caller, style, identity);
        Arc::new(Self {
            session: session.paying(Some(Arc::clone(&budget)), user_budget.clone()),
            budget,
            user_budget,
            limited: AtomicU64::new(0),
            place: Mutex::new(None),
            echo: handshake.echo,
            client,
            recoverable: socket.protocol() == ProtocolVersion::V5,
            welcomed: AtomicBool::new(false),
            connected_at: Instant::now(),
            messages: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            // Nothing is answered before CONNECT is.
            inbox: Mutex::new(Inbox {
                messages: VecDeque::new(),
                bytes: app.receive_memory().holder(),
                moved_at: None,
                pumping: true,
                closed: false,
            }),
            outgoing: Mutex::new(Outgoing {
                socket: weak,
                outbox: Outbox::new(
                    Arc::clone(&meter),
                    app.config().max_message,
                    app.send_memory(),
                ),
            }),
            unsent: AtomicUsize::new(0),
            arrived: Notify::new(),
            connection: Mutex::new(Some(app.connections().open())),
            meter,
            tenure,
            app: app.clone(),
        })
    }

    /// Queues a message, in the order of arrival, and sees to it that a pump is at work. Does not wait.
    pub(super) fn receive(
        this: &Arc<Self>,
        name: String,
        packet: Option<Box<RawValue>>,
        ack: Option<AckSender>,
    ) {
        this.messages.fetch_add(1, Ordering::Relaxed);
        let mut message = Incoming::new(name, packet, ack);
        this.spend(&mut message);
        let bytes = message.bytes();
        let mut inbox = this.inbox();
        let full = inbox.is_full(bytes);
        if inbox.closed {
            // As if it had come after the end, which is near: it takes no effect, and clients that can repeat it do.
            return;
        }
        if full || this.app.lifecycle().is_draining() {
            let is_moving = inbox.is_moving();
            drop(inbox);
            this.refuse(message, full.then_some(is_moving));
            return;
        }
        inbox.bytes.add(bytes);
        inbox.messages.push_back(message);
        if inbox.pumping {
            drop(inbox);
            this.arrived.notify_one();
        } else {
            inbox.pumping = true;
            drop(inbox);
            this.start_pump();
        }
    }

    fn start_pump(self: &Arc<Self>) {
        let pump = super::pump::run(Arc::clone(self));
        self.app.lifecycle().spawn(pump);
    }

    /// Refuses a message that cannot be queued: because the inbox is full, although it moves, or stands still, or because
    /// of a shutdown. A client that does not even take that answer is cut off.
    fn refuse(&self, message: Incoming, full_but_moving: Option<bool>) {
        let reply = match full_but_moving {
            Some(true) => {
                let exceeded = self.app.limits().inbox_is_full(INBOX_RETRY);
                self.note_limited(exceeded.limit.as_str());
                refusal(exceeded)
            }
            Some(false) => {
                let message = "too many messages wait; try again in a moment";
                Reply::refused(ErrorCode::Unavailable, message)
            }
            None => Reply::refused(ErrorCode::Unavailable, "the server is shutting down"),
        };
        let raw = encode(&reply, &message.name, message.ack.as_ref());
        if self.try_send(raw.get().len(), answering(message.ack, &raw)) == Offer::Full {
            self.close("inbox_full");
        }
    }

    /// The next message, or `None` if there is none now.
    pub(super) fn next_message(&self) -> Option<Incoming> {
        let mut inbox = self.inbox();
        let message = inbox.messages.pop_front()?;
        inbox.moved_at = Some(Instant::now());
        inbox.bytes.give_back(message.bytes());
        Some(message)
    }

    /// Ends the pump if nothing has arrived. An idle socket has no task.
    pub(super) fn rest(&self) -> bool {
        let mut inbox = self.inbox();
        inbox.pumping = !inbox.messages.is_empty();
        if !inbox.pumping {
            inbox.messages = VecDeque::new();
        }
        !inbox.pumping
    }

    /// Takes no more messages.
    pub(super) fn close_inbox(&self) {
        self.inbox().closed = true;
    }

    /// Whether everything that has come in is answered.
    pub(super) fn is_resting(&self) -> bool {
        !self.inbox().pumping
    }

    /// Messages that have come in so far.
    pub(super) fn received(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Resolves when nothing waits for the client any more.
    pub(super) async fn drained(&self) {
        let wake = Arc::new(Notify::new());
        loop {
            let empty = self.outgoing().outbox.empty_mark();
            self.meter.wake_at(empty, &wake);
            if self.is_gone() || self.outgoing().outbox.is_empty() {
                return;
            }
            wake.notified().await;
        }
    }

    /// Whether both are on the same connection.
    pub(super) fn shares_transport(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.meter, &other.meter)
    }

    /// Whether it came later than another one.
    pub(super) fn came_after(&self, other: &Self) -> bool {
        self.connected_at > other.connected_at
    }

    /// Ends the transport.
    pub(super) fn end(&self) {
        self.meter.close();
    }

    /// Puts the socket into a channel's Socket.IO room if its session is subscribed, and else out of it.
    pub(super) fn settle_room(&self, channel: &ChannelName) {
        // There are rooms of users already, for other things than what their channels carry.
        if !channel.is_project() {
            return;
        }
        let room = channel.as_str().to_owned();
        match self.outgoing().socket.upgrade() {
            Some(socket) if self.session.has_joined(channel) => socket.join(room),
            Some(socket) => socket.leave(room),
            None => {}
        }
    }

    /// Watches the connection by what its client has shown, from now on.
    pub(super) fn keep_watch(self: &Arc<Self>) {
        self.tenure.watch(self);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Lets go of the socket. Messages that are queued still take effect: a page that saves on unload
    /// does not wait.
    pub(super) fn let_go(&self) {
        self.gone.store(true, Ordering::Release);
        self.meter.wake_all();
        self.session.close();
        self.tenure.forget(self.session.caller.connection);
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(connection.take());
        self.give_up_place();
    }

    /// Notes that the client has gone, and why.
    pub(super) fn disconnected(&self, reason: DisconnectReason) {
        self.let_go();
        tracing::info!(
            connection.id = %self.session.caller.connection,
            actor = self.session.caller.actor.as_str(),
            reason = %reason,
            messages = self.received(),
            rate_limited = self.limited.load(Ordering::Relaxed),
            duration_ms = u64::try_from(self.connected_at.elapsed().as_millis()).unwrap_or(u64::MAX),
            "connection closed"
        );
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{FLOOR, MemoryBudget};

    #[test]
    fn an_empty_inbox_takes_one_message_of_any_size() {
        let memory = MemoryBudget::new(FLOOR, usize::MAX);
        let mut others = memory.holder();
        others.add(FLOOR);
        let mut inbox = Inbox {
            messages: VecDeque::new(),
            bytes: memory.holder(),
            moved_at: None,
            pumping: false,
            closed: false,
        };
        assert!(!inbox.is_full(4 * FLOOR));
        inbox.bytes.add(4 * FLOOR);
        let message = Incoming::new(String::new(), None, None);
        inbox.messages.push_back(message);
        assert!(inbox.is_full(1));
    }
}
