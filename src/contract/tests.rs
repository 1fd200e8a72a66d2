//! The normaliser's rules, one by one; and every dialect in `fixtures/dialects`, dry.

mod commands;
mod fixtures;
mod fuzz;
mod signals;
mod subscriptions;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn packet(arguments: &Value) -> String {
    arguments.to_string()
}

/// Parses the packet `[event, argument, …]`.
fn parsed(arguments: &Value) -> Result<Request, Reply> {
    let event = arguments[0].as_str().unwrap();
    parse(event, &packet(arguments), &Limits::default())
}

fn command(arguments: &Value) -> CommandRequest {
    match parsed(arguments) {
        Ok(Request::Command(command)) => *command,
        other => panic!("{arguments}: {other:?}"),
    }
}

/// The code and field of the refusal.
fn refused(arguments: &Value) -> (ErrorCode, String) {
    let reply = parsed(arguments).expect_err(&arguments.to_string());
    (
        reply.code().unwrap(),
        reply.field().unwrap_or_default().to_owned(),
    )
}

fn invalid(field: &str) -> (ErrorCode, String) {
    (ErrorCode::ValidationFailed, field.to_owned())
}

#[test]
fn an_unknown_event_is_named() {
    let name = format!("{:0<100}", "task:frobnicate");
    let reply = parsed(&json!([name])).unwrap_err();
    assert_eq!(reply.code(), Some(ErrorCode::UnknownEvent));
    assert!(reply.message().contains("task:frobnicate") && reply.message().len() < 100);
}

#[test]
fn the_payloads_size_is_limited() {
    let limits = Limits {
        max_payload_bytes: 40,
        ..Limits::default()
    };
    let packet = json!(["task:update", {"taskId": "t1", "title": "long"}]).to_string();
    let reply = parse("task:update", &packet, &limits).unwrap_err();
    assert_eq!(reply.code(), Some(ErrorCode::PayloadTooLarge));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("")),
        Just(json!("{\"id\":\"t1\"}")),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "id",
            "_id",
            "taskId",
            "task_id",
            "projectId",
            "project",
            "task",
            "updates",
            "data",
            "status",
            "newStatus",
            "title",
            "name",
            "version",
            "expectedVersion",
            "requestId",
            "beforeId",
            "position",
            "moveTo",
            "since",
            "limit",
            "_placeholder",
            "__proto__",
            "sprint",
            "sprintId",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_event() -> impl Strategy<Value = String> {
    let known: Vec<_> = names::TABLE
        .iter()
        .map(|entry| entry.canonical.to_owned())
        .collect();
    prop_oneof![8 => prop::sample::select(known), 1 => any::<String>()]
}

proptest! {
    /// Whatever is sent, the answer is a request or a refusal whose text is of modest size.
    #[test]
    fn never_panics(event in any_event(), arguments in prop::collection::vec(any_json(), 0..4)) {
        let mut all = vec![Value::String(event.clone())];
        all.extend(arguments);
        if let Err(reply) = parse(&event, &Value::Array(all).to_string(), &Limits::default()) {
            prop_assert!(!reply.message().is_empty());
            prop_assert!(reply.to_raw().get().len() < 2000);
            prop_assert!(reply.field().is_some());
        }
    }

    #[test]
    fn never_panics_on_garbage(event in any_event(), text in r#"([\[\]{}:,"\\un0-9dD]|\\u[dD][89a-f]00|é|.){0,200}"#) {
        prop_assert!(parse(&event, &text, &Limits::default()).is_err() || text.starts_with('['));
    }
}
