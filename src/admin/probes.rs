//! `/live` and `/ready`, for whoever restarts servers and whoever sends them traffic.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use super::{ask_store, ask_writes, plain};
use crate::state::AppState;
use crate::transport::http::endpoint::{Answer, Endpoint, of};

/// The answer of `/live` and `/ready`.
#[derive(Serialize, JsonSchema)]
struct Probe {
    /// `live`, `ready` or `unready`.
    status: &'static str,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let ready = Answer::ok("New connections may come here.", of::<Probe>);
    let unready = Answer {
        status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
        ..Answer::ok("New connections had better go elsewhere.", of::<Probe>)
    };
    vec![
        Endpoint {
            answers: vec![Answer::ok("The process answers.", of::<Probe>)],
            ..plain("/live", "live", "Whether the process answers", get(live))
        },
        Endpoint {
            answers: vec![ready, unready],
            ..plain(
                "/ready",
                "ready",
                "Whether new connections should come here",
                get(ready_or_not),
            )
        },
    ]
}

/// The process answers: restarting it would help nobody.
async fn live() -> Json<Probe> {
    Json(Probe {
        status: "live",
        reason: None,
    })
}

/// Whether new connections should come here. A Redis that is away is no reason to stay away: events are only a
/// little late, and on the other instances they are as well.
async fn ready_or_not(State(app): State<AppState>) -> (StatusCode, Json<Probe>) {
    let reason = if app.lifecycle().is_retiring() {
        Some("the server is shutting down")
    } else if ask_store(&app).await.is_err() {
        Some("the database cannot be reached")
    } else {
        ask_writes(&app).await.err()
    };
    let (code, status) = match reason {
        None => (StatusCode::OK, "ready"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
    };
    (code, Json(Probe { status, reason }))
}
