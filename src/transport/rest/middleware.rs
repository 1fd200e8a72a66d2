//! What all requests below `/api` have in common: an id, an answer even if there is a panic, and a line in the log if they
//! are refused.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use crate::contract::{ErrorCode, Reply};
use crate::domain::{Actor, RequestId};
use crate::shutdown::Lifecycle;
use crate::telemetry::ShownPath;
use crate::transport::problem::{Refused, with_instance};

/// Where a request's id stands, in requests and answers.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over, in bytes.
const MAX_ID_BYTES: usize = 128;

/// Serves a request.
pub(super) async fn frame(
    State(lifecycle): State<Lifecycle>,
    request: Request,
    next: Next,
) -> Response {
    let id = id_of(request.headers());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let path = || ShownPath(uri.path());
    let response = if lifecycle.is_draining() {
        let message = "the server is shutting down; try again in a moment";
        Reply::refused(ErrorCode::Unavailable, message).into_response()
    } else {
        let served = AssertUnwindSafe(next.run(request)).catch_unwind();
        served.await.unwrap_or_else(|_| {
            tracing::error!(request.id = %id, %method, path = %path(), "a request caused a panic");
            Reply::internal().into_response()
        })
    };
    let mut response = signed(response, &id);
    if let Some(Refused(reply)) = response.extensions_mut().remove() {
        let actor = response.extensions().get::<Actor>().map(Actor::as_str);
        tracing::info!(
            request.id = %id,
            %method,
            path = %path(),
            actor,
            code = reply.code().map(ErrorCode::as_str),
            reason = reply.message(),
            "refused"
        );
    }
    response
}

/// The id that the client gives its request, or a fresh one.
fn id_of(headers: &HeaderMap) -> RequestId {
    let said = headers.get(&REQUEST_ID).map(HeaderValue::as_bytes);
    let is_sane = |said: &&[u8]| {
        (1..=MAX_ID_BYTES).contains(&said.len()) && said.iter().all(u8::is_ascii_graphic)
    };
    let said = said
        .filter(is_sane)
        .and_then(|said| str::from_utf8(said).ok());
    said.map_or_else(RequestId::generate, RequestId::restore)
}

/// Writes the id into the answer, and into its body if it is a refusal.
fn signed(response: Response, id: &RequestId) -> Response {
    let mut response = with_instance(response, id.as_str());
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(&REQUEST_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use serde_json::Value;

    use super::*;

    async fn ask(lifecycle: &Lifecycle, path: &str) -> (StatusCode, Value) {
        async fn broken() -> Reply {
            panic!("a handler is broken")
        }
        let routes: Router = Router::new()
            .route("/broken", get(broken))
            .layer(from_fn_with_state(lifecycle.clone(), frame));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = TowerToHyperService::new(routes)
            .call(request)
            .await
            .unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        let lifecycle = Lifecycle::new();
        let (status, problem) = ask(&lifecycle, "/broken").await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (500, &"internal".into())
        );
        assert_eq!(ask(&lifecycle, "/").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_server_that_goes_takes_nothing_more() {
        let lifecycle = Lifecycle::new();
        lifecycle.stop_accepting();
        assert_eq!(ask(&lifecycle, "/").await.0, StatusCode::NOT_FOUND);
        lifecycle.finish_work();
        let (status, problem) = ask(&lifecycle, "/").await;
        assert_eq!(
            (status.as_u16(), &problem["retryable"]),
            (503, &true.into())
        );
    }

    #[test]
    fn an_id_is_taken_over_if_it_is_sane() {
        let id = |said: &[u8]| {
            let said = HeaderValue::from_bytes(said).unwrap();
            id_of(&HeaderMap::from_iter([(REQUEST_ID.clone(), said)]))
        };
        let long = [b'x'; MAX_ID_BYTES];
        for sane in [&b"a"[..], b"req-1/2:3", &long] {
            assert_eq!(id(sane).as_str().as_bytes(), sane);
        }
        for strange in [
            &b""[..],
            b"a b",
            "\u{e9}".as_bytes(),
            &[b'x'; MAX_ID_BYTES + 1],
        ] {
            let made = id(strange);
            assert_ne!(made.as_str().as_bytes(), strange);
            assert_eq!(made.as_str().len(), 36);
        }
        assert_ne!(id(b""), id(b""));
    }
}
