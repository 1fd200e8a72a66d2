//! Who may come in: the first look at a request, before anything is done for it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::{Config, is_own};
use crate::contract::{ErrorCode, Reply};
use crate::limits::{ClientAddress, Exceeded, Limit, Place, UnfinishedMessage};
use crate::memory::MemoryBudget;
use crate::state::AppState;
use crate::transport::connect_throttle::{ConnectThrottle, MAX_WAIT, TooMany};
use crate::transport::flow::Flow;

/// When to try again another instance; this one will be gone.
const RETRY_ELSEWHERE: Duration = Duration::from_secs(1);

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Admission(AppState);

impl Admission {
    pub(crate) fn new(app: &AppState) -> Self {
        Self(app.clone())
    }

    /// Refuses pages of an origin that may not connect. Browsers let any page open a WebSocket, and say where it is from; a
    /// client that says nothing is no browser.
    pub(crate) fn check_origin(
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

    /// Gives a new connection a place among those of its address.
    pub(crate) fn place(
        &self,
        client: Option<ClientAddress>,
    ) -> Result<Option<Place<IpAddr>>, Reply> {
        let place = client.map(|client| self.0.limits().session(client));
        place.transpose().map_err(rate_limited)
    }

    /// Gives a new connection a place and waits for its turn. A client that waits has a place already, so a crowd from one
    /// address takes no turn from others.
    pub(crate) async fn admit(
        &self,
        client: Option<ClientAddress>,
        throttle: Option<&ConnectThrottle>,
    ) -> Result<Option<Place<IpAddr>>, Reply> {
        let lifecycle = self.0.lifecycle();
        if lifecycle.is_retiring() {
            return Err(retiring());
        }
        let place = self.place(client)?;
        let Some(throttle) = throttle else {
            return Ok(place);
        };
        tokio::select! {
            biased;
            () = lifecycle.retiring() => Err(retiring()),
            turn = throttle.turn() => turn.map(|()| place).map_err(|TooMany| {
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

    /// What counts the bytes that clients have sent and that wait.
    pub(crate) fn receive_memory(&self) -> &MemoryBudget {
        self.0.receive_memory()
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

    /// For how long a client may be kept from sending a pong.
    pub(crate) fn longest_pause(&self) -> Duration {
        self.0.config().longest_pause()
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

/// The refusal of what is too much.
pub(crate) fn rate_limited(Exceeded { limit, retry_after }: Exceeded) -> Reply {
    Reply::refused(ErrorCode::RateLimited, limit.sentence()).with_retry_after(retry_after)
}

/// The refusal of a message of whose type a client has sent too many.
pub(crate) fn type_limited(name: &str, exceeded: Exceeded) -> Reply {
    let name: String = name.chars().take(64).collect();
    let message = format!("{}: {name}", exceeded.limit.sentence());
    let refusal = Reply::refused(ErrorCode::RateLimited, message).with_field("type");
    refusal.with_retry_after(exceeded.retry_after)
}

/// What new clients are told when it is time to go elsewhere; they try again by themselves.
pub(crate) fn retiring() -> Reply {
    let message = "the server is shutting down";
    Reply::refused(ErrorCode::Unavailable, message).with_retry_after(RETRY_ELSEWHERE)
}
