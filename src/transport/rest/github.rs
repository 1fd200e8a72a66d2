//! What GitHub tells, as events on channels. Nobody shows a credential here: the signature of the body is the proof.

use axum::body::Body as HttpBody;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::Sha256;

use crate::contract::schema::http::{Published, WebhookAnswer};
use crate::contract::schema::types::True;
use crate::contract::{
    EnvelopeMembers, ErrorCode, EventClass, GithubEvent, JsonObject, Publication, Reply, json_text,
};
use crate::domain::{ConnectionId, PrivateId};
use crate::limits::ClientAddress;
use crate::state::AppState;
use crate::transport::admission::{self, Admission, type_limited};
use crate::transport::http::endpoint::{
    Answer, Body, Endpoint, Parameter, VISIBLE, of, serve_admitting,
};
use crate::transport::http::request::read;
use crate::transport::http_caller::{Attempt, spend_at};
use crate::transport::query::from_query;
use crate::writer::Caller;

/// Bytes of a webhook: GitHub sends no more.
pub(crate) const MAX_BODY: usize = 25 * 1024 * 1024;
/// Where it comes, with the root.
pub(crate) const PATH: &str = "/api/webhooks/github";
/// Whom the events are by. No token is of such a name.
const ACTOR: &str = "boardcast:github";

const SIGNATURE: &str = "x-hub-signature-256";
const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";

/// The endpoint.
pub(super) fn endpoints(app: &AppState) -> Vec<Endpoint> {
    let app = app.clone();
    let routes = serve_admitting(&Method::POST, move |request| {
        let app = app.clone();
        async move {
            let served = serve(&app, request).await;
            served.unwrap_or_else(IntoResponse::into_response)
        }
    });
    let required = |name, about, pattern| Parameter {
        required: true,
        ..Parameter::header(name, about, pattern)
    };
    let signature =
        "Of the body, made with `GITHUB_WEBHOOK_SECRET`: `sha256=` and HMAC-SHA256 in hexadecimal.";
    vec![Endpoint {
        method: Method::POST,
        path: "/webhooks/github",
        name: "githubWebhook".to_owned(),
        group: "channels",
        summary: "Takes a webhook of GitHub".to_owned(),
        about: "Issues, pull requests, and runs of workflows and checks become `github_issue_update`, `github_pr_update` and \
                `github_workflow_update`, once for each delivery. Without `GITHUB_WEBHOOK_SECRET` there is nothing here.",
        parameters: vec![
            required("X-Hub-Signature-256", signature, "^sha256=[0-9a-f]{64}$"),
            required(
                "X-GitHub-Event",
                "What happened, such as `issues`.",
                VISIBLE,
            ),
            required("X-GitHub-Delivery", "The delivery's id.", VISIBLE),
        ],
        body: Some(Body {
            schema: of::<serde_json::Map<String, Value>>,
            required: true,
        }),
        answers: vec![
            Answer {
                status: 201,
                ..Answer::ok("It is in the log.", of::<Published>)
            },
            Answer::ok("GitHub asks whether somebody is here.", of::<WebhookAnswer>),
            Answer {
                status: 202,
                ..Answer::ok(
                    "Nothing is published of such an event.",
                    of::<WebhookAnswer>,
                )
            },
        ],
        refusals: &[ErrorCode::NotFound, ErrorCode::PayloadTooLarge],
        routes,
    }]
}

async fn serve(app: &AppState, request: Request) -> Result<Response, Reply> {
    let client = admission::client(&request);
    Admission::new(app).check_origin(request.headers(), client)?;
    let (parts, body) = request.into_parts();
    let config = &app.config().github;
    let Some(secret) = &config.github_webhook_secret else {
        let message = "this server takes no webhooks of GitHub: set GITHUB_WEBHOOK_SECRET";
        return Err(Reply::refused(ErrorCode::NotFound, message));
    };
    let _busy = app.connections().busy();
    let body = verified(app, client, &parts.headers, body, secret.reveal()).await?;
    spend_at(app, client, EventClass::Command).await?;
    let event = header(&parts.headers, EVENT)?;
    let delivery = header(&parts.headers, DELIVERY)?;
    if event == "ping" {
        let answer = WebhookAnswer {
            pong: Some(True),
            ..WebhookAnswer::default()
        };
        return Ok((StatusCode::OK, done(&answer)).into_response());
    }
    let payload = payload(&body)?;
    let Some(told) = GithubEvent::read(event, &payload)? else {
        let answer = WebhookAnswer {
            ignored: Some(event.to_owned()),
            ..WebhookAnswer::default()
        };
        return Ok((StatusCode::ACCEPTED, done(&answer)).into_response());
    };
    let reply = publish(app, client, told, delivery).await?;
    Ok((StatusCode::CREATED, reply).into_response())
}

/// The body, if it is GitHub's. A signature that is not costs the address what a wrong credential costs.
async fn verified(
    app: &AppState,
    client: Option<ClientAddress>,
    headers: &HeaderMap,
    body: HttpBody,
    secret: &str,
) -> Result<Vec<u8>, Reply> {
    let attempt = Attempt::begin(app, client)?;
    let shown = headers.get(SIGNATURE).and_then(|line| line.to_str().ok());
    let body = read(body, MAX_BODY).await?;
    if shown.is_some_and(|shown| is_signed(secret, &body, shown)) {
        return Ok(body.into());
    }
    attempt.keep();
    let message = match shown {
        Some(_) => "X-Hub-Signature-256 is not that of this body, made with GITHUB_WEBHOOK_SECRET",
        None => {
            "X-Hub-Signature-256 is missing: give the webhook at GitHub the secret of this server"
        }
    };
    tracing::info!(code = "unauthenticated", "refused a webhook");
    Err(Reply::refused(ErrorCode::Unauthenticated, message))
}

/// Whether a body was signed with this secret. Takes as long for a near miss as for a far one.
fn is_signed(secret: &str, body: &[u8], shown: &str) -> bool {
    let signature = shown.strip_prefix("sha256=").and_then(from_hex);
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return false;
    };
    mac.update(body);
    signature.is_some_and(|signature| mac.verify_slice(&signature).is_ok())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pairs = digits.chunks_exact(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    bytes.collect()
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Reply> {
    let line = headers.get(name);
    let line = line.ok_or_else(|| Reply::invalid(name, "is missing"))?;
    let text = line
        .to_str()
        .ok()
        .filter(|text| (1..=128).contains(&text.len()));
    text.ok_or_else(|| Reply::invalid(name, "must be 1 to 128 visible ASCII characters"))
}

/// The JSON of a body: all of it, or as the field `payload` of a form.
fn payload(body: &[u8]) -> Result<String, Reply> {
    let text = std::str::from_utf8(body);
    let text = text.map_err(|_| Reply::invalid("payload", "is not UTF-8"))?;
    if text.trim_start().starts_with('{') {
        return Ok(text.to_owned());
    }
    let found = from_query(Some(text), "payload");
    found.ok_or_else(|| Reply::invalid("payload", "must be JSON, or a form that has it"))
}

async fn publish(
    app: &AppState,
    client: Option<ClientAddress>,
    told: GithubEvent,
    delivery: &str,
) -> Result<Reply, Reply> {
    if let Some(budget) = client.and_then(|client| app.limits().budget_at(client)) {
        let spent = app.limits().spend_type(told.event_type, &budget);
        spent.map_err(|exceeded| type_limited(told.event_type, exceeded))?;
    }
    let channel = app.config().github.channel_of(&told.repository).clone();
    let limits = app.payload_limits();
    let publication =
        Publication::new(channel.clone(), told.event_type, Some(&told.data), &limits)?;
    let mut publication = publication.with_key(&format!("github:{delivery}"))?;
    let metadata = RawValue::from_string(r#"{"source":"github"}"#.to_owned()).ok();
    let envelope = EnvelopeMembers {
        id: Some(&json_text(delivery)),
        timestamp: None,
        metadata: metadata.as_deref(),
        correlation_id: None,
    };
    publication.envelope = envelope.read_leniently();
    let (connection, client) = (ConnectionId::generate(), PrivateId::generate().client());
    let caller = Caller::new(connection, client, Some(ACTOR));
    let answer = app
        .writer()
        .publish(channel, vec![publication], &caller, None)?;
    let reply = answer.await.unwrap_or_else(|_| Reply::internal());
    if reply.is_ok() { Ok(reply) } else { Err(reply) }
}

fn done(answer: &WebhookAnswer) -> Reply {
    Reply::done(JsonObject::of(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation, "Validating webhook deliveries".
    #[test]
    fn documented_example_is_signed_and_nothing_else_is() {
        let (secret, body) = ("It's a Secret to Everybody", b"Hello, World!");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(is_signed(secret, body, signature));
        assert!(!is_signed(secret, b"Hello, World?", signature));
        assert!(!is_signed("It's a secret to everybody", body, signature));
        for wrong in [
            "",
            "sha256=",
            &signature[7..],
            &signature[..signature.len() - 2],
            &format!("{signature}00"),
            &signature.replace('7', "8"),
            "sha256=zz",
            "sha1=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ] {
            assert!(!is_signed(secret, body, wrong), "{wrong}");
        }
    }

    #[test]
    fn payload_may_stand_in_a_form() {
        assert_eq!(payload(b" {\"a\":1}").unwrap(), " {\"a\":1}");
        assert_eq!(payload(b"payload=%7B%22a%22%3A1%7D").unwrap(), "{\"a\":1}");
        for wrong in [&b"[1]"[..], b"", b"\xff", b"other=1"] {
            assert_eq!(payload(wrong).unwrap_err().field(), Some("payload"));
        }
    }
}
