//! Server-Sent Events: channels' events, for whatever reads `text/event-stream`.
//!
//! A stream is a session that only listens. The id of each message is the session's cursor, and that is all a client needs
//! to go on where it was, on any instance.

mod body;
mod frame;
mod listener;
mod streams;
mod take_up;
mod wish;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::connections::Connection;
use crate::contract::{ErrorCode, EventClass, Reply};
use crate::limits::{Exceeded, Place};
use crate::session::Session;
use crate::transport::backlog::Backlog;
use crate::transport::hangup::Hangup;
use crate::transport::rest::endpoint::{Answer, Endpoint, of, serve_admitting};
use crate::transport::tenure::Tenure;
use crate::transport::visitor::Visitor;
use body::Stream;
use listener::{Listener, Stay};
use streams::Streams;
use wish::Wish;

/// The media type of the form.
const EVENT_STREAM: &str = "text/event-stream";
/// Clients that are told of a reset at the same time. After an outage it may be all of them, each with a copy of a whole
/// project.
const RESETS: usize = 32;
/// When to try again another instance; this one will be gone.
const RETRY_ELSEWHERE: Duration = Duration::from_secs(1);
/// When to try again if that is not said.
const RETRY: Duration = Duration::from_secs(5);

/// What counts a client for as long as it listens: its connection, and its places among those of its address and of its
/// user.
type Kept = (Connection, Option<Place<IpAddr>>, Option<Place<String>>);

/// Where streams begin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    app: App,
    tenure: Tenure,
    streams: Streams,
    turns: Arc<Semaphore>,
}

impl Server {
    /// Nobody listens yet.
    #[must_use]
    pub fn new(app: &App, tenure: Tenure) -> Self {
        Self {
            app: app.clone(),
            tenure,
            streams: Streams::default(),
            turns: Arc::new(Semaphore::new(RESETS)),
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
            about: "The id of each message is the cursor to go on from, as `Last-Event-ID`. Who accepts `text/event-stream` alone is \
                    told of what passes by itself (429, 503) in a stream that ends at once.",
            parameters: wish::parameters(),
            body: None,
            answers: vec![Answer {
                media: EVENT_STREAM,
                ..Answer::ok("The stream. Its messages are JSON.", of::<String>)
            }],
            refusals: &[ErrorCode::NotFound],
            routes: serve_admitting(&Method::GET, move |request| server.clone().serve(request)),
        }
    }

    /// Ends every stream after its client has taken what waits for it, one after the other over a time.
    pub async fn close(&self, spread: Duration) {
        self.streams.close(spread).await;
    }

    /// The streams, with what waits for each.
    pub(crate) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        self.streams.backlogs()
    }

    /// Ends every stream at once.
    pub fn cut(&self) {
        self.streams.cut();
    }

    async fn serve(self, request: Request) -> Response {
        let (mut parts, _) = request.into_parts();
        match self.begin(&mut parts).await {
            Ok(stream) => answer(Body::new(stream)),
            Err(refusal) => refused(refusal, &parts.headers),
        }
    }

    /// Begins a stream, or says why not.
    async fn begin(&self, request: &mut Parts) -> Result<Stream<Kept>, Reply> {
        if self.app.lifecycle().is_retiring() {
            let message = "the server is shutting down";
            let reply = Reply::refused(ErrorCode::Unavailable, message);
            return Err(reply.with_retry_after(RETRY_ELSEWHERE));
        }
        let visitor = Visitor::from_request_parts(request, &self.app).await?;
        visitor.spend(&self.app, EventClass::Read)?;
        let wish = Wish::read(request.uri.query(), &request.headers)?;
        let stay = self.admit(request, visitor, &wish)?;
        let listener = Arc::clone(&stay.listener);
        let notices = listener.take_up(wish.subscribe, wish.returns).await?;
        self.tenure.watch(&listener);
        listener.session.release_all();
        if notices.is_empty() {
            listener.welcome();
        } else {
            let turns = Arc::clone(&self.turns);
            let telling = async move { listener.start_over(notices, &turns).await };
            self.app.lifecycle().spawn_service(telling);
        }
        Ok(Stream::new(stay))
    }

    /// Lets a client in.
    fn admit(&self, request: &Parts, visitor: Visitor, wish: &Wish) -> Result<Stay<Kept>, Reply> {
        let client = visitor.client;
        let place = client.map(|client| self.app.limits().session(client));
        let place = place.transpose().map_err(too_much)?;
        let user = visitor.identity.as_ref().map(|identity| &identity.actor);
        let user_place = user.map(|user| self.app.limits().user_connection(user.as_str()));
        let user_place = user_place.transpose().map_err(too_much)?;
        let style = wish.style.unwrap_or(self.app.config().event_style);
        let budget = visitor.budget(&self.app);
        let session = Session::new(self.app.clone(), visitor.caller, style, visitor.identity);
        let session = session.paying(None, budget);
        // Who only listens is not seen by others.
        let session = session.unattending();
        let listener = Arc::new(Listener::new(
            session,
            wish.subscribe.channels.clone(),
            wish.manner,
            self.tenure.clone(),
            request.extensions.get::<Hangup>().cloned(),
            self.app.send_memory(),
        ));
        tracing::debug!(
            connection.id = %listener.connection(),
            actor = listener.session.caller.actor.as_str(),
            "an event stream begins"
        );
        self.streams.insert(&listener);
        let kept = (self.app.connections().open(), place, user_place);
        Ok(Stay::new(listener, self.streams.clone(), kept))
    }
}

fn too_much(Exceeded { limit, retry_after }: Exceeded) -> Reply {
    Reply::refused(ErrorCode::RateLimited, limit.sentence()).with_retry_after(retry_after)
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
