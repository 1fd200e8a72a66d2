//! REST, below `/api`: the mirror of the commands, and of what can be read.
//!
//! One table of [endpoints](Endpoint) is what the routes are made from, and what the OpenAPI document is made from, so
//! that no route can lack its documentation. A handler gives `contract` an event's name and the body as its argument, and
//! `session` does the rest: there are no rules here.

mod batch;
mod channels;
mod command;
mod condition;
mod declared;
mod events;
pub(crate) mod github;
mod import;
mod middleware;
mod openapi;
mod publish;
mod read;
mod resource;
mod state;
mod table;

use axum::Router;
use axum::extract::State;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::contract::{ErrorCode, EventClass, Reply};
use crate::state::AppState;
use crate::transport::answers::{self, Answers};
pub(crate) use crate::transport::http::endpoint::Endpoint;
use crate::transport::http_caller::HttpCaller;

/// Below this, all answers and refusals look the same.
pub(super) const ROOT: &str = "/api";
/// A body that is smaller does not become smaller by being compressed.
const WORTH_COMPRESSING: u64 = 1024;

/// The routes: those of the table, and those of other doors that are below the same root. The document has also what is
/// `elsewhere`.
pub(crate) fn router(
    app: &AppState,
    others: Vec<Endpoint>,
    elsewhere: &[Endpoint],
    answers: &Answers,
) -> Router<AppState> {
    let mut endpoints = table::endpoints();
    endpoints.extend(declared::endpoints());
    endpoints.extend(github::endpoints(app));
    endpoints.extend(others);
    let document = openapi::render(&endpoints, elsewhere);
    let routes = endpoints
        .into_iter()
        .fold(Router::new(), |routes, endpoint| {
            let Endpoint {
                path,
                routes: served,
                ..
            } = endpoint;
            routes.route(path, served.into_router())
        });
    let compressed = SizeAbove::new(WORTH_COMPRESSING)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new(import::LINES));
    let framed = from_fn_with_state(app.lifecycle().clone(), middleware::frame);
    let routes = routes
        .route(openapi::PATH, openapi::routes(document).into_router())
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_like_that)
        .layer(framed.clone())
        .layer(from_fn_with_state(answers.clone(), answers::count))
        .layer(CompressionLayer::new().compress_when(compressed))
        .layer(from_fn_with_state(answers.clone(), answers::compress));
    // What is nested does not have the root with a slash behind it.
    let root = any(nothing_here).layer(framed);
    Router::new()
        .nest(ROOT, routes)
        .route(&format!("{ROOT}/"), root)
}

async fn nothing_here(State(app): State<AppState>, http_caller: HttpCaller) -> Reply {
    let nothing = || Reply::refused(ErrorCode::NotFound, "there is nothing here");
    let spent = http_caller.spend(&app, EventClass::Read).await;
    spent.err().unwrap_or_else(nothing)
}

async fn not_like_that(
    State(app): State<AppState>,
    http_caller: HttpCaller,
    method: Method,
) -> Reply {
    let refused = || {
        let message = format!("{method} is not possible here; Allow says what is");
        Reply::refused(ErrorCode::MethodNotAllowed, message)
    };
    let spent = http_caller.spend(&app, EventClass::Read).await;
    spent.err().unwrap_or_else(refused)
}
