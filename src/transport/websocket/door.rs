//! The HTTP side: who asks to go on as a WebSocket goes on as one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;

use super::connection::{Connection, Guest};
use super::gateway::Gateway;
use super::line;
use super::spelling::Spelling;
use super::wishes::Wishes;
use crate::contract::ErrorCode;
use crate::limits::{ClientAddress, Exceeded, Limit, Place};
use crate::transport::credential::{Credential, Heads, IN_QUERY};
use crate::transport::gate::{self, Gate};
use crate::transport::pacer::{MAX_WAIT, Pacer, TooMany};
use crate::transport::query::from_query;
use crate::transport::{upgrade, visitor};

/// When to try again another instance; this one will be gone.
const RETRY_ELSEWHERE: Duration = Duration::from_secs(1);

/// Where requests come in.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) gateway: Arc<Gateway>,
    pub(super) heads: Heads,
    pub(super) gate: Gate,
    /// Spaces new connections out, if they are to be.
    pub(super) pacer: Option<Arc<Pacer>>,
}

impl Door {
    /// Serves a request to go on as a WebSocket.
    pub(super) async fn serve(self, spelling: Spelling, mut request: Request) -> Response {
        let key = match upgrade::key(&request) {
            Ok(key) => key,
            Err(refusal) => return refusal.into_response(),
        };
        if let Some(refusal) = self.gate.origin(&request) {
            return refusal;
        }
        let query = request.uri().query();
        let said = visitor::said_user(&self.gateway.app, request.headers(), query);
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
        let guest = Guest {
            wishes: Wishes::read(query),
            said,
            shown,
            address: gate::client(&request),
        };
        drop(request);
        let lifecycle = self.gateway.app.lifecycle().clone();
        lifecycle.spawn_service(async move {
            let _place = place;
            match upgrading.await {
                Ok(upgraded) => {
                    let connection = Connection::open(&self.gateway, spelling, guest);
                    line::run(connection, self.gate.flow(TokioIo::new(upgraded), ())).await;
                }
                Err(error) => tracing::debug!(error = %error, "upgrade failed"),
            }
        });
        upgrade::accepted(&key)
    }

    /// Waits for a new connection's turn; why it cannot begin, if it cannot. Who waits has a place already.
    async fn begin(
        &self,
        client: Option<ClientAddress>,
    ) -> Result<Option<Place<IpAddr>>, Box<Response>> {
        let lifecycle = self.gateway.app.lifecycle();
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
