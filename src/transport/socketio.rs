//! Socket.IO on socketioxide, for clients of version 2, 3 and 4: namespace `/`, and those that dialects add. A client may be in
//! several over one transport; each is a connection of its own, and they share the packet counter and the send window.
//!
//! socketioxide calls a message's handler in arrival order but runs what it returns concurrently, so our
//! handler queues the message before it returns (`Connection::receive`), and one request loop per busy connection
//! serves the inbox in order. Its packet queue drops what does not fit, so a send window counts what lies
//! in it (`send_window`), from what has left it (`packet_counter`).

mod ack;
mod arrival;
mod auth_payload;
mod client_files;
mod codec;
mod connect;
mod cursor_argument;
mod direct_write;
mod emitted;
mod encode_cache;
mod engine;
mod engine_error;
mod frame_batch;
mod frames;
#[cfg(test)]
mod fuzz;
mod handshake;
mod msgpack;
mod namespaces;
mod packet_check;
mod packet_counter;
mod paths;
mod pid;
mod poll_tracker;
mod polling_body;
mod probe;
mod running;
mod send_queue;
mod send_window;
mod takeover;
mod upgrade_attempt;
mod upgrade_state;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use serde_json::value::RawValue;
use socketioxide::extract::TryData;
use socketioxide::handler::ConnectHandler;
use socketioxide::{SocketIo, SocketIoBuilder};

use crate::broker::TopicSubscription;
use crate::config::ClientFiles;
use crate::state::AppState;
use crate::transport::admission::Admission;
use crate::transport::connect_throttle::ConnectThrottle;
use crate::transport::credential::Heads;
use arrival::Arrival;
pub(crate) use codec::SocketDoor;
use codec::Sockets;
use connect::{WeakSocket, Welcome, enter};
use engine::Engine;
use namespaces::ServedNamespaces;
pub(crate) use paths::Paths;
pub(crate) use running::endpoint;

/// Packets that socketioxide may hold for a socket. The send window stays below, so that pings always fit.
const PACKET_QUEUE: usize = send_window::MAX_PACKETS + 128;
/// Read buffer of a WebSocket in bytes: small, because most messages are, and each connection has one.
const READ_BUFFER: usize = 512;

/// socketioxide's socket.
type IoSocket = socketioxide::socket::Socket;
type SocketRef = socketioxide::extract::SocketRef;
type AckSender = socketioxide::extract::AckSender;

/// The Socket.IO server.
#[derive(Debug, Clone)]
pub struct Server {
    door: Engine,
    client_files: Option<ClientFiles>,
    _takeover: Arc<TopicSubscription>,
}

impl Server {
    /// Builds the server and its namespace.
    pub(crate) fn new(sockets: &Arc<Sockets>, throttle: Option<Arc<ConnectThrottle>>) -> Self {
        let app = &sockets.app;
        let (service, io) = builder(app).build_svc();
        let heads = Heads::new(app.auth(), app.config().auth.auth_cookie.as_deref());
        let served = Arc::new(ServedNamespaces::new(app));
        let door = Engine::new(
            service,
            heads,
            app.lifecycle().clone(),
            Admission::new(app),
            throttle,
            (Arc::clone(&served), Arrival::matters(app.dialects())),
        );
        for namespace in served.names() {
            serve_namespace(&io, namespace, sockets);
        }
        Self {
            door,
            client_files: app.config().socketio_client_dir.clone(),
            _takeover: Arc::new(takeover::listen(app, sockets)),
        }
    }

    /// The routes of the door.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let door = self.door.clone();
        let serve = any(move |request: axum::extract::Request| door.serve(request));
        Router::new()
            .route("/socket.io", serve.clone())
            .route("/socket.io/", serve)
            .route(
                "/socket.io/{file}",
                get(client_files::serve).with_state(self.client_files.clone()),
            )
    }
}

/// Lets clients into a namespace. Each one is a connection of its own, with its own session, over a transport that may have
/// several.
fn serve_namespace(io: &SocketIo, namespace: &str, sockets: &Arc<Sockets>) {
    let entrance = Arc::clone(sockets);
    // Handlers are registered in the middleware, which runs before CONNECT is answered: a client that
    // emits at once would else find none.
    let middleware =
        move |socket: SocketRef, weak: WeakSocket, auth: TryData<Option<Box<RawValue>>>| {
            enter(Arc::clone(&entrance), socket, weak, auth)
        };
    let on_connect = move |socket: SocketRef| {
        let welcome: Option<Welcome> = socket.extensions.remove();
        async move {
            if let Some(welcome) = welcome {
                // Boxed, because it is large, and few clients are told of resets.
                Box::pin(welcome.say()).await;
            }
        }
    };
    io.ns(namespace.to_owned(), on_connect.with(middleware));
}

fn builder(app: &AppState) -> SocketIoBuilder {
    let config = app.config();
    SocketIo::builder()
        .ping_interval(config.ping_interval)
        .ping_timeout(config.ping_timeout)
        .connect_timeout(config.connect_timeout)
        .max_buffer_size(PACKET_QUEUE)
        .max_payload(config.max_message as u64)
        .ws_max_message_size(config.max_message)
        .ws_max_frame_size(config.max_message)
        .ws_read_buffer_size(READ_BUFFER)
}
