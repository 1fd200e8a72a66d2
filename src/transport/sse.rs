//! Server-Sent Events: channels' events, for whatever reads `text/event-stream`.
//!
//! A stream is a session that only listens. The id of each message is the session's cursor, and that is all a client needs
//! to go on where it was, on any instance.

mod body;
mod codec;
mod frame;
mod params;
mod subscribe;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::contract::{ErrorCode, EventClass, Reply};
use crate::domain::{ChannelName, PrivateId};
use crate::hub::Offer;
use crate::state::AppState;
use crate::telemetry::causes;
use crate::transport::admission::{Admission, rate_limited, retiring};
use crate::transport::connection::Close;
use crate::transport::connection::client_info::ClientInfo;
use crate::transport::connection::notice::Missed;
use crate::transport::connection::plain_queue::PlainQueue;
use crate::transport::connection::registry::Registry;
use crate::transport::connection::subscriber::{Admitted, SessionSubscriber};
use crate::transport::http::endpoint::{Answer, Endpoint, of, serve_admitting};
use crate::transport::http_caller::HttpCaller;
use body::{Stay, Stream};
use codec::SseConnection;
pub(crate) use codec::SseDoor;
use params::{Choice, StreamParams};

/// The media type of the form.
const EVENT_STREAM: &str = "text/event-stream";
/// When to try again if that is not said.
const RETRY: Duration = Duration::from_secs(5);

type Subscriber = Arc<SessionSubscriber<SseDoor>>;

/// Where streams begin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    app: AppState,
    streams: Arc<Registry<SseDoor>>,
    /// What those hear who name no channel.
    defaults: Arc<[ChannelName]>,
}

impl Server {
    pub(crate) fn new(streams: &Arc<Registry<SseDoor>>) -> Self {
        Self {
            app: streams.app.clone(),
            defaults: streams.app.config().channels_of_events().into(),
            streams: Arc::clone(streams),
        }
    }

    /// The door, as it stands beside others below `/api`.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let server = self.clone();
        Endpoint {
            method: Method::GET,
            path: "/events",
            name: "listen".to_owned(),
            group: "channels",
            summary: "Tells of channels' events as they happen (Server-Sent Events)".to_owned(),
            about: "Who names no channel hears those of `EVENT_CHANNELS` that it may hear. The id of each message is the cursor to go on from, as `Last-Event-ID`. Who accepts `text/event-stream` alone is \
                    told of what passes by itself (429, 503) in a stream that ends at once.",
            parameters: params::parameters(),
            body: None,
            answers: vec![Answer {
                media: EVENT_STREAM,
                ..Answer::ok("The stream. Its messages are JSON.", of::<String>)
            }],
            refusals: &[ErrorCode::NotFound],
            routes: serve_admitting(&Method::GET, move |request| server.clone().serve(request)),
        }
    }

    async fn serve(self, request: Request) -> Response {
        let (mut parts, _) = request.into_parts();
        let http_caller = match self.meet(&mut parts).await {
            Ok(http_caller) => http_caller,
            Err(refusal) => return self.refuse(refusal, &parts.headers),
        };
        let actor = http_caller.caller.actor.clone();
        let mut response = match self.begin(&parts, http_caller).await {
            Ok(stream) => answer(Body::new(stream)),
            Err(refusal) => self.refuse(refusal, &parts.headers),
        };
        // For the line in the log.
        response.extensions_mut().insert(actor);
        response
    }

    fn refuse(&self, refusal: Reply, headers: &HeaderMap) -> Response {
        self.streams.traffic.failed.count();
        self.streams.traffic.refuse("events", &refusal);
        refused(refusal, headers)
    }

    /// Finds out who asks for a stream.
    async fn meet(&self, request: &mut Parts) -> Result<HttpCaller, Reply> {
        if self.app.lifecycle().is_retiring() {
            return Err(retiring());
        }
        HttpCaller::from_request_parts(request, &self.app).await
    }

    /// Begins a stream, or says why not.
    async fn begin(&self, request: &Parts, http_caller: HttpCaller) -> Result<Stream, Reply> {
        http_caller.spend(&self.app, EventClass::Read).await?;
        let wish = StreamParams::read(request.uri.query(), &request.headers, &self.defaults)?;
        let (stay, subscriber) = self.admit(request, http_caller, &wish)?;
        if wish.returns {
            self.streams.traffic.resumed.count();
        }
        let missed = subscriber
            .subscribe_all(wish.subscribe, wish.choice, wish.returns)
            .await?;
        stay.connection.watch_credential();
        subscriber.session.rooms.release_all();
        let telling = begin_events(subscriber, missed);
        self.app.lifecycle().spawn_service(telling);
        Ok(Stream::new(stay))
    }

    /// Lets a client in.
    fn admit(
        &self,
        request: &Parts,
        http_caller: HttpCaller,
        wish: &StreamParams,
    ) -> Result<(Stay, Subscriber), Reply> {
        let place = Admission::new(&self.app).place(http_caller.client)?;
        let budget = http_caller.budget(&self.app);
        let HttpCaller {
            caller, identity, ..
        } = http_caller;
        let (id, client) = (caller.connection, PrivateId::generate().client());
        let mut admitted = Admitted::new(&self.app, &self.streams.users, caller, identity)
            .map_err(rate_limited)?;
        admitted.user_budget = budget;
        let abort = request.extensions.get().cloned();
        let is_named = wish.choice == Choice::Client;
        let channels = is_named.then(|| wish.subscribe.channels.clone());
        let door = SseDoor::new(wish.manner, channels, abort);
        let queue = PlainQueue::new(self.app.send_memory());
        let connection = SseConnection::new(&self.streams, (id, client), door, queue, wish.style);
        connection.note_client_info(ClientInfo::in_query(request.uri.query()));
        let subscriber = connection.attach(admitted);
        self.streams.insert(&connection);
        let stay = Stay {
            connection,
            _place: place,
        };
        Ok((stay, subscriber))
    }
}

/// Tells a client where its stream begins and what it missed, and lets events through. The cursor goes with the beginning
/// unless something is still to be told that it covers.
async fn begin_events(subscriber: Subscriber, missed: Vec<Missed>) {
    let connection = &subscriber.connection;
    let opened = connection.push(0, |out| {
        let cursor = missed.is_empty().then(|| subscriber.session.rooms.cursor());
        out.push(frame::opening(cursor.as_deref()));
        Offer::Taken
    });
    opened.await;
    if let Err(error) = subscriber.tell_missed(&missed).await {
        tracing::debug!(error = %causes(&error), "a stream cannot go on now");
        connection.abort(Close::TryAgain, "unavailable");
    }
}

fn answer(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        // nginx would else keep what it gets until it has enough of it.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (StatusCode::OK, headers, body).into_response()
}

/// Why a stream cannot be had. What passes by itself is told to browsers in a stream that ends at once: they give up for
/// good at any other status, and come back to this one.
fn refused(refusal: Reply, headers: &HeaderMap) -> Response {
    let retryable = refusal.code().is_some_and(ErrorCode::retryable);
    if retryable && wants_stream(headers) {
        let wait = refusal.retry_after().unwrap_or(RETRY);
        return answer(frame::come_back(wait, refusal.message()).into());
    }
    refusal.into_response()
}

/// Whether a client asks for a stream and for nothing else, as browsers do.
fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.trim().starts_with(EVENT_STREAM))
}
