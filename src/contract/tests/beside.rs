//! Comments, entities of declared kinds, and toggles.

use super::commands::{fields_of, id};
use super::*;
use crate::domain::{Action, Kind};

fn declared() -> Kind {
    Kind::declare("check_item", "check_items", false).unwrap()
}

#[test]
fn comment_is_read_flat_and_in_wrappers() {
    let meant = json!({"taskId": "t", "text": "a"});
    for payload in [
        json!({"projectId": "p", "taskId": "t", "text": "a"}),
        json!({"projectId": "p", "task_id": "t", "text": "a"}),
        json!({"projectId": "p", "taskId": "t", "comment": {"text": "a"}}),
        json!({"projectId": "p", "comment": {"text": "a", "taskId": "t", "commentId": "c"}}),
        json!({"projectId": "p", "data": {"text": "a", "task_id": "t"}, "commentId": "c"}),
    ] {
        assert_eq!(
            fields_of(&json!(["comment:create", payload])),
            meant,
            "{payload}"
        );
    }
    let text = json!({"projectId": "p", "taskId": "t", "comment": "Looks good"});
    let kept = json!({"taskId": "t", "comment": "Looks good"});
    assert_eq!(fields_of(&json!(["comment:create", text])), kept);
    let text = json!({"commentId": "c", "comment": "Looks better"});
    let kept = json!({"comment": "Looks better"});
    assert_eq!(fields_of(&json!(["comment:update", text])), kept);
    let large = json!({"projectId": "p", "taskId": 9_007_199_254_740_993_u64});
    let kept = json!({"taskId": "9007199254740993"});
    assert_eq!(fields_of(&json!(["comment:create", large])), kept);
}

#[test]
fn declared_kind_has_the_events_of_all_others() {
    let kind = declared();
    for (name, verb) in [
        ("check_item:create", "create"),
        ("check_item:update", "update"),
        ("check_item:delete", "delete"),
        ("check_item:restore", "restore"),
        ("check_item:toggle", "toggle"),
    ] {
        let request = command(&json!([name, {"projectId": "p", "checkItemId": "x", "text": "a"}]));
        assert_eq!(request.subject(), (kind, &id("x")), "{name}");
        let command = request.into_command(crate::domain::ProjectId(id("p").0));
        assert_eq!(command.name(), format!("check_item:{verb}"));
    }
    for (name, key) in [
        ("check_item:update", "check_item_id"),
        ("check_item:delete", "_id"),
        ("check_item:toggle", "id"),
    ] {
        assert_eq!(
            command(&json!([name, {key: "x"}])).subject(),
            (kind, &id("x")),
            "{key}"
        );
    }
    let comment = json!(["comment:create", {"projectId": "p", "check_item_id": "x"}]);
    assert_eq!(fields_of(&comment), json!({"checkItemId": "x"}));
    Kind::declare("ticket_stub", "ticket_stubs", false).unwrap();
    Kind::declare("pin", "pins", false).unwrap();
    for spelled in ["createPin", "pin-add", "NEW_PIN", "pins:create"] {
        let request = command(&json!([spelled, {"projectId": "p"}]));
        assert_eq!(request.subject().0.as_str(), "pin", "{spelled}");
    }
    assert_eq!(
        refused(&json!(["nothing:create", {}])).0,
        ErrorCode::UnknownEvent
    );
}

#[test]
fn toggle_without_a_value_flips_and_with_one_sets() {
    let flips = |field: Option<&str>| Action::Toggle {
        kind: Kind::Task,
        id: id("t"),
        field: field.map(str::to_owned),
    };
    for (payload, field) in [
        (json!("t"), None),
        (json!({"taskId": "t", "projectId": "p"}), None),
        (json!({"id": "t", "completed": null}), None),
        (json!({"id": "t", "userId": "u", "title": "T"}), None),
        (json!({"id": "t", "field": "pinned"}), Some("pinned")),
        (json!({"id": "t", "field": "is_blocked"}), Some("isBlocked")),
        (
            json!({"id": "t", "field": "pinned", "completed": true}),
            Some("pinned"),
        ),
    ] {
        let action = command(&json!(["task:toggle", payload])).action;
        assert_eq!(action, flips(field), "{payload}");
    }
    for (payload, kept) in [
        (
            json!({"id": "t", "completed": true}),
            json!({"completed": true}),
        ),
        (
            json!({"id": "t", "done": false, "at": 7}),
            json!({"done": false}),
        ),
        (
            json!({"id": "t", "updates": {"done": true}}),
            json!({"done": true}),
        ),
        (
            json!({"id": "t", "field": "pinned", "pinned": true}),
            json!({"pinned": true}),
        ),
    ] {
        assert_eq!(
            fields_of(&json!(["toggleTask", payload])),
            kept,
            "{payload}"
        );
    }
    let ignored = command(&json!(["task:toggle", {"id": "t", "title": "T"}])).unread;
    assert_eq!(ignored, ["title"]);
    for field in [json!(7), json!(""), json!("version"), json!("taskId")] {
        let arguments = json!(["task:toggle", {"id": "t", "field": field}]);
        assert_eq!(refused(&arguments), invalid("field"), "{field}");
    }
    for kind in ["epic", "sprint", "comment"] {
        let request = command(&json!([format!("{kind}:toggle"), "x"]));
        assert_eq!(request.subject().0.as_str(), kind);
    }
    for kind in ["project", "member"] {
        let refused = refused(&json!([format!("{kind}:toggle"), "x"]));
        assert_eq!(refused.0, ErrorCode::UnknownEvent);
    }
}
