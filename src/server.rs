//! Accepts connections, shows the whole URL space, and shuts down without losing anything.

mod host;
mod request_line;

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::middleware::from_fn_with_state;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use request_line::RequestLine;
use tokio::net::{TcpListener, TcpStream};
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

use crate::admin;
use crate::config::{Config, Origin};
use crate::contract::{ErrorCode, Reply};
use crate::io_timeout::{TimedBody, TimedStream};
use crate::limits::Place;
use crate::state::AppState;
use crate::transport::abort::AbortHandle;
use crate::transport::admission::{FORWARDED_HOST, FORWARDED_PORT, may_connect};
use crate::transport::answers;
use crate::transport::connection::backlog;
use crate::transport::doors::Doors;
use crate::transport::problem::AckRefusal;
use crate::transport::rest::{self, github};
use crate::transport::socketio::Paths;

/// How long an import may take.
const IMPORT_TIME: Duration = Duration::from_hours(1);
/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head, and bytes of an answer that a connection takes ahead of its client.
const HTTP_BUFFER: usize = 64 * 1024;
/// Headers of a request, as in Node: behind several proxies there are more than hyper's 100.
const MAX_HEADERS: usize = 2000;
/// Pause after the operating system refused to accept a connection, for want of file handles for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long clients whose turn to leave comes last have for taking what waits for them.
const LAST_TURN: Duration = Duration::from_secs(2);

/// Where proxies say whose request it is, …
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// … and where those say it that do not say it there.
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// A TCP connection that counts for as long as it is there, as a WebSocket too.
type Counted = TimedStream<TcpStream, Place<IpAddr>>;

/// Serves until `shutdown` resolves and what was begun is finished.
///
/// # Errors
///
/// Fails when the listener does.
pub async fn serve<F>(app: AppState, listener: TcpListener, shutdown: F) -> io::Result<()>
where
    F: Future<Output = ()>,
{
    let doors = Doors::open(&app);
    let (router, paths) = (router(&app, &doors), Paths::new(app.dialects()));
    tracing::info!(
        address = %listener.local_addr()?,
        store = app.store().name(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    warn_if_open(&app);
    doors.publish_metrics(&app);
    tokio::select! {
        () = accept(&app, &listener, &router, &paths) => {}
        () = backlog::watch(app.send_memory(), || doors.backlogs()) => {}
        () = async {
            shutdown.await;
            stop_accepting(&app, &doors).await;
        } => {}
    }
    drop(listener);
    finish_work(&app, &doors).await;
    Ok(())
}

/// Says loudly what a first try needs and a production must not have. Whoever must show a token shows it to their own
/// pages alone, so then every origin may connect.
fn warn_if_open(app: &AppState) {
    if app.auth().is_required() {
        return;
    }
    tracing::warn!(
        "anyone who reaches this port may read and write everything; set AUTH_REQUIRED=true and a key with which \
         tokens are verified, such as AUTH_SECRET"
    );
    if app.config().cors_origins.contains(&Origin::Any) {
        tracing::warn!(
            "so may the pages of every origin, through their visitors; set CORS_ORIGINS to allow only your own"
        );
    }
}

/// The whole URL space.
fn router(app: &AppState, doors: &Doors) -> Router {
    let operations = admin::endpoints(doors.operators());
    let polled = from_fn_with_state(doors.answers.clone(), answers::count);
    Router::new()
        .merge(rest::router(
            app,
            doors.endpoints(app),
            &operations,
            &doors.answers,
        ))
        .merge(admin::router(operations))
        .merge(doors.socketio.router().layer(polled))
        .merge(doors.websocket.router())
        .fallback(not_found)
        .layer(cors(app.config()))
        .with_state(app.clone())
}

async fn not_found() -> AckRefusal {
    AckRefusal(Reply::refused(ErrorCode::NotFound, "there is nothing here"))
}

fn cors(config: &Config) -> CorsLayer {
    // Never both: any page at all could else use what a browser keeps of its visitors, such as cookies.
    let layer = if config.cors_origins.contains(&Origin::Any) {
        CorsLayer::new().allow_origin(Any)
    } else {
        let config = config.clone();
        let origins = AllowOrigin::predicate(move |origin, request: &Parts| {
            may_connect(&config, origin, &request.headers)
        });
        CorsLayer::new()
            .allow_origin(origins)
            .allow_credentials(true)
    };
    layer
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            HeaderName::from_static("x-request-id"),
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
        ])
}

async fn accept(app: &AppState, listener: &TcpListener, router: &Router, paths: &Paths) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Whoever has too many is not even told: that would cost more than they do.
                let Ok(place) = app.limits().stream(peer.ip()) else {
                    continue;
                };
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(error = %error, "connection is gone already");
                }
                let patience = app.config().slow_reader_timeout;
                let stream = TimedStream::new(stream, patience, place);
                let served = (router.clone(), paths.clone());
                app.lifecycle()
                    .spawn(connection(app.clone(), stream, peer.ip(), served));
            }
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    app: AppState,
    stream: Counted,
    peer: IpAddr,
    (router, paths): (Router, Paths),
) {
    let service = TowerToHyperService::new(router);
    let stream = RequestLine::new(stream);
    let was_encoded = stream.was_encoded();
    let abort = AbortHandle::default();
    let served = service_fn(|request| {
        let served = match host::refusal(&request) {
            Some(refusal) => Err(refusal),
            None => Ok(service.call(prepare(&app, peer, &abort, &paths, request))),
        };
        let ends = was_encoded.load(Ordering::Relaxed);
        async move {
            let mut response = match served {
                Ok(served) => served.await?,
                Err(refusal) => refusal,
            };
            if ends && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HTTP_BUFFER)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), served)
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = abort.hung_up() => return,
        () = app.lifecycle().draining() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                ended = serving => ended,
                () = abort.hung_up() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "http connection ended");
    }
}

/// Notes whose request it is, and sees to it that its body comes in time.
fn prepare(
    app: &AppState,
    peer: IpAddr,
    abort: &AbortHandle,
    paths: &Paths,
    mut request: Request<Incoming>,
) -> Request<TimedBody<Incoming>> {
    paths.rewrite(&mut request);
    let forwarded = request.headers().get_all(FORWARDED_FOR).iter();
    let forwarded = forwarded.map(HeaderValue::as_bytes);
    let real = request.headers().get(REAL_IP).map(HeaderValue::as_bytes);
    let client = app.limits().client(peer, forwarded, real);
    if !app.limits().is_trusted(peer) {
        request.headers_mut().remove(FORWARDED_HOST);
        request.headers_mut().remove(FORWARDED_PORT);
    }
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(abort.clone());
    let (patience, most) = if is_import(&request) {
        // It is worked on as it comes.
        (IMPORT_TIME, 0)
    } else if request.uri().path() == github::PATH {
        (app.config().max_silence(), github::MAX_BODY)
    } else {
        // No longer than a client may be silent.
        (app.config().max_silence(), app.config().max_message)
    };
    let unfinished = app.limits().unfinished().message();
    request.map(|body| TimedBody::new(body, patience, most, unfinished))
}

/// Whether the body of a request is never there as a whole, see `rest::import`.
fn is_import(request: &Request<Incoming>) -> bool {
    let path = request.uri().path();
    path.starts_with("/api/projects/") && path.ends_with("/import")
}

/// Sends the clients to other instances, a few at a time, and serves those who are still here. The listener stays
/// open meanwhile: on long-polling each request may be a connection of its own.
async fn stop_accepting(app: &AppState, doors: &Doors) {
    let time = app.config().drain_time;
    if time.is_zero() {
        return;
    }
    tracing::info!(
        connections = app.connections().count(),
        duration_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        "draining"
    );
    app.lifecycle().stop_accepting();
    tokio::select! {
        () = doors.drain(time) => {}
        () = app.connections().none() => {}
        // Whoever has not taken everything by now is left to the shutdown.
        () = tokio::time::sleep(time + LAST_TURN) => {}
    }
}

/// Finishes and answers what was taken, then closes the transports so that clients come back by themselves.
async fn finish_work(app: &AppState, doors: &Doors) {
    let patience = app.config().shutdown_timeout;
    let started = tokio::time::Instant::now();
    tracing::info!(connections = app.connections().count(), "shutting down");
    app.lifecycle().finish_work();
    let finished = tokio::time::timeout(patience, async {
        app.connections().idle().await;
        app.writer().idle().await;
        app.hub().settle().await;
        app.broker().settle().await;
        doors.drain(Duration::ZERO).await;
    });
    let in_time = finished.await.is_ok();
    doors.abort();
    let left = patience.saturating_sub(started.elapsed());
    let in_time = app
        .lifecycle()
        .stop(left.max(Duration::from_millis(100)))
        .await
        && in_time;
    app.store().close().await;
    if in_time {
        tracing::info!("shut down");
    } else {
        tracing::warn!("shut down; not everything was finished in time");
    }
}
