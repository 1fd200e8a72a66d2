//! The HTTP side: who asks to go on as a WebSocket goes on as one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::codec::{Shared, WebSocketConnection, WebSocketDoor};
use super::format::Format;
use super::io;
use super::params::Params;
use crate::domain::{ConnectionId, PrivateId};
use crate::transport::connection::plain_queue::PlainQueue;
use crate::transport::connection::registry::Registry;
use crate::transport::credential::{Credential, Heads};
use crate::transport::gate::{self, Gate};
use crate::transport::pacer::Pacer;
use crate::transport::{upgrade, visitor};

/// Where requests come in. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) registry: Arc<Registry<WebSocketDoor>>,
    pub(super) shared: Arc<Shared>,
    pub(super) heads: Heads,
    pub(super) gate: Gate,
    /// Spaces new connections out, if they are to be.
    pub(super) pacer: Option<Arc<Pacer>>,
}

impl Connector {
    /// Serves a request to go on as a WebSocket.
    pub(super) async fn serve(self, format: Format, mut request: Request) -> Response {
        let key = match upgrade::key(&request) {
            Ok(key) => key,
            Err(refusal) => return refusal.into_response(),
        };
        if let Some(refusal) = self.gate.origin(&request) {
            return refusal;
        }
        let query = request.uri().query();
        let app = self.registry.app.clone();
        let said = visitor::said_user(&app, request.headers(), query);
        let said = match said {
            Ok(said) => said.map(|id| id.as_str().to_owned()),
            Err(refusal) => return refusal.into_response(),
        };
        let address = gate::client(&request);
        let place = match self.gate.turn(address, self.pacer.as_deref()).await {
            Ok(place) => place,
            Err(refusal) => return gate::answer(&refusal),
        };
        let upgrading = hyper::upgrade::on(&mut request);
        let query = request.uri().query();
        let shown = self.heads.find(request.headers(), query);
        let shown = shown.or_else(|| Credential::in_query(query));
        let params = match Params::read(query) {
            Ok(params) => params,
            Err(refusal) => return refusal.into_response(),
        };
        let door = WebSocketDoor::new(&self.shared, format, params, said, address);
        drop(request);
        app.lifecycle().clone().spawn_service(async move {
            let _place = place;
            match upgrading.await {
                Ok(upgraded) => {
                    let connection = self.open(door, shown);
                    io::run(connection, self.gate.flow(TokioIo::new(upgraded), ())).await;
                }
                Err(error) => tracing::debug!(error = %error, "upgrade failed"),
            }
        });
        upgrade::accepted(&key)
    }

    /// Takes a client in, and greets it.
    fn open(&self, door: WebSocketDoor, shown: Option<Credential>) -> Arc<WebSocketConnection> {
        let ids = (ConnectionId::generate(), PrivateId::generate().client());
        let queue = PlainQueue::new(self.registry.app.send_memory());
        let style = door.params.event_style;
        let connection = WebSocketConnection::new(&self.registry, ids, door, queue, style);
        self.registry.insert(&connection);
        self.shared.opened.fetch_add(1, Ordering::Relaxed);
        let first = connection.fall_due().unwrap_or_else(Instant::now);
        let found = Arc::downgrade(&connection);
        self.shared.timers.put(connection.id, first, found);
        connection.begin_greeting();
        let greeted = Arc::clone(&connection);
        connection.spawn(async move {
            greeted.greet(shown).await;
            greeted.start_requests();
        });
        connection
    }
}
