//! The HTTP side of Socket.IO: answers WebSocket upgrades itself and looks at polling answers, so that a
//! [`PacketCounter`] sees everything that leaves for a client.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
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

use super::frames::count_payload;
use super::packet_check::Checked;
use super::packet_counter::{Metered, PacketCounter, Polling};
use super::pid;
use super::polling_body::by_packets;
use super::probe;
use super::upgrade_attempt::Attempt;
use crate::contract::Reply;
use crate::limits::Limit;
use crate::shutdown::Lifecycle;
use crate::transport::admission::{self, Admission};
use crate::transport::connect_throttle::ConnectThrottle;
use crate::transport::credential::Heads;
use crate::transport::problem::refuse_connection;
use crate::transport::upgrade::{self, Refusal};

type Inner = SocketIoService<NotFoundService>;

/// How long a client may take to change to a WebSocket, as in Node.
const UPGRADE_TIME: Duration = Duration::from_secs(10);
/// How long the packets of a polling request may wait for the rates.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
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
    ) -> Self {
        Self {
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
        served.unwrap_or_else(refuse_connection)
    }

    async fn try_serve(self, mut request: Request) -> Result<Response, Reply> {
        let client = admission::client(&request);
        self.admission.check_origin(request.headers(), client)?;
        let query = request.uri().query();
        let sid = parameter(query, "sid").map(str::to_owned);
        let websocket = parameter(query, "transport") == Some("websocket");
        let known_protocol = matches!(parameter(query, "EIO"), Some("3" | "4"));
        let key = match upgrade::key(&request) {
            Err(Refusal::NotAsked) if websocket && known_protocol => return Ok(bad_request()),
            Err(refusal) if websocket && known_protocol => return Ok(refusal.into_response()),
            key => key.ok(),
        };
        // Without it, engineioxide does not upgrade what we have not: it would go on with a stream that nobody counts,
        // and that nobody can end.
        request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
        let counter = if let Some(sid) = &sid {
            self.counters.get(sid)
        } else {
            let place = self
                .admission
                .admit(client, self.throttle.as_deref())
                .await?;
            Some(Arc::new(PacketCounter::new(
                place,
                self.admission.unfinished(),
            )))
        };
        Ok(match (counter, key) {
            // A session that began elsewhere and came here by a proxy that does not know what we are up to.
            (None, _) if self.lifecycle.is_retiring() => return Err(admission::retiring()),
            (Some(counter), _) if counter.is_closed() => session_unknown(),
            (Some(counter), Some(key)) if websocket && known_protocol => {
                let attempt = sid.map(|_| Attempt::begin(&counter).ok_or(()));
                match attempt.transpose() {
                    Ok(attempt) => self.upgrade(request, &key, counter, attempt),
                    Err(()) => bad_request(),
                }
            }
            (None, Some(_)) if websocket && known_protocol => session_unknown(),
            (Some(counter), _) if !websocket => self.poll(request, sid.as_deref(), counter).await,
            _ => self.pass(request).await,
        })
    }

    /// Goes on as a WebSocket, with our stream under it. With an `attempt`, a session that is on long-polling does so once its
    /// client has changed.
    fn upgrade(
        self,
        mut request: Request,
        key: &HeaderValue,
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
        upgrade::accepted(key)
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
            Checked::new(metered, max_message).vouched_for(Arc::clone(&counter), heartbeat)
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
            let metered = Metered::after(probe::ANSWER, stream, Arc::clone(&counter));
            let mut stream = Box::new(checked(metered));
            stream.read_already(probe::ASKED);
            stream.read_already(&said);
            stream
        } else {
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
            return session_unknown();
        }
        let separated = !is_version_3(request.uri().query());
        if sid.is_none() {
            let kept = self.kept(&request, &counter);
            request = kept.map(|()| request.into_body());
        }
        let door = self.clone();
        let most = self.admission.max_message();
        let served = async {
            if !is_poll {
                let delay = self.admission.longest_pause().min(LONGEST_DELAY);
                request = by_packets(request, separated, most, delay, &counter).await;
            }
            self.pass(request).await
        };
        let response = tokio::select! {
            // First: what is said to a client whose connection is to end without a word must not reach it.
            biased;
            () = counter.closed() => return session_unknown(),
            response = served => response,
            // Last: whatever there is leaves with this poll. While one waits there is nothing that could be lost with it.
            () = counter.upgrade.poll_is_over(), if is_poll && sid.is_some() => return noop(separated),
        };
        if !is_poll || response.status() != StatusCode::OK {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        let Ok(collected) = body.collect().await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut body = collected.to_bytes();
        if let Ok(text) = std::str::from_utf8(&body) {
            match sid {
                Some(_) => {
                    counter.count(count_payload(text, separated));
                    if counter.lacks_pid()
                        && let Some(completed) = pid::complete_body(text, || counter.take_pid())
                    {
                        parts.headers.remove(header::CONTENT_LENGTH);
                        body = completed.into();
                    }
                }
                None => {
                    if let Some(sid) = opened_sid(text) {
                        door.counters.insert(sid, &counter);
                        counter.keep_goodbye(Goodbye { door, sid });
                    }
                }
            }
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
        if let Some(shown) = self.heads.find(request.headers(), request.uri().query()) {
            extensions.insert(shown);
        }
        kept
    }

    async fn pass(self, request: Request) -> Response {
        match self.service.call(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
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

/// What Engine.IO says of a request that makes no sense: a change to a WebSocket that is no handshake, or one that is being
/// made or was made already.
fn bad_request() -> Response {
    engine_error(r#"{"code":3,"message":"Bad request"}"#)
}

/// What Engine.IO says of a session that is over; clients connect anew.
fn session_unknown() -> Response {
    engine_error(r#"{"code":1,"message":"Session ID unknown"}"#)
}

fn engine_error(body: &'static str) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::BAD_REQUEST, json, body).into_response()
}
