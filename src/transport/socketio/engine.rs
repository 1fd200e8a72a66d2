//! The HTTP side of Socket.IO: answers WebSocket upgrades itself and looks at polling answers, so that a
//! [`PacketCounter`] sees everything that leaves for a client.

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engineioxide::service::NotFoundService;
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::arrival::Arrival;
use super::cursor_argument::TakesOneArgument;
use super::engine_error::{EngineError, refuse, refuse_handshake};
use super::frames::count_payload;
use super::msgpack;
use super::namespaces::ServedNamespaces;
use super::packet_check::Checked;
use super::packet_counter::{Metered, PacketCounter, Polling};
use super::pid;
use super::polling_body::by_packets;
use super::probe;
use super::upgrade_attempt::Attempt;
use super::wire::Wire;
use crate::limits::Limit;
use crate::shutdown::Lifecycle;
use crate::transport::admission::{self, Admission};
use crate::transport::connect_throttle::ConnectThrottle;
use crate::transport::credential::Heads;
use crate::transport::upgrade::{self, Handshake, Refusal};

type Inner = SocketIoService<NotFoundService>;

/// How long a client may take to change to a WebSocket, as in Node.
const UPGRADE_TIME: Duration = Duration::from_secs(10);
/// How long the end of an upgrade that came to nothing may take.
const LAST_WORD: Duration = Duration::from_millis(250);

/// Where Socket.IO requests come in.
#[derive(Clone)]
pub(super) struct Engine {
    service: Inner,
    heads: Heads,
    counters: Arc<PacketCounters>,
    lifecycle: Lifecycle,
    admission: Admission,
    /// Spaces new sessions out, if they are to be.
    throttle: Option<Arc<ConnectThrottle>>,
    /// Whether it is kept how each client came here.
    keeps_arrivals: bool,
    served: Arc<ServedNamespaces>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// The packet counters of polling sessions, by session id: an upgrade goes on with the same one.
#[derive(Debug, Default)]
struct PacketCounters {
    /// Guards the counters; the sessions own them, here they are only found.
    by_sid: Mutex<HashMap<Sid, Weak<PacketCounter>>>,
}

impl PacketCounters {
    fn insert(&self, sid: Sid, counter: &Arc<PacketCounter>) {
        let mut counters = self.by_sid.lock();
        if counters.len() == counters.capacity() {
            counters.retain(|_, counter| counter.strong_count() > 0);
        }
        counters.insert(sid, Arc::downgrade(counter));
    }

    fn get(&self, sid: &str) -> Option<Arc<PacketCounter>> {
        let sid = Sid::from_str(sid).ok()?;
        let counters = self.by_sid.lock();
        counters.get(&sid)?.upgrade()
    }
}

impl Engine {
    pub(super) fn new(
        service: Inner,
        heads: Heads,
        lifecycle: Lifecycle,
        admission: Admission,
        throttle: Option<Arc<ConnectThrottle>>,
        (served, keeps_arrivals): (Arc<ServedNamespaces>, bool),
    ) -> Self {
        Self {
            served,
            keeps_arrivals,
            service,
            heads,
            counters: Arc::default(),
            lifecycle,
            admission,
            throttle,
        }
    }

    /// Serves one request to `/socket.io/`.
    pub(super) async fn serve(self, request: Request) -> Response {
        let served = self.try_serve(request).await;
        served.unwrap_or_else(|refused| refused)
    }

    async fn try_serve(self, mut request: Request) -> Result<Response, Response> {
        let client = admission::client(&request);
        let checked = self.admission.check_origin(request.headers(), client);
        checked.map_err(refuse)?;
        let (websocket, sid) = asked(&request).map_err(IntoResponse::into_response)?;
        let sid = sid.map(str::to_owned);
        let handshake = match upgrade::handshake(&request) {
            Err(Refusal::NotAsked) if websocket => {
                return Err(EngineError::BadRequest.into_response());
            }
            Err(refusal) if websocket => return Err(refuse_handshake(refusal)),
            handshake => handshake.ok().filter(|_| websocket),
        };
        // Without it, engineioxide does not upgrade what we have not: it would go on with a stream that nobody counts,
        // and that nobody can end.
        request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
        let counter = if let Some(sid) = &sid {
            self.counters.get(sid)
        } else {
            let place = self.admission.admit(client, self.throttle.as_deref());
            let place = place.await.map_err(refuse)?;
            Some(Arc::new(PacketCounter::new(place, &self.served)))
        };
        match (counter, handshake) {
            // A session that began elsewhere and came here by a proxy that does not know what we are up to.
            (None, _) if self.lifecycle.is_retiring() => Err(refuse(admission::retiring())),
            // It may have begun as a WebSocket.
            (None, None) => Ok(self.pass(request).await),
            (None, Some(_)) => Err(EngineError::UnknownSession.into_response()),
            (Some(counter), _) if counter.is_closed() => {
                Err(EngineError::UnknownSession.into_response())
            }
            (Some(counter), None) => Ok(self.poll(request, sid.as_deref(), counter).await),
            (Some(counter), Some(handshake)) => {
                let begin = || Attempt::begin(&counter).ok_or(EngineError::BadRequest);
                let attempt = sid.map(|_| begin()).transpose();
                let attempt = attempt.map_err(IntoResponse::into_response)?;
                Ok(self.upgrade(request, handshake, counter, attempt))
            }
        }
    }

    /// Goes on as a WebSocket, with our stream under it. With an `attempt`, a session that is on long-polling does so once its
    /// client has changed.
    fn upgrade(
        self,
        mut request: Request,
        handshake: Handshake,
        counter: Arc<PacketCounter>,
        attempt: Option<Attempt>,
    ) -> Response {
        let upgrade = hyper::upgrade::on(&mut request);
        let kept = self.kept(&request, &counter);
        self.lifecycle.clone().spawn_service(async move {
            match upgrade.await {
                Ok(upgraded) => {
                    // Boxed, here and below: each future that a stream is handed through keeps room for all of it.
                    let upgraded = TokioIo::new(upgraded);
                    let stream = Box::new(self.admission.flow(upgraded, Arc::clone(&counter)));
                    self.go_on(stream, kept, counter, attempt).await;
                }
                Err(error) => tracing::debug!(error = %error, "upgrade failed"),
            }
        });
        upgrade::accepted(handshake)
    }

    /// Hands a WebSocket to engineioxide, with an `attempt` after its probe. If that fails the session stays as it is.
    async fn go_on<S>(
        &self,
        mut stream: S,
        kept: axum::http::Request<()>,
        counter: Arc<PacketCounter>,
        attempt: Option<Attempt>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let max_message = self.admission.max_message();
        let heartbeat = heartbeat(kept.uri().query());
        let checked = |metered| {
            Checked::new(metered, Arc::clone(&counter), max_message).vouched_for(heartbeat)
        };
        let stream = if let Some(attempt) = attempt {
            let probing = timeout(UPGRADE_TIME, probe::wait(&mut stream, &attempt));
            let said = tokio::select! {
                () = counter.closed() => return,
                said = probing => said,
            };
            let Ok(Ok(said)) = said else {
                drop(attempt);
                drop(timeout(LAST_WORD, probe::part(&mut stream)).await);
                return;
            };
            attempt.succeed();
            let stream = Wire::open(stream, &counter);
            let metered = Metered::after(probe::ANSWER, stream, Arc::clone(&counter));
            let mut stream = Box::new(checked(metered));
            stream.begin_with(probe::ASKED);
            stream.read_already(&said);
            stream
        } else {
            let stream = Wire::open(stream, &counter);
            Box::new(checked(Metered::new(stream, Arc::clone(&counter))))
        };
        if let Err(error) = self.service.call((stream, kept)).await {
            tracing::debug!(error = %error, "websocket request refused");
        }
    }

    /// Serves a polling request and counts what its answer carries.
    async fn poll(
        self,
        mut request: Request,
        sid: Option<&str>,
        counter: Arc<PacketCounter>,
    ) -> Response {
        let is_poll = request.method() == Method::GET;
        let _polling = is_poll.then(|| Polling::begin(&counter));
        if sid.is_some() && counter.polls.are_missing(self.admission.patience()) {
            // Whoever posts pongs and takes nothing would else stay for ever.
            self.admission
                .refused(Limit::Unpolled, admission::client(&request));
            counter.close();
            return EngineError::UnknownSession.into_response();
        }
        let separated = !is_version_3(request.uri().query());
        if sid.is_none() {
            let kept = self.kept(&request, &counter);
            request = kept.map(|()| request.into_body());
        }
        let door = self.clone();
        let served = async {
            if !is_poll {
                request = by_packets(request, separated, &self.admission, &counter).await;
            }
            self.pass(request).await
        };
        let response = tokio::select! {
            // First: what is said to a client whose connection is to end without a word must not reach it.
            biased;
            () = counter.closed() => return EngineError::UnknownSession.into_response(),
            response = served => response,
            // Last: whatever there is leaves with this poll. While one waits there is nothing that could be lost with it.
            () = counter.upgrade.poll_is_over(), if is_poll && sid.is_some() => return noop(separated),
        };
        if !is_poll || response.status() != StatusCode::OK {
            return response;
        }
        door.answer_poll(response, sid.map(|_| separated), counter)
            .await
    }

    /// Counts what the answer of a poll carries, and completes it; `separated` tells how its packets are told apart, if it does
    /// not begin a session.
    async fn answer_poll(
        self,
        response: Response,
        separated: Option<bool>,
        counter: Arc<PacketCounter>,
    ) -> Response {
        let (mut parts, body) = response.into_parts();
        let Ok(collected) = body.collect().await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut body = collected.to_bytes();
        let Ok(text) = std::str::from_utf8(&body) else {
            return Response::from_parts(parts, Body::from(body));
        };
        let Some(separated) = separated else {
            if let Some(sid) = opened_sid(text) {
                self.counters.insert(sid, &counter);
                counter.keep_goodbye(Goodbye { door: self, sid });
            }
            return Response::from_parts(parts, Body::from(body));
        };
        counter.count(count_payload(text, separated));
        let mut text = Cow::Borrowed(text);
        if counter.lacks_pid()
            && let Some(completed) = pid::complete_body(&text, |namespace| {
                let pid = counter.take_pid(namespace)?;
                counter.answered(1);
                Some(pid)
            })
        {
            text = completed.into();
        }
        if counter.speaks_msgpack() {
            text = msgpack::encode_body(&text).into();
        }
        if let Cow::Owned(text) = text {
            parts.headers.remove(header::CONTENT_LENGTH);
            body = text.into();
        }
        Response::from_parts(parts, Body::from(body))
    }

    /// What goes on of a request that begins a session, which keeps it for as long as it lives: only what is needed.
    fn kept(&self, request: &Request, counter: &Arc<PacketCounter>) -> axum::http::Request<()> {
        let mut kept = axum::http::Request::new(());
        *kept.method_mut() = request.method().clone();
        *kept.uri_mut() = request.uri().clone();
        let extensions = kept.extensions_mut();
        extensions.insert(Arc::clone(counter));
        if let Some(client) = admission::client(request) {
            extensions.insert(client);
        }
        let (headers, query) = (request.headers(), request.uri().query());
        if let Some(shown) = self.heads.find(headers, query) {
            extensions.insert(shown);
        }
        if self.keeps_arrivals {
            extensions.insert(Arrival::of(request));
        }
        if let Some(recognised) = TakesOneArgument::recognise(headers, query) {
            extensions.insert(recognised);
        }
        kept
    }

    /// Has engineioxide serve a request. It writes numbers as texts.
    async fn pass(self, request: Request) -> Response {
        let response = match self.service.call(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        };
        if response.status() != StatusCode::BAD_REQUEST {
            return response;
        }
        let body = response.into_body().collect().await;
        let body = body.map(http_body_util::Collected::to_bytes);
        if body.is_ok_and(|body| body.ends_with(br#"Session ID unknown"}"#)) {
            return EngineError::UnknownSession.into_response();
        }
        EngineError::BadRequest.into_response()
    }
}

/// Ends a session that began on polling, when it is dropped: there is no stream to close. A session that did change its
/// transport, or has ended, does not take what is posted here.
#[derive(Debug)]
pub(super) struct Goodbye {
    door: Engine,
    sid: Sid,
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        let (door, sid) = (self.door.clone(), self.sid);
        // Nobody is left to run it when a program that is shut down drops what it has.
        if door.lifecycle.is_draining() {
            return;
        }
        let uri = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        self.door.lifecycle.spawn_service(async move {
            let close = axum::http::Request::post(uri).body(Body::from("1"));
            if let Ok(close) = close {
                door.pass(close).await;
            }
        });
    }
}

/// Whether a request asks for a WebSocket and else for long-polling, and its session, if it does not begin one.
fn asked(request: &Request) -> Result<(bool, Option<&str>), EngineError> {
    let query = request.uri().query();
    let websocket = match parameter(query, "transport") {
        Some("websocket") => true,
        Some("polling") => false,
        _ => return Err(EngineError::UnknownTransport),
    };
    let sid = parameter(query, "sid");
    if sid.is_none() && request.method() != Method::GET {
        return Err(EngineError::BadHandshakeMethod);
    }
    if !matches!(parameter(query, "EIO"), Some("3" | "4")) {
        return Err(EngineError::UnsupportedVersion);
    }
    Ok((websocket, sid))
}

/// A parameter of Engine.IO's, read as engineioxide does it: percent-decoded, some would mean something to us alone, and
/// with a `%73id` one could come in as a session that is known, and is none.
fn parameter<'a>(query: Option<&'a str>, key: &str) -> Option<&'a str> {
    let mut pairs = query?.split('&').map(|pair| pair.split('='));
    pairs.find_map(|mut pair| (pair.next() == Some(key)).then(|| pair.next().unwrap_or_default()))
}

fn is_version_3(query: Option<&str>) -> bool {
    parameter(query, "EIO") == Some("3")
}

/// The packet by which a client shows that it is there: in version 3 a ping, since then a pong.
fn heartbeat(query: Option<&str>) -> &'static str {
    if is_version_3(query) { "2" } else { "3" }
}

/// The session id in an Engine.IO open packet.
fn opened_sid(body: &str) -> Option<Sid> {
    let (_, after) = body.split_once("\"sid\":\"")?;
    let (sid, _) = after.split_once('"')?;
    Sid::from_str(sid).ok()
}

/// The answer to a poll whose client waits for it to end.
fn noop(separated: bool) -> Response {
    let packet = if separated { "6" } else { "1:6" };
    let text = [(header::CONTENT_TYPE, "text/plain; charset=UTF-8")];
    (text, packet).into_response()
}
