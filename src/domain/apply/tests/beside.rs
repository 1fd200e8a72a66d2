//! Comments and entities of declared kinds; toggles; where what is deleted was.

use super::*;

fn kinds() -> [Kind; 2] {
    let note = Kind::declare("note", "notes", false).unwrap();
    [Kind::Comment, note]
}

fn toggle(kind: Kind, name: &str, field: Option<&str>) -> Action {
    Action::Toggle {
        kind,
        id: id(name),
        field: field.map(str::to_owned),
    }
}

#[test]
fn comment_and_declared_kind_live_like_a_task() {
    for kind in kinds() {
        let mut board = Board::new();
        let name = |verb: &str| format!("{kind}.{verb}");
        let made = board.create(kind, "x", &json!({"taskId": "t", "text": "a"}));
        assert_eq!(types(&made), [name("created")]);
        assert_eq!(made.subject.rank, None, "it has no place on the board");
        let change = Action::Update {
            kind,
            id: id("x"),
            fields: fields(&json!({"text": "b"})),
        };
        let changed = board.send(change.clone()).unwrap();
        assert_eq!(
            (types(&changed), changed.subject.version),
            (vec![&*name("updated")], 2)
        );
        let delete = Action::Delete { kind, id: id("x") };
        assert_eq!(
            types(&board.send(delete.clone()).unwrap()),
            [name("deleted")]
        );
        assert!(board.send(delete).unwrap().is_noop());
        assert!(matches!(board.send(change), Err(Refusal::Gone(of)) if of == kind));
        let back = board.send(restore(kind, "x")).unwrap();
        assert_eq!(types(&back), [name("restored")]);
        assert_eq!(
            back.subject.fields,
            fields(&json!({"taskId": "t", "text": "b"})).into()
        );
    }
}

#[test]
fn deleting_a_task_leaves_its_comments() {
    for kind in kinds() {
        let mut board = Board::new();
        board.create(Kind::Task, "t", &json!({}));
        board.create(kind, "x", &json!({"taskId": "t"}));
        let delete = Action::Delete {
            kind: Kind::Task,
            id: id("t"),
        };
        let deleted = board.send(delete).unwrap();
        assert_eq!(types(&deleted), ["task.deleted"]);
        board.send(restore(Kind::Task, "t")).unwrap();
        assert_eq!(board.world.get(kind, &id("x")).unwrap().version, 1);
    }
}

#[test]
fn what_a_comment_belongs_to_must_exist_on_a_strict_server() {
    let [comment, note] = kinds();
    for kind in [comment, note] {
        let mut board = Board::new();
        board.create(Kind::Task, "t", &json!({}));
        board.create(note, "n", &json!({}));
        board.create(kind, "first", &json!({}));
        board.strict = true;
        let mut send = |with: Value| {
            let fields = fields(&with);
            board.send(Action::Create {
                kind,
                id: EntityId(Id::from_text(&with.to_string()).unwrap()),
                fields,
            })
        };
        for fine in [
            json!({"taskId": "t"}),
            json!({"noteId": "n"}),
            json!({"parentId": "first"}),
            json!({"parentId": "t"}),
            json!({"taskId": null, "epicId": ""}),
            json!({"userId": "nobody", "authorId": 7}),
        ] {
            send(fine.clone()).unwrap_or_else(|refusal| panic!("{kind} {fine}: {refusal}"));
        }
        for (with, named) in [
            (json!({"taskId": "none"}), "taskId"),
            (json!({"taskId": ["t"]}), "taskId"),
            (json!({"epicId": "t"}), "epicId"),
            (json!({"noteId": "t"}), "noteId"),
            (json!({"parentId": "none"}), "parentId"),
        ] {
            let refused = send(with.clone());
            assert!(
                matches!(refused, Err(Refusal::NotFound { field, .. }) if field == named),
                "{kind} {with}: {refused:?}"
            );
        }
    }
}

#[test]
fn comment_of_an_unknown_task_is_kept_by_a_lenient_server() {
    let mut board = Board::new();
    let made = board.create(Kind::Comment, "c", &json!({"taskId": "elsewhere"}));
    assert_eq!(made.subject.belongs_to(), Some(id("elsewhere")));
}

#[test]
fn comment_belongs_to_the_first_of_its_references() {
    let [comment, note] = kinds();
    let mut board = Board::new();
    for (with, owner) in [
        (
            json!({"taskId": 7, "epicId": "e", "parentId": "c"}),
            Some("7"),
        ),
        (json!({"sprintId": "s", "parentId": "c"}), Some("s")),
        (json!({"parentId": "c", "noteId": "n"}), Some("c")),
        (json!({"noteId": "n", "userId": "u"}), Some("n")),
        (json!({"userId": "u", "taskId": ""}), None),
        (json!({"taskId": "x".repeat(256)}), None),
    ] {
        let made = board.create(
            comment,
            &with.to_string()[..20.min(with.to_string().len())],
            &with,
        );
        assert_eq!(made.subject.belongs_to(), owner.map(id), "{with}");
    }
    let task = board.create(Kind::Task, "t", &json!({"noteId": "n"}));
    assert_eq!(task.subject.belongs_to(), None, "a task is on the board");
    let note = board.create(note, "n", &json!({"taskId": "t"}));
    assert_eq!(note.subject.belongs_to(), Some(id("t")));
}

#[test]
fn toggle_flips_the_field_that_says_whether_something_is_done() {
    let [comment, note] = kinds();
    for kind in [Kind::Task, Kind::Epic, Kind::Sprint, comment, note] {
        for (with, field) in [
            (json!({}), "completed"),
            (json!({"done": false, "checked": true}), "done"),
            (json!({"isCompleted": null}), "isCompleted"),
            (json!({"is_completed": 0}), "is_completed"),
        ] {
            let mut board = Board::new();
            board.create(kind, "x", &with);
            for is_set in [true, false, true] {
                let toggled = board.send(toggle(kind, "x", None)).unwrap();
                assert_eq!(types(&toggled), [format!("{kind}.updated")]);
                assert_eq!(toggled.subject.fields[field], is_set, "{kind} {with}");
            }
            board.send(toggle(kind, "x", Some("pinned"))).unwrap();
            assert_eq!(
                board.world.get(kind, &id("x")).unwrap().fields["pinned"],
                true
            );
        }
    }
}

#[test]
fn toggle_of_what_is_neither_true_nor_false_is_refused() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({"status": "todo", "done": "yes"}));
    for field in [None, Some("status")] {
        let refused = board.send(toggle(Kind::Task, "t", field));
        assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "field"));
    }
    board.strict = true;
    let refused = board.send(toggle(Kind::Task, "none", None));
    assert!(matches!(refused, Err(Refusal::NotFound { .. })));
}

#[test]
fn toggle_against_an_older_version_does_not_undo_the_same_of_another() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({"done": false}));
    board.actor = "bob";
    board.send(toggle(Kind::Task, "t", None)).unwrap();
    board.actor = "ann";
    let again = board
        .send_at(toggle(Kind::Task, "t", None), Some(1))
        .unwrap();
    assert!(again.is_noop());
    assert_eq!(board.task("t").fields["done"], true);
    board
        .send_at(toggle(Kind::Task, "t", None), Some(2))
        .unwrap();
    assert_eq!(board.task("t").fields["done"], false);
}
