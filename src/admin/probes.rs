//! `/live` and `/ready`, for whoever restarts servers and whoever sends them traffic.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::app::App;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
}

/// The process answers: restarting it would help nobody.
async fn live() -> Json<Value> {
    Json(json!({"status": "live"}))
}

/// Whether new connections should come here. A Redis that is away is no reason to stay away: events are only a
/// little late, and on the other instances they are as well.
async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let pinged = tokio::time::timeout(PATIENCE, app.store().ping()).await;
    let reason = if app.lifecycle().is_draining() {
        "the server is shutting down"
    } else if matches!(pinged, Ok(Ok(()))) {
        return (StatusCode::OK, Json(json!({"status": "ready"})));
    } else {
        "the database cannot be reached"
    };
    let unready = json!({"status": "unready", "reason": reason});
    (StatusCode::SERVICE_UNAVAILABLE, Json(unready))
}
