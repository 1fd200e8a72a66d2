//! The JSON Schemas of what stands under `data` in the envelope, by type. They are part of the program.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Json;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::contract::{ErrorCode, Reply};
use crate::transport::rest::endpoint::{Answer, Endpoint, of, serve_public};

/// Longest sentence of a refusal, in characters: it may repeat what was sent.
const MAX_SENTENCE: usize = 200;
/// Where the data stands.
const DATA: &str = "data";
const SCHEMA_JSON: &str = "application/schema+json";

macro_rules! schemas {
    ($($name:literal),* $(,)?) => {
        /// The schemas as they stand in `fixtures/schemas`.
        const TEXTS: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../fixtures/schemas/", $name, ".json")))),*
        ];
    };
}

schemas![
    "connect",
    "disconnect",
    "ping",
    "pong",
    "error",
    "auth_request",
    "auth_success",
    "auth_failure",
    "subscribe",
    "unsubscribe",
    "subscription_update",
    "agent_status",
    "agent_task_update",
    "agent_log",
    "agent_metric",
    "agent_error",
    "tdd_phase_change",
    "test_result",
    "coverage_update",
    "workflow_started",
    "workflow_step_complete",
    "workflow_complete",
    "workflow_failed",
    "system_notification",
    "system_alert",
    "deployment_status",
    "github_issue_update",
    "github_pr_update",
    "github_workflow_update",
];

/// Each schema, ready to be used.
static VALIDATORS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    let compiled = TEXTS.iter().map(|(name, text)| {
        let schema = serde_json::from_str(text).expect("the schemas are JSON");
        let validator = jsonschema::validator_for(&schema).expect("the schemas are schemas");
        (*name, validator)
    });
    compiled.collect()
});

/// Checks the data of a message, if there is a schema for its type. It must be known to be of modest size and depth.
pub(super) fn check(name: &str, data: &RawValue) -> Result<(), Reply> {
    let Some(validator) = VALIDATORS.get(name) else {
        return Ok(());
    };
    let data: Value =
        serde_json::from_str(data.get()).map_err(|_| Reply::invalid(DATA, "is not valid JSON"))?;
    validator.validate(&data).map_err(|error| refusal(&error))
}

fn refusal(error: &ValidationError<'_>) -> Reply {
    let mut field = format!("{DATA}{}", error.instance_path()).replace('/', ".");
    let sentence = match error.kind() {
        ValidationErrorKind::Required { property } => {
            field = format!("{field}.{}", property.as_str().unwrap_or_default());
            format!("{field} is missing")
        }
        _ => format!("{field}: {}", error.masked()),
    };
    let short = |text: &str| text.chars().take(MAX_SENTENCE).collect::<String>();
    Reply::refused(ErrorCode::ValidationFailed, short(&sentence)).with_field(short(&field))
}

/// Where the schemas can be read.
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

async fn list() -> Response {
    let types = TEXTS.iter().map(|(name, _)| *name);
    let listed = Listed {
        success: true,
        types: types.collect(),
    };
    Json(listed).into_response()
}

async fn one(name: String) -> Response {
    let name = name.strip_suffix(".json").unwrap_or(&name);
    match TEXTS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => {
            let schema = [(header::CONTENT_TYPE, SCHEMA_JSON)];
            (schema, *text).into_response()
        }
        None => {
            Reply::refused(ErrorCode::NotFound, "there is no schema of this type").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(name: &str, data: &Value) -> Result<(), String> {
        let data = RawValue::from_string(data.to_string()).unwrap();
        check(name, &data).map_err(|reply| reply.field().unwrap().to_owned())
    }

    #[test]
    fn every_schema_is_here_and_names_its_type() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas");
        assert_eq!(folder.read_dir().unwrap().count(), TEXTS.len());
        assert_eq!(VALIDATORS.len(), TEXTS.len());
        for (name, text) in TEXTS {
            let schema: Value = serde_json::from_str(text).unwrap();
            assert_eq!(schema["title"], *name);
            assert_eq!(
                schema["$schema"],
                "https://json-schema.org/draft/2020-12/schema"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, data, field) in [
            (
                "agent_status",
                json!({"agentId": "a", "status": 7}),
                "data.status",
            ),
            ("agent_status", json!({"agentId": [1]}), "data.agentId"),
            ("agent_status", json!("busy"), "data"),
            ("agent_status", json!({}), "data"),
            (
                "agent_metric",
                json!({"agentId": "a", "value": "x"}),
                "data.value",
            ),
            (
                "coverage_update",
                json!({"percentage": 101}),
                "data.percentage",
            ),
            ("error", json!({}), "data.error"),
            (
                "subscribe",
                json!({"resource": "a", "events": ["x", 1]}),
                "data.events.1",
            ),
        ] {
            assert_eq!(checked(name, &data), Err(field.to_owned()), "{name} {data}");
        }
    }

    #[test]
    fn what_nobody_knows_is_let_through() {
        for (name, data) in [
            ("agent_status", json!({"agentId": 7, "mood": {"deep": [1]}})),
            ("workflow_failed", json!({"workflow_id": "w", "error": "x"})),
            ("test_result", json!({})),
            ("custom", json!(7)),
        ] {
            assert_eq!(checked(name, &data), Ok(()), "{name} {data}");
        }
    }

    #[test]
    fn a_refusal_is_short_whatever_was_sent() {
        let data = json!({"agentId": "a", "status": [("x".repeat(100_000))]});
        let data = RawValue::from_string(data.to_string()).unwrap();
        let reply = check("agent_status", &data).unwrap_err();
        assert!(reply.to_raw().get().len() < 1000);
    }
}
