//! The JSON Schemas of what stands under `data`, by type: of events, whichever way they are published, and of the messages of
//! the envelope (`/ws/v1`). They are part of the program.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{ErrorCode, Reply};

/// Longest sentence of a refusal, in characters: it may repeat what was sent.
const MAX_SENTENCE: usize = 200;
/// Errors that are looked at, of data in which there are several.
const MAX_ERRORS: usize = 32;
/// Where the data stands.
const DATA: &str = "data";

macro_rules! schemas {
    ($($name:literal),* $(,)?) => {
        /// The schemas as they stand in `fixtures/schemas`.
        pub const DATA_SCHEMAS: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../fixtures/schemas/", $name, ".json")))),*
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
    let compiled = DATA_SCHEMAS.iter().map(|(name, text)| {
        let schema = serde_json::from_str(text).expect("the schemas are JSON");
        let validator = jsonschema::validator_for(&schema).expect("the schemas are schemas");
        (*name, validator)
    });
    compiled.collect()
});

/// Messages of the envelope that are no events: what is published may have these types and any data.
const NO_EVENTS: [&str; 11] = [
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
];

/// Checks the data of what is to be published, as [`check_data`] does.
pub(super) fn check_published(name: &str, data: &RawValue) -> Result<(), Reply> {
    if NO_EVENTS.contains(&name) {
        return Ok(());
    }
    check_data(name, data)
}

/// Whether what is published under this type is held to a schema.
pub(super) fn has_schema(name: &str) -> bool {
    VALIDATORS.contains_key(name) && !NO_EVENTS.contains(&name)
}

/// Checks the data of a message, if there is a schema for its type. It must be known to be of modest size and depth.
///
/// # Errors
///
/// The answer, `validation_failed`, that names the field.
pub fn check_data(name: &str, data: &RawValue) -> Result<(), Reply> {
    let Some(validator) = VALIDATORS.get(name) else {
        return Ok(());
    };
    let data: Value =
        serde_json::from_str(data.get()).map_err(|_| Reply::invalid(DATA, "is not valid JSON"))?;
    if validator.is_valid(&data) {
        return Ok(());
    }
    let errors = validator.iter_errors(&data).take(MAX_ERRORS);
    let first = errors.min_by_key(rank);
    first.map_or(Ok(()), |error| Err(refusal(&error)))
}

/// Which of several errors is told: a wrong value first, and of what is missing what decides where the message goes.
fn rank(error: &ValidationError<'_>) -> u8 {
    match error.kind() {
        ValidationErrorKind::AnyOf { .. } => 1,
        ValidationErrorKind::Required { .. } => 2,
        _ => 0,
    }
}

fn refusal(error: &ValidationError<'_>) -> Reply {
    let mut field = format!("{DATA}{}", error.instance_path()).replace('/', ".");
    let sentence = match missing(error.kind()) {
        Some(property) => {
            field = format!("{field}.{property}");
            format!("{field} is missing")
        }
        None => format!("{field}: {}", error.masked()),
    };
    let short = |text: &str| text.chars().take(MAX_SENTENCE).collect::<String>();
    Reply::refused(ErrorCode::ValidationFailed, short(&sentence)).with_field(short(&field))
}

/// The field that is missing; of those of which one has to be there, the first.
fn missing(kind: &ValidationErrorKind) -> Option<String> {
    match kind {
        ValidationErrorKind::Required { property } => Some(property.as_str()?.to_owned()),
        ValidationErrorKind::AnyOf { context } => missing(context.first()?.first()?.kind()),
        _ => None,
    }
}
