//! Each rule by example, and random commands against what must always hold.

mod beside;
mod boards;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::{Id, MoveTo, Place, ProjectId, Unsettled};

/// One project and the commands that are sent to it.
struct Board {
    world: World,
    actor: &'static str,
    strict: bool,
    if_match: Option<IfMatch>,
}

fn id(text: &str) -> EntityId {
    EntityId(Id::from_text(text).unwrap())
}

fn fields(value: &Value) -> Fields {
    value.as_object().unwrap().clone()
}

impl Board {
    fn new() -> Self {
        let project = ProjectId(Id::from_text("p").unwrap());
        Self {
            world: World::new(project, 0),
            actor: "ann",
            strict: false,
            if_match: None,
        }
    }

    fn send(&mut self, action: Action) -> Result<Changes, Refusal> {
        self.send_at(action, None)
    }

    fn send_at(
        &mut self,
        action: Action,
        expected_version: Option<i64>,
    ) -> Result<Changes, Refusal> {
        let command = Command {
            project: self.world.project().clone(),
            action,
            made_id: false,
            expected_version,
            if_match: self.if_match.clone(),
            unsettled: Unsettled::default(),
            unread: Vec::new(),
            elsewhere: Vec::new(),
            strict: self.strict,
            echo: Fields::new(),
            imported: None,
        };
        let cx = Context {
            project: command.project.clone(),
            actor: Actor::new(self.actor),
            now: Timestamp::from_millis(1000 + self.world.seq()),
            strict: self.strict,
            founder: None,
        };
        let changes = apply(&self.world, &command, &cx)?;
        self.world.accept(&changes);
        Ok(changes)
    }

    fn create(&mut self, kind: Kind, name: &str, with: &Value) -> Changes {
        let action = Action::Create {
            kind,
            id: id(name),
            fields: fields(with),
        };
        self.send(action).unwrap()
    }

    fn task(&self, name: &str) -> &Entity {
        self.world.get(Kind::Task, &id(name)).unwrap()
    }

    fn order(&self) -> Vec<&str> {
        let nobody = id("nobody");
        self.world
            .order_without(&nobody)
            .map(|entry| entry.id.as_str())
            .collect::<Vec<_>>()
            .into_iter()
            .map(|name| self.task(name).id.as_str())
            .collect()
    }
}

fn update(name: &str, with: &Value) -> Action {
    Action::Update {
        kind: Kind::Task,
        id: id(name),
        fields: fields(with),
    }
}

fn restore(kind: Kind, name: &str) -> Action {
    Action::Restore { kind, id: id(name) }
}

fn put(name: &str, place: Place) -> Action {
    Action::TaskMove {
        id: id(name),
        fields: Fields::new(),
        place: Some(place),
        is_update: false,
    }
}

fn types(changes: &Changes) -> Vec<&str> {
    changes
        .events
        .iter()
        .map(|draft| draft.event_type.as_str())
        .collect()
}

#[test]
fn a_project_springs_into_being_silently_with_its_first_command() {
    let mut board = Board::new();
    let changes = board.create(Kind::Task, "t", &json!({"title": "T"}));
    assert_eq!(types(&changes), ["task.created"]);
    assert_eq!(board.world.project_entity().unwrap().version, 0);
    let project = id("p");
    let described = board.send(Action::Create {
        kind: Kind::Project,
        id: project,
        fields: fields(&json!({"title": "P"})),
    });
    assert_eq!(types(&described.unwrap()), ["project.created"]);
}

#[test]
fn strict_servers_make_nothing_by_the_way() {
    let mut board = Board::new();
    board.strict = true;
    let refused = board.send(update("t", &json!({"a": 1})));
    assert!(matches!(
        refused,
        Err(Refusal::NotFound {
            kind: Kind::Project,
            ..
        })
    ));
    board.create(Kind::Project, "p", &json!({}));
    let refused = board.send(update("t", &json!({"a": 1})));
    assert!(matches!(
        refused,
        Err(Refusal::NotFound {
            kind: Kind::Task,
            ..
        })
    ));
}

#[test]
fn an_update_merges_and_a_null_is_a_value() {
    let mut board = Board::new();
    board.create(
        Kind::Task,
        "t",
        &json!({"title": "T", "due": "x", "storyPoints": 3}),
    );
    let changes = board
        .send(update("t", &json!({"title": "U", "due": null})))
        .unwrap();
    assert_eq!(types(&changes), ["task.updated"]);
    assert_eq!(board.task("t").version, 2);
    assert_eq!(
        Value::from(board.task("t").fields.clone()),
        json!({"title": "U", "due": null, "storyPoints": 3})
    );
    assert!(
        board
            .send(update("t", &json!({"title": "U"})))
            .unwrap()
            .is_noop()
    );
}

#[test]
fn command_that_changes_nothing_is_told_unless_it_names_a_version() {
    let mut board = Board::new();
    let moved = |board: &mut Board, fields: &Value| {
        let action = Action::TaskMove {
            id: id("t"),
            fields: self::fields(fields),
            place: None,
            is_update: false,
        };
        board.send(action).unwrap()
    };
    board.create(Kind::Task, "t", &json!({"title": "T", "status": "todo"}));
    let title = update("t", &json!({"title": "T"}));
    let told = board.send(title.clone()).unwrap();
    assert_eq!(types(&told), ["task.updated"]);
    assert!(told.is_noop());
    let told = board.send(update("t", &json!({"status": "todo"}))).unwrap();
    assert_eq!(types(&told), ["task.updated", "task.status_changed"]);
    assert_eq!(
        Value::from(told.events[1].extra.clone()),
        json!({"oldStatus": "todo", "newStatus": "todo"})
    );
    let told = moved(&mut board, &json!({"status": "todo"}));
    assert_eq!(
        types(&told),
        ["task.moved", "task.updated", "task.status_changed"]
    );
    assert_eq!(types(&moved(&mut board, &json!({}))), ["task.moved"]);
    assert_eq!(board.task("t").version, 1);
    assert!(types(&board.send_at(title, Some(1)).unwrap()).is_empty());
}

#[test]
fn an_update_of_an_unknown_task_creates_it() {
    let mut board = Board::new();
    let changes = board.send(update("t", &json!({"status": "done"}))).unwrap();
    assert_eq!(types(&changes), ["task.updated", "task.status_changed"]);
    assert_eq!(board.task("t").version, 1);
    assert!(board.task("t").rank.is_some());
}

#[test]
fn a_change_of_status_says_from_what_to_what() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({"status": "todo"}));
    let changes = board.send(update("t", &json!({"status": "done"}))).unwrap();
    assert_eq!(
        Value::from(changes.events[1].extra.clone()),
        json!({"oldStatus": "todo", "newStatus": "done"})
    );
}

#[test]
fn what_is_deleted_stays_gone_until_restored() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({"title": "T"}));
    let delete = || Action::Delete {
        kind: Kind::Task,
        id: id("t"),
    };
    assert_eq!(types(&board.send(delete()).unwrap()), ["task.deleted"]);
    assert!(board.send(delete()).unwrap().is_noop());
    assert!(matches!(
        board.send(update("t", &json!({"a": 1}))),
        Err(Refusal::Gone(Kind::Task))
    ));
    let restored = board.send(restore(Kind::Task, "t")).unwrap();
    assert_eq!(types(&restored), ["task.restored"]);
    assert!(board.send(restore(Kind::Task, "t")).unwrap().is_noop());
    assert!(matches!(
        board.send(restore(Kind::Task, "u")),
        Err(Refusal::NotFound { .. })
    ));
}

#[test]
fn restore_brings_back_what_was_deleted_as_it_was() {
    for (kind, name) in [(Kind::Epic, "e"), (Kind::Sprint, "s"), (Kind::Project, "p")] {
        let mut board = Board::new();
        board.create(kind, name, &json!({"title": "T", "status": "active"}));
        board.create(Kind::Task, "t", &json!({"epicId": "e", "sprintId": "s"}));
        board.send(Action::Delete { kind, id: id(name) }).unwrap();
        let restored = board.send(restore(kind, name)).unwrap();
        assert_eq!(types(&restored), [format!("{kind}.restored")]);
        let entity = board.world.get(kind, &id(name)).unwrap();
        assert_eq!((entity.version, &entity.fields["title"]), (3, &json!("T")));
        assert!(entity.deleted.is_none());
        // What the deletion freed stays free.
        let task = board.world.get(Kind::Task, &id("t")).unwrap();
        for (freed, field) in [(Kind::Epic, "epicId"), (Kind::Sprint, "sprintId")] {
            assert_eq!(
                task.fields[field].is_null(),
                freed == kind,
                "{kind} {field}"
            );
        }
        assert!(board.send(restore(kind, name)).unwrap().is_noop());
        let never = board.send(restore(kind, "never"));
        assert!(matches!(never, Err(Refusal::NotFound { .. })) || kind == Kind::Project);
    }
}

#[test]
fn create_under_the_id_of_something_deleted_brings_it_back() {
    for (kind, event) in [
        (Kind::Task, "task.created"),
        (Kind::Epic, "epic.created"),
        (Kind::Sprint, "sprint.created"),
        (Kind::Project, "project.created"),
    ] {
        let mut board = Board::new();
        let name = if kind == Kind::Project { "p" } else { "x" };
        board.create(kind, name, &json!({"title": "T", "note": "n"}));
        board.send(Action::Delete { kind, id: id(name) }).unwrap();
        let changes = board.create(kind, name, &json!({"title": "U"}));
        assert_eq!(types(&changes), [event]);
        let back = &changes.subject;
        assert_eq!((back.version, back.deleted.is_none()), (3, true));
        assert_eq!(Value::from(back.fields.clone()), json!({"title": "U"}));
        assert_eq!(back.rank.is_some(), kind == Kind::Task);
        assert!(board.create(kind, name, &json!({"title": "U"})).is_noop());
    }
}

#[test]
fn a_deleted_project_takes_nothing_more() {
    let mut board = Board::new();
    board.create(Kind::Project, "p", &json!({}));
    board
        .send(Action::Delete {
            kind: Kind::Project,
            id: id("p"),
        })
        .unwrap();
    assert!(matches!(
        board.send(update("t", &json!({}))),
        Err(Refusal::Gone(Kind::Project))
    ));
}

#[test]
fn creating_the_same_again_is_a_noop_and_something_else_a_conflict() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({"title": "T"}));
    assert!(
        board
            .create(Kind::Task, "t", &json!({"title": "T"}))
            .is_noop()
    );
    let other = Action::Create {
        kind: Kind::Task,
        id: id("t"),
        fields: fields(&json!({"title": "U"})),
    };
    assert!(matches!(board.send(other), Err(Refusal::Conflict { field, .. }) if field == "id"));
}

#[test]
fn only_the_same_field_changed_by_someone_else_is_a_conflict() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({"title": "T", "note": "n"}));
    board.actor = "bob";
    board.send(update("t", &json!({"title": "bob's"}))).unwrap();
    board.actor = "ann";
    let merged = board
        .send_at(update("t", &json!({"note": "ann's"})), Some(1))
        .unwrap();
    assert!(merged.merged);
    let refused = board.send_at(update("t", &json!({"title": "ann's"})), Some(1));
    assert!(matches!(refused, Err(Refusal::Conflict { field, .. }) if field == "title"));
    assert!(
        !board
            .send_at(update("t", &json!({"title": "ann's"})), Some(3))
            .unwrap()
            .merged
    );
    board
        .send_at(update("t", &json!({"title": "ann's second"})), Some(3))
        .unwrap();
}

#[test]
fn a_full_object_does_not_undo_what_others_changed() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({"title": "T", "status": "todo"}));
    board.actor = "bob";
    board.send(update("t", &json!({"status": "done"}))).unwrap();
    board.actor = "ann";
    let full = update("t", &json!({"title": "ann's", "status": "todo"}));
    assert!(board.send_at(full, Some(1)).unwrap().merged);
    assert_eq!(board.task("t").text("status"), Some("done"));
    assert_eq!(board.task("t").text("title"), Some("ann's"));
}

#[test]
fn entities_do_not_grow_without_end() {
    let mut board = Board::new();
    let text = "x".repeat(MAX_FIELDS_BYTES / 2);
    board.create(Kind::Task, "t", &json!({"a": text}));
    let refused = board.send(update("t", &json!({"b": text})));
    assert!(matches!(refused, Err(Refusal::TooLarge { .. })));
}

#[test]
fn histories_do_not_grow_without_end_and_keep_what_is_new() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({}));
    let text = "x".repeat(MAX_FIELDS_BYTES / 3);
    for n in 0..20 {
        let field = format!("f{n}");
        for value in [json!(text), Value::Null] {
            let mut patch = Fields::new();
            patch.insert(field.clone(), value);
            board.send(update("t", &patch.into())).unwrap();
        }
    }
    let history = &board.task("t").history;
    assert_eq!(history.len(), 20);
    let size = serde_json::to_string(history).unwrap().len();
    assert!(size < MAX_FIELDS_BYTES * 11 / 10, "{size}");
    assert!(history["f19"].was.is_some() && history["f0"].was.is_none());
}

#[test]
fn deleting_an_epic_or_sprint_frees_its_tasks() {
    for (kind, field) in [(Kind::Epic, "epicId"), (Kind::Sprint, "sprintId")] {
        let mut board = Board::new();
        board.create(kind, "7", &json!({}));
        board.create(Kind::Task, "a", &json!({field: 7}));
        board.create(Kind::Task, "b", &json!({field: "8"}));
        let changes = board.send(Action::Delete { kind, id: id("7") }).unwrap();
        assert_eq!(types(&changes)[1..], ["task.updated"]);
        assert_eq!(board.task("a").fields[field], Value::Null);
        assert_eq!(board.task("b").fields[field], json!("8"));
    }
}

#[test]
fn what_is_left_is_counted_up_to_a_limit_and_not_nothing_as_long_as_there_is_more() {
    let mut board = Board::new();
    for (found, has_more, changed, left) in [
        (3, false, 3, 0),
        (201, true, 200, 1),
        (201, true, 201, 1),
        (9_999, true, 200, 9_799),
        (10_000, true, 200, 10_000),
    ] {
        board.world.load_matching(found, has_more);
        assert_eq!(board.world.left_after(changed), left);
    }
}

#[test]
fn completing_a_sprint_finds_a_home_for_unfinished_tasks() {
    for (move_to, home) in [
        (MoveTo::Backlog, json!(null)),
        (MoveTo::Keep, json!("s")),
        (MoveTo::Sprint(id("next")), json!("next")),
    ] {
        let mut board = Board::new();
        board.create(
            Kind::Task,
            "open",
            &json!({"sprintId": "s", "status": "todo"}),
        );
        board.create(
            Kind::Task,
            "done",
            &json!({"sprintId": "s", "status": "Done"}),
        );
        let start = Action::SprintStart {
            id: id("s"),
            fields: Fields::new(),
        };
        assert_eq!(types(&board.send(start).unwrap()), ["sprint.started"]);
        let complete = Action::SprintComplete {
            id: id("s"),
            fields: Fields::new(),
            move_to,
            moves: Vec::new(),
            done: Vec::new(),
        };
        let changes = board.send(complete.clone()).unwrap();
        assert_eq!(changes.events.len() - 1, usize::from(home != json!("s")));
        assert_eq!(board.task("open").fields["sprintId"], home);
        assert_eq!(board.task("done").fields["sprintId"], json!("s"));
        assert!(board.send(complete).unwrap().is_noop());
    }
}

#[test]
fn cards_go_where_they_are_put() {
    let mut board = Board::new();
    for name in ["a", "b", "c", "d"] {
        board.create(Kind::Task, name, &json!({"status": "todo"}));
    }
    assert_eq!(board.order(), ["a", "b", "c", "d"]);
    board.send(put("d", Place::Before(id("a")))).unwrap();
    assert_eq!(board.order(), ["d", "a", "b", "c"]);
    board.send(put("d", Place::After(id("b")))).unwrap();
    assert_eq!(board.order(), ["a", "b", "d", "c"]);
    board.send(put("c", Place::Position(1))).unwrap();
    assert_eq!(board.order(), ["a", "c", "b", "d"]);
    board.send(put("a", Place::Position(99))).unwrap();
    assert_eq!(board.order(), ["c", "b", "d", "a"]);
    board
        .send(put("a", Place::Between(id("c"), id("b"))))
        .unwrap();
    assert_eq!(board.order(), ["c", "a", "b", "d"]);
    board.send(put("c", Place::After(id("unknown")))).unwrap();
    assert_eq!(board.order(), ["a", "b", "d", "c"]);
    assert!(
        board
            .send(put("b", Place::After(id("a"))))
            .unwrap()
            .is_noop()
    );
    let moved = board.send(Action::TaskMove {
        id: id("b"),
        fields: fields(&json!({"status": "done"})),
        place: Some(Place::Position(0)),
        is_update: false,
    });
    assert_eq!(
        types(&moved.unwrap()),
        ["task.moved", "task.updated", "task.status_changed"]
    );
}

/// Of what random commands are about.
fn any_kinds() -> [Kind; 5] {
    let note = Kind::declare("note", "notes", false).unwrap();
    [Kind::Task, Kind::Epic, Kind::Sprint, Kind::Comment, note]
}

fn any_action() -> impl Strategy<Value = Action> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(id);
    let kind = || prop::sample::select(any_kinds().to_vec());
    let some = || {
        (
            prop::sample::select(vec![
                "status", "title", "epicId", "sprintId", "taskId", "noteId",
            ]),
            prop::sample::select(vec!["a", "b", "done"]),
        )
            .prop_map(|(field, value)| fields(&json!({field: value})))
    };
    let place = prop_oneof![
        name().prop_map(Place::Before),
        name().prop_map(Place::After),
        (name(), name()).prop_map(|(a, b)| Place::Between(a, b)),
        (0_usize..5).prop_map(Place::Position),
    ];
    let move_to = prop_oneof![
        Just(MoveTo::Backlog),
        Just(MoveTo::Keep),
        name().prop_map(MoveTo::Sprint)
    ];
    prop_oneof![
        (kind(), name(), some()).prop_map(|(kind, id, fields)| Action::Create { kind, id, fields }),
        (kind(), name(), some()).prop_map(|(kind, id, fields)| Action::Update { kind, id, fields }),
        (kind(), name()).prop_map(|(kind, id)| Action::Delete { kind, id }),
        (kind(), name()).prop_map(|(kind, id)| Action::Restore { kind, id }),
        (kind(), name()).prop_map(|(kind, id)| Action::Toggle {
            kind,
            id,
            field: None
        }),
        (name(), some(), prop::option::of(place)).prop_map(|(id, fields, place)| {
            Action::TaskMove {
                id,
                fields,
                place,
                is_update: false,
            }
        }),
        (name(), some()).prop_map(|(id, fields)| Action::SprintStart { id, fields }),
        (name(), some(), move_to).prop_map(|(id, fields, move_to)| Action::SprintComplete {
            id,
            fields,
            move_to,
            moves: Vec::new(),
            done: Vec::new(),
        }),
    ]
}

proptest! {
    /// Whatever is asked: seqs have no gap, versions count up by one, each entity changes at most once, a
    /// refusal changes nothing, and the order of cards holds exactly the live tasks, each in a place of its own.
    #[test]
    fn what_always_holds(actions in prop::collection::vec((any_action(), prop::option::of(0_i64..6), any::<bool>()), 1..60)) {
        let mut board = Board::new();
        for (action, expected, strict) in actions {
            board.strict = strict;
            let before = board.world.seq();
            let versions: std::collections::HashMap<_, _> = any_kinds().into_iter()
                .flat_map(|kind| ["a", "b", "c", "d"].map(|name| (kind, id(name))))
                .map(|(kind, id)| (board.world.get(kind, &id).map_or(0, |entity| entity.version), (kind, id)))
                .map(|(version, key)| (key, version))
                .collect();
            let Ok(changes) = board.send_at(action, expected) else {
                prop_assert_eq!(board.world.seq(), before);
                continue;
            };
            prop_assert_eq!(board.world.seq(), before + i64::try_from(changes.events.len()).unwrap());
            prop_assert_eq!(changes.is_noop(), changes.entities.is_empty());
            let mut seen = std::collections::HashSet::new();
            for entity in changes.entities.iter().filter(|entity| entity.kind != Kind::Project) {
                let key = (entity.kind, entity.id.clone());
                prop_assert_eq!(entity.version, versions[&key] + 1);
                prop_assert!(seen.insert(key));
            }
            let live: usize = ["a", "b", "c", "d"].into_iter()
                .filter(|name| board.world.get(Kind::Task, &id(name)).is_some_and(|task| task.deleted.is_none()))
                .count();
            prop_assert_eq!(board.order().len(), live);
            let nobody = id("nobody");
            let ranks: Vec<_> = board.world.order_without(&nobody).map(|entry| &entry.rank).collect();
            prop_assert!(ranks.is_sorted_by(|a, b| a < b), "{:?}", ranks);
        }
    }
}

#[test]
fn a_restored_card_takes_no_place_that_another_one_has() {
    let mut board = Board::new();
    for name in ["a", "b", "c", "d"] {
        board.create(Kind::Task, name, &json!({}));
    }
    board.send(put("c", Place::After(id("a")))).unwrap();
    let delete = Action::Delete {
        kind: Kind::Task,
        id: id("c"),
    };
    board.send(delete).unwrap();
    board.send(put("d", Place::After(id("a")))).unwrap();
    board.send(restore(Kind::Task, "c")).unwrap();
    assert_eq!(board.order(), ["a", "d", "c", "b"]);
    board.send(put("b", Place::Before(id("c")))).unwrap();
    assert_eq!(board.order(), ["a", "d", "b", "c"]);
}

#[test]
fn a_condition_must_hold_whoever_changed_what() {
    let mut board = Board::new();
    board.create(Kind::Task, "t", &json!({"title": "a"}));
    let change = |to: i64| Action::Update {
        kind: Kind::Task,
        id: id("t"),
        fields: fields(&json!({"n": to})),
    };
    board.send(change(1)).unwrap();
    for (condition, holds) in [
        (IfMatch::Versions(vec![1]), false),
        (IfMatch::Versions(Vec::new()), false),
        (IfMatch::Versions(vec![1, 2]), true),
        (IfMatch::Any, true),
    ] {
        board.if_match = Some(condition.clone());
        let version = board.task("t").version;
        match board.send(change(version)) {
            Ok(_) => assert!(holds, "{condition:?}"),
            Err(Refusal::Precondition { current, .. }) => {
                assert!(!holds, "{condition:?}");
                assert_eq!(current.unwrap().version, version);
                assert_eq!(board.task("t").version, version, "nothing was changed");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_condition_on_what_is_not_there_does_not_hold() {
    let mut board = Board::new();
    board.if_match = Some(IfMatch::Any);
    let update = Action::Update {
        kind: Kind::Task,
        id: id("t"),
        fields: fields(&json!({"a": 1})),
    };
    let refused = board.send(update.clone());
    assert!(matches!(
        refused,
        Err(Refusal::Precondition { current: None, .. })
    ));
    board.if_match = None;
    board.send(update.clone()).unwrap();
    let delete = Action::Delete {
        kind: Kind::Task,
        id: id("t"),
    };
    board.send(delete.clone()).unwrap();
    // Other refusals come first; a tombstone is not there, except for who brings it back.
    board.if_match = Some(IfMatch::Any);
    assert!(matches!(board.send(update), Err(Refusal::Gone(_))));
    assert!(matches!(
        board.send(delete),
        Err(Refusal::Precondition { .. })
    ));
    board.send(restore(Kind::Task, "t")).unwrap();
}
