//! Plain WebSockets as a door: JSON text messages, in one of two formats.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::encode_cache::EncodeCache;
use super::format::Format;
use super::heartbeat::Heartbeat;
use super::message::{Meaning, Own, Received};
use super::params::Params;
use super::requests;
use super::subscriptions::Subscriptions;
use super::timers::Timers;
use crate::clock::Clock;
use crate::contract::{EventStyle, ServerWord};
use crate::domain::{ChannelName, Event, Signal, Timestamp};
use crate::hub::Offer;
use crate::limits::ClientAddress;
use crate::transport::connection::Connection;
use crate::transport::connection::door::{Door, InboxLimits, Incoming};
use crate::transport::connection::notice::Notice;
use crate::transport::connection::plain_queue::{PlainIntake, PlainQueue};
use crate::transport::connection::request_loop::RequestLoop;
use crate::transport::connection::send_queue::{Intake as _, Kind, SendQueue as _};

/// A connection of a plain WebSocket.
pub(super) type WebSocketConnection = Connection<WebSocketDoor>;
type Out<'a> = PlainIntake<'a, Packet>;

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(super) text: String,
    /// Whether it may wait for others of its kind.
    pub(super) is_event: bool,
}

impl Packet {
    fn event(text: String) -> Self {
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
    /// Guards the sessions that the client is in, in the order in which it subscribed.
    session_ids: Mutex<Vec<String>>,
    pub(super) heartbeat: Heartbeat,
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
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            format,
            user_id,
            address,
            subscriptions: Mutex::default(),
            session_ids: Mutex::new(params.session_id.iter().cloned().collect()),
            heartbeat: Heartbeat::default(),
            ping_due: Notify::new(),
            was_cut: Notify::new(),
            params,
        }
    }

    /// The session that the client is in: of those that it is subscribed to, the last one.
    pub(super) fn session_id(&self) -> Option<String> {
        self.session_ids.lock().last().cloned()
    }

    /// Notes that the client has subscribed to a session.
    pub(super) fn enter_session(&self, id: &str) {
        let mut ids = self.session_ids.lock();
        ids.retain(|known| known != id);
        ids.push(id.to_owned());
    }

    /// Notes that the client has unsubscribed from a session.
    pub(super) fn leave_session(&self, id: &str) {
        self.session_ids.lock().retain(|known| known != id);
    }
}

impl Door for WebSocketDoor {
    type Queue = PlainQueue<Packet>;
    type Message = Received;
    type Ack = Box<RawValue>;

    const NAME: &'static str = "websocket";
    const INBOX: InboxLimits = InboxLimits {
        messages: 1024,
        bytes: 1024 * 1024,
        is_awaited: true,
    };

    fn event(&self, out: &mut Out<'_>, style: EventStyle, event: &Event, cursor: &str) -> Offer {
        let text = self.shared.encode_cache.get(self.format, style, event);
        out.push(Packet::event(self.format.with_cursor(&text, cursor)));
        Offer::Taken
    }

    fn signal(
        &self,
        out: &mut Out<'_>,
        style: EventStyle,
        channel: &ChannelName,
        signal: &Signal,
    ) -> Offer {
        let name = style.name(&signal.signal_type);
        let text = self.format.signal(&name, Clock.now(), channel, signal);
        out.push(Packet::other(text));
        Offer::Taken
    }

    fn notice(
        &self,
        out: &mut Out<'_>,
        style: EventStyle,
        notice: &Notice,
        cursor: Option<&str>,
    ) -> Offer {
        let name = style.name(&notice.event_type);
        let text = self
            .format
            .tell(&name, Clock.now(), notice.payload.as_deref(), cursor);
        out.push(Packet::other(text));
        Offer::Taken
    }

    fn answer(&self, out: &mut Out<'_>, ack: Option<Box<RawValue>>, answer: &RawValue) -> Offer {
        let (format, now) = (self.format, Clock.now());
        out.push(Packet::other(match ack {
            Some(id) => format.ack(now, &id, answer),
            None => format.object(ServerWord::Error, now, None, answer),
        }));
        Offer::Taken
    }

    async fn serve(requests: &mut RequestLoop<Self>, incoming: Incoming<Received>) {
        requests::serve(requests, incoming).await;
    }

    /// A ping asks whether the connection is there, and not for what was said before.
    fn answer_at_once(&self, queue: &Self::Queue, message: &Received) -> bool {
        let Ok(message) = &message.0 else {
            return false;
        };
        if message.meaning != Meaning::Own(Own::Ping) {
            return false;
        }
        let mut out = queue.intake();
        let has_room = out.has_room(Kind::Answer, 0);
        if has_room {
            out.push(self.pong(message.id.as_deref()));
        }
        has_room
    }

    fn end(&self, queue: &Self::Queue, gently: bool) {
        queue.finish(gently);
        if !gently {
            self.was_cut.notify_one();
        }
    }

    /// What a client tells the others of its session it does not hear; its changes of projects it does, unless it does not
    /// want to.
    fn hears_itself(&self, channel: &ChannelName) -> bool {
        channel.is_project() && !self.params.is_deaf_to_itself
    }
}

impl WebSocketDoor {
    pub(super) fn pong(&self, id: Option<&RawValue>) -> Packet {
        Packet::other(self.format.say(ServerWord::Pong, Clock.now(), id, &[]))
    }
}
