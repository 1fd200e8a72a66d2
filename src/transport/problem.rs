//! Answers over HTTP. This is the one place in which a refusal becomes a status and headers, by the table of error codes.
//!
//! Below `/api` the body of a refusal is problem details (RFC 9457); elsewhere it is the JSON of an ack.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::contract::schema::answer::Refusal;
use crate::contract::schema::http::Problem;
use crate::contract::schema::types::True;
use crate::contract::{ErrorCode, Reply};

const JSON: &str = "application/json";
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// Before an error's code: a problem's type.
pub(crate) const TYPE_PREFIX: &str = "urn:boardcast:error:";

/// A refusal on its way out, an extension of the response: with it [`with_instance`] writes the body anew.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) Reply);

/// A refusal outside of `/api`: the body is what an ack would be.
#[derive(Debug)]
pub(crate) struct AckRefusal(pub(crate) Reply);

impl From<Reply> for AckRefusal {
    fn from(reply: Reply) -> Self {
        Self(reply)
    }
}

impl IntoResponse for AckRefusal {
    fn into_response(self) -> Response {
        let code = self.0.code().unwrap_or(ErrorCode::Internal);
        refusal(&self.0, code, JSON, self.0.to_text())
    }
}

/// Refuses a connection that is about to begin. HTTP does not go on either: a connection on which nothing is to be had is
/// not kept for the next request.
pub(crate) fn refuse_connection(reply: Reply) -> Response {
    let close = [(header::CONNECTION, "close")];
    (close, AckRefusal(reply)).into_response()
}

/// A refusal's status and headers, with a body that says the rest.
fn refusal(reply: &Reply, code: ErrorCode, media: &'static str, body: impl Into<Body>) -> Response {
    let status = StatusCode::from_u16(code.http_status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(header::CONTENT_TYPE, media)], body.into()).into_response();
    let headers = response.headers_mut();
    if code.retryable() {
        let wait = whole_seconds(reply.retry_after().unwrap_or_default());
        headers.insert(header::RETRY_AFTER, wait.into());
    }
    if code == ErrorCode::Unauthenticated {
        let challenge = HeaderValue::from_static("Bearer");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// As `Retry-After` has it: whole seconds, and never too early.
fn whole_seconds(wait: Duration) -> u64 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1)
}

/// The same response; problem details name the request by its id.
pub(crate) fn with_instance(response: Response, id: &str) -> Response {
    let refused = response.extensions().get::<Refused>();
    let body = refused.and_then(|Refused(reply)| Some(details(reply, reply.code()?, Some(id))));
    let Some(body) = body else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body.into())
}

/// The body of problem details.
fn details(reply: &Reply, code: ErrorCode, instance: Option<&str>) -> String {
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

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let Some(code) = self.code() else {
            let json = [(header::CONTENT_TYPE, JSON)];
            return (json, self.to_text()).into_response();
        };
        let body = details(&self, code, None);
        let mut response = refusal(&self, code, PROBLEM_JSON, body);
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
    fn refusal_has_the_same_status_and_headers_in_both_forms() {
        for code in [
            ErrorCode::RateLimited,
            ErrorCode::Unavailable,
            ErrorCode::Unauthenticated,
            ErrorCode::ValidationFailed,
        ] {
            let reply = Reply::refused(code, "no").with_retry_after(Duration::from_millis(1500));
            let mut forms = [
                reply.clone().into_response(),
                AckRefusal(reply.clone()).into_response(),
                refuse_connection(reply),
            ];
            let media = forms
                .each_mut()
                .map(|form| form.headers_mut().remove(header::CONTENT_TYPE).unwrap());
            assert_eq!(media, [PROBLEM_JSON, JSON, JSON]);
            let [problem, ack, connection] = &mut forms;
            let close = connection.headers_mut().remove(header::CONNECTION);
            assert_eq!(close.unwrap(), "close");
            for form in [ack, connection] {
                assert_eq!(form.status(), problem.status());
                assert_eq!(form.headers(), problem.headers());
            }
        }
    }

    #[test]
    fn what_succeeded_is_what_an_ack_would_be() {
        let response = Reply::done(serde_json::Map::new()).into_response();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], JSON);
    }
}
