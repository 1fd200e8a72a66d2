//! Commands: where ids, projects, versions, keys and fields are found.

use super::*;
use crate::domain::{Action, EntityId, Fields, Id, Kind, MoveTo, Place, PlaceKey};

fn update_of(payload: &Value) -> (Value, Value) {
    let arguments = json!(["task:update", payload]);
    match command(&arguments).action {
        Action::Update {
            kind: Kind::Task,
            id,
            fields,
        } => (id.to_json(), Value::Object(fields)),
        other => panic!("{arguments}: {other:?}"),
    }
}

pub(super) fn fields_of(arguments: &Value) -> Value {
    match command(arguments).action {
        Action::Create { fields, .. }
        | Action::Update { fields, .. }
        | Action::TaskMove { fields, .. }
        | Action::SprintStart { fields, .. }
        | Action::SprintComplete { fields, .. } => Value::Object(fields),
        other => panic!("{arguments}: {other:?}"),
    }
}

pub(super) fn id(text: &str) -> EntityId {
    EntityId(Id::from_text(text).unwrap())
}

#[test]
fn an_update_is_found_under_each_id_in_each_wrapper() {
    let change = json!({"title": "T"});
    for key in ["taskId", "id", "_id", "task_id"] {
        for wrapper in ["updates", "patch", "changes", "data", "task"] {
            let payload = json!({key: "t1", "projectId": "p1", wrapper: change});
            assert_eq!(
                update_of(&payload),
                (json!("t1"), change.clone()),
                "{payload}"
            );
        }
        let flat = json!({key: "t1", "projectId": "p1", "title": "T"});
        assert_eq!(update_of(&flat), (json!("t1"), change.clone()), "{flat}");
    }
    let nested = json!({"projectId": "p1", "task": {"id": 4, "title": "T"}});
    assert_eq!(update_of(&nested), (json!(4), change.clone()));
    let both = json!({"task": {"id": "t1"}, "updates": {"title": "T"}});
    assert_eq!(update_of(&both), (json!("t1"), change.clone()));
    let null = json!({"id": "t1", "updates": null});
    assert_eq!(update_of(&null), (json!("t1"), json!({"updates": null})));
}

#[test]
fn an_id_may_stand_before_the_object() {
    let request =
        command(&json!(["task:update", "t1", {"projectId": "p1", "title": "T"}, "key-1"]));
    assert_eq!(request.subject(), (Kind::Task, &id("t1")));
    assert_eq!(request.project.unwrap().as_str(), "p1");
    assert_eq!(request.key.as_deref(), Some("key-1"));
    assert_eq!(
        Value::Object(request.echo),
        json!({"projectId": "p1", "title": "T"})
    );
}

#[test]
fn a_payload_may_be_a_string_of_an_object() {
    let request = command(&json!([
        "task:update",
        "{\"taskId\":\"t1\",\"title\":\"T\"}"
    ]));
    assert_eq!(request.subject(), (Kind::Task, &id("t1")));
    assert_eq!(
        Value::Object(request.echo),
        json!({"taskId": "t1", "title": "T"})
    );
    assert_eq!(
        refused(&json!(["task:update", "{\"__proto__\":1}"])),
        invalid("__proto__")
    );
}

#[test]
fn other_kinds_have_ids_of_their_own() {
    for kind in ["epic", "sprint", "project"] {
        let (camel, snake) = (format!("{kind}Id"), format!("{kind}_id"));
        for payload in [
            json!({camel: "x", "title": "T"}),
            json!({snake: "x", "title": "T"}),
            json!({kind: {"id": "x", "title": "T"}}),
            json!({"id": "x", "updates": {"title": "T"}}),
        ] {
            let request = command(&json!([format!("{kind}:update"), payload]));
            assert_eq!(
                request.subject(),
                (kind.parse().unwrap(), &id("x")),
                "{payload}"
            );
            assert_eq!(request.project.is_some(), kind == "project");
        }
    }
    let task = json!(["task:update", {"id": "t1", "epicId": "e1", "sprint_id": null}]);
    assert_eq!(fields_of(&task), json!({"epicId": "e1", "sprintId": null}));
}

#[test]
fn the_project_is_found_beside_the_wrapper_or_in_it() {
    for payload in [
        json!({"id": "t1", "projectId": "p1", "title": "T"}),
        json!({"id": "t1", "project_id": "p1", "title": "T"}),
        json!({"id": "t1", "project": {"id": "p1", "name": "P"}, "title": "T"}),
        json!({"id": "t1", "project": "p1", "title": "T"}),
        json!({"id": "t1", "updates": {"project_id": "p1", "title": "T"}}),
        json!({"task": {"id": "t1", "project": "p1", "title": "T"}}),
    ] {
        let arguments = json!(["task:update", payload]);
        assert_eq!(
            command(&arguments).project.unwrap().as_str(),
            "p1",
            "{payload}"
        );
        assert_eq!(fields_of(&arguments), json!({"title": "T"}), "{payload}");
    }
    let field =
        json!(["task:update", {"id": "t1", "projectId": "p1", "updates": {"project": "Garden"}}]);
    assert_eq!(fields_of(&field), json!({"project": "Garden"}));
    assert!(command(&json!(["task:delete", "t1"])).project.is_none());
    assert_eq!(
        refused(&json!(["task:update", {"id": "t1", "projectId": {}}])),
        invalid("projectId")
    );
    assert_eq!(
        refused(&json!(["task:update", {"id": "t1", "projectId": ""}])),
        invalid("projectId")
    );
}

#[test]
fn a_creation_is_flat_or_wrapped() {
    for payload in [
        json!({"projectId": "p1", "title": "T"}),
        json!({"projectId": "p1", "name": "T"}),
        json!({"projectId": "p1", "task": {"title": "T"}}),
        json!({"task": {"projectId": "p1", "title": "T"}}),
        json!({"projectId": "p1", "data": {"title": "T"}}),
    ] {
        let arguments = json!(["task:create", payload]);
        assert_eq!(fields_of(&arguments), json!({"title": "T"}), "{payload}");
        let request = command(&arguments);
        assert_eq!(request.project.as_ref().unwrap().as_str(), "p1");
        assert_eq!(request.subject().1.as_str().len(), 36);
    }
    assert!(
        command(&json!(["task:create", {"title": "T"}]))
            .project
            .is_none()
    );
    let with_id = command(&json!(["task:create", {"task": {"id": 9, "title": 3}}]));
    assert_eq!(with_id.subject().1.to_json(), json!(9));
    let bare = command(&json!(["task:create", "p1", {"title": "T"}]));
    assert_eq!(bare.project.unwrap().as_str(), "p1");
}

#[test]
fn a_title_is_text() {
    for title in [json!({}), json!([]), json!(true), json!(null)] {
        assert_eq!(
            refused(&json!(["epic:create", {"title": title}])),
            invalid("title")
        );
    }
    assert_eq!(
        refused(&json!(["task:create", {"name": []}])),
        invalid("name")
    );
    assert!(parsed(&json!(["task:update", {"id": 1, "title": null}])).is_ok());
}

#[test]
fn a_new_project_is_its_own_project() {
    let named = command(&json!(["project:create", {"projectId": "p1", "name": "P"}]));
    assert_eq!(named.project.as_ref().unwrap().as_str(), "p1");
    assert_eq!(named.subject(), (Kind::Project, &id("p1")));
    let fresh = command(&json!(["project:create", {"name": "P"}]));
    assert_eq!(
        fresh.project.as_ref().unwrap().as_str(),
        fresh.subject().1.as_str()
    );
    let wrapped = command(&json!(["project:create", {"project": {"id": "p2", "title": "P"}}]));
    assert_eq!(wrapped.project.unwrap().as_str(), "p2");
    let beside = json!(["project:create", {"project": "p3", "data": {"title": "P"}}]);
    assert_eq!(command(&beside).project.unwrap().as_str(), "p3");
    assert_eq!(fields_of(&beside), json!({"title": "P"}));
}

#[test]
fn a_deletion_is_an_id() {
    for argument in [
        json!("t1"),
        json!({"taskId": "t1"}),
        json!({"id": "t1"}),
        json!({"_id": "t1", "projectId": "p1"}),
        json!({"task": {"id": "t1"}}),
        json!({"task_id": "t1", "data": "why"}),
    ] {
        for event in ["task:delete", "task:restore"] {
            assert_eq!(
                command(&json!([event, argument])).subject(),
                (Kind::Task, &id("t1"))
            );
        }
    }
    assert!(command(&json!(["task:delete", "t1"])).echo.is_empty());
    let project = command(&json!(["project:delete", 5]));
    assert_eq!(project.project.unwrap().to_json(), json!(5));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    assert_eq!(
        refused(&json!(["task:update", {"projectId": "p1"}])),
        invalid("taskId")
    );
    assert_eq!(refused(&json!(["sprint:start", {}])), invalid("sprintId"));
    assert_eq!(refused(&json!(["task:update", {"id": ""}])), invalid("id"));
    assert_eq!(
        refused(&json!(["task:delete", "x".repeat(256)])),
        invalid("taskId")
    );
    for arguments in [
        json!(["task:update"]),
        json!(["task:update", "t1"]),
        json!(["task:create", "p1"]),
        json!(["task:move", 1]),
        json!(["task:update", []]),
        json!(["task:delete", null]),
    ] {
        assert_eq!(refused(&arguments), invalid("payload"), "{arguments}");
    }
    for wrapper in ["updates", "patch", "changes", "data", "task"] {
        assert_eq!(
            refused(&json!(["task:update", {"id": 1, wrapper: []}])),
            invalid(wrapper)
        );
    }
}

#[test]
fn the_echo_is_what_was_sent() {
    let sent = json!({"task_id": "t1", "project_id": "p1", "due_date": "d", "user": {"id": 1}, "requestId": 3});
    let request = command(&json!(["task:update", sent]));
    assert_eq!(Value::Object(request.echo.clone()), sent);
    assert_eq!(
        request.clone().into_command(request.project.unwrap()).echo,
        request.echo
    );
}

#[test]
fn versions() {
    let version = |payload: Value| command(&json!(["task:update", payload])).expected_version;
    assert_eq!(version(json!({"id": 1, "expectedVersion": 3})), Some(3));
    assert_eq!(
        version(json!({"id": 1, "expected_version": 3, "version": 2})),
        Some(3)
    );
    assert_eq!(version(json!({"id": 1, "version": 2})), Some(2));
    assert_eq!(version(json!({"task": {"id": 1, "version": 2}})), Some(2));
    assert_eq!(version(json!({"id": 1, "version": "1.0"})), None);
    assert_eq!(version(json!({"id": 1, "expectedVersion": null})), None);
    let wrong = json!(["task:update", {"id": 1, "expectedVersion": "3"}]);
    assert_eq!(refused(&wrong), invalid("expectedVersion"));
}

#[test]
fn idempotency_keys() {
    let key = |arguments: Value| command(&arguments).key;
    for name in field::IDEMPOTENCY_KEYS {
        assert_eq!(
            key(json!(["task:delete", {"id": 1, name: "k"}])).as_deref(),
            Some("k")
        );
        assert_eq!(key(json!(["task:delete", {"id": 1, name: 7}])), None);
        for wrong in [json!(""), json!("k".repeat(129)), json!(true), json!({})] {
            assert_eq!(
                refused(&json!(["task:delete", {"id": 1, name: wrong}])),
                invalid(name)
            );
        }
    }
    assert_eq!(key(json!(["task:delete", "t1", "k"])).as_deref(), Some("k"));
    assert_eq!(key(json!(["task:delete", "t1"])), None);
    assert_eq!(
        refused(&json!(["task:delete", "t1", ""])),
        invalid("idempotencyKey")
    );
}

#[test]
fn fingerprints_tell_commands_apart_but_not_their_keys() {
    let print = |arguments: Value| command(&arguments).fingerprint();
    let first = print(json!(["task:update", {"id": 1, "title": "T", "requestId": "a"}]));
    assert_eq!(
        first,
        print(json!(["updateTask", {"title": "T", "id": 1, "mutationId": "b"}]))
    );
    assert_eq!(
        first,
        print(json!(["task:update", {"id": 1, "title": "T"}, "c"]))
    );
    assert_ne!(
        first,
        print(json!(["task:update", {"id": 1, "title": "U"}]))
    );
    assert_ne!(first, print(json!(["task:move", {"id": 1, "title": "T"}])));
    assert_ne!(
        print(json!(["task:delete", 1])),
        print(json!(["task:delete", 2]))
    );
}

/// Databases hold fingerprints that earlier versions have stored: a repeated command is told by them.
#[test]
fn fingerprints_are_what_they_were() {
    let elaborate = json!(["task:update", {"projectId": "garden", "taskId": "t1", "createdBy": "eve", "requestId": "r",
        "updates": {"title": "Größe \"7\"\n", "storyPoints": 5, "tags": ["a", {"z": null, "b": true}]}}]);
    for (arguments, stored) in [
        (elaborate.clone(), -9_196_038_455_129_420_652),
        (
            json!(["task:status", "t1", "done"]),
            1_581_360_713_165_581_207,
        ),
        (
            json!(["card:update", {"cardId": "t1", "boardId": "p", "title": "T"}]),
            -4_305_072_621_040_577_438,
        ),
    ] {
        let mut request = command(&arguments);
        assert_eq!(request.fingerprint(), stored, "{arguments}");
        request.disown_stamps();
        assert_eq!(request.fingerprint(), stored, "{arguments}");
    }
    let mut request = command(&elaborate);
    request.disown_stamps();
    assert!(request.echo.get("createdBy").is_none());
}

#[test]
fn a_status_is_an_update_of_the_status_alone() {
    for arguments in [
        json!(["task:status", {"taskId": "t1", "status": "done", "other": 1}]),
        json!(["task:status", {"taskId": "t1", "newStatus": "done", "oldStatus": "todo"}]),
        json!(["task:status", {"taskId": "t1", "new_status": "done", "status": "todo"}]),
        json!(["task:status", {"taskId": "t1", "updates": {"status": "done"}}]),
        json!(["task:status", {"task": {"id": "t1", "status": "done"}}]),
        json!(["task:status", "t1", "done"]),
        json!(["task:status", "t1", {"status": "done"}]),
    ] {
        assert_eq!(
            fields_of(&arguments),
            json!({"status": "done"}),
            "{arguments}"
        );
    }
    let keyed = command(&json!(["task:status", "t1", "done", "key"]));
    assert_eq!(keyed.key.as_deref(), Some("key"));
    for status in [json!(""), json!(1), json!({})] {
        assert_eq!(
            refused(&json!(["task:status", {"id": 1, "status": status}])),
            invalid("status")
        );
    }
    assert_eq!(
        refused(&json!(["task:status", {"id": 1}])),
        invalid("status")
    );
}

fn moved(payload: &Value) -> (Value, Option<Place>) {
    match command(&json!(["task:move", payload])).action {
        Action::TaskMove { fields, place, .. } => (Value::Object(fields), place),
        other => panic!("{payload}: {other:?}"),
    }
}

#[test]
fn a_move_has_a_place() {
    let place = |key: &str, value: Value| moved(&json!({"id": 1, key: value})).1;
    assert_eq!(place("beforeId", json!("a")), Some(Place::Before(id("a"))));
    assert_eq!(place("after_id", json!(7)), Some(Place::After(id("7"))));
    for key in ["position", "newPosition", "index", "newIndex", "toIndex"] {
        let is_index = key.to_lowercase().ends_with("index");
        let expected = if is_index {
            Place::Index
        } else {
            Place::Position
        };
        assert_eq!(place(key, json!(2)), Some(expected(2)));
        for other in [json!(-1), json!(1.5), json!("1"), json!(65_536)] {
            let payload = json!({"id": 1, key: other});
            if is_index && other != 65_536 {
                assert_eq!(refused(&json!(["task:move", payload])), invalid(key));
            } else if !is_index {
                let own = PlaceKey::of(&other).map(Place::Own);
                assert_eq!(moved(&payload), (json!({"position": other}), own));
            }
        }
    }
    let both = json!({"id": 1, "beforeId": "b", "afterId": "a", "position": "ignored"});
    assert_eq!(moved(&both).1, Some(Place::Between(id("a"), id("b"))));
    assert_eq!(moved(&json!({"id": 1, "beforeId": null})).1, None);
    assert_eq!(
        refused(&json!(["task:move", {"id": 1, "beforeId": ""}])),
        invalid("beforeId")
    );
}

#[test]
fn a_move_carries_fields() {
    let flat = json!({"id": 1, "newStatus": "done", "oldStatus": "x", "sprint_id": "s", "columnId": "c", "index": 0});
    let fields = json!({"status": "done", "sprintId": "s", "columnId": "c"});
    assert_eq!(moved(&flat), (fields, Some(Place::Index(0))));
    let beside = json!({"newStatus": "done", "sprint_id": null, "task": {"id": 1, "status": "todo", "title": "T"}});
    let fields = json!({"status": "done", "sprintId": null, "title": "T"});
    assert_eq!(moved(&beside), (fields, None));
    assert_eq!(
        refused(&json!(["task:move", {"id": 1, "newStatus": 1}])),
        invalid("newStatus")
    );
}

#[test]
fn a_completed_sprint_says_where_its_tasks_go() {
    let target = |payload: Value| match command(&json!(["sprint:complete", payload])).action {
        Action::SprintComplete {
            move_to, fields, ..
        } => {
            assert_eq!(fields, Fields::new());
            move_to
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(target(json!("s1")), MoveTo::Backlog);
    assert_eq!(
        target(json!({"sprintId": "s1", "moveTo": null})),
        MoveTo::Backlog
    );
    assert_eq!(
        target(json!({"sprintId": "s1", "moveTo": "backlog"})),
        MoveTo::Backlog
    );
    assert_eq!(
        target(json!({"sprintId": "s1", "move_to": "keep"})),
        MoveTo::Keep
    );
    assert_eq!(
        target(json!({"sprintId": "s1", "moveUnfinishedTo": 2})),
        MoveTo::Sprint(id("2"))
    );
    assert_eq!(
        refused(&json!(["sprint:complete", {"id": 1, "moveTo": true}])),
        invalid("moveTo")
    );
}
