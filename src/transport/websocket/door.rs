//! A connection of a plain WebSocket: its format, its subscriptions, and what all of them share.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::compression;
use super::direct_cache::DirectCache;
use super::encode_cache::EncodeCache;
use super::format::Format;
use super::heartbeat::Heartbeat;
use super::large::LargeText;
use super::params::Params;
use super::subscriptions::Subscriptions;
use super::timers::Timers;
use crate::clock::Clock;
use crate::contract::ServerWord;
use crate::domain::Timestamp;
use crate::learn;
use crate::limits::ClientAddress;
use crate::memory::MemoryBudget;
use crate::transport::connection::Connection;
use crate::transport::connection::plain_queue::Waiting;

/// A connection of a plain WebSocket.
pub(super) type WebSocketConnection = Connection<WebSocketDoor>;

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct Packet {
    /// How it begins, if that is large and others send it as well.
    head: Option<LargeText>,
    /// What follows.
    text: String,
    /// Whether it is an event.
    is_event: bool,
    /// Whether it is for this client alone, so that its data is compressed for it.
    is_own: bool,
}

impl Packet {
    pub(super) fn event(text: String) -> Self {
        Self {
            head: None,
            text,
            is_event: true,
            is_own: false,
        }
    }

    pub(super) fn large_event(head: LargeText, text: String) -> Self {
        Self {
            head: Some(head),
            text,
            is_event: true,
            is_own: false,
        }
    }

    pub(super) fn other(text: String) -> Self {
        Self {
            head: None,
            text,
            is_event: false,
            is_own: true,
        }
    }

    /// What many are told at once, and is not kept.
    pub(super) fn signal(text: String) -> Self {
        Self {
            head: None,
            text,
            is_event: false,
            is_own: false,
        }
    }

    /// Whether it may wait for others of its kind: a large one is copied nowhere.
    pub(super) fn may_wait(&self) -> bool {
        self.is_event && self.head.is_none()
    }

    /// The text of a message that is not large.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// The bytes of its text.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// How it begins, and what follows.
    pub(super) fn into_parts(self) -> (Option<Bytes>, String) {
        (self.head.map(LargeText::into_bytes), self.text)
    }
}

impl Waiting for Packet {
    fn bytes(&self) -> usize {
        self.text.len() + self.shared_bytes()
    }

    fn shared_bytes(&self) -> usize {
        self.head.as_ref().map_or(0, |head| head.as_str().len())
    }
}

/// What all plain WebSockets of this instance share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) encode_cache: EncodeCache,
    pub(super) direct_cache: DirectCache,
    pub(super) timers: Timers<Weak<WebSocketConnection>>,
    /// Connections since the start.
    pub(super) opened: AtomicU64,
    /// Messages that have come in and gone out.
    pub(super) messages: AtomicU64,
    /// When the last one did; 0 if none has.
    last_activity: AtomicI64,
}

impl Shared {
    /// Nothing has come or gone. What is sent by several connections counts in `memory`.
    pub(super) fn new(memory: &MemoryBudget) -> Arc<Self> {
        Arc::new(Self {
            encode_cache: EncodeCache::new(memory),
            direct_cache: DirectCache::default(),
            timers: Timers::default(),
            opened: AtomicU64::default(),
            messages: AtomicU64::default(),
            last_activity: AtomicI64::default(),
        })
    }

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
    /// Guards whether the client is told who comes and goes, if it says so.
    presence: Mutex<Option<bool>>,
    /// Guards the session that the client is in.
    session_id: Mutex<Option<String>>,
    pub(super) heartbeat: Heartbeat,
    /// Whether the client was told how the server is.
    pub(super) was_told_status: AtomicBool,
    /// Whether the client wants large data compressed.
    pub(super) compresses: AtomicBool,
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
            presence: Mutex::new(params.presence),
            session_id: Mutex::new(params.session_id.clone()),
            heartbeat: Heartbeat::default(),
            was_told_status: AtomicBool::new(false),
            compresses: AtomicBool::new(params.compressed && format == Format::Envelope),
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

    /// Whether the client is told who comes and goes, if it has said so.
    pub(super) fn presence(&self) -> Option<bool> {
        *self.presence.lock()
    }

    /// Notes whether the client is told who comes and goes, as it says after it has connected.
    pub(super) fn choose_presence(&self, chosen: bool) {
        *self.presence.lock() = Some(chosen);
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
    /// A packet as the client wants it.
    pub(super) fn packed(&self, mut packet: Packet) -> Packet {
        if packet.is_own && self.compresses.load(Ordering::Relaxed) {
            packet.text = compression::whole(packet.text);
        }
        packet
    }

    pub(super) fn pong(&self, id: Option<&RawValue>) -> Packet {
        Packet::other(self.format.say(ServerWord::Pong, Clock.now(), id, &[]))
    }
}
