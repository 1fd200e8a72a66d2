//! Socket.IO as a door: events, acks and notices as packets on socketioxide's socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use serde_json::value::RawValue;

use super::ack::Ack;
use super::emitted::Emitted;
use super::packet_check::Malformed;
use super::packet_counter::PacketCounter;
use super::send_queue::{PACKET_OVERHEAD, SocketIntake, SocketQueue};
use crate::contract::dialect::{Dialect, Happened, Meaning, Nouns, Told};
use crate::contract::schema::is_our_name;
use crate::contract::{
    Arguments, DirectMessage, ErrorCode, EventClass, EventName, EventStyle, Reply, Request,
    ServerWord, Several, json_text, payload, unpack,
};
use crate::domain::{Actor, ChannelName, ConnectionId, Event, Family, ProjectId, Signal};
use crate::hub::Offer;
use crate::learn;
use crate::session::people;
use crate::state::AppState;
use crate::transport::connection::door::{Door, InboxLimits, Incoming, Message};
use crate::transport::connection::introduction::{Introduction, now};
use crate::transport::connection::notice::Notice;
use crate::transport::connection::registry::Registry;
use crate::transport::connection::request_loop::{Asked, RequestLoop};
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
    /// Whether the client is told who comes and goes, if it says so.
    pub(super) presence: Option<bool>,
    /// Whether the client can go on in another connection: whether it is told of its id and its cursor.
    pub(super) recoverable: bool,
    /// Whether events carry the cursor as an argument; else the client is told of it in `session:cursor`.
    pub(super) cursor_argument: bool,
    /// Which program the client is.
    pub(super) program: learn::Client,
    /// The dialect that the client speaks.
    pub(super) dialect: Arc<Dialect>,
    /// What the client has said of itself, if its dialect may want to know.
    pub(super) introduction: Option<Box<Introduction>>,
    pub(super) id: ConnectionId,
    pub(super) app: AppState,
    /// What the client has called tasks and projects, if not as we do.
    pub(super) spoken: AtomicU16,
}

/// A message as it came in.
pub(crate) struct SocketMessage {
    pub(super) name: String,
    /// What the name means.
    meaning: Meaning,
    /// The whole packet; `None` if it is no JSON.
    pub(super) packet: Option<Box<RawValue>>,
    /// What is wrong with it, if socketioxide could not have read it.
    malformed: Option<Malformed>,
    /// Nothing if the client does not wait for an answer.
    pub(super) ack: Option<Ack>,
}

impl SocketMessage {
    /// Takes a message; a stand-in gets the name of the event that it stands for.
    pub(super) fn new(
        dialect: &Dialect,
        name: String,
        packet: Option<Box<RawValue>>,
        ack: Option<Ack>,
    ) -> Self {
        let mut malformed = Malformed::read(&name, packet.as_deref());
        let meant = malformed
            .as_mut()
            .map(|malformed| std::mem::take(&mut malformed.event));
        let name = meant.unwrap_or(name);
        Self {
            meaning: dialect.meaning(&name),
            name,
            packet,
            malformed,
            ack,
        }
    }
}

impl Message for SocketMessage {
    fn class(&self) -> EventClass {
        self.meaning.class()
    }

    fn type_name(&self) -> Option<&str> {
        Some(match self.meaning {
            Meaning::Event(event) => event.as_str(),
            _ => &self.name,
        })
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
    type Ack = Ack;

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
        let cursor = self.cursor_argument.then_some(cursor);
        if !self.hears_plainly() || self.is_own_room(event.subject()) {
            return self.told_event(out, style, event, cursor);
        }
        // Who speaks a dialect of its own listens to names alone.
        let is_bare = event.subject().is_project() || self.introduction.is_some();
        if is_bare && let Some(told) = self.splice_event(out, style, event, cursor) {
            return told;
        }
        let name = style.name(&event.event_type);
        let is_own = event.event_type.is_ours() || !is_reserved(&name);
        if is_bare && is_own {
            emit_event(out, &name, &event.payload, cursor)
        } else {
            emit_channel_event(out, style, event, cursor)
        }
    }

    fn signal(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        channel: &ChannelName,
        signal: &Signal,
    ) -> Offer {
        if !self.hears_plainly() {
            return self.told_signal(out, style, channel, signal);
        }
        let name = style.name(&signal.signal_type);
        self.emit_alone(out, &name, &signal.payload)
    }

    /// Under its own name, with what is known of it as the second argument; nothing under a name of the client library's
    /// or ours, which would mean something else.
    fn direct(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        message: &DirectMessage,
    ) -> Offer {
        let name = style.name(&message.message_type);
        if is_reserved(&name) || is_our_name(&name) {
            return Offer::Gone;
        }
        let about = message.about();
        let bytes = message.payload.get().len() + about.get().len();
        out.emit(bytes, &name, &Emitted::Two(&message.payload, &about))
    }

    fn list(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        channel: &ChannelName,
        list: &Signal,
    ) -> Offer {
        if self.hears_plainly() {
            return self.signal(out, style, channel, list);
        }
        let told = self.render_signal(style, channel, list);
        self.emit_all(out, &told)
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
            return out.emit(cursor.len(), &name, &Emitted::Text(cursor));
        };
        let argument = cursor.filter(|_| self.cursor_argument);
        let told = emit(out, &name, payload, argument);
        if told == Offer::Taken && cursor.is_some() && argument.is_none() {
            return self.notice(out, style, &Notice::cursor(), cursor);
        }
        told
    }

    fn answer(&self, out: &mut SocketIntake<'_>, ack: Option<Ack>, answer: &RawValue) -> Offer {
        let bytes = answer.get().len();
        match ack {
            Some(ack) => out.answer(bytes, ack, answer),
            None => out.emit(bytes, ServerWord::Error.as_str(), &Emitted::One(answer)),
        }
    }

    async fn serve(requests: &mut RequestLoop<Self>, incoming: Incoming<SocketMessage>) {
        let SocketMessage {
            name,
            meaning,
            packet,
            malformed,
            ack,
        } = incoming.message;
        let asked = Asked::new(name, ack);
        if let Some(refused) = incoming.refused {
            return requests.refuse_unread(asked, &refused).await;
        }
        let Some(subscriber) = requests.connection.subscriber() else {
            return;
        };
        let event = match (meaning, &malformed, &packet) {
            (Meaning::Rules(rules), None, Some(packet)) => {
                let arguments = Arguments::Packet(packet.get());
                return Box::pin(requests.obey(&subscriber, asked, rules, arguments)).await;
            }
            (Meaning::Custom(keep), None, Some(packet)) => {
                let arguments = Arguments::Packet(packet.get());
                return Box::pin(requests.pass_on(&subscriber, asked, keep, arguments)).await;
            }
            (Meaning::Event(event), _, _) => Some(event),
            _ => None,
        };
        if let Some(event) = event {
            requests.connection.door.note_noun(event);
        }
        let dialect = Arc::clone(&requests.connection.door.dialect);
        let read = |name: &str, limits: &_| match (&malformed, &packet) {
            (Some(malformed), _) => Err(malformed.refusal()),
            (None, Some(packet)) => {
                let event = event.ok_or_else(|| EventName::unknown(name))?;
                let arguments = Arguments::Packet(packet.get());
                if !dialect.renames(event) {
                    return Request::read(event, arguments, limits);
                }
                let mut values = arguments.values(limits)?;
                if let Some(first) = values.first_mut() {
                    dialect.rename(event, first);
                }
                values.insert(0, Value::from(name));
                let packet = json_text(&values);
                Request::read(event, Arguments::Packet(packet.get()), limits)
            }
            (None, None) => Err(Reply::refused(
                ErrorCode::ValidationFailed,
                "the message is not valid JSON",
            )),
        };
        let arguments = packet
            .as_ref()
            .map_or(Arguments::None, |packet| Arguments::Packet(packet.get()));
        requests.serve(&subscriber, asked, arguments, read).await;
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

    fn program(&self) -> Option<&learn::Client> {
        Some(&self.program)
    }

    fn hears_itself(&self, _: &ChannelName) -> bool {
        self.echo
    }

    fn chooses_presence(&self) -> Option<bool> {
        self.presence
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

    fn dialect(&self) -> Option<&Arc<Dialect>> {
        Some(&self.dialect)
    }

    fn introduction(&self) -> Option<&Introduction> {
        self.introduction.as_deref()
    }

    fn say(
        &self,
        out: &mut SocketIntake<'_>,
        name: &str,
        payload: &RawValue,
        _cursor: &str,
    ) -> Offer {
        self.emit_alone(out, name, payload)
    }

    fn transport(&self) -> Option<usize> {
        Some(Arc::as_ptr(&self.counter).addr())
    }
}

impl SocketDoor {
    /// Whether the client hears events as they are.
    fn hears_plainly(&self) -> bool {
        self.dialect.tells_plainly() && self.spoken.load(Ordering::Relaxed) == 0
    }

    /// Whether a channel is a user's that clients hear without asking: each of its events comes under its own name, be it
    /// also one of ours.
    fn is_own_room(&self, channel: &ChannelName) -> bool {
        self.dialect.has_user_room() && matches!(channel.family(), Family::User(_))
    }

    /// Notes what the client calls tasks and projects: it hears of them under the same noun.
    fn note_noun(&self, event: EventName) {
        if event.noun().is_some() {
            let before = self.spoken.load(Ordering::Relaxed);
            let spoken = self.dialect.spoken(before, event);
            self.spoken.store(spoken, Ordering::Relaxed);
        }
    }

    fn nouns(&self) -> Nouns {
        self.dialect.nouns(self.spoken.load(Ordering::Relaxed))
    }

    /// Emits an event under its own name, of which the beginning was rendered for all. Nothing comes of one that is reserved, that
    /// has several arguments, or that goes through socketioxide's queue.
    fn splice_event(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        event: &Event,
        cursor: Option<&str>,
    ) -> Option<Offer> {
        let cache = self.counter.encode_cache().filter(|_| out.is_direct())?;
        if !cursor.is_none_or(is_plain) {
            return None;
        }
        let bytes = event.payload.get().len() + cursor.map_or(0, str::len);
        if !out.has_room(Kind::Event, bytes) {
            return Some(Offer::Full);
        }
        let head = || {
            let name = style.name(&event.event_type);
            let is_own = event.event_type.is_ours() || !is_reserved(&name);
            if !is_own || unpack(&event.payload).is_some() {
                return None;
            }
            let mut head = vec![b'['];
            serde_json::to_writer(&mut head, &name).ok()?;
            head.push(b',');
            head.extend_from_slice(event.payload.get().as_bytes());
            Some(head)
        };
        let emitted = cache.with(style, event, head, |head| {
            out.emit_head(bytes, head, cursor)
        })?;
        emitted.then_some(Offer::Taken)
    }

    /// Emits something that carries no cursor. Clients that recover take a trailing text for one: another argument behind it
    /// keeps them from that.
    fn emit_alone(&self, out: &mut SocketIntake<'_>, name: &str, payload: &RawValue) -> Offer {
        let bytes = payload.get().len();
        if let Some(arguments) = unpack(payload) {
            let last = arguments.last();
            let several = Several {
                ends_with_null: self.recoverable
                    && last.is_some_and(|last| last.get().starts_with('"')),
                arguments,
                cursor: None,
            };
            return out.emit(bytes, name, &Emitted::Several(several));
        }
        let arguments = if self.recoverable && payload.get().starts_with('"') {
            Emitted::WithNull(payload)
        } else {
            Emitted::One(payload)
        };
        out.emit(bytes, name, &arguments)
    }

    /// Emits an event as the client's dialect tells it. The cursor comes with the last one, so a client that is cut off in
    /// between hears of all again.
    fn told_event(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        event: &Event,
        cursor: Option<&str>,
    ) -> Offer {
        if !event.event_type.is_ours() && is_reserved(event.event_type.as_str()) {
            let message = payload::message(event, style);
            return emit_event(out, EVENT, &message, cursor);
        }
        let kept = self.dialect.told(&event.payload, style, self.nouns());
        let told = kept.unwrap_or_else(|| self.render_event(style, event));
        let is_own = event.origin == Some(self.id);
        let heard = || told.iter().filter(|told| !(is_own && told.to_others));
        let bytes = |payload: &RawValue| payload.get().len() + PACKET_OVERHEAD;
        let all: usize = heard().map(|told| bytes(&told.payload)).sum();
        let cursor_bytes = cursor.map_or(0, str::len);
        if !out.has_room(Kind::Event, all + cursor_bytes) {
            return Offer::Full;
        }
        let count = heard().count();
        for (number, told) in heard().enumerate() {
            let cursor = cursor.filter(|_| number + 1 == count);
            let emitted = match cursor {
                Some(_) => emit(out, &told.name, &told.payload, cursor),
                None => self.emit_alone(out, &told.name, &told.payload),
            };
            if emitted != Offer::Taken {
                return emitted;
            }
        }
        Offer::Taken
    }

    fn told_signal(
        &self,
        out: &mut SocketIntake<'_>,
        style: EventStyle,
        channel: &ChannelName,
        signal: &Signal,
    ) -> Offer {
        let kept = self.dialect.told(&signal.payload, style, self.nouns());
        let told = kept.unwrap_or_else(|| self.render_signal(style, channel, signal));
        let all: usize = told
            .iter()
            .map(|told| told.payload.get().len() + PACKET_OVERHEAD)
            .sum();
        if !out.has_room(Kind::Signal, all) {
            return Offer::Full;
        }
        self.emit_all(out, &told)
    }

    fn emit_all(&self, out: &mut SocketIntake<'_>, told: &[Told]) -> Offer {
        for told in told {
            let emitted = self.emit_alone(out, &told.name, &told.payload);
            if emitted != Offer::Taken {
                return emitted;
            }
        }
        Offer::Taken
    }

    fn render_event(&self, style: EventStyle, event: &Event) -> Arc<[Told]> {
        let project = event.subject().project();
        let actor = &event.actor;
        self.dialect.tell(&Happened {
            event_type: &event.event_type,
            style,
            nouns: self.nouns(),
            payload: &event.payload,
            room: project.as_ref().map(|project| project.to_json()),
            user: &|_| self.somebody(project.as_ref(), actor),
            socket: event.origin.map(|origin| origin.to_string()),
            presence: &|| self.people(project.as_ref(), actor),
            now: &now,
        })
    }

    fn render_signal(
        &self,
        style: EventStyle,
        channel: &ChannelName,
        signal: &Signal,
    ) -> Arc<[Told]> {
        let project = channel.project();
        let actor = |data: &Value| Actor::new(data["userId"].as_str().unwrap_or_default());
        let nobody = Actor::new("");
        self.dialect.tell(&Happened {
            event_type: &signal.signal_type,
            style,
            nouns: self.nouns(),
            payload: &signal.payload,
            room: project.as_ref().map(|project| project.to_json()),
            user: &|data| {
                let mut user = data.clone();
                if let Value::Object(user) = &mut user {
                    let id = user.get("userId").cloned().unwrap_or_default();
                    user.insert("id".to_owned(), id);
                }
                let was = signal.lasting.as_ref().and_then(|of| of.was.clone());
                let known = match was {
                    Some(was) => was.into(),
                    None => self.somebody(project.as_ref(), &actor(data)),
                };
                if let (Value::Object(user), Value::Object(known)) = (&mut user, known) {
                    for (key, value) in known {
                        user.entry(key).or_insert(value);
                    }
                }
                user
            },
            socket: signal.origin.map(|origin| origin.to_string()),
            presence: &|| self.people(project.as_ref(), &nobody),
            now: &now,
        })
    }

    /// A user, with what others see of them.
    fn somebody(&self, project: Option<&ProjectId>, actor: &Actor) -> Value {
        let seen = project.and_then(|project| self.app.presence().person(project, actor));
        let mut user = seen.unwrap_or_default();
        user.insert("id".to_owned(), actor.as_str().into());
        user.into()
    }

    fn people(&self, project: Option<&ProjectId>, asker: &Actor) -> Value {
        project.map_or(Value::Null, |project| {
            people(self.app.presence(), project, asker, &self.dialect)
        })
    }
}

/// Whether a text stands in JSON as it is.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// Whether clients would take an event of this name for their library's or the server's word: version 4 even ends the
/// connection, and would do so again each time the event is replayed.
fn is_reserved(name: &str) -> bool {
    OF_THE_LIBRARY.contains(&name) || ServerWord::is_spelled(name)
}

/// Emits a payload, and the cursor after it as a second argument.
fn emit(out: &mut SocketIntake<'_>, name: &str, payload: &RawValue, cursor: Option<&str>) -> Offer {
    let bytes = payload.get().len() + cursor.map_or(0, str::len);
    if let Some(arguments) = unpack(payload) {
        let several = Several {
            arguments,
            cursor,
            ends_with_null: false,
        };
        return out.emit(bytes, name, &Emitted::Several(several));
    }
    let arguments = match cursor {
        Some(cursor) => Emitted::WithCursor(payload, cursor),
        None => Emitted::One(payload),
    };
    out.emit(bytes, name, &arguments)
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
    // Under a name of ours it would seem to be about a project.
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
    match out.emit(first, EVENT, &Emitted::One(&message)) {
        Offer::Taken => emit(out, &name, &event.payload, cursor),
        refused => refused,
    }
}
