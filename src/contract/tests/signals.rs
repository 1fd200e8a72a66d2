//! Signals: their names, their project, and what is passed on.

use super::*;
use crate::domain::EntityId;

fn signal(arguments: &Value) -> SignalRequest {
    match parsed(arguments) {
        Ok(Request::Signal(signal)) => signal,
        other => panic!("{arguments}: {other:?}"),
    }
}

fn fields(arguments: &Value) -> Value {
    Value::Object(signal(arguments).fields)
}

#[test]
fn what_was_sent_is_passed_on() {
    let sent = json!({"projectId": "p1", "taskId": "t1", "cursor": {"at": [3]}, "userName": "Ada"});
    for (event, kind) in [
        ("typing", SignalKind::Typing),
        ("task:editing", SignalKind::Editing),
        ("presence:update", SignalKind::Presence),
    ] {
        let signal = signal(&json!([event, sent]));
        assert_eq!(signal.kind, kind);
        assert_eq!(signal.project.unwrap().as_str(), "p1");
        // What somebody says of themselves is about them, and replaces what they said before.
        let subject = signal.subject.as_ref().map(EntityId::as_str);
        assert_eq!(subject, (kind != SignalKind::Presence).then_some("t1"));
        assert_eq!(Value::Object(signal.fields), sent);
    }
}

#[test]
fn the_project_may_be_named_in_many_ways_or_not_at_all() {
    for argument in [
        json!({"projectId": 7}),
        json!({"project_id": 7}),
        json!({"project": 7}),
        json!({"project": {"id": 7}}),
        json!({"task": {"projectId": 7}}),
        json!(7),
        json!("{\"projectId\": 7}"),
    ] {
        let project = signal(&json!(["typing", argument])).project;
        assert_eq!(project.unwrap().to_json(), json!(7), "{argument}");
    }
    for arguments in [
        json!(["typing"]),
        json!(["typing", null]),
        json!(["typing", {"id": "somebody"}]),
        json!(["typing", true]),
        json!(["task:editing", "t1"]),
    ] {
        assert_eq!(signal(&arguments).project, None, "{arguments}");
    }
}

#[test]
fn the_task_tells_signals_apart() {
    for argument in [
        json!({"taskId": "t1"}),
        json!({"task_id": "t1"}),
        json!({"id": "t1"}),
        json!({"task": {"id": "t1"}}),
        json!("t1"),
    ] {
        let signal = signal(&json!(["task:editing", argument]));
        assert_eq!(signal.subject.unwrap().as_str(), "t1", "{argument}");
    }
    let strange = signal(&json!(["task:editing", {"taskId": {"a": 1}}]));
    assert_eq!(strange.subject, None);
}

#[test]
fn the_name_says_whether_it_begins_or_ends_unless_the_payload_does() {
    assert_eq!(fields(&json!(["typing", {}])), json!({}));
    assert_eq!(
        fields(&json!(["typing:start", {}])),
        json!({"isTyping": true})
    );
    assert_eq!(fields(&json!(["typing:stop"])), json!({"isTyping": false}));
    assert_eq!(
        fields(&json!(["stopTyping", {"isTyping": "?"}])),
        json!({"isTyping": "?"})
    );
    assert_eq!(
        fields(&json!(["typing", false])),
        json!({"isTyping": false})
    );
    assert_eq!(
        fields(&json!(["task:editing:start", "t1", {"field": "title"}])),
        json!({"isEditing": true, "taskId": "t1", "field": "title"})
    );
    assert_eq!(
        fields(&json!(["task:end-edit", {}])),
        json!({"isEditing": false})
    );
}

#[test]
fn a_signal_is_small_and_an_object() {
    let text = |length: usize| json!(["typing", {"text": "x".repeat(length)}]);
    assert_eq!(signal(&text(4000)).project, None);
    assert_eq!(refused(&text(4096)).0, ErrorCode::PayloadTooLarge);
    assert_eq!(refused(&json!(["typing", []])), invalid("payload"));
    assert_eq!(
        refused(&json!(["presence:update", true])),
        invalid("payload")
    );
    assert_eq!(
        refused(&json!(["typing", {"projectId": []}])),
        invalid("projectId")
    );
    assert_eq!(
        refused(&json!(["typing", {"a": {"__proto__": 1}}])),
        invalid("a.__proto__")
    );
}
