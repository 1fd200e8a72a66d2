//! Who may come in: the first look at a request, before anything is done for it.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::config::Origin;
use crate::contract::{ErrorCode, Reply};
use crate::limits::{ClientAddress, Exceeded, Limit, Place, UnfinishedMessage};
use crate::transport::connection::inbox::rate_limited;
use crate::transport::flow::Flow;
use crate::transport::pacer::{MAX_WAIT, Pacer, TooMany};

/// When to try again another instance; this one will be gone.
const RETRY_ELSEWHERE: Duration = Duration::from_secs(1);

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gate(App);

impl Gate {
    pub(crate) fn new(app: &App) -> Self {
        Self(app.clone())
    }

    /// Why a page of this origin may not connect, if it may not. Browsers let any page open a WebSocket, and say where it
    /// is from; who says nothing is no browser.
    pub(crate) fn origin(&self, request: &Request) -> Option<Response> {
        let refusal = self.page(request.headers(), client(request)).err()?;
        Some(answer(&refusal))
    }

    /// As [`Gate::origin`], of a request's headers.
    pub(crate) fn page(
        &self,
        headers: &HeaderMap,
        client: Option<ClientAddress>,
    ) -> Result<(), Reply> {
        let allowed = &self.0.config().cors_origins;
        let is_allowed = |origin: &HeaderValue| {
            allowed.iter().any(|allowed| match allowed {
                Origin::Any => true,
                Origin::Exactly(allowed) => allowed == origin,
            })
        };
        let mut said = headers.get_all(header::ORIGIN).iter();
        if said.all(is_allowed) {
            return Ok(());
        }
        self.refused(Limit::Origins, client);
        let sentence = Limit::Origins.sentence();
        Err(Reply::refused(ErrorCode::Forbidden, sentence))
    }

    /// A place for a session that begins, or why there is none.
    pub(crate) fn place(
        &self,
        client: Option<ClientAddress>,
    ) -> Result<Option<Place<IpAddr>>, Reply> {
        let place = client.map(|client| self.0.limits().session(client));
        place.transpose().map_err(rate_limited)
    }

    /// As [`Gate::place`], once it is the new session's turn. Who waits has a place already: a crowd from one address takes no
    /// turn that others could have.
    pub(crate) async fn turn(
        &self,
        client: Option<ClientAddress>,
        pacer: Option<&Pacer>,
    ) -> Result<Option<Place<IpAddr>>, Reply> {
        let lifecycle = self.0.lifecycle();
        if lifecycle.is_retiring() {
            return Err(retiring());
        }
        let place = self.place(client)?;
        let Some(pacer) = pacer else {
            return Ok(place);
        };
        tokio::select! {
            biased;
            () = lifecycle.retiring() => Err(retiring()),
            turn = pacer.turn() => turn.map(|()| place).map_err(|TooMany| {
                let (limit, retry_after) = (Limit::ConnectRate, MAX_WAIT);
                self.refused(limit, client);
                rate_limited(Exceeded { limit, retry_after })
            }),
        }
    }

    /// What a connection receives counts as this, until it is whole.
    pub(crate) fn unfinished(&self) -> UnfinishedMessage {
        self.0.limits().unfinished().message()
    }

    /// The stream under a WebSocket, whose messages are told of.
    pub(crate) fn flow<S, M>(&self, stream: S, messages: M) -> Flow<S, M> {
        Flow::new(stream, messages, self.unfinished(), self.patience())
    }

    /// Bytes that a message may have.
    pub(crate) fn max_message(&self) -> usize {
        self.0.config().max_message
    }

    /// Notes that somebody has met a limit of the door's.
    pub(crate) fn refused(&self, limit: Limit, client: Option<ClientAddress>) {
        if let Some(client) = client {
            self.0.limits().refused(limit, client);
        }
    }

    /// How long a client on long-polling may go without a poll: at the latest after that it gets a ping, or has missed
    /// one. No longer may a large message take.
    pub(crate) fn patience(&self) -> Duration {
        self.0.config().max_silence()
    }
}

/// Whose request it is; nobody's if the server itself makes it.
pub(crate) fn client(request: &Request) -> Option<ClientAddress> {
    request.extensions().get().copied()
}

/// What new clients are told when it is time to go elsewhere; they try again by themselves.
pub(crate) fn retiring() -> Reply {
    let message = "the server is shutting down";
    Reply::refused(ErrorCode::Unavailable, message).with_retry_after(RETRY_ELSEWHERE)
}

/// As `Retry-After` has it: whole seconds, and never too early.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1)
}

/// A refusal before anything is done, as HTTP has it.
pub(crate) fn answer(reply: &Reply) -> Response {
    let status = reply
        .code()
        .and_then(|code| StatusCode::from_u16(code.http_status()).ok())
        .unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    // A connection on which nothing is to be had is not kept for the next request.
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONNECTION, "close"),
    ];
    let mut response = (status, headers, reply.to_raw().get().to_owned()).into_response();
    if let Some(wait) = reply.retry_after() {
        let wait = whole_seconds(wait).into();
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    response
}
