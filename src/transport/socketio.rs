//! Socket.IO: namespace `/` on socketioxide, for clients of version 2, 3 and 4.
//!
//! socketioxide calls a message's handler in arrival order but runs what it returns concurrently, so our
//! handler queues the message before it returns (`Socket::receive`) and one pump per busy socket
//! works the queue off in order. Its packet queue drops what does not fit, so an outbox counts what lies
//! in it (`outbox`), from what has left it (`meter`).

mod adapter;
mod admission;
mod broadcasts;
mod credential;
mod door;
mod frames;
#[cfg(test)]
mod fuzz;
mod gate;
mod handshake;
mod meter;
mod outbox;
mod pacer;
mod pid;
mod polls;
mod posted;
mod pump;
mod said;
mod socket;
mod sockets;
mod takeover;
mod tenure;

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use serde_json::value::RawValue;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{Event, TryData};
use socketioxide::handler::{ConnectHandler, FromConnectParts, FromMessageParts};
use socketioxide::socket::DisconnectReason;
use socketioxide::{SocketIo, SocketIoBuilder};
use socketioxide_core::Value;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::broker::TopicSubscription;
use crate::contract::ErrorCode;
use crate::domain::PrivateId;
use crate::session::Reset;
use crate::telemetry::causes;
use adapter::ClusterAdapter;
use admission::{Guest, Refusal};
pub use broadcasts::{Broadcasts, RoomCount};
use broadcasts::{style_room, user_room};
use credential::{Credential, Heads};
use door::Door;
use gate::Gate;
use handshake::Handshake;
use meter::Meter;
use pacer::Pacer;
use socket::Socket;
use sockets::Sockets;
use tenure::Tenure;

/// Packets that socketioxide may hold for a socket. The outbox stays below, so that pings always fit.
const PACKET_QUEUE: usize = outbox::MAX_PACKETS + 128;
/// Read buffer of a WebSocket in bytes: small, because most messages are, and each connection has one.
const READ_BUFFER: usize = 512;

/// Clients that are told of a reset at the same time. After an outage it may be all of them, each with a copy of a
/// whole project.
const RESETS: usize = 32;

/// socketioxide's socket, on our adapter.
type IoSocket = socketioxide::socket::Socket<ClusterAdapter>;
type SocketRef = socketioxide::extract::SocketRef<ClusterAdapter>;
type AckSender = socketioxide::extract::AckSender<ClusterAdapter>;

/// The Socket.IO server.
#[derive(Debug, Clone)]
pub struct Server {
    door: Door,
    sockets: Sockets,
    broadcasts: Broadcasts,
    _takeover: Arc<TopicSubscription>,
}

impl Server {
    /// Builds the server and its namespace.
    ///
    /// # Errors
    ///
    /// Fails when the namespace cannot be made known to the other instances.
    pub async fn new(app: &App) -> io::Result<Self> {
        let (service, io) = builder(app).build_svc();
        let pacer = app.config().connect_rate.map(Pacer::new);
        let heads = Heads::new(app.auth(), app.config().auth.auth_cookie.as_deref());
        let door = Door::new(
            service,
            heads,
            app.lifecycle().clone(),
            Gate::new(app),
            pacer,
        );
        let sockets = Sockets::default();
        let entrance = Entrance {
            app: app.clone(),
            sockets: sockets.clone(),
            tenure: Tenure::start(app),
        };
        // Handlers are registered in the middleware, which runs before CONNECT is answered: a client that
        // emits at once would else find none.
        let middleware =
            move |socket: SocketRef, weak: WeakSocket, auth: TryData<Option<Box<RawValue>>>| {
                enter(entrance.clone(), socket, weak, auth)
            };
        let reset_turns = Arc::new(Semaphore::new(RESETS));
        let on_connect = move |socket: SocketRef| {
            let (admitted, turns) = (socket.extensions.remove(), Arc::clone(&reset_turns));
            async move {
                if let Some(Admitted { socket, resets }) = admitted {
                    socket.keep_watch();
                    // Boxed, because it is large, and few clients are told of resets.
                    Box::pin(socket.welcome(&resets, &turns)).await;
                }
            }
        };
        let made = io.ns("/", on_connect.with(middleware)).await;
        made.map_err(io::Error::other)?;
        Ok(Self {
            door,
            _takeover: Arc::new(takeover::listen(app, &sockets)),
            sockets,
            broadcasts: Broadcasts::new(io),
        })
    }

    /// What reaches rooms on all instances.
    #[must_use]
    pub fn broadcasts(&self) -> Broadcasts {
        self.broadcasts.clone()
    }

    /// The routes of the door.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let door = self.door.clone();
        let serve = any(move |request: axum::extract::Request| door.serve(request));
        Router::new()
            .route("/socket.io", serve.clone())
            .route("/socket.io/", serve)
    }

    /// Ends every connection after its client has taken what waits for it, one after the other over a time.
    /// Nothing is said: a Socket.IO `disconnect` would keep JavaScript clients from coming back, and an Engine.IO
    /// `close` Python ones.
    pub async fn close(&self, spread: Duration) {
        self.sockets.close(spread).await;
    }

    /// Ends every connection at once.
    pub fn cut(&self) {
        self.sockets.cut();
    }
}

fn builder(app: &App) -> SocketIoBuilder<ClusterAdapter> {
    let config = app.config();
    SocketIo::builder()
        .with_adapter::<ClusterAdapter>(adapter::adapters(app.broker().clone()))
        .ping_interval(config.ping_interval)
        .ping_timeout(config.ping_timeout)
        .connect_timeout(config.connect_timeout)
        .max_buffer_size(PACKET_QUEUE)
        .max_payload(config.max_message as u64)
        .ws_max_message_size(config.max_message)
        .ws_max_frame_size(config.max_message)
        .ws_read_buffer_size(READ_BUFFER)
}

/// Where clients come in.
#[derive(Clone)]
struct Entrance {
    app: App,
    sockets: Sockets,
    tenure: Tenure,
}

/// A client's stay in the namespace, or its attempt to get in.
#[derive(Clone)]
struct Visit {
    app: App,
    meter: Arc<Meter>,
    /// Which one it is of those over its connection.
    number: u32,
}

impl Visit {
    /// Ends the connection, unless the client comes once more: nobody stays for ever who is not in the namespace.
    /// socketioxide sees to that alone before the first visit, and not with clients of version 2, which are asked in.
    fn over(self) {
        let patience = self.app.config().connect_timeout;
        let (meter, number) = (Arc::downgrade(&self.meter), self.number);
        self.app.lifecycle().spawn_service(async move {
            tokio::time::sleep(patience).await;
            if let Some(meter) = meter.upgrade() {
                meter.close_unless_back(number);
            }
        });
    }
}

/// Lets a socket in for a visit; one that is not let in has its time for another one.
async fn enter(
    entrance: Entrance,
    socket: SocketRef,
    weak: WeakSocket,
    auth: TryData<Option<Box<RawValue>>>,
) -> Result<(), String> {
    let app = entrance.app.clone();
    let meter = socket.req_parts().extensions.get::<Arc<Meter>>().cloned();
    let meter = meter.unwrap_or_default();
    let Some(number) = meter.enter().filter(|_| !app.lifecycle().is_draining()) else {
        return Err(turn_away(&meter));
    };
    let visit = Visit { app, meter, number };
    let admitted = admit(entrance, socket, weak, auth, &visit).await;
    if admitted.is_err() {
        visit.over();
    }
    admitted
}

/// Lets a socket in, or says why not: the client gets it as `connect_error`, and does not try again. So one that may
/// try again has its transport closed.
async fn admit(
    entrance: Entrance,
    socket: SocketRef,
    weak: WeakSocket,
    TryData(auth): TryData<Option<Box<RawValue>>>,
    visit: &Visit,
) -> Result<(), String> {
    let Entrance {
        app,
        sockets,
        tenure,
    } = entrance;
    let (auth, parts) = (auth.ok().flatten(), socket.req_parts());
    let shown = parts.extensions.get::<Credential>();
    let handshake = Handshake::read(auth.as_deref(), parts.uri.query(), shown)?;
    let meter = &visit.meter;
    let pid = handshake.pid.clone().unwrap_or_else(PrivateId::generate);
    let guest = match Guest::meet(&app, &handshake, &pid).await {
        Ok(guest) => guest,
        Err(Refusal::Now) => return Err(turn_away(meter)),
        Err(Refusal::Told(why)) => return Err(why),
    };
    let user = guest.caller.actor.clone();
    let user = guest.is_named.then_some(user);
    let state = Socket::connect(&app, &socket, weak.0, &handshake, guest, tenure);
    if !sockets.has_place_for(&state) {
        return Err(ErrorCode::RateLimited.as_str().to_owned());
    }
    if let Some(user) = user {
        socket.join(user_room(user.as_str()));
    }
    socket.join(style_room(state.session.style));
    register(&socket, &state, sockets.clone(), visit.clone());
    let resets = match &handshake.cursor {
        // Boxed, because it is large, and most connections do not need it.
        Some(cursor) => Box::pin(resume(&state, cursor, meter)).await?,
        None => Vec::new(),
    };
    let is_new = handshake.pid.is_none();
    let is_continued = handshake.cursor.is_some() && resets.is_empty();
    socket.extensions.insert(Admitted {
        socket: Arc::clone(&state),
        resets: resets.into(),
    });
    // Another id than its own tells the client that its session has ended.
    state.give_pid(if is_continued || is_new {
        pid
    } else {
        pid.next()
    });
    if !sockets.insert(&state) {
        return Err(turn_away(meter));
    }
    if !is_new {
        takeover::announce(&app, state.client);
    }
    Ok(())
}

async fn resume(state: &Arc<Socket>, cursor: &str, meter: &Meter) -> Result<Vec<Reset>, String> {
    Socket::resume(state, cursor).await.map_err(|error| {
        tracing::debug!(
            error = %causes(&error),
            "a client cannot go on now"
        );
        turn_away(meter)
    })
}

/// Ends the transport before the client reads why, so that it tries again.
fn turn_away(meter: &Meter) -> String {
    meter.close();
    ErrorCode::Unavailable.as_str().to_owned()
}

/// Registers what is done with a socket's messages, and at its end.
fn register(socket: &SocketRef, state: &Arc<Socket>, sockets: Sockets, visit: Visit) {
    let for_message = Arc::new(Admission(Arc::clone(state)));
    // Everything happens before the returned future: that is what keeps the order.
    socket.on_fallback(
        move |Event(name): Event,
              asked: AckAsked,
              TryData(packet): TryData<Box<RawValue>>,
              ack: AckSender| {
            let ack = asked.0.then_some(ack);
            Socket::receive(&for_message.0, name, packet.ok(), ack);
            std::future::ready(())
        },
    );
    let state = Arc::clone(state);
    socket.on_disconnect(move |reason: DisconnectReason| {
        sockets.remove(&state);
        state.disconnected(reason);
        if matches!(
            reason,
            DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect
        ) {
            visit.clone().over();
        }
        std::future::ready(())
    });
}

/// A client that is to be welcomed once it is connected.
#[derive(Clone)]
struct Admitted {
    socket: Arc<Socket>,
    /// What it is told first.
    resets: Arc<[Reset]>,
}

/// What is dropped with socketioxide's socket. A connection that breaks while it is made ends without a word to its
/// disconnect handler, and may have subscriptions already, which own what owns them.
struct Admission(Arc<Socket>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// A socket that is not kept alive. Its handlers own our state, so our state must not own it; and a
/// connection that breaks while it is made is dropped without a word to its disconnect handler.
struct WeakSocket(Weak<IoSocket>);

impl FromConnectParts<ClusterAdapter> for WeakSocket {
    type Error = Infallible;

    fn from_connect_parts(socket: &Arc<IoSocket>, _: &Option<Value>) -> Result<Self, Infallible> {
        Ok(Self(Arc::downgrade(socket)))
    }
}

/// Whether the client waits for an ack.
struct AckAsked(bool);

impl<A: Adapter> FromMessageParts<A> for AckAsked {
    type Error = Infallible;

    fn from_message_parts(
        _: &Arc<socketioxide::socket::Socket<A>>,
        _: &mut Value,
        ack_id: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self(ack_id.is_some()))
    }
}
