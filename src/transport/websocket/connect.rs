//! The HTTP side: who asks to go on as a WebSocket goes on as one.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::codec::{Shared, WebSocketConnection, WebSocketDoor};
use super::format::Format;
use super::io;
use super::params::Params;
use crate::contract::ErrorCode;
use crate::domain::{ConnectionId, PrivateId};
use crate::limits::{ClientAddress, Exceeded, Limit, Place};
use crate::transport::connection::plain_queue::PlainQueue;
use crate::transport::connection::registry::Registry;
use crate::transport::credential::{Credential, Heads, IN_QUERY};
use crate::transport::gate::{self, Gate};
use crate::transport::pacer::{MAX_WAIT, Pacer, TooMany};
use crate::transport::query::from_query;
use crate::transport::{upgrade, visitor};

/// When to try again another instance; this one will be gone.
const RETRY_ELSEWHERE: Duration = Duration::from_secs(1);

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
        let place = match self.begin(gate::client(&request)).await {
            Ok(place) => place,
            Err(refusal) => return *refusal,
        };
        let upgrading = hyper::upgrade::on(&mut request);
        let query = request.uri().query();
        let shown = self.heads.find(request.headers(), query);
        let shown = shown.or_else(|| Credential::new(&from_query(query, IN_QUERY)?));
        let params = match Params::read(query) {
            Ok(params) => params,
            Err(refusal) => return refusal.into_response(),
        };
        let address = gate::client(&request);
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

    /// Waits for a new connection's turn; why it cannot begin, if it cannot. Who waits has a place already.
    async fn begin(
        &self,
        client: Option<ClientAddress>,
    ) -> Result<Option<Place<IpAddr>>, Box<Response>> {
        let lifecycle = self.registry.app.lifecycle();
        if lifecycle.is_retiring() {
            return Err(Box::new(retiring()));
        }
        let place = self.gate.place(client)?;
        let Some(pacer) = &self.pacer else {
            return Ok(place);
        };
        tokio::select! {
            biased;
            () = lifecycle.retiring() => Err(Box::new(retiring())),
            turn = pacer.turn() => turn.map(|()| place).map_err(|TooMany| {
                let limit = Limit::ConnectRate;
                self.gate.refused(limit, client);
                let retry_after = MAX_WAIT;
                Box::new(gate::too_much(Exceeded { limit, retry_after }))
            }),
        }
    }
}

/// What new clients are told when it is time to go elsewhere.
fn retiring() -> Response {
    let message = "the server is shutting down";
    gate::refused(ErrorCode::Unavailable, message, RETRY_ELSEWHERE)
}
