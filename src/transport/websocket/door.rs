//! A connection of a plain WebSocket: its format, its subscriptions, and what all of them share.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::encode_cache::EncodeCache;
use super::format::Format;
use super::heartbeat::Heartbeat;
use super::params::Params;
use super::subscriptions::Subscriptions;
use super::timers::Timers;
use crate::clock::Clock;
use crate::contract::ServerWord;
use crate::domain::Timestamp;
use crate::learn;
use crate::limits::ClientAddress;
use crate::transport::connection::Connection;

/// A connection of a plain WebSocket.
pub(super) type WebSocketConnection = Connection<WebSocketDoor>;

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct Packet {
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

/// What all plain WebSockets of this instance share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) encode_cache: EncodeCache,
    pub(super) timers: Timers<Weak<WebSocketConnection>>,
    /// Connections since the start.
    pub(super) opened: AtomicU64,
    /// Messages that have come in and gone out.
    pub(super) messages: AtomicU64,
    /// When the last one did; 0 if none has.
    last_activity: AtomicI64,
}

impl Shared {
    /// Notes that a message has come in, or goes out.
    pub(super) fn note_message(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        let now = Clock.now().as_millis();
        self.last_activity.fetch_max(now, Ordering::Relaxed);
    }

    /// When the last message came or went.
    pub(super) fn last_activity(&self) -> Option<Timestamp> {
        let at = self.last_activity.load(Ordering::Relaxed);
        (at > 0).then(|| Timestamp::from_millis(at))
    }
}

/// See the module's description.
pub(crate) struct WebSocketDoor {
    pub(super) shared: Arc<Shared>,
    pub(super) format: Format,
    pub(super) params: Params,
    /// Who the client says it is, where that is believed.
    pub(super) user_id: Option<String>,
    /// Where the client is: wrong credentials cost that address.
    pub(super) address: Option<ClientAddress>,
    /// Guards the subscriptions of clients that give them names.
    pub(super) subscriptions: Mutex<Subscriptions>,
    /// Guards the session that the client is in.
    session_id: Mutex<Option<String>>,
    pub(super) heartbeat: Heartbeat,
    /// Whether the greeting waits for the first message: a `handshake` is answered with nothing before its `welcome`.
    pub(super) is_greeting_held: AtomicBool,
    /// Which program the client is.
    pub(super) program: learn::Client,
    /// Tells the writer that a ping is due.
    pub(super) ping_due: Notify,
    /// Tells the connection's task that all is over at once.
    pub(super) was_cut: Notify,
}

impl WebSocketDoor {
    pub(super) fn new(
        shared: &Arc<Shared>,
        format: Format,
        params: Params,
        user_id: Option<String>,
        address: Option<ClientAddress>,
        program: learn::Client,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            format,
            user_id,
            address,
            subscriptions: Mutex::default(),
            session_id: Mutex::new(params.session_id.clone()),
            heartbeat: Heartbeat::default(),
            is_greeting_held: AtomicBool::new(false),
            program,
            ping_due: Notify::new(),
            was_cut: Notify::new(),
            params,
        }
    }

    /// The session that the client is in: the one that its address or its last `subscribe` names by `sessionId`.
    pub(super) fn session_id(&self) -> Option<String> {
        self.session_id.lock().clone()
    }

    /// Notes that the client is in a session now. The one that it was in before, if that is another one.
    pub(super) fn enter_session(&self, id: &str) -> Option<String> {
        let before = self.session_id.lock().replace(id.to_owned());
        before.filter(|before| before != id)
    }

    /// Notes that the client has left a session.
    pub(super) fn leave_session(&self, id: &str) {
        self.session_id.lock().take_if(|known| known == id);
    }
}

impl WebSocketDoor {
    pub(super) fn pong(&self, id: Option<&RawValue>) -> Packet {
        Packet::other(self.format.say(ServerWord::Pong, Clock.now(), id, &[]))
    }
}
