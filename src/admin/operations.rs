//! What operators and backends may ask of all instances at once, below `/admin`, with `ADMIN_TOKEN`.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodRouter, any, get, post};
use axum::{Extension, Json, Router};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::plain;
use crate::clock::Clock;
use crate::contract::schema::Describe;
use crate::contract::schema::answer::Done;
use crate::contract::schema::http as schema;
use crate::contract::{Audience, ErrorCode, Notification, Reply};
use crate::domain::{EventId, Fields};
use crate::learn::Learned;
use crate::state::AppState;
use crate::transport::connection::operators::{Count, Operators};
use crate::transport::http::endpoint::{Answer, Body, Endpoint, Parameter, of};
use crate::transport::http_caller::admit_operator;
use crate::transport::problem::AckRefusal;

/// Bytes that a request's body may have.
const MAX_BODY: usize = 64 * 1024;

/// Why all of them may refuse.
const REFUSALS: &[ErrorCode] = &[
    ErrorCode::Unauthenticated,
    ErrorCode::Forbidden,
    ErrorCode::ValidationFailed,
    ErrorCode::RateLimited,
];
/// Why those that take a body may.
const OF_BODIES: &[ErrorCode] = &[
    ErrorCode::Unauthenticated,
    ErrorCode::Forbidden,
    ErrorCode::ValidationFailed,
    ErrorCode::RateLimited,
    ErrorCode::PayloadTooLarge,
];
/// Why the one that asks other instances may.
const OF_QUESTIONS: &[ErrorCode] = &[
    ErrorCode::Unauthenticated,
    ErrorCode::Forbidden,
    ErrorCode::ValidationFailed,
    ErrorCode::RateLimited,
    ErrorCode::Unavailable,
];

/// The endpoints.
pub(super) fn endpoints(operators: &Operators) -> Vec<Endpoint> {
    let operation = |path, name: &str, summary: &str, route: MethodRouter<AppState>| {
        let route = route
            .layer::<_, Infallible>(DefaultBodyLimit::max(MAX_BODY))
            .layer(Extension(operators.clone()))
            .fallback(not_like_that);
        Endpoint {
            refusals: REFUSALS,
            ..plain(path, name, summary, route)
        }
    };
    let parameter = |name, about| Parameter::query(name, about, json!({"type": "string"}));
    vec![
        Endpoint {
            method: Method::POST,
            body: Some(body(of::<schema::Notify>)),
            answers: vec![accepted(of::<Notified>)],
            refusals: OF_BODIES,
            ..operation(
                "/admin/notifications",
                "notify",
                "Notifies those who are connected",
                post(notify),
            )
        },
        Endpoint {
            parameters: vec![
                parameter("room", "`project:<id>`, `user:<id>` or another channel."),
                parameter("projectId", "Those that are subscribed to a project."),
                parameter("userId", "Those of a user."),
                parameter("channel", "Those that are subscribed to a channel."),
                parameter("connectionId", "One, by its id or its client's."),
                parameter("everyone", "`true`: all."),
            ],
            answers: vec![Answer::ok("How many there are.", of::<ConnectionCount>)],
            refusals: OF_QUESTIONS,
            ..operation(
                "/admin/sockets",
                "countSockets",
                "Counts connections",
                get(count),
            )
        },
        learned_endpoint(&operation),
        Endpoint {
            method: Method::POST,
            body: Some(body(of::<schema::Audience>)),
            answers: vec![accepted(of::<Done>)],
            refusals: OF_BODIES,
            ..operation(
                "/admin/disconnect",
                "disconnect",
                "Ends connections",
                post(disconnect),
            )
        },
    ]
}

/// Makes an endpoint of its path, name, summary and route.
type MakeEndpoint<'a> = &'a dyn Fn(&'static str, &str, &str, MethodRouter<AppState>) -> Endpoint;

fn learned_endpoint(operation: MakeEndpoint<'_>) -> Endpoint {
    let summary = "Tells what clients send and what of it is not understood";
    let endpoint = operation("/admin/learned", "learned", summary, get(learned));
    Endpoint {
        about: "By name and shape, and without values. Of this instance, since it started.",
        answers: vec![Answer::ok("What was learned.", of::<LearnedHere>)],
        ..endpoint
    }
}

/// A notification that was sent.
#[derive(Serialize, JsonSchema)]
struct Notified {
    #[serde(flatten)]
    done: Done,
    /// Of the notification.
    #[schemars(with = "String")]
    id: Value,
}

/// What this instance has learned.
#[derive(Serialize, JsonSchema)]
struct LearnedHere {
    #[serde(flatten)]
    done: Done,
    /// Which instance.
    instance: String,
    /// That it is this instance's alone.
    scope: &'static str,
    #[serde(flatten)]
    learned: Learned,
}

/// How many connections there are.
#[derive(Serialize, JsonSchema)]
struct ConnectionCount {
    #[serde(flatten)]
    done: Done,
    /// The room that was asked about, if it was one.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<Value>,
    /// How many connections there are, at all doors.
    sockets: usize,
    /// On each instance.
    instances: BTreeMap<String, usize>,
    /// Whether all instances have answered.
    complete: bool,
}

fn accepted(schema: Describe) -> Answer {
    Answer {
        status: StatusCode::ACCEPTED.as_u16(),
        ..Answer::ok("It is on its way to all instances.", schema)
    }
}

fn body(schema: Describe) -> Body {
    let required = true;
    Body { schema, required }
}

/// What is below `/admin` and none of them.
pub(super) fn elsewhere() -> Router<AppState> {
    Router::new()
        .route("/admin", any(nothing_here))
        .route("/admin/{*rest}", any(nothing_here))
}

/// Somebody who has shown the admin token: nobody else comes to any of the routes.
struct Operator;

impl FromRequestParts<AppState> for Operator {
    type Rejection = AckRefusal;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AckRefusal> {
        admit_operator(parts, app)?;
        Ok(Self)
    }
}

async fn nothing_here(_: Operator) -> AckRefusal {
    AckRefusal(Reply::refused(ErrorCode::NotFound, "there is nothing here"))
}

async fn not_like_that(_: Operator) -> AckRefusal {
    let message = "this is not possible here; Allow says what is";
    AckRefusal(Reply::refused(ErrorCode::MethodNotAllowed, message))
}

async fn notify(
    _: Operator,
    Extension(operators): Extension<Operators>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Notified>), AckRefusal> {
    let notification = Notification::read(&whole(body)?, EventId::generate(), Clock.now())?;
    operators.notify(&notification);
    let answer = Notified {
        done: Done::default(),
        id: notification.payload["id"].clone(),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

async fn count(
    _: Operator,
    Extension(operators): Extension<Operators>,
    query: Result<Query<Fields>, QueryRejection>,
) -> Result<Json<ConnectionCount>, AckRefusal> {
    let Query(mut fields) = query.map_err(|_| no_audience())?;
    if fields.get("everyone").and_then(Value::as_str) == Some("true") {
        fields.insert("everyone".to_owned(), true.into());
    }
    let audience = Audience::read_room(&fields)?;
    let Count {
        instances,
        complete,
    } = operators.count(&audience).await.map_err(|error| {
        tracing::warn!(error = %error, "cannot ask the other instances");
        let message = "the other instances cannot be asked while Redis is away";
        AckRefusal(Reply::refused(ErrorCode::Unavailable, message))
    })?;
    Ok(Json(ConnectionCount {
        done: Done::default(),
        room: fields.remove("room"),
        sockets: instances.values().sum(),
        instances,
        complete,
    }))
}

async fn learned(_: Operator, State(app): State<AppState>) -> Json<LearnedHere> {
    Json(LearnedHere {
        done: Done::default(),
        instance: app.instance().to_string(),
        scope: "what this instance alone was sent, since it started; each other instance tells its own",
        learned: app.recorder().report(),
    })
}

async fn disconnect(
    _: Operator,
    Extension(operators): Extension<Operators>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Done>), AckRefusal> {
    let fields = serde_json::from_slice(&whole(body)?).map_err(|_| no_audience())?;
    operators.disconnect(&Audience::read_room(&fields)?);
    Ok((StatusCode::ACCEPTED, Json(Done::default())))
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, AckRefusal> {
    body.map_err(|_| {
        let message = format!("a body must come whole and not be larger than {MAX_BODY} bytes");
        AckRefusal(Reply::refused(ErrorCode::PayloadTooLarge, message))
    })
}

fn no_audience() -> AckRefusal {
    AckRefusal(Reply::invalid(
        "room",
        "is missing: name a room such as project:<id> or user:<id>",
    ))
}
