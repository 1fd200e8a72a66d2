//! Socket.IO as a door: events, acks and notices as packets on socketioxide's socket.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::AckSender;
use super::packet_check::Malformed;
use super::packet_counter::PacketCounter;
use super::send_queue::{PACKET_OVERHEAD, SocketIntake, SocketQueue};
use crate::contract::schema::is_our_name;
use crate::contract::{
    Arguments, ErrorCode, EventClass, EventName, EventStyle, Reply, Request, ServerWord, payload,
};
use crate::domain::{ChannelName, Event, Signal};
use crate::hub::Offer;
use crate::learn;
use crate::transport::connection::door::{Door, InboxLimits, Incoming, Message};
use crate::transport::connection::notice::Notice;
use crate::transport::connection::registry::Registry;
use crate::transport::connection::request_loop::{Asked, RequestLoop, Sent};
use crate::transport::connection::send_queue::{Intake as _, Kind, SendQueue as _};

/// The event under which clients hear of all that happens in channels that are no projects'.
const EVENT: &str = ServerWord::Event.as_str();
/// What the client library says itself, so that clients would take it for its word.
const OF_THE_LIBRARY: [&str; 13] = [
    "connect",
    "connect_error",
    "connect_timeout",
    "connecting",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
    "reconnect",
    "reconnect_attempt",
    "reconnect_error",
    "reconnect_failed",
    "reconnecting",
];

/// The connections of this door.
pub(super) type Sockets = Registry<SocketDoor>;

/// A connection of the namespace.
pub(crate) struct SocketDoor {
    pub(super) counter: Arc<PacketCounter>,
    /// Whether the client hears its own changes.
    pub(super) echo: bool,
    /// Whether the client can go on in another connection: whether it is told of its id and its cursor.
    pub(super) recoverable: bool,
    /// Whether events carry the cursor as an argument; else the client is told of it in `session:cursor`.
    pub(super) cursor_argument: bool,
    /// Which program the client is.
    pub(super) program: learn::Client,
}

/// A message as it came in.
pub(crate) struct SocketMessage {
    pub(super) name: String,
    /// What the name means; `None` if it is unknown.
    event: Option<EventName>,
    /// The whole packet; `None` if it is no JSON.
    pub(super) packet: Option<Box<RawValue>>,
    /// What is wrong with it, if socketioxide could not have read it.
    malformed: Option<Malformed>,
    /// Nothing if the client does not wait for an answer.
    pub(super) ack: Option<AckSender>,
}

impl SocketMessage {
    /// Takes a message; a stand-in gets the name of the event that it stands for.
    pub(super) fn new(name: String, packet: Option<Box<RawValue>>, ack: Option<AckSender>) -> Self {
        let mut malformed = Malformed::read(&name, packet.as_deref());
        let meant = malformed
            .as_mut()
            .map(|malformed| std::mem::take(&mut malformed.event));
        let name = meant.unwrap_or(name);
        Self {
            event: EventName::find(&name),
            name,
            packet,
            malformed,
            ack,
        }
    }
}

impl Message for SocketMessage {
    fn class(&self) -> EventClass {
        // Unknown events, such as each move of a mouse, count as signals: they leave the client its reads and commands.
        self.event.map_or(EventClass::Signal, EventName::class)
    }

    fn bytes(&self) -> usize {
        self.name.len() + self.packet.as_ref().map_or(0, |packet| packet.get().len())
    }

    fn sent_bytes(&self) -> usize {
        let malformed = self.malformed.as_ref();
        malformed.map_or_else(|| self.bytes(), |malformed| malformed.bytes)
    }

    fn forget_payload(&mut self) {
        self.packet = None;
    }
}

impl Door for SocketDoor {
    type Queue = SocketQueue;
    type Message = SocketMessage;
    type Ack = AckSender;

    const NAME: &'static str = "socketio";
    /// Packets are not awaited: socketioxide would keep a task for each.
    const INBOX: InboxLimits = InboxLimits {
        messages: 4096,
        bytes: 8 * 1024 * 1024,
        is_awaited: false,
    };

    fn event(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        event: &Event,
        cursor: &str,
    ) -> Offer {
        let name = style.name(&event.event_type);
        let cursor = self.cursor_argument.then_some(cursor);
        let is_own = event.event_type.is_ours() || !is_reserved(&name);
        if event.subject().is_project() && is_own {
            emit_event(out, &name, &event.payload, cursor)
        } else {
            emit_channel_event(out, style, event, cursor)
        }
    }

    fn signal(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        _: &ChannelName,
        signal: &Signal,
    ) -> Offer {
        let name = style.name(&signal.signal_type);
        out.emit(signal.payload.get().len(), &name, &*signal.payload)
    }

    fn notice(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        notice: &Notice,
        cursor: Option<&str>,
    ) -> Offer {
        let name = style.name(&notice.event_type);
        let Some(payload) = &notice.payload else {
            let cursor = cursor.unwrap_or_default();
            return out.emit(cursor.len(), &name, cursor);
        };
        let argument = cursor.filter(|_| self.cursor_argument);
        let told = emit(out, &name, payload, argument);
        if told == Offer::Taken && cursor.is_some() && argument.is_none() {
            return self.notice(out, style, &Notice::cursor(), cursor);
        }
        told
    }

    fn answer(
        &self,
        out: &mut SocketIntake<'_>,
        ack: Option<AckSender>,
        answer: &RawValue,
    ) -> Offer {
        let bytes = answer.get().len();
        match ack {
            Some(ack) => out.send(bytes, |_| ack.send(answer)),
            None => out.emit(bytes, ServerWord::Error.as_str(), answer),
        }
    }

    async fn serve(requests: &mut RequestLoop<Self>, incoming: Incoming<SocketMessage>) {
        let SocketMessage {
            name,
            event,
            packet,
            malformed,
            ack,
        } = incoming.message;
        let asked = Asked { name, ack };
        if let Some(refused) = incoming.refused {
            return requests.refuse_unread(asked, &refused).await;
        }
        let Some(subscriber) = requests.connection.subscriber() else {
            return;
        };
        let read = |name: &str, limits: &_| match (&malformed, &packet) {
            (Some(malformed), _) => Err(malformed.refusal()),
            (None, Some(packet)) => {
                let event = event.ok_or_else(|| EventName::unknown(name))?;
                Request::read(event, Arguments::Packet(packet.get()), limits)
            }
            (None, None) => Err(Reply::refused(
                ErrorCode::ValidationFailed,
                "the message is not valid JSON",
            )),
        };
        let connection = Arc::clone(&requests.connection);
        let arguments = packet
            .as_ref()
            .map_or(Arguments::None, |packet| Arguments::Packet(packet.get()));
        let program = &connection.door.program;
        let sent = Sent { arguments, program };
        requests.serve(&subscriber, asked, sent, read).await;
    }

    /// Nothing is said: a Socket.IO `disconnect` would keep JavaScript clients from coming back, and an Engine.IO `close`
    /// Python ones.
    fn end(&self, _: &SocketQueue, _gently: bool) {
        self.counter.close();
    }

    /// A Socket.IO `disconnect` keeps JavaScript clients from coming back by themselves.
    fn disconnect(&self, queue: &SocketQueue) {
        let socket = queue.intake().take_socket();
        if socket.is_none_or(|socket| socket.disconnect().is_err()) {
            self.counter.close();
        }
    }

    fn hears_itself(&self, _: &ChannelName) -> bool {
        self.echo
    }

    fn takes_cursors(&self) -> bool {
        self.recoverable || !self.cursor_argument
    }

    fn shows_cursors(&self) -> bool {
        self.cursor_argument
    }

    /// Keeps socketioxide's room `project:<id>` in line. There are rooms of users already, for other things than what their
    /// channels carry.
    fn settle_room(&self, out: &mut SocketIntake<'_>, channel: &ChannelName, is_joined: bool) {
        if let Some(socket) = out.socket().filter(|_| channel.is_project()) {
            let room = channel.as_str().to_owned();
            if is_joined {
                socket.join(room);
            } else {
                socket.leave(room);
            }
        }
    }

    fn shares_transport(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.counter, &other.counter)
    }
}

/// Whether clients would take an event of this name for their library's or the server's word: version 4 even ends the
/// connection, and would do so again each time the event is replayed.
fn is_reserved(name: &str) -> bool {
    OF_THE_LIBRARY.contains(&name) || ServerWord::is_spelled(name)
}

/// Emits a payload, and the cursor after it as a second argument.
fn emit(out: &mut SocketIntake<'_>, name: &str, payload: &RawValue, cursor: Option<&str>) -> Offer {
    let bytes = payload.get().len() + cursor.map_or(0, str::len);
    match cursor {
        Some(cursor) => out.emit(bytes, name, &(payload, cursor)),
        None => out.emit(bytes, name, payload),
    }
}

fn emit_event(
    out: &mut SocketIntake<'_>,
    name: &str,
    payload: &RawValue,
    cursor: Option<&str>,
) -> Offer {
    let bytes = payload.get().len() + cursor.map_or(0, str::len);
    if !out.has_room(Kind::Event, bytes) {
        return Offer::Full;
    }
    emit(out, name, payload, cursor)
}

/// Emits an event of a channel that is no project's: as `event`, with all that is known of it, and under its own name
/// unless that is reserved. The cursor comes with the last one, so a client that is cut off in between hears of both again.
fn emit_channel_event(
    out: &mut SocketIntake<'_>,
    style: EventStyle,
    event: &Event,
    cursor: Option<&str>,
) -> Offer {
    let (message, name) = (
        payload::message(event, style),
        style.name(&event.event_type),
    );
    // Those of the server's own are refused when they are published; the log may have some of before.
    if is_reserved(&name) || is_our_name(&name) {
        return emit_event(out, EVENT, &message, cursor);
    }
    let (first, second) = (
        message.get().len(),
        event.payload.get().len() + cursor.map_or(0, str::len),
    );
    // Both or none: the first one by itself would be told again.
    if !out.has_room(Kind::Event, first + second + PACKET_OVERHEAD) {
        return Offer::Full;
    }
    match out.emit(first, EVENT, &message) {
        Offer::Taken => emit(out, &name, &event.payload, cursor),
        refused => refused,
    }
}
