//! The normaliser's rules, one by one; and every spelling in `fixtures/payloads`, dry.

mod allocations;
mod beside;
mod commands;
mod control;
mod fixtures;
mod fuzz;
mod signals;
mod subscriptions;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Reads a Socket.IO packet as the event of this name.
fn parse(event: &str, packet: &str, limits: &Limits) -> Result<Request, Reply> {
    let event = EventName::find(event).ok_or_else(|| EventName::unknown(event))?;
    Request::read(event, Arguments::Packet(packet), limits)
}

/// Reads the packet `[event, argument, …]`.
fn parsed(arguments: &Value) -> Result<Request, Reply> {
    let event = arguments[0].as_str().unwrap();
    parse(event, &arguments.to_string(), &Limits::default())
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
    let payload = json!({"taskId": "t1", "title": "long"});
    let packet = json!(["task:update", payload]).to_string();
    let read = |max_payload_bytes| {
        let limits = Limits {
            max_payload_bytes,
            ..Limits::default()
        };
        parse("task:update", &packet, &limits)
    };
    let bytes = payload.to_string().len();
    assert!(read(bytes).is_ok());
    let reply = read(bytes - 1).unwrap_err();
    assert_eq!(reply.code(), Some(ErrorCode::PayloadTooLarge));
}

/// What one door takes, all take.
#[test]
fn an_argument_means_the_same_in_a_packet_and_by_itself() {
    let limits = Limits {
        max_payload_bytes: 60_000,
        max_depth: 5,
        strict: false,
    };
    let texts = [
        "{}".to_owned(),
        "null".to_owned(),
        "[1".to_owned(),
        "1,2".to_owned(),
        r#"["e",{}]"#.to_owned(),
        r#"{"taskId":"t","projectId":"p","title":"\ud800"}"#.to_owned(),
        r#"{"taskId":"t","projectId":"p","title":"a\u0000"}"#.to_owned(),
        r#"{"taskId":"t","projectId":"p","x":1e999}"#.to_owned(),
        r#"{"taskId":"t","projectId":"p","x":[{"__proto__":1}]}"#.to_owned(),
        r#"{"taskId":"t","projectId":"p","x":1,"x":2.50}"#.to_owned(),
        r#""{\"taskId\":\"t\",\"title\":\"x\"}""#.to_owned(),
    ];
    let around = |most: usize, text: &dyn Fn(usize) -> String| {
        let nearby = (most.saturating_sub(8)..=most + 2).map(text);
        nearby.collect::<Vec<_>>()
    };
    let size = r#"{"taskId":"t","projectId":"p","x":""}"#.len();
    let large = |bytes: usize| {
        let filler = "x".repeat(bytes - size);
        format!(r#"{{"taskId":"t","projectId":"p","x":"{filler}"}}"#)
    };
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"taskId":"t","projectId":"p","x":{open}{close}}}"#)
    };
    let many = |values: usize| {
        let list = vec!["0"; values].join(",");
        format!(r#"{{"taskId":"t","projectId":"p","x":[{list}]}}"#)
    };
    let mut taken = 0;
    let texts = texts.into_iter();
    let texts = texts.chain(around(limits.max_payload_bytes, &large));
    let texts = texts.chain(around(limits.max_depth, &deep));
    for text in texts.chain(around(payload_limits::MAX_VALUES, &many)) {
        for name in ["task:update", "task:status_change", "join:project"] {
            let event = EventName::find(name).unwrap();
            let alone = Request::read(event, Arguments::One(&text), &limits);
            let inside = parse(name, &format!("[{},{text}]", json!(name)), &limits);
            if text == "1,2" {
                assert!(alone.is_err());
            } else {
                assert_eq!(alone, inside, "{text:.80}");
            }
            taken += usize::from(alone.is_ok());
        }
    }
    assert!(taken > 30, "{taken}");
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
    let known: Vec<_> = vocabulary::all()
        .iter()
        .map(|entry| entry.canonical.clone())
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
