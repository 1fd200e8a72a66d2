//! Socket.IO: namespace `/` on socketioxide, for clients of version 2, 3 and 4.
//!
//! socketioxide calls a message's handler in arrival order but runs what it returns concurrently, so our
//! handler queues the message before it returns (`Socket::receive`) and one pump per busy socket
//! works the queue off in order. Its packet queue drops what does not fit, so an outbox counts what lies
//! in it (`outbox`), from what has left it (`meter`).

mod adapter;
mod admission;
mod attachments;
mod broadcasts;
mod door;
mod entrance;
mod frames;
#[cfg(test)]
mod fuzz;
mod handshake;
mod meter;
mod outbox;
mod packet_check;
mod pid;
mod polls;
mod posted;
mod probe;
mod pump;
mod said;
mod socket;
mod sockets;
mod takeover;
mod upgrading;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use serde_json::value::RawValue;
use socketioxide::extract::TryData;
use socketioxide::handler::ConnectHandler;
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::broker::TopicSubscription;
use crate::transport::backlog::Backlog;
use crate::transport::credential::Heads;
use crate::transport::gate::Gate;
use crate::transport::pacer::Pacer;
use crate::transport::tenure::Tenure;
use adapter::ClusterAdapter;
pub use broadcasts::{Broadcasts, RoomCount};
use door::Door;
use entrance::{Admitted, Entrance, WeakSocket, enter};
use sockets::Sockets;

/// Packets that socketioxide may hold for a socket. The outbox stays below, so that pings always fit.
const PACKET_QUEUE: usize = outbox::MAX_PACKETS + 128;
/// Read buffer of a WebSocket in bytes: small, because most messages are, and each connection has one.
const READ_BUFFER: usize = 512;

/// Attachments that a packet may have. Events with any are refused, but answered.
const MAX_ATTACHMENTS: usize = 1000;

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
    pub async fn new(app: &App, tenure: Tenure, pacer: Option<Arc<Pacer>>) -> io::Result<Self> {
        let (service, io) = builder(app).build_svc();
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
            tenure,
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

    /// The clients, with what waits for each.
    pub(crate) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        self.sockets.backlogs()
    }

    /// Ends every connection at once.
    pub fn cut(&self) {
        self.sockets.cut();
    }
}

fn builder(app: &App) -> SocketIoBuilder<ClusterAdapter> {
    let config = app.config();
    let parser = ParserConfig::common()
        .max_incoming_binary_buf_size(config.max_message)
        .max_incoming_binaries(MAX_ATTACHMENTS);
    SocketIo::builder()
        .with_parser(parser)
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
