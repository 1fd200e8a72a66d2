//! `/live` and `/ready`, for whoever restarts servers and whoever sends them traffic.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::ask_store;
use crate::app::App;

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
    let reason = if app.lifecycle().is_retiring() {
        "the server is shutting down"
    } else if ask_store(&app).await.is_ok() {
        return (StatusCode::OK, Json(json!({"status": "ready"})));
    } else {
        "the database cannot be reached"
    };
    let unready = json!({"status": "unready", "reason": reason});
    (StatusCode::SERVICE_UNAVAILABLE, Json(unready))
}
