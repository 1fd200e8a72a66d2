//! Where the [schemas](crate::contract::DATA_SCHEMAS) of what stands under `data` can be read.

use axum::Json;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::contract::{DATA_SCHEMAS, ErrorCode, Reply};
use crate::transport::http::endpoint::{Answer, Endpoint, of, serve_public};

const SCHEMA_JSON: &str = "application/schema+json";

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = |path, name: &str, summary: &str, answer, routes| Endpoint {
        method: Method::GET,
        path,
        name: name.to_owned(),
        group: "WebSockets",
        summary: summary.to_owned(),
        about: "Of the envelope, `/ws/v1`: what stands under `data`.",
        parameters: Vec::new(),
        body: None,
        answers: vec![answer],
        refusals: &[],
        routes,
    };
    vec![
        endpoint(
            "/schemas",
            "listSchemas",
            "The types of messages that have a schema",
            Answer::ok("The types.", of::<Listed>),
            serve_public(&Method::GET, |_, _| list()),
        ),
        Endpoint {
            refusals: &[ErrorCode::NotFound],
            ..endpoint(
                "/schemas/{type}",
                "getSchema",
                "The JSON Schema of a type",
                Answer {
                    media: SCHEMA_JSON,
                    ..Answer::ok("The schema.", of::<Value>)
                },
                serve_public(&Method::GET, |_, name| one(name)),
            )
        },
    ]
}

/// The types that have a schema.
#[derive(Serialize, JsonSchema)]
struct Listed {
    /// Always.
    success: bool,
    /// The types.
    types: Vec<&'static str>,
}

fn list() -> Response {
    let types = DATA_SCHEMAS.iter().map(|(name, _)| *name);
    let listed = Listed {
        success: true,
        types: types.collect(),
    };
    Json(listed).into_response()
}

fn one(name: &str) -> Response {
    let name = name.strip_suffix(".json").unwrap_or(name);
    match DATA_SCHEMAS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => {
            let schema = [(header::CONTENT_TYPE, SCHEMA_JSON)];
            (schema, *text).into_response()
        }
        None => {
            Reply::refused(ErrorCode::NotFound, "there is no schema of this type").into_response()
        }
    }
}
