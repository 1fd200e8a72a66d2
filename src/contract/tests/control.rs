//! Words that control a command: wrappers, destinations, versions, keys, and how a sprint ends.

use super::commands::{fields_of, id};
use super::*;
use crate::domain::{Action, MoveTo, Place, ToColumn};

#[test]
fn beside_usual_fields_the_name_of_a_wrapper_is_a_field() {
    for name in [
        "data",
        "updates",
        "changes",
        "patch",
        "fields",
        "payload",
        "task",
        "updatedData",
        "taskData",
    ] {
        for value in [json!({"color": "red"}), json!([1]), json!("x"), json!(null)] {
            let sent = json!({"title": "T", "status": "todo", name: value});
            for event in ["task:create", "task:update"] {
                let mut payload = sent.clone();
                payload["id"] = json!("t1");
                payload["projectId"] = json!("p1");
                assert_eq!(fields_of(&json!([event, payload])), sent, "{event} {name}");
            }
        }
    }
    for kind in ["epic", "sprint", "project"] {
        let sent =
            json!({"title": "T", "data": {"color": "red"}, "updates": {"a": 1}, kind: {"b": 2}});
        for verb in ["create", "update"] {
            let mut payload = sent.clone();
            payload["id"] = json!("x");
            assert_eq!(
                fields_of(&json!([format!("{kind}:{verb}"), payload])),
                sent,
                "{kind}:{verb}"
            );
        }
    }
}

#[test]
fn what_create_takes_as_a_wrapper_update_takes_too() {
    for name in [
        "data",
        "updates",
        "changes",
        "patch",
        "fields",
        "payload",
        "task",
        "updatedData",
        "taskData",
        "newData",
        "task_updates",
        "newTask",
        "updatedTask",
        "updatedFields",
    ] {
        for event in ["task:create", "task:update"] {
            let payload = json!({"projectId": "p1", "id": "t1", name: {"title": "T"}});
            assert_eq!(
                fields_of(&json!([event, payload])),
                json!({"title": "T"}),
                "{event} {name}"
            );
        }
    }
}

#[test]
fn beside_a_wrapper_fields_are_taken_and_the_sender_is_named_as_unread() {
    let payload = json!({"id": "t1", "updates": {"title": "T"}, "estimateInDays": 3, "userId": "u", "timestamp": 5});
    let request = command(&json!(["task:update", payload]));
    assert_eq!(request.unread, ["timestamp", "userId"]);
    assert_eq!(
        fields_of(&json!(["task:update", payload])),
        json!({"title": "T", "estimateInDays": 3})
    );
    let placed = json!({"projectId": "p1", "columnId": "c", "task": {"title": "T"}});
    assert_eq!(
        fields_of(&json!(["task:create", placed])),
        json!({"title": "T", "columnId": "c"})
    );
    let sole = json!({"status": "done", "title": "new", "task": {"id": "t1", "title": "old"}});
    assert_eq!(
        fields_of(&json!(["task:update", sole])),
        json!({"title": "new", "status": "done"})
    );
}

/// What a move means: its task, fields, column and place.
fn moved(payload: &Value) -> (Value, Value, Option<ToColumn>, Option<Place>) {
    let command = command(&json!(["task:move", payload]));
    match command.action {
        Action::TaskMove {
            id, fields, place, ..
        } => (id.to_json(), fields.into(), command.unsettled.column, place),
        other => panic!("{other:?}"),
    }
}

fn column(to: &str, from: &str) -> ToColumn {
    ToColumn {
        to: json!(to),
        from: Some(json!(from)),
    }
}

#[test]
fn a_destination_is_read_in_every_spelling() {
    const KEYS: &str =
        "to toColumn target targetColumnId newColumn to_column_id destination toListId";
    for key in KEYS.split_whitespace() {
        let payload = json!({"taskId": "t1", key: "done", "from": "todo"});
        let expected = (json!("t1"), json!({}), Some(column("done", "todo")), None);
        assert_eq!(moved(&payload), expected, "{key}");
    }
    for key in "toStatus newStatus target_status statusTo".split_whitespace() {
        let payload = json!({"taskId": "t1", key: "done"});
        assert_eq!(moved(&payload).1, json!({"status": "done"}), "{key}");
    }
    let dropped = json!({"draggableId": "t1", "source": {"droppableId": "todo", "index": 3},
        "destination": {"droppableId": "done", "index": 1}});
    let expected = (
        json!("t1"),
        json!({}),
        Some(column("done", "todo")),
        Some(Place::Index(1)),
    );
    assert_eq!(moved(&dropped), expected);
    let sprint = json!({"taskId": "t1", "toSprintId": "s2"});
    assert_eq!(moved(&sprint).1, json!({"sprintId": "s2"}));
}

#[test]
fn a_destination_that_is_none_is_refused() {
    for wrong in [json!(3), json!([]), json!("")] {
        assert_eq!(
            refused(&json!(["task:move", {"id": 1, "to": wrong}])),
            invalid("to")
        );
    }
}

#[test]
fn a_status_may_be_said_as_a_destination() {
    const KEYS: &str = "status toStatus newStatus to toColumn destination state";
    for key in KEYS.split_whitespace() {
        let arguments = json!(["task:status", {"taskId": "t1", key: "done"}]);
        assert_eq!(fields_of(&arguments), json!({"status": "done"}), "{key}");
    }
}

#[test]
fn an_update_obeys_words_with_a_direction_and_keeps_the_others() {
    let of = |payload: Value| command(&json!(["task:update", payload]));
    let moved = of(json!({"id": 1, "status": "done", "newIndex": 2}));
    assert!(matches!(
        moved.action,
        Action::TaskMove {
            place: Some(Place::Index(2)),
            is_update: true,
            ..
        }
    ));
    assert_eq!(
        of(json!({"id": 1, "toColumn": "B"}))
            .unsettled
            .column
            .unwrap()
            .to,
        json!("B")
    );
    let kept = json!({"target": "2027", "position": 3, "from": "web", "previousStatus": "x", "targetDate": "d"});
    let mut payload = kept.clone();
    payload["id"] = json!(1);
    assert_eq!(fields_of(&json!(["task:update", payload])), kept);
}

#[test]
fn versions_have_many_names_and_a_program_has_its_own() {
    let version = |payload: Value| command(&json!(["task:update", payload])).expected_version;
    for key in [
        "expectedVersion",
        "baseVersion",
        "base_version",
        "clientVersion",
        "version",
    ] {
        assert_eq!(version(json!({"id": 1, key: 3})), Some(3), "{key}");
    }
    let program = json!({"id": 1, "clientVersion": "1.2.3"});
    assert_eq!(version(program.clone()), None);
    assert_eq!(
        fields_of(&json!(["task:update", program])),
        json!({"clientVersion": "1.2.3"})
    );
    assert_eq!(
        refused(&json!(["task:update", {"id": 1, "baseVersion": "x"}])),
        invalid("baseVersion")
    );
    let own = command(&json!(["task:update", {"id": 1, "__v": 2}]));
    assert_eq!(
        (own.expected_version, own.unsettled.own_version),
        (None, Some(json!(2)))
    );
    assert_eq!(
        fields_of(&json!(["task:create", {"id": 1, "__v": 2}])),
        json!({"__v": 2})
    );
}

#[test]
fn a_temporary_id_is_the_key_of_what_is_made_and_a_field_of_what_is_changed() {
    let key = |payload: Value| command(&json!(["task:create", payload])).key;
    let first = key(json!({"tempId": "temp-1", "title": "T"}));
    assert!(first.is_some());
    assert_eq!(first, key(json!({"tempId": "temp-1", "title": "T"})));
    assert_ne!(first, key(json!({"tempId": "temp-1", "title": "U"})));
    assert_eq!(
        fields_of(&json!(["task:create", {"tempId": "temp-1", "title": "T"}])),
        json!({"title": "T"})
    );
    assert!(
        command(&json!(["task:update", {"id": 1, "tempId": "temp-1"}]))
            .key
            .is_none()
    );
}

/// Where the tasks of a completed sprint go.
fn home(payload: &Value) -> (MoveTo, Vec<(crate::domain::EntityId, MoveTo)>) {
    match command(&json!(["sprint:complete", payload])).action {
        Action::SprintComplete {
            move_to,
            moves,
            fields,
            ..
        } => {
            assert!(fields.is_empty(), "{fields:?}");
            (move_to, moves)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_completion_names_the_home_of_unfinished_tasks_in_many_words() {
    const KEYS: &str =
        "moveToSprintId moveIncompleteToSprintId targetSprintId moveTo nextSprintId targetSprint";
    let to = |payload: Value| home(&payload).0;
    for key in KEYS.split_whitespace() {
        let target = to(json!({"id": "s", key: "s2"}));
        assert_eq!(target, MoveTo::Sprint(id("s2")), "{key}");
    }
    for value in ["next", "next_sprint", "nextSprint"] {
        assert_eq!(to(json!({"id": "s", "moveTo": value})), MoveTo::Next);
    }
    let backlog = json!({"id": "s", "moveToBacklog": true});
    assert_eq!(to(backlog), MoveTo::Backlog);
    let both = json!({"id": "s", "moveTo": "sprint", "targetSprintId": 2});
    assert_eq!(to(both), MoveTo::Sprint(id("2")));
    let object = json!({"id": "s", "moveTo": {"id": "s2"}});
    assert_eq!(to(object), MoveTo::Sprint(id("s2")));
}

#[test]
fn a_completion_names_the_home_of_each_task() {
    let moves = json!([{"taskId": "a", "target": "s2"}, {"taskId": "b", "target": "backlog"},
        {"id": "c", "sprintId": null}]);
    let expected = vec![
        (id("a"), MoveTo::Sprint(id("s2"))),
        (id("b"), MoveTo::Backlog),
        (id("c"), MoveTo::Backlog),
    ];
    let sent = json!({"id": "s", "moves": moves});
    assert_eq!(home(&sent), (MoveTo::Backlog, expected));
}

#[test]
fn a_completion_that_is_not_understood_is_refused_by_its_field() {
    let twice = json!([{"taskId": "a", "target": "x"}, {"taskId": "a", "target": "y"}]);
    for (field, mut payload) in [
        ("moves", json!({"moves": {}})),
        ("moves", json!({"moves": ["a"]})),
        ("moves", json!({"moves": [{"taskId": "a"}]})),
        ("moves", json!({"moves": [{"target": "s2"}]})),
        ("moves", json!({"moves": twice})),
        ("moveTo", json!({"moveTo": []})),
        (
            "targetSprintId",
            json!({"moveTo": "backlog", "targetSprintId": "s2"}),
        ),
        ("doneStatuses", json!({"doneStatuses": "Released"})),
    ] {
        payload["id"] = json!("s");
        let arguments = json!(["sprint:complete", payload]);
        assert_eq!(refused(&arguments), invalid(field), "{payload}");
    }
}

#[test]
fn a_task_stays_in_its_project() {
    for (field, payload) in [
        (
            "toProjectId",
            json!({"projectId": "p1", "taskId": "t1", "toProjectId": "p2"}),
        ),
        (
            "targetProject",
            json!({"projectId": "p1", "taskId": "t1", "targetProject": "p2"}),
        ),
        (
            "projectId",
            json!({"projectId": "p1", "taskId": "t1", "updates": {"projectId": "p2"}}),
        ),
    ] {
        for event in ["task:move", "task:update"] {
            assert_eq!(
                refused(&json!([event, payload])),
                invalid(field),
                "{event} {payload}"
            );
        }
    }
}

#[test]
fn strict_servers_refuse_words_that_only_sound_like_control() {
    let limits = Limits {
        strict: true,
        ..Limits::default()
    };
    let refused = |arguments: Value| {
        let event = arguments[0].as_str().unwrap();
        let read = parse(event, &arguments.to_string(), &limits);
        read.err()
            .map(|reply| reply.field().unwrap_or_default().to_owned())
    };
    for (event, key) in [
        ("task:update", "knownVersion"),
        ("task:update", "expectedRevision"),
        ("task:move", "aboveTaskId"),
        ("task:update", "beforeTaskId"),
        ("task:update", "idempotencyToken"),
        ("sprint:start", "targetSprintId"),
        ("task:create", "toIndex"),
    ] {
        let payload = json!({"projectId": "p", "id": "t", "sprintId": "t", key: "x"});
        assert_eq!(
            refused(json!([event, payload])).as_deref(),
            Some(key),
            "{event}"
        );
    }
    for field in [
        "targetDate",
        "customField",
        "position",
        "data",
        "storyPoints",
        "appVersion",
        "nextReview",
    ] {
        let payload = json!({"projectId": "p", "id": "t", "title": "T", field: "x"});
        assert_eq!(refused(json!(["task:update", payload])), None, "{field}");
    }
}
