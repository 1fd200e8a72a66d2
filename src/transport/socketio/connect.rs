//! The way into a namespace: who comes gets what it had, or is told why it may not come in, before CONNECT is answered.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::atomic::AtomicU16;
use std::sync::{Arc, Weak};

use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as JsonValue;
use serde_json::value::RawValue;
use socketioxide::extract::{Event, TryData};
use socketioxide::handler::FromConnectParts;
use socketioxide::socket::DisconnectReason;
use socketioxide::{ProtocolVersion, adapter::LocalAdapter};
use socketioxide_core::Value;
use tokio::time::timeout;

use super::ack::{Ack, AckId};
use super::codec::{SocketDoor, SocketMessage, Sockets};
use super::cursor_argument::TakesOneArgument;
use super::handshake::Handshake;
use super::namespaces::DEFAULT;
use super::packet_counter::PacketCounter;
use super::send_queue::SocketQueue;
use super::{AckSender, IoSocket, SocketRef, arrival, takeover};
use crate::config::EventCursor;
use crate::contract::dialect::{Dialect, Root};
use crate::contract::{ErrorCode, EventStyle, Reply};
use crate::domain::{ClientId, ConnectionId, Identity, PrivateId};
use crate::hub::{Offer, SubscribeError};
use crate::limits::ClientAddress;
use crate::state::AppState;
use crate::store::StoreError;
use crate::telemetry::causes;
use crate::transport::admission::rate_limited;
use crate::transport::connection::door::Door as _;
use crate::transport::connection::inbox::Overflow;
use crate::transport::connection::introduction::Introduction;
use crate::transport::connection::notice::Missed;
use crate::transport::connection::request_loop::encode;
use crate::transport::connection::send_queue::{Intake as _, Kind, SendQueue as _};
use crate::transport::connection::subscriber::{Admitted, SessionSubscriber};
use crate::transport::connection::{Close, Connection};
use crate::transport::credential::Credential;
use crate::transport::http_caller::{caller_of, identify_at};
use crate::transport::program;
use crate::writer::Caller;

/// Bytes of `auth`, and of a query, that a dialect's templates can refer to.
const MAX_INTRODUCTION: usize = 16 * 1024;

/// A client's stay in a namespace, or its attempt to get in.
#[derive(Clone)]
struct Visit {
    app: AppState,
    counter: Arc<PacketCounter>,
}

impl Visit {
    /// Ends the transport, unless the client is in another namespace or comes once more: nobody stays for ever who is in
    /// none. socketioxide sees to that alone before the first visit, and not with clients of version 2, which are asked in.
    fn over(self) {
        let patience = self.app.config().connect_timeout;
        let (counter, entries) = (Arc::downgrade(&self.counter), self.counter.entries());
        self.app.lifecycle().spawn_service(async move {
            tokio::time::sleep(patience).await;
            if let Some(counter) = counter.upgrade() {
                counter.close_unless_back(entries);
            }
        });
    }
}

/// Lets a socket in for a visit; one that is not let in has its time for another one.
pub(super) async fn enter(
    sockets: Arc<Sockets>,
    socket: SocketRef,
    weak: WeakSocket,
    auth: TryData<Option<Box<RawValue>>>,
) -> Result<(), String> {
    let app = sockets.app.clone();
    let counter = socket
        .req_parts()
        .extensions
        .get::<Arc<PacketCounter>>()
        .cloned();
    let counter = counter.unwrap_or_default();
    if !counter.enter() || app.lifecycle().is_draining() {
        return Err(turn_away(&counter));
    }
    let visit = Visit { app, counter };
    let admitted = admit(&sockets, socket, weak, auth, &visit).await;
    if admitted.is_err() {
        sockets.traffic.failed.count();
        visit.over();
    }
    admitted
}

/// Lets a socket in, or says why not: the client gets it as `connect_error`, and does not try again. So one that may
/// try again has its transport closed.
async fn admit(
    sockets: &Arc<Sockets>,
    socket: SocketRef,
    weak: WeakSocket,
    TryData(auth): TryData<Option<Box<RawValue>>>,
    visit: &Visit,
) -> Result<(), String> {
    let app = &sockets.app;
    let (auth, parts) = (auth.ok().flatten(), socket.req_parts());
    program::record(app, socket.ns(), parts, auth.as_deref());
    let shown = parts.extensions.get::<Credential>();
    let (counter, namespace) = (&visit.counter, socket.ns());
    let query = query(parts, counter, namespace);
    let handshake = Handshake::read(auth.as_deref(), query.as_deref(), shown)?;
    let (arrival, named) = (parts.extensions.get(), handshake.dialect.as_deref());
    let dialect = arrival::dialect(app.dialects(), arrival, namespace, named)?;
    let introduction = introduce(&dialect, auth.as_deref(), query.as_deref(), &handshake);
    let pid = handshake.pid.clone().unwrap_or_else(PrivateId::generate);
    let address = parts.extensions.get::<ClientAddress>().copied();
    let connection = ConnectionId::generate();
    let shown = handshake.credential.as_ref();
    let identity = identify_at(app, address.filter(|_| shown.is_some()), shown, connection)
        .await
        .map_err(|reply| match reply.code() {
            Some(code @ ErrorCode::Unauthenticated) => code.as_str().to_owned(),
            _ => turn_away(counter),
        })?;
    let said = match identity {
        None => said_user(app, &dialect, introduction.as_ref(), &handshake)?,
        Some(_) => None,
    };
    let client = within(&pid, namespace);
    let who = caller_of(connection, &client, identity.as_ref(), said.as_deref());
    let (actor, speaks) = (who.0.actor.as_str(), &dialect.name);
    tracing::debug!(connection.id = %connection, actor, namespace, dialect = speaks, "connected");
    let speaking = (dialect, introduction);
    let door = door(app, &socket, connection, (&handshake, speaking), counter);
    let subscriber = connect(sockets, weak, door, handshake.event_style, (who, identity))?;
    let said = handshake.client_info.clone();
    subscriber.connection.note_client_info(said);
    let connection = &subscriber.connection;
    register(&socket, connection, visit.clone());
    let missed = match &handshake.cursor {
        // Boxed, because it is large, and most connections do not need it.
        Some(cursor) => Box::pin(resume(&subscriber, cursor, counter)).await?,
        None => Vec::new(),
    };
    let is_new = handshake.pid.is_none();
    let is_continued = handshake.cursor.is_some() && missed.is_empty();
    counter.namespaces.enter(namespace);
    if connection.door.recoverable {
        // Another id than its own tells the client that its session has ended.
        let keeps = is_continued || is_new;
        counter.give_pid(namespace, if keeps { pid } else { pid.next() });
    }
    if !sockets.insert(connection) {
        return Err(turn_away(counter));
    }
    if !is_new {
        takeover::announce(app, connection.client);
    }
    socket.extensions.insert(Welcome {
        subscriber,
        missed: missed.into(),
    });
    Ok(())
}

/// Who a client says it is, in its dialect's words or ours. Where users can show who they are nobody is believed to be one of
/// them.
fn said_user(
    app: &AppState,
    dialect: &Dialect,
    introduction: Option<&Introduction>,
    handshake: &Handshake,
) -> Result<Option<String>, String> {
    if app.auth().verifies_tokens() {
        return Ok(None);
    }
    let own = introduction.and_then(|introduction| dialect.user_id(&introduction.scope()));
    match own {
        Some(own) => Ok(Some(own)),
        None => handshake.user_id.clone(),
    }
}

/// Which client the holder of an id is in a namespace: somewhere else it is another one, even if it shows the same id, so that
/// one connection does not take the other's place.
fn within<'a>(pid: &'a PrivateId, namespace: &str) -> Cow<'a, PrivateId> {
    match namespace {
        DEFAULT => Cow::Borrowed(pid),
        named => Cow::Owned(pid.within(named)),
    }
}

/// The query of a connection: of the transport's request, and before it what a client of version 2 says for the namespace
/// alone.
fn query<'a>(parts: &'a Parts, counter: &PacketCounter, namespace: &str) -> Option<Cow<'a, str>> {
    let query = parts.uri.query();
    let Some(own) = counter.namespaces.take_query(namespace) else {
        return query.map(Cow::Borrowed);
    };
    Some(format!("{own}&{}", query.unwrap_or_default()).into())
}

/// How a client speaks and is spoken to.
fn door(
    app: &AppState,
    socket: &SocketRef,
    connection: ConnectionId,
    (handshake, (dialect, introduction)): (&Handshake, (Arc<Dialect>, Option<Introduction>)),
    counter: &Arc<PacketCounter>,
) -> SocketDoor {
    let is_harmed = || {
        let extensions = &socket.req_parts().extensions;
        extensions.get::<TakesOneArgument>().is_some()
    };
    let cursor_argument = match (handshake.cursor_argument, app.config().event_cursor) {
        (Some(chosen), _) => chosen,
        (None, EventCursor::Auto) => !is_harmed(),
        (None, setting) => setting == EventCursor::Always,
    };
    SocketDoor {
        counter: Arc::clone(counter),
        dialect,
        echo: handshake.echo,
        presence: handshake.presence,
        recoverable: socket.protocol() == ProtocolVersion::V5,
        cursor_argument,
        program: program::of_socketio(app, socket.req_parts()),
        introduction: introduction.map(Box::new),
        id: connection,
        app: app.clone(),
        spoken: AtomicU16::new(0),
    }
}

/// Makes the connection, in a place among those of its user. A client that comes back has the place of its old connection,
/// which may not be known to be lost.
fn connect(
    sockets: &Arc<Sockets>,
    weak: WeakSocket,
    door: SocketDoor,
    event_style: Option<EventStyle>,
    ((caller, client), identity): ((Caller, ClientId), Option<Identity>),
) -> Result<Arc<SessionSubscriber<SocketDoor>>, String> {
    let app = &sockets.app;
    let (counter, max_message) = (Arc::clone(&door.counter), app.config().max_message);
    let queue = SocketQueue::new(weak.0, counter, max_message, app.send_memory());
    let ids = (caller.connection, client);
    let connection = Connection::new(sockets, ids, door, queue, event_style);
    sockets.give_up_place(client, &caller.actor);
    let admitted = Admitted::new(app, &sockets.users, caller, identity).map_err(|exceeded| {
        connection.note_limited(exceeded.limit.as_str());
        ErrorCode::RateLimited.as_str().to_owned()
    })?;
    Ok(connection.attach(admitted))
}

/// What the client has said of itself, for a dialect that is not the common one.
fn introduce(
    dialect: &Dialect,
    auth: Option<&RawValue>,
    query: Option<&str>,
    handshake: &Handshake,
) -> Option<Introduction> {
    if dialect.name == "default" {
        return None;
    }
    let small = auth.filter(|auth| auth.get().len() <= MAX_INTRODUCTION);
    let auth = small.and_then(|auth| serde_json::from_str::<JsonValue>(auth.get()).ok());
    let query = query.filter(|query| query.len() <= MAX_INTRODUCTION);
    let pairs = query.map(|query| form_urlencoded::parse(query.as_bytes()));
    let mut query = serde_json::Map::new();
    // The first of a name counts, as everywhere.
    for (key, value) in pairs.into_iter().flatten() {
        query
            .entry(key.into_owned())
            .or_insert_with(|| value.into_owned().into());
    }
    let token = handshake.credential.as_ref();
    let token = token.and_then(|token| claims_in(token.as_str()));
    let all = [
        (Root::Auth, auth),
        (Root::Query, Some(query.into())),
        (Root::Token, token),
    ];
    let values = all
        .into_iter()
        .filter_map(|(root, value)| Some((root, value?)));
    Some(Introduction {
        values: values.filter(|(root, _)| dialect.uses(*root)).collect(),
    })
}

/// The claims that a token carries, true or not: where tokens are verified, nobody gets in with one that is not.
fn claims_in(token: &str) -> Option<JsonValue> {
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// Takes up the subscriptions of a cursor. What the client must be told first, because it does not get all that it missed.
async fn resume(
    subscriber: &Arc<SessionSubscriber<SocketDoor>>,
    cursor: &str,
    counter: &PacketCounter,
) -> Result<Vec<Missed>, String> {
    // Well before socketioxide loses its own patience: its farewell keeps Python clients from coming back.
    let patience = subscriber.connection.app().config().connect_timeout / 2;
    let resumed = timeout(patience, subscriber.resume(cursor)).await;
    let resumed = resumed
        .unwrap_or_else(|late| Err(SubscribeError::Store(StoreError::Unavailable(late.into()))));
    match resumed {
        Ok(resumed) => Ok(resumed.resets.into_iter().map(Missed::Reset).collect()),
        Err(error) => {
            tracing::debug!(error = %causes(&error), "a client cannot go on now");
            Err(turn_away(counter))
        }
    }
}

/// Ends the transport before the client reads why, so that it tries again.
fn turn_away(counter: &PacketCounter) -> String {
    counter.close();
    ErrorCode::Unavailable.as_str().to_owned()
}

/// Registers what is done with a socket's messages, and at its end.
fn register(socket: &SocketRef, connection: &Arc<Connection<SocketDoor>>, visit: Visit) {
    let for_message = Arc::new(Stay(Arc::clone(connection)));
    // Everything happens before the returned future: that is what keeps the order.
    socket.on_fallback(
        move |Event(name): Event,
              AckId(id): AckId,
              TryData(packet): TryData<Box<RawValue>>,
              sender: AckSender| {
            let (packet, ack) = (packet.ok(), id.map(|id| Ack { id, sender }));
            let dialect = &for_message.0.door.dialect;
            let message = SocketMessage::new(dialect, name, packet, ack);
            receive(&for_message.0, message);
            std::future::ready(())
        },
    );
    let connection = Arc::clone(connection);
    socket.on_disconnect(move |reason: DisconnectReason| {
        connection.let_go(reason.to_string());
        if matches!(
            reason,
            DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect
        ) {
            visit.clone().over();
        }
        std::future::ready(())
    });
}

/// Queues a message, and slows a client down that sends too much.
fn receive(connection: &Arc<Connection<SocketDoor>>, message: SocketMessage) {
    let (pause, overflow) = connection.receive(message);
    if let Some(pause) = pause {
        // What is left of it comes with the next message.
        let longest = connection.app().config().longest_pause();
        connection.door.counter.pause(pause.min(longest));
    }
    if let Some(overflow) = overflow {
        refuse(connection, overflow);
    }
}

/// Refuses a message for which the inbox has no room. A client that does not even take that answer is cut off.
fn refuse(connection: &Connection<SocketDoor>, overflow: Overflow<SocketMessage>) {
    let reply = if let Some(retry_after) = overflow.retry_after {
        let exceeded = connection.app().limits().inbox_is_full(retry_after);
        connection.note_limited(exceeded.limit.as_str());
        rate_limited(exceeded)
    } else {
        let message = "too many messages wait; try again in a moment";
        Reply::refused(ErrorCode::Unavailable, message)
    };
    let SocketMessage { name, ack, .. } = overflow.message;
    let raw = encode(&name, ack.is_some(), &reply);
    let mut out = connection.queue.intake();
    let has_room = out.has_room(Kind::Answer, raw.get().len());
    let is_full = !has_room || connection.door.answer(&mut out, ack, &raw) == Offer::Full;
    drop(out);
    if is_full {
        connection.abort(Close::TryAgain, "inbox_full");
    }
}

/// A client that is to be welcomed once it is connected.
#[derive(Clone)]
pub(super) struct Welcome {
    subscriber: Arc<SessionSubscriber<SocketDoor>>,
    /// What it is told first.
    missed: Arc<[Missed]>,
}

impl Welcome {
    /// Tells what the client missed, lets events through, and serves what it has sent meanwhile: the answer to a join comes
    /// with a cursor, which covers what was reset.
    pub(super) async fn say(self) {
        let connection = &self.subscriber.connection;
        // Not sooner: of a connection that breaks before, nobody would drop the session.
        connection.begin_greeting();
        connection.watch_credential();
        let dialect = Arc::clone(&connection.door.dialect);
        if dialect.greets() {
            let is_continued = self.missed.is_empty();
            Box::pin(self.subscriber.greet(&dialect, is_continued)).await;
        }
        if let Err(error) = self.subscriber.tell_missed(&self.missed).await {
            tracing::debug!(error = %causes(&error), "a client cannot go on now");
            connection.abort(Close::TryAgain, "unavailable");
        }
        connection.start_requests();
    }
}

/// What is dropped with socketioxide's socket. A connection that breaks while it is made ends without a word to its
/// disconnect handler, and may have subscriptions already, which own what owns them.
struct Stay(Arc<Connection<SocketDoor>>);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.let_go("broken");
    }
}

/// A socket that is not kept alive. Its handlers own our state, so our state must not own it; and a
/// connection that breaks while it is made is dropped without a word to its disconnect handler.
pub(super) struct WeakSocket(Weak<IoSocket>);

impl FromConnectParts<LocalAdapter> for WeakSocket {
    type Error = Infallible;

    fn from_connect_parts(socket: &Arc<IoSocket>, _: &Option<Value>) -> Result<Self, Infallible> {
        Ok(Self(Arc::downgrade(socket)))
    }
}
