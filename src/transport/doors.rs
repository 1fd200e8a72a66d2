//! The doors by which clients stay connected, and what is asked of all of them together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::answers::Answers;
use super::connect_throttle::ConnectThrottle;
use super::connection::backlog::Backlog;
use super::connection::credential_expiry::CredentialExpiry;
use super::connection::operators::Operators;
use super::connection::registry::Registry;
use super::connection::user_connections::UserConnections;
use super::metrics::{self, Open};
use super::socketio::SocketDoor;
use super::sse::SseDoor;
use super::websocket::WebSocketDoor;
use super::{rest, socketio, sse, websocket};
use crate::direct::Receivers;
use crate::state::AppState;

/// Clients that are told of a reset at the same time. After an outage it may be all of them, each with a copy of a whole
/// project.
const RESETS: usize = 32;

/// See the module's description.
pub(crate) struct Doors {
    sockets: Arc<Registry<SocketDoor>>,
    websockets: Arc<Registry<WebSocketDoor>>,
    streams: Arc<Registry<SseDoor>>,
    pub(crate) socketio: socketio::Server,
    pub(crate) websocket: websocket::Server,
    sse: sse::Server,
    operators: Operators,
    /// Large answers on their way.
    pub(crate) answers: Answers,
}

impl Doors {
    /// Builds all doors.
    pub(crate) fn open(app: &AppState) -> Self {
        let expiry = CredentialExpiry::start(app);
        let turns = Arc::new(Semaphore::new(RESETS));
        let throttle = app
            .config()
            .connect_rate
            .map(ConnectThrottle::new)
            .map(Arc::new);
        let shared = (expiry, UserConnections::default());
        let sockets = Registry::new(app, shared.clone(), Arc::clone(&turns));
        let websockets = Registry::new(app, shared.clone(), Arc::clone(&turns));
        let streams = Registry::new(app, shared, turns);
        let doors: [Arc<dyn Receivers>; 3] = [sockets.clone(), websockets.clone(), streams.clone()];
        app.direct()
            .open(doors.iter().map(Arc::downgrade).collect());
        Self {
            socketio: socketio::Server::new(&sockets, throttle.clone()),
            websocket: websocket::Server::new(&websockets, throttle),
            sse: sse::Server::new(&streams),
            operators: Operators::start(
                app,
                vec![sockets.clone(), websockets.clone(), streams.clone()],
            ),
            answers: Answers::new(app.send_memory()),
            sockets,
            websockets,
            streams,
        }
    }

    /// Publishes the figures of all doors, if they are wanted.
    pub(crate) fn publish_metrics(&self, app: &AppState) {
        if !app.config().enable_metrics || !app.broker().has_redis() {
            return;
        }
        let publishing = metrics::publish(app.clone(), self.count());
        app.lifecycle().spawn_service(publishing);
    }

    /// Counts what is open.
    fn count(&self) -> impl Fn() -> Open + Clone + Send + Sync + use<> {
        let (sockets, websockets) = (Arc::clone(&self.sockets), Arc::clone(&self.websockets));
        let streams = Arc::clone(&self.streams);
        move || Open {
            sockets: sockets.count() + websockets.count(),
            streams: streams.count(),
        }
    }

    /// What operators ask of the connections of all doors, on all instances.
    pub(crate) fn operators(&self) -> &Operators {
        &self.operators
    }

    /// Those of their routes that the OpenAPI document describes.
    pub(crate) fn endpoints(&self, app: &AppState) -> Vec<rest::Endpoint> {
        let mut endpoints = self.websocket.endpoints();
        endpoints.push(self.sse.endpoint());
        endpoints.push(socketio::endpoint());
        endpoints.push(metrics::endpoint(app, self.count()));
        endpoints
    }

    /// Ends every connection after its client has taken what waits for it, one after the other over a time.
    pub(crate) async fn drain(&self, spread: Duration) {
        tokio::join!(
            self.sockets.drain(spread),
            self.websockets.drain(spread),
            self.streams.drain(spread)
        );
    }

    /// Everybody for whom something waits.
    pub(crate) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        let mut all = self.sockets.backlogs();
        all.extend(self.websockets.backlogs());
        all.extend(self.streams.backlogs());
        all.extend(self.answers.backlogs());
        all
    }

    /// Ends every connection at once.
    pub(crate) fn abort(&self) {
        self.sockets.abort();
        self.websockets.abort();
        self.streams.abort();
    }
}
