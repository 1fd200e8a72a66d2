//! What operators and backends may ask of all instances at once, below `/admin`, with `ADMIN_TOKEN`.

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::clock::Clock;
use crate::contract::{ErrorCode, Notification, Reply};
use crate::domain::EventId;
use crate::transport::socketio::{Broadcasts, RoomCount};

/// Bytes that a request's body may have.
const MAX_BODY: usize = 64 * 1024;

/// The routes.
pub fn router(broadcasts: Broadcasts) -> Router<App> {
    Router::new()
        .route("/admin/notifications", post(notify))
        .route("/admin/sockets", get(sockets))
        .route("/admin/disconnect", post(disconnect))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(Extension(broadcasts))
}

/// Somebody who has shown the admin token.
struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let Some(token) = &app.config().admin_token else {
            let message = "this server has no ADMIN_TOKEN, so nobody may do this";
            return Err(Refusal(Reply::refused(ErrorCode::Forbidden, message)));
        };
        let said = parts.headers.get(header::AUTHORIZATION);
        let said = said.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if said.is_some_and(|said| token.is(said)) {
            return Ok(Self);
        }
        let message = "send the admin token as Authorization: Bearer <token>";
        Err(Refusal(Reply::refused(ErrorCode::Unauthenticated, message)))
    }
}

/// An answer that says what is wrong.
struct Refusal(Reply);

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        Self(reply)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.0.code().map(ErrorCode::http_status);
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let json = [(header::CONTENT_TYPE, "application/json")];
        let body = self.0.to_raw().get().to_owned();
        (
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            json,
            body,
        )
            .into_response()
    }
}

async fn notify(
    _: Operator,
    Extension(broadcasts): Extension<Broadcasts>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let notification = Notification::read(&body, EventId::generate(), Clock.now())?;
    broadcasts.notify(&notification).await;
    let answer = json!({"ok": true, "success": true, "id": notification.payload["id"]});
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Names a Socket.IO room: `project:<id>` or `user:<id>`.
#[derive(Debug, Deserialize)]
struct Room {
    room: String,
}

async fn sockets(
    _: Operator,
    Extension(broadcasts): Extension<Broadcasts>,
    room: Result<Query<Room>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(Room { room }) = room.map_err(|_| no_room())?;
    let RoomCount {
        instances,
        complete,
    } = broadcasts.count(&room).await.map_err(|error| {
        tracing::warn!(error = %error, "cannot ask the other instances");
        let message = "the other instances cannot be asked while Redis is away";
        Refusal(Reply::refused(ErrorCode::Unavailable, message))
    })?;
    Ok(Json(json!({
        "ok": true,
        "success": true,
        "room": room,
        "sockets": instances.values().sum::<usize>(),
        "instances": instances,
        "complete": complete,
    })))
}

async fn disconnect(
    _: Operator,
    Extension(broadcasts): Extension<Broadcasts>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let Room { room } = serde_json::from_slice(&body).map_err(|_| no_room())?;
    broadcasts.disconnect(&room).await;
    let answer = json!({"ok": true, "success": true});
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

fn no_room() -> Refusal {
    Refusal(Reply::invalid(
        "room",
        "is missing: name a room such as project:<id> or user:<id>",
    ))
}
