//! Who may come in: the first look at a request, before anything is done for it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::config::{Config, is_own};
use crate::contract::{ErrorCode, Reply};
use crate::limits::{ClientAddress, Exceeded, Limit, Place, UnfinishedMessage};
use crate::transport::flow::Flow;
use crate::transport::problem::status;

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
        Some(last(&refusal))
    }

    /// As [`Gate::origin`], of a request's headers.
    pub(crate) fn page(
        &self,
        headers: &HeaderMap,
        client: Option<ClientAddress>,
    ) -> Result<(), Reply> {
        let is_allowed = |origin: &HeaderValue| may_connect(self.0.config(), origin, headers);
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
    ) -> Result<Option<Place<IpAddr>>, Box<Response>> {
        let place = client.map(|client| self.0.limits().session(client));
        let place = place.transpose();
        place.map_err(|exceeded| Box::new(too_much(exceeded)))
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

/// Where a trusted proxy says which host and port its client has asked.
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Whether pages of an origin may connect: those that the settings name, and the server's own.
pub(crate) fn may_connect(config: &Config, origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let named = origin.as_bytes();
    let mut allowed = config.cors_origins.iter();
    let is_allowed = allowed.any(|allowed| allowed.allows(named));
    is_allowed || authority(headers).is_some_and(|authority| is_own(named, &authority))
}

/// The host, perhaps with a port, that a client has asked. What others than trusted proxies say of that was removed.
fn authority(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let first = |name| {
        let value = headers.get(name)?.to_str().ok()?;
        let first = value.split(',').next().unwrap_or_default().trim();
        (!first.is_empty()).then_some(first)
    };
    let host = first(FORWARDED_HOST).or_else(|| first(header::HOST))?;
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']'));
    Some(match first(FORWARDED_PORT) {
        Some(port) if !has_port => format!("{host}:{port}").into(),
        _ => host.into(),
    })
}

/// Whose request it is; nobody's if the server itself makes it.
pub(crate) fn client(request: &Request) -> Option<ClientAddress> {
    request.extensions().get().copied()
}

/// The answer to somebody who has met a limit.
pub(crate) fn too_much(Exceeded { limit, retry_after }: Exceeded) -> Response {
    refused(ErrorCode::RateLimited, limit.sentence(), retry_after)
}

/// A refusal that says when to try again.
pub(crate) fn refused(code: ErrorCode, message: &str, retry_after: Duration) -> Response {
    last(&Reply::refused(code, message).with_retry_after(retry_after))
}

/// As `Retry-After` has it: whole seconds, and never too early.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1)
}

/// A refusal as an ack would have it. A connection on which nothing is to be had is not kept for the next request.
fn last(refusal: &Reply) -> Response {
    let mut response = plain(refusal);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// A refusal as an ack would have it, with its status.
pub(crate) fn plain(refusal: &Reply) -> Response {
    let code = refusal.code().unwrap_or(ErrorCode::Internal);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (status(code), json, refusal.to_text()).into_response();
    if let Some(wait) = refusal.retry_after() {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, whole_seconds(wait).into());
    }
    response
}
