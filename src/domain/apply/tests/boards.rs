//! Columns, positions, parents, and the ends of sprints.

use super::*;
use crate::domain::PlaceKey;

#[test]
fn column_fields_group_cards_as_a_status_does() {
    for field in ["columnId", "column", "listId", "status"] {
        let mut board = Board::new();
        for (name, column) in [("b1", "B"), ("a1", "A"), ("b2", "B"), ("b3", "B")] {
            board.create(Kind::Task, name, &json!({field: column}));
        }
        let moved = Action::TaskMove {
            id: id("a1"),
            fields: fields(&json!({field: "B"})),
            place: Some(Place::Index(1)),
            is_update: false,
        };
        board.send(moved).unwrap();
        assert_eq!(board.order(), ["b1", "a1", "b2", "b3"], "{field}");
    }
}

#[test]
fn ranks_follow_positions_of_the_frontends_own() {
    for positions in [
        [json!(16384), json!(32768), json!(49152), json!(24576)],
        [json!(-3), json!(-2.5), json!(0.5), json!(-2.75)],
        [json!("a0"), json!("a1"), json!("a2"), json!("a0V")],
    ] {
        let mut board = Board::new();
        for (name, position) in ["a", "b", "c"].into_iter().zip(&positions) {
            board.create(Kind::Task, name, &json!({"position": position}));
        }
        board.create(Kind::Task, "d", &json!({"status": "x"}));
        let moved = Action::TaskMove {
            id: id("d"),
            fields: fields(&json!({"position": positions[3], "status": null})),
            place: PlaceKey::of(&positions[3]).map(Place::Own),
            is_update: false,
        };
        board.send(moved).unwrap();
        assert_eq!(board.order(), ["a", "d", "b", "c"], "{positions:?}");
        assert_eq!(board.task("d").fields["position"], positions[3]);
        // A card that is made stands there from the beginning.
        let mut board = Board::new();
        for (name, position) in [("b", 1), ("c", 2), ("a", 0)] {
            board.create(Kind::Task, name, &json!({"position": positions[position]}));
        }
        assert_eq!(board.order(), ["a", "b", "c"], "{positions:?}");
    }
}

#[test]
fn a_task_is_not_above_itself() {
    let mut board = Board::new();
    board.create(Kind::Task, "a", &json!({}));
    board.create(Kind::Task, "b", &json!({"parentId": "a"}));
    board.create(Kind::Task, "c", &json!({"parentId": "b"}));
    for (task, parent) in [("a", "a"), ("a", "b"), ("a", "c"), ("b", "c")] {
        let refused = board.send(update(task, &json!({"parentId": parent})));
        assert!(
            matches!(&refused, Err(Refusal::Invalid { field, .. }) if field == "parentId"),
            "{task} {parent}: {refused:?}"
        );
    }
    board.send(update("c", &json!({"parentId": "a"}))).unwrap();
    board.send(update("b", &json!({"parentId": "c"}))).unwrap();
}

#[test]
fn deleting_a_parent_frees_its_children() {
    let mut board = Board::new();
    board.create(Kind::Task, "a", &json!({}));
    board.create(Kind::Task, "b", &json!({"parentId": "a"}));
    let delete = Action::Delete {
        kind: Kind::Task,
        id: id("a"),
    };
    let changes = board.send(delete).unwrap();
    assert_eq!(types(&changes), ["task.deleted", "task.updated"]);
    assert_eq!(board.task("b").fields["parentId"], Value::Null);
}

#[test]
fn strict_servers_refuse_references_to_nothing_and_a_second_active_sprint() {
    let mut board = Board::new();
    board.create(Kind::Project, "p", &json!({}));
    board.create(Kind::Epic, "e", &json!({}));
    board.create(Kind::Task, "t", &json!({}));
    board.create(Kind::Sprint, "s", &json!({}));
    board.create(Kind::Sprint, "s2", &json!({}));
    board.strict = true;
    for (field, known) in [("epicId", "e"), ("sprintId", "s"), ("parentId", "t")] {
        let refused = board.send(update("t", &json!({field: "nobody"})));
        assert!(matches!(&refused, Err(Refusal::NotFound { field: named, .. }) if *named == field));
        board.create(Kind::Task, field, &json!({field: known}));
        board.send(update(field, &json!({field: null}))).unwrap();
    }
    let start = |name: &str| Action::SprintStart {
        id: id(name),
        fields: Fields::new(),
    };
    board.send(start("s")).unwrap();
    board.send(start("s")).unwrap();
    assert!(
        matches!(board.send(start("s2")), Err(Refusal::Conflict { field, .. }) if field == "status")
    );
    let allow = Action::Update {
        kind: Kind::Project,
        id: id("p"),
        fields: fields(&json!({"parallelSprints": true})),
    };
    board.send(allow).unwrap();
    board.send(start("s2")).unwrap();
}

fn complete(move_to: MoveTo, moves: &[(&str, MoveTo)], done: &[&str]) -> Action {
    Action::SprintComplete {
        id: id("s"),
        fields: Fields::new(),
        move_to,
        moves: moves
            .iter()
            .map(|(task, to)| (id(task), to.clone()))
            .collect(),
        done: done.iter().map(|&status| status.to_owned()).collect(),
    }
}

#[test]
fn a_completion_puts_each_task_where_it_says() {
    let mut board = Board::new();
    board.create(Kind::Sprint, "later", &json!({"startDate": "2027-02-01"}));
    board.create(Kind::Sprint, "soon", &json!({"startDate": "2027-01-01"}));
    board.create(
        Kind::Sprint,
        "past",
        &json!({"startDate": "2026-01-01", "status": "completed"}),
    );
    for name in ["a", "b", "c", "d"] {
        board.create(
            Kind::Task,
            name,
            &json!({"sprintId": "s", "status": "todo"}),
        );
    }
    let moves = [
        ("a", MoveTo::Sprint(id("later"))),
        ("b", MoveTo::Backlog),
        ("c", MoveTo::Next),
    ];
    let changes = board
        .send(complete(MoveTo::Sprint(id("x")), &moves, &[]))
        .unwrap();
    assert_eq!(
        types(&changes),
        [
            "sprint.completed",
            "task.moved",
            "task.moved",
            "task.moved",
            "task.moved"
        ]
    );
    let homes = ["a", "b", "c", "d"].map(|name| board.task(name).fields["sprintId"].clone());
    assert_eq!(
        homes,
        [json!("later"), json!(null), json!("soon"), json!("x")]
    );
}

#[test]
fn a_completion_that_cannot_put_a_task_where_it_says_changes_nothing() {
    for (move_to, moves, field) in [
        (MoveTo::Next, &[][..], "moveTo"),
        (MoveTo::Backlog, &[("a", MoveTo::Next)], "moves"),
        (MoveTo::Backlog, &[("nobody", MoveTo::Backlog)], "moves"),
        (MoveTo::Backlog, &[("a", MoveTo::Keep)], "moves"),
        (MoveTo::Backlog, &[("a", MoveTo::Sprint(id("s")))], "moves"),
    ] {
        let mut board = Board::new();
        board.create(Kind::Task, "a", &json!({"sprintId": "s"}));
        board.create(Kind::Sprint, "past", &json!({"status": "completed"}));
        let start = Action::SprintStart {
            id: id("s"),
            fields: Fields::new(),
        };
        board.send(start).unwrap();
        let refused = board.send(complete(move_to, moves, &[]));
        assert!(
            matches!(&refused, Err(Refusal::Invalid { field: named, .. }) if named == field),
            "{refused:?}"
        );
        let sprint = board.world.get(Kind::Sprint, &id("s")).unwrap();
        assert_eq!(sprint.text("status"), Some("active"));
    }
}

#[test]
fn projects_and_completions_name_finished_statuses_of_their_own() {
    let mut board = Board::new();
    board.create(Kind::Project, "p", &json!({"doneStatuses": ["Erledigt"]}));
    for (name, status) in [
        ("a", "erledigt "),
        ("b", "Done "),
        ("c", "RELEASED"),
        ("d", "todo"),
    ] {
        board.create(
            Kind::Task,
            name,
            &json!({"sprintId": "s", "status": status}),
        );
    }
    board.create(
        Kind::Task,
        "e",
        &json!({"sprintId": "s", "columnId": "done"}),
    );
    board
        .send(complete(MoveTo::Backlog, &[], &["Released"]))
        .unwrap();
    let homes = ["a", "b", "c", "d", "e"].map(|name| board.task(name).fields["sprintId"].clone());
    assert_eq!(
        homes,
        [json!("s"), json!("s"), json!("s"), json!(null), json!("s")]
    );
}
