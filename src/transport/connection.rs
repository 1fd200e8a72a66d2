//! One connection, whatever its protocol: it takes messages in order, hands out events, tells of resets and lost rights,
//! expires with its credential, and ends.
//!
//! A [`Door`] is only the codec. Messages wait in an inbox, which one [request loop](request_loop) per busy connection works
//! off in order; what is sent waits in a [send queue](send_queue), in which no event and no answer gets lost. An idle
//! connection has neither task nor timer here.

pub(crate) mod backlog;
pub(crate) mod client_info;
mod close;
pub(crate) mod credential_expiry;
mod cursor_pace;
mod direct;
pub(crate) mod door;
pub(crate) mod due_queue;
mod greet;
mod in_flight;
pub(crate) mod inbox;
pub(crate) mod introduction;
pub(crate) mod notice;
pub(crate) mod obey;
pub(crate) mod operators;
pub(crate) mod plain_queue;
mod record;
pub(crate) mod registry;
pub(crate) mod request_loop;
mod resets;
pub(crate) mod send_queue;
pub(crate) mod subscriber;
mod template_state;
pub(crate) mod user_connections;

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::connection_count::Connection as Counted;
use crate::contract::EventStyle;
use crate::domain::{ClientId, ConnectionId, Timestamp};
use crate::hub::Offer;
use crate::limits::Budget;
use crate::state::AppState;
use client_info::ClientInfo;
pub(crate) use close::Close;
use door::{Door, Out};
use inbox::Inbox;
use registry::Registry;
use send_queue::{Kind, SendQueue};
use subscriber::{Admitted, SessionSubscriber};

/// Who works on an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// Nobody yet; nobody ever if the client is not let in, or sends nothing at this door.
    Unserved,
    /// Nobody before the client has been greeted.
    Greeting,
    /// A request loop.
    Serving,
    /// Nobody: there is nothing to do.
    Idle,
}

/// See the module's description.
pub(crate) struct Connection<D: Door> {
    pub(crate) registry: Arc<Registry<D>>,
    pub(crate) id: ConnectionId,
    /// Which client it is, for others to see.
    pub(crate) client: ClientId,
    pub(crate) door: D,
    pub(crate) queue: D::Queue,
    style: EventStyle,
    /// Guards the session; there is none before it is known who the client is, and none at the end.
    subscriber: Mutex<Option<Arc<SessionSubscriber<D>>>>,
    /// Guards the messages that wait, and whether they are being served.
    inbox: Mutex<Inbox<D::Message>>,
    /// Tells the request loop of new messages.
    arrived: Notify,
    /// Tells the reader of room in the inbox.
    moved: Notify,
    /// What the connection may still send.
    budget: Arc<Budget>,
    /// Guards which program the client says it is.
    client_info: Mutex<ClientInfo>,
    /// Messages that have come in.
    received: AtomicU64,
    /// When the last one did, or the client connected.
    last_activity: AtomicI64,
    /// Messages that were too many.
    limited: AtomicU64,
    /// Bytes of the answers that wait for room in the send queue.
    unsent: AtomicUsize,
    /// How and why it ends, said once.
    ending: OnceLock<(Close, Cow<'static, str>)>,
    /// Whether the client was let in, so that its end is logged.
    was_let_in: AtomicBool,
    is_gone: AtomicBool,
    went: Notify,
    pub(crate) since: Instant,
    /// Guards the place among the open connections, which ends when it is dropped.
    counted: Mutex<Option<Counted>>,
}

impl<D: Door> std::fmt::Debug for Connection<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("door", &D::NAME)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<D: Door> Connection<D> {
    /// Makes a connection that is counted and not yet found by others. Its messages wait until
    /// [`Connection::start_requests`].
    pub(crate) fn new(
        registry: &Arc<Registry<D>>,
        (id, client): (ConnectionId, ClientId),
        door: D,
        queue: D::Queue,
        style: Option<EventStyle>,
    ) -> Arc<Self> {
        let app = &registry.app;
        Arc::new(Self {
            id,
            client,
            door,
            queue,
            style: style.unwrap_or(app.config().event_style),
            subscriber: Mutex::new(None),
            inbox: Mutex::new(Inbox::new(D::INBOX, app.receive_memory())),
            arrived: Notify::new(),
            moved: Notify::new(),
            budget: Arc::default(),
            client_info: Mutex::default(),
            received: AtomicU64::new(0),
            last_activity: AtomicI64::new(Clock.now().as_millis()),
            limited: AtomicU64::new(0),
            unsent: AtomicUsize::new(0),
            ending: OnceLock::new(),
            was_let_in: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            went: Notify::new(),
            since: Instant::now(),
            counted: Mutex::new(Some(app.connections().open())),
            registry: Arc::clone(registry),
        })
    }

    pub(crate) fn app(&self) -> &AppState {
        &self.registry.app
    }

    /// Which program the client says it is.
    pub(crate) fn client_info(&self) -> ClientInfo {
        self.client_info.lock().clone()
    }

    /// Notes which program the client says it is; what it does not say stays as it was.
    pub(crate) fn note_client_info(&self, said: ClientInfo) {
        self.client_info.lock().update(said);
    }

    /// When the client sent its last message, or connected.
    pub(crate) fn last_activity(&self) -> Timestamp {
        Timestamp::from_millis(self.last_activity.load(Ordering::Relaxed))
    }

    /// The session as the hub's subscriber, once it is known who the client is.
    pub(crate) fn subscriber(&self) -> Option<Arc<SessionSubscriber<D>>> {
        self.subscriber.lock().clone()
    }

    /// Gives the client a session. Nothing more is heard by the one that it had.
    pub(crate) fn attach(self: &Arc<Self>, admitted: Admitted) -> Arc<SessionSubscriber<D>> {
        let subscriber = SessionSubscriber::new(self, admitted);
        let before = self.subscriber.lock().replace(Arc::clone(&subscriber));
        if let Some(before) = before {
            before.session.rooms.close();
            before.give_up_place();
        }
        subscriber.keep_place();
        if self.is_gone() {
            self.end_session();
        }
        subscriber
    }

    /// Ends the subscriptions of a client that has gone. What it has sent still takes effect in its session.
    fn end_session(&self) {
        if let Some(subscriber) = self.subscriber() {
            subscriber.session.rooms.close();
            subscriber.give_up_place();
        }
        self.registry.expiry.forget(self.id);
    }

    /// Drops the session of a client that has gone, unless messages are still served in it: they own each other.
    fn forget_session_if_gone(&self) {
        let is_served = matches!(
            self.inbox.lock().service,
            Service::Greeting | Service::Serving
        );
        if self.is_gone() && !is_served {
            drop(self.subscriber.lock().take());
        }
    }

    /// Ends the connection when what its client has shown last is good no longer, from now on.
    pub(crate) fn watch_credential(&self) {
        if let Some(subscriber) = self.subscriber() {
            self.registry.expiry.watch(&subscriber);
        }
    }

    /// Sends something that must not get lost, once there is room. Until then it counts as waiting for the client.
    pub(crate) async fn push<F>(&self, bytes: usize, write: F) -> Offer
    where
        F: FnOnce(&mut Out<'_, D>) -> Offer + Send,
    {
        let _unsent = Unsent::new(&self.unsent, bytes);
        let sent = self.queue.push(Kind::Answer, bytes, write).await;
        self.note_sent(sent);
        if sent == Offer::Full {
            // An answer is not left out in silence.
            self.abort(Close::TryAgain, "queue_full");
        }
        sent
    }

    /// Counts a message to the client.
    pub(crate) fn note_sent(&self, sent: Offer) {
        if sent == Offer::Taken {
            self.registry.traffic.sent.count();
        }
    }

    /// Counts events that were written to the client.
    fn note_written(&self, events: u64) {
        self.registry.traffic.sent.add(events);
    }

    /// Starts a task of the connection's requests. One that panics ends the connection: messages would else wait for a
    /// request loop that is no more.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let (connection, busy) = (Arc::clone(self), self.app().connections().busy());
        self.app().lifecycle().spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(connection.id = %connection.id, "a message caused a panic");
                connection.abort(Close::Internal, "internal");
                connection.stop_requests();
            }
            drop(busy);
        });
    }

    /// Counts a message that was too much. The first one of a connection is logged, the others are only counted, so that a
    /// client that floods the server does not flood the log.
    pub(crate) fn note_limited(&self, limit: &str) {
        if self.limited.fetch_add(1, Ordering::Relaxed) == 0 {
            let subscriber = self.subscriber();
            tracing::info!(
                door = D::NAME,
                connection.id = %self.id,
                actor = subscriber.as_ref().map(|one| one.session.caller.actor.as_str()),
                limit,
                "limit reached"
            );
        }
    }
}

/// Counts an answer as unsent until dropped.
struct Unsent<'a> {
    count: &'a AtomicUsize,
    bytes: usize,
}

impl<'a> Unsent<'a> {
    fn new(count: &'a AtomicUsize, bytes: usize) -> Self {
        count.fetch_add(bytes, Ordering::Relaxed);
        Self { count, bytes }
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
