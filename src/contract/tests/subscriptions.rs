//! Join, leave, snapshot and sync.

use super::*;

fn project_of(arguments: &Value) -> Value {
    match parsed(arguments) {
        Ok(
            Request::Join(Join { project, .. })
            | Request::Leave { project }
            | Request::Read(
                ReadRequest::Snapshot { project, .. } | ReadRequest::Sync { project, .. },
            ),
        ) => project.to_json(),
        other => panic!("{arguments}: {other:?}"),
    }
}

#[test]
fn the_project_is_named_in_many_ways() {
    for event in [
        "join:project",
        "leave:project",
        "project:snapshot",
        "project:sync",
    ] {
        for argument in [
            json!("p1"),
            json!({"projectId": "p1"}),
            json!({"project_id": "p1"}),
            json!({"id": "p1"}),
            json!({"_id": "p1"}),
            json!({"project": {"id": "p1"}}),
            json!({"project": "p1"}),
            json!("{\"projectId\":\"p1\"}"),
        ] {
            assert_eq!(
                project_of(&json!([event, argument])),
                json!("p1"),
                "{argument}"
            );
        }
        assert_eq!(project_of(&json!([event, 7])), json!(7));
        assert_eq!(
            project_of(&json!([event, "p1", {"id": "ada"}])),
            json!("p1")
        );
    }
}

#[test]
fn a_bad_project_is_named() {
    for argument in [
        json!(true),
        json!(null),
        json!([1]),
        json!({}),
        json!(""),
        json!("x".repeat(256)),
    ] {
        assert_eq!(
            refused(&json!(["join:project", argument])),
            invalid("projectId")
        );
    }
    assert_eq!(refused(&json!(["joinProject"])), invalid("projectId"));
    assert_eq!(refused(&json!(["join:project", {"id": []}])), invalid("id"));
}

#[test]
fn a_join_may_ask_for_more() {
    let join = |argument| match parsed(&json!(["join:project", argument])) {
        Ok(Request::Join(join)) => (join.since, join.snapshot, join.events),
        other => panic!("{other:?}"),
    };
    assert_eq!(join(json!("p")), (None, false, false));
    let cursor = Some(Since::Cursor("e.1:2".to_owned()));
    assert_eq!(
        join(json!({"id": "p", "since": "e.1:2", "snapshot": true})),
        (cursor, true, false)
    );
    assert_eq!(
        join(json!({"id": "p", "since": 4, "events": true})),
        (Some(Since::Seq(4)), false, true)
    );
    assert_eq!(
        join(json!({"id": "p", "since": null, "events": ["task:updated"]})),
        (None, false, false)
    );
    for since in [json!(-1), json!(1.5), json!({})] {
        assert_eq!(
            refused(&json!(["join:project", {"id": "p", "since": since}])),
            invalid("since")
        );
    }
}

#[test]
fn a_sync_is_bounded() {
    let limit = |limit: Value| match parsed(&json!(["project:sync", {"id": "p", "limit": limit}])) {
        Ok(Request::Read(ReadRequest::Sync { limit, .. })) => limit,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [
            limit(json!(null)),
            limit(json!(7)),
            limit(json!(9999)),
            limit(json!(0))
        ],
        [200, 7, 500, 1]
    );
    assert_eq!(
        refused(&json!(["project:sync", {"id": "p", "limit": "7"}])),
        invalid("limit")
    );
}
