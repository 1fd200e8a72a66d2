//! The HTTP side: who asks to go on as a WebSocket goes on as one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::door::{Shared, WebSocketConnection, WebSocketDoor};
use super::format::Format;
use super::greeting::Shown;
use super::io;
use super::params::Params;
use crate::clock::Clock;
use crate::contract::Reply;
use crate::domain::{ClientId, ConnectionId};
use crate::transport::admission::{self, Admission};
use crate::transport::connect_throttle::ConnectThrottle;
use crate::transport::connection::plain_queue::PlainQueue;
use crate::transport::connection::registry::Registry;
use crate::transport::credential::{Credential, Heads};
use crate::transport::problem::refuse_connection;
use crate::transport::upgrade::Handshake;
use crate::transport::{http_caller, program, upgrade};

/// Where requests come in. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) registry: Arc<Registry<WebSocketDoor>>,
    pub(super) shared: Arc<Shared>,
    pub(super) heads: Heads,
    pub(super) admission: Admission,
    /// Spaces new connections out, if they are to be.
    pub(super) throttle: Option<Arc<ConnectThrottle>>,
}

impl Connector {
    /// Serves a request to go on as a WebSocket.
    pub(super) async fn serve(self, format: Format, request: Request) -> Response {
        let traffic = Arc::clone(&self.registry.traffic);
        match upgrade::handshake(&request) {
            Ok(handshake) => {
                let accepted = self.accept(format, request, handshake).await;
                accepted.unwrap_or_else(|refusal| {
                    traffic.failed.count();
                    refuse_connection(refusal)
                })
            }
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn accept(
        self,
        format: Format,
        mut request: Request,
        handshake: Handshake,
    ) -> Result<Response, Reply> {
        let client = admission::client(&request);
        self.admission.check_origin(request.headers(), client)?;
        let query = request.uri().query();
        let app = self.registry.app.clone();
        let said = http_caller::said_user(&app, request.headers(), query)?;
        let said = said.map(|id| id.as_str().to_owned());
        let place = self
            .admission
            .admit(client, self.throttle.as_deref())
            .await?;
        let upgrading = hyper::upgrade::on(&mut request);
        let query = request.uri().query();
        let shown = self.heads.find(request.headers(), query);
        let shown = shown.or_else(|| Credential::in_query(query));
        let params = Params::read(query)?;
        let ids = (
            ConnectionId::generate(),
            ClientId::of_connection(Clock.now()),
        );
        let shown = match shown {
            // Of agents a credential is verified before the connection is made.
            Some(shown) if format == Format::Envelope => {
                let verified = http_caller::identify_at(&app, client, Some(&shown), ids.0);
                verified.await.map(Shown::Verified)?
            }
            shown => Shown::Unverified(shown),
        };
        let program = program::of(&app, request.headers(), "websocket");
        let door = WebSocketDoor::new(&self.shared, format, params, said, client, program);
        drop(request);
        app.lifecycle().clone().spawn_service(async move {
            let _place = place;
            match upgrading.await {
                Ok(upgraded) => {
                    let connection = self.open(door, ids, shown);
                    io::run(connection, self.admission.flow(TokioIo::new(upgraded), ())).await;
                }
                Err(error) => tracing::debug!(error = %error, "upgrade failed"),
            }
        });
        Ok(upgrade::accepted(handshake))
    }

    /// Takes a client in, and greets it.
    fn open(
        &self,
        door: WebSocketDoor,
        ids: (ConnectionId, ClientId),
        shown: Shown,
    ) -> Arc<WebSocketConnection> {
        let queue = PlainQueue::new(self.registry.app.send_memory());
        let style = door.params.event_style;
        let connection = WebSocketConnection::new(&self.registry, ids, door, queue, style);
        let is_held = connection.may_hold_greeting(&shown);
        let held = &connection.door.is_greeting_held;
        held.store(is_held, Ordering::Relaxed);
        connection.note_client_info(connection.door.params.client_info.clone());
        self.registry.insert(&connection);
        self.shared.opened.fetch_add(1, Ordering::Relaxed);
        let first = connection.fall_due().unwrap_or_else(Instant::now);
        let found = Arc::downgrade(&connection);
        self.shared.timers.put(connection.id, first, found);
        connection.begin_greeting();
        let greeted = Arc::clone(&connection);
        connection.spawn(async move {
            greeted.greet(shown).await;
            greeted.say_status().await;
            greeted.start_requests();
        });
        connection
    }
}
