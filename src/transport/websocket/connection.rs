//! One connected client: its inbox, in which messages keep their order, and its outlet, in which no event and no answer
//! gets lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::gateway::Gateway;
use super::pump::{self, Arrival, Kept};
use super::seat::Seat;
use super::spelling::Spelling;
use super::wishes::Wishes;
use crate::connections::Connection as Counted;
use crate::contract::EventStyle;
use crate::domain::{ClientId, ConnectionId, PrivateId};
use crate::limits::{Budget, ClientAddress};
use crate::transport::credential::Credential;
use crate::transport::outlet::{Kind, Outlet};

mod ends;
mod inbox;
mod vitals;

use inbox::Inbox;
pub(super) use inbox::Incoming;
use vitals::Vitals;

/// Who has come, as far as the request tells.
pub(super) struct Guest {
    pub(super) wishes: Wishes,
    /// Who it says it is, where that is believed.
    pub(super) said: Option<String>,
    /// What shows who it is.
    pub(super) shown: Option<Credential>,
    /// Where it is.
    pub(super) address: Option<ClientAddress>,
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) text: String,
    /// Whether it may wait for others of its kind.
    pub(super) is_event: bool,
}

impl Packet {
    pub(super) fn event(text: String) -> Self {
        Self {
            text,
            is_event: true,
        }
    }

    pub(super) fn other(text: String) -> Self {
        Self {
            text,
            is_event: false,
        }
    }
}

impl AsRef<[u8]> for Packet {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// See the module.
pub(super) struct Connection {
    pub(super) gateway: Arc<Gateway>,
    /// Where the client is: wrong credentials cost that address.
    pub(super) address: Option<ClientAddress>,
    pub(super) id: ConnectionId,
    /// Which client it is, for others to see.
    pub(super) client: ClientId,
    pub(super) spelling: Spelling,
    pub(super) style: EventStyle,
    pub(super) wishes: Wishes,
    pub(super) is_deaf_to_itself: bool,
    /// Who the client says it is, where that is believed.
    pub(super) said: Option<String>,
    pub(super) outlet: Outlet<Packet>,
    /// Guards the session; there is none before it is known who the client is, and none at the end.
    seat: Mutex<Option<Arc<Seat>>>,
    /// Guards the messages that wait, and whether somebody works on them.
    inbox: Mutex<Inbox>,
    /// Guards what one pump leaves to the next.
    kept: Mutex<Kept>,
    /// Guards the session that the client is in, if it is in one.
    session: Mutex<Option<String>>,
    /// Tells the pump of new messages.
    pub(super) arrived: Notify,
    /// Tells the reader of room in the inbox.
    moved: Notify,
    /// What the connection may still send.
    pub(super) budget: Arc<Budget>,
    /// Messages that have come in.
    received: AtomicU64,
    /// Messages that were too many.
    limited: AtomicU64,
    pub(super) vitals: Vitals,
    /// Tells the writer that a ping is due.
    pub(super) ping_due: Notify,
    /// Tells that all is over at once.
    pub(super) was_cut: Notify,
    /// What the client is told at the end, in a number.
    farewell: OnceLock<u16>,
    gone: AtomicBool,
    went: Notify,
    since: Instant,
    /// Counts as connected until dropped.
    counted: Mutex<Option<Counted>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Takes a client in, and greets it.
    pub(super) fn open(gateway: &Arc<Gateway>, spelling: Spelling, guest: Guest) -> Arc<Self> {
        let config = gateway.app.config();
        let Guest {
            wishes,
            said,
            shown,
            address,
        } = guest;
        let connection = Arc::new(Self {
            address,
            id: ConnectionId::generate(),
            client: PrivateId::generate().client(),
            spelling,
            style: wishes.event_style.unwrap_or(config.event_style),
            said,
            is_deaf_to_itself: wishes.is_deaf_to_itself,
            outlet: Outlet::new(gateway.app.send_memory()),
            seat: Mutex::new(None),
            inbox: Mutex::new(Inbox::at_work(gateway.app.receive_memory())),
            kept: Mutex::default(),
            session: Mutex::default(),
            arrived: Notify::new(),
            moved: Notify::new(),
            budget: Arc::default(),
            received: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            vitals: Vitals::default(),
            ping_due: Notify::new(),
            was_cut: Notify::new(),
            farewell: OnceLock::new(),
            gone: AtomicBool::new(false),
            went: Notify::new(),
            since: Instant::now(),
            counted: Mutex::new(Some(gateway.app.connections().open())),
            wishes,
            gateway: Arc::clone(gateway),
        });
        gateway.insert(&connection);
        let first = connection.fall_due().unwrap_or_else(Instant::now);
        gateway
            .timetable
            .put(connection.id, first, Arc::downgrade(&connection));
        let greeting = pump::run(Arc::clone(&connection), Some(Arrival { shown }));
        gateway.app.lifecycle().spawn(greeting);
        connection
    }

    /// The session, once it is known who the client is.
    pub(super) fn seat(&self) -> Option<Arc<Seat>> {
        lock(&self.seat).clone()
    }

    /// Gives the client another session. Nothing more is heard by the old one.
    pub(super) fn take_seat(&self, seat: &Arc<Seat>) {
        let before = lock(&self.seat).replace(Arc::clone(seat));
        if let Some(before) = before {
            before.session.close();
        }
        if self.is_gone() {
            self.let_go();
        }
    }

    /// Counts a message that was too much. The first one is logged, the others only in number.
    pub(super) fn note_limited(&self, limit: &str) {
        if self.limited.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::info!(limit, connection.id = %self.id, "limit reached");
        }
    }

    /// Says something that must not get lost, once there is room for it.
    pub(super) async fn say(&self, make: impl FnOnce(Spelling) -> String) -> bool {
        let spelling = self.spelling;
        let make = || Packet::other(make(spelling));
        self.outlet.push(Kind::Answer, make).await
    }

    /// Watches the connection by what its client has shown, from now on.
    pub(super) fn keep_watch(&self) {
        if let Some(seat) = self.seat() {
            self.gateway.tenure.watch(&seat);
        }
    }

    /// The session that the client is in: the one that it subscribed to last.
    pub(super) fn session_id(&self) -> Option<String> {
        lock(&self.session).clone()
    }

    /// Notes which session the client is in.
    pub(super) fn set_session_id(&self, id: Option<String>) {
        *lock(&self.session) = id;
    }

    /// What one pump leaves to the next.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
