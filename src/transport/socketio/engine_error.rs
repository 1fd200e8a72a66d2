//! What Engine.IO says of a request that it does not serve: a number and a sentence, as Node's server does.

use std::borrow::Cow;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::contract::{ErrorCode, Reply};
use crate::transport::problem::refuse_connection;
use crate::transport::upgrade::Refusal;

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineError {
    /// It names no transport that there is.
    UnknownTransport = 0,
    /// Its session is over; clients connect anew.
    UnknownSession = 1,
    /// It begins a session and is no GET.
    BadHandshakeMethod = 2,
    /// It makes no sense: a change to a WebSocket that is no handshake, or one that is being made or was made already.
    BadRequest = 3,
    /// The page that sends it may not connect.
    Forbidden = 4,
    /// It names no version of the protocol that is served.
    UnsupportedVersion = 5,
}

impl EngineError {
    /// The error's words, as in Node.
    const fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSession => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    /// The body with other words.
    fn body(self, message: impl Into<Cow<'static, str>>) -> Json<Body> {
        let (code, message) = (self as u8, message.into());
        Json(Body { code, message })
    }
}

#[derive(Debug, serde::Serialize)]
struct Body {
    code: u8,
    message: Cow<'static, str>,
}

impl IntoResponse for EngineError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.body(self.message())).into_response()
    }
}

/// Refuses a connection. What Engine.IO has no number for is said as at the other doors.
pub(super) fn refuse(reply: Reply) -> Response {
    if reply.code() != Some(ErrorCode::Forbidden) {
        return refuse_connection(reply);
    }
    let body = EngineError::Forbidden.body(reply.message().to_owned());
    with_body(refuse_connection(reply), body)
}

/// Refuses a handshake that is none.
pub(super) fn refuse_handshake(refusal: Refusal) -> Response {
    let error = EngineError::BadRequest;
    with_body(refusal.into_response(), error.body(error.message()))
}

/// The same answer with another body.
fn with_body(response: Response, body: Json<Body>) -> Response {
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, body.into_response().into_body())
}
