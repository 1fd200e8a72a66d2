//! Proposals for frontends that were made up, and for whatever clients may send.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::contract::dialect::{CustomEvents, Dialect};
use crate::learn::{Learned, LearnedEvent, ShapeCount};

/// With this variable the proposals in the folder are written anew.
const WRITE: &str = "BOARDCAST_WRITE";

fn is_valid(file: &str) -> Result<(), String> {
    let read = Dialect::read("proposal", "proposal.toml", file, &CustomEvents::default());
    read.map(drop).map_err(|error| format!("{error}\n{file}"))
}

fn golden(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/learn");
    let facts = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let all: Value = serde_json::from_str(&facts).unwrap();
    let learned: Learned = serde_json::from_value(all["learned"].clone()).unwrap();
    let listens = Listens::from_facts(&facts).unwrap();
    let proposal = propose(&learned, Some(&listens));
    let file = folder.join(format!("{name}.toml"));
    if std::env::var_os(WRITE).is_some() {
        fs::write(&file, &proposal).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(proposal, expected, "{WRITE}=1 writes it");
    is_valid(&proposal).unwrap();
    // Nobody says what pages listen to: it is valid all the same.
    is_valid(&propose(&learned, None)).unwrap();
}

#[test]
fn shared_notes_get_this_proposal() {
    golden("shared-notes");
}

#[test]
fn issue_tracker_gets_this_proposal() {
    golden("issue-tracker");
}

fn learned(events: Vec<(String, Vec<Value>)>) -> Learned {
    let events = events.into_iter().map(|(event, args)| LearnedEvent {
        event,
        count: 1,
        shapes: vec![ShapeCount {
            args: serde_json::from_value(Value::Array(args)).unwrap(),
            count: 1,
        }],
        ..LearnedEvent::default()
    });
    Learned {
        events: events.collect(),
        ..Learned::default()
    }
}

/// A name of words that mean something, joined as frontends do, and now and then of anything.
fn any_name() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "task",
        "card",
        "board",
        "user",
        "users",
        "join",
        "left",
        "joined",
        "create",
        "created",
        "update",
        "move",
        "typing",
        "start",
        "state",
        "init",
        "sync",
        "list",
        "get",
        "comment",
        "subtask",
        "toggle",
        "note",
        "column",
        "presence",
        "online",
        "count",
        "error",
        "rejected",
        "ping",
        "pong",
        "connected",
        "room",
        "project",
        "new",
        "notification",
        "kind",
        "member",
        "all",
        "assign",
        "delete",
        "id",
        "tasks",
    ]);
    let joined = (
        prop::collection::vec(word, 1..4),
        prop::sample::select(vec![":", "-", "_", " "]),
    )
        .prop_map(|(words, separator)| words.join(separator));
    prop_oneof![8 => joined, 1 => any::<String>(), 1 => "[a-z$.*<>\"'\\\\]{0,12}"]
}

fn any_key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "id",
        "_id",
        "taskId",
        "boardId",
        "roomId",
        "userId",
        "userName",
        "task",
        "card",
        "column",
        "data",
        "updates",
        "status",
        "toColumn",
        "socketId",
        "timestamp",
        "users",
        "count",
        "error",
        "0",
        "tasks",
        "avatar",
        "name",
    ]);
    prop_oneof![8 => known.prop_map(str::to_owned), 1 => any::<String>(), 1 => "[a-z$.?{}' ]{0,8}"]
}

fn any_shape() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!("string"),
        json!("number"),
        json!("any"),
        json!("null"),
        json!([]),
    ]);
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|entry| json!([entry])),
            prop::collection::vec((any_key(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn any_need() -> impl Strategy<Value = String> {
    let path = prop::collection::vec(any_key(), 1..4).prop_map(|keys| keys.join("."));
    let whole = prop::sample::select(vec!["=any", "=string", "=array"]);
    prop_oneof![4 => path, 1 => whole.prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn every_proposal_is_valid(
        events in prop::collection::vec((any_name(), prop::collection::vec(any_shape(), 0..3)), 0..12),
        listens in prop::collection::vec((any_name(), prop::collection::vec(any_need(), 0..5)), 0..12),
    ) {
        let learned = learned(events);
        let facts: Vec<_> = listens
            .into_iter()
            .map(|(event, needs)| json!({"event": event, "needs": needs}))
            .collect();
        let listens = Listens::from_facts(&Value::Array(facts).to_string()).unwrap();
        for listens in [None, Some(&listens)] {
            let valid = is_valid(&propose(&learned, listens));
            prop_assert!(valid.is_ok(), "{valid:?}");
        }
    }
}
