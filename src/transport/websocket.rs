//! Plain WebSockets: JSON text messages, in one of two formats. What clients ask for goes the way of everybody's requests.
//!
//! A connection has one task, which reads and writes (`io`), and for as long as there is something to answer the request
//! loop. Nothing is done for an idle one but a ping now and then, which one task sees to for all (`timers`).

mod close;
mod codec;
mod compression;
mod connect;
mod connection_status;
mod direct_cache;
mod door;
mod encode_cache;
mod event_names;
mod format;
#[cfg(test)]
mod fuzz;
mod greeting;
mod handshake;
mod heartbeat;
mod io;
mod large;
mod message;
mod params;
mod ping;
mod raw_object;
mod requests;
mod routing;
mod schemas;
mod status;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod timers;
mod worker;

use std::sync::{Arc, Weak};

use axum::Router;
use axum::extract::Request;
use axum::routing::{any, get};

use crate::transport::admission::Admission;
use crate::transport::connect_throttle::ConnectThrottle;
use crate::transport::connection::registry::Registry;
use crate::transport::credential::Heads;
use crate::transport::http::endpoint::Endpoint;
use connect::Connector;
pub(crate) use door::WebSocketDoor;
use door::{Shared, WebSocketConnection};
use format::Format;

/// Paths at which something is served whatever `WS_PATH` says.
const TAKEN: [&str; 4] = ["/", "/ws", "/ws/v1", "/socket.io"];

/// The server for plain WebSockets.
#[derive(Debug, Clone)]
pub struct Server {
    connector: Connector,
}

impl Server {
    /// Builds the server and starts its timers.
    pub(crate) fn new(
        registry: &Arc<Registry<WebSocketDoor>>,
        throttle: Option<Arc<ConnectThrottle>>,
    ) -> Self {
        let (app, shared) = (&registry.app, Shared::new(registry.app.send_memory()));
        let timed = Arc::clone(&shared);
        app.lifecycle().spawn_service(async move {
            let fall_due = |found: &Weak<WebSocketConnection>| found.upgrade()?.fall_due();
            timed.timers.run(fall_due).await;
        });
        if app.config().notices.connection_status {
            let watched = Arc::clone(registry);
            app.lifecycle()
                .spawn_service(connection_status::watch(watched));
        }
        let connector = Connector {
            registry: Arc::clone(registry),
            shared,
            heads: Heads::new(app.auth(), app.config().auth.auth_cookie.as_deref()),
            admission: Admission::new(app),
            throttle,
        };
        Self { connector }
    }

    /// The routes of the door.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let serve = |format| {
            let connector = self.connector.clone();
            move |request: Request| connector.serve(format, request)
        };
        let routes = Router::new()
            .route("/", get(serve(Format::Flat)))
            .route("/ws", any(serve(Format::Flat)))
            .route("/ws/", any(serve(Format::Flat)))
            .route("/ws/v1", any(serve(Format::Envelope)));
        let path = self.connector.registry.app.config().websocket_path.clone();
        if TAKEN.contains(&&*path) {
            return routes;
        }
        let with_slash = format!("{path}/");
        routes
            .route(&path, any(serve(Format::Flat)))
            .route(&with_slash, any(serve(Format::Flat)))
    }

    /// How the connections are, and what their messages look like, over HTTP.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoints = status::endpoints(&self.connector.registry, &self.connector.shared);
        endpoints.extend(schemas::endpoints());
        endpoints
    }
}
