//! Answers as HTTP has them: what succeeded as JSON, and a refusal as problem details (RFC 9457), built from the one table
//! of error codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::gate::whole_seconds;
use crate::contract::schema::answer::Refusal;
use crate::contract::schema::http::Problem;
use crate::contract::schema::kit::True;
use crate::contract::{ErrorCode, Reply};

const JSON: &str = "application/json";
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// Before an error's code: a problem's type.
pub(crate) const TYPE_PREFIX: &str = "urn:boardcast:error:";

/// A refusal on its way out. Whoever knows the request's id writes the body anew, with it.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) Reply);

/// The body of a refusal.
pub(crate) fn details(reply: &Reply, code: ErrorCode, instance: Option<&str>) -> String {
    let problem = Problem {
        problem_type: format!("{TYPE_PREFIX}{code}"),
        title: title(code),
        status: code.http_status(),
        detail: reply.message(),
        instance,
        refusal: Refusal {
            code,
            retryable: code.retryable(),
            field: reply.field(),
            current: reply.value("current"),
            retry_after_ms: reply.get("retryAfterMs").and_then(Value::as_u64),
            duplicate: reply.get("duplicate").map(|_| True),
        },
    };
    serde_json::to_string(&problem).expect("texts, numbers and JSON values are JSON")
}

/// The code in words for a person: `Payload too large`.
pub(crate) fn title(code: ErrorCode) -> String {
    let words = code.as_str().replace('_', " ");
    let (first, rest) = words.split_at(1);
    first.to_ascii_uppercase() + rest
}

pub(crate) fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let Some(code) = self.code() else {
            let json = [(header::CONTENT_TYPE, JSON)];
            return (json, self.to_text()).into_response();
        };
        let json = [(header::CONTENT_TYPE, PROBLEM_JSON)];
        let body = details(&self, code, None);
        let mut response = (status(code), json, body).into_response();
        if code.retryable() {
            let wait = whole_seconds(self.retry_after().unwrap_or_default());
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, wait.into());
        }
        if code == ErrorCode::Unauthenticated {
            let challenge = HeaderValue::from_static("Bearer");
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(Refused(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_says_what_an_ack_would() {
        let reply = Reply::refused(ErrorCode::RateLimited, "slowly")
            .with_field("title")
            .with_retry_after(Duration::from_millis(1500));
        let body = details(&reply, ErrorCode::RateLimited, Some("r1"));
        let expected = json!({"type": "urn:boardcast:error:rate_limited", "title": "Rate limited", "status": 429,
            "detail": "slowly", "instance": "r1", "code": "rate_limited", "retryable": true, "field": "title",
            "retryAfterMs": 1500});
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
        let response = reply.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
    }

    #[test]
    fn what_succeeded_is_what_an_ack_would_be() {
        let response = Reply::done(serde_json::Map::new()).into_response();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], JSON);
    }
}
