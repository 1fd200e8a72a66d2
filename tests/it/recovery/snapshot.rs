//! A snapshot and then the events after it, in the middle of heavy writes: no hole between them, and no repeat.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::load::Load;
use crate::support::client::{Client, Received};
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const ROUNDS: usize = 100;
/// Events that are applied to each snapshot.
const EVENTS: usize = 20;
/// A thousand commands per second, or as many as there can be.
const PACE: Duration = Duration::from_millis(1);
/// The whole log is replayed in the end.
const SETTINGS: [(&str, &str); 3] = [
    ("REPLAY_LIMIT", "1000000"),
    ("COMMAND_RATE", "none"),
    ("READ_RATE", "none"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_what_follows_fit_together_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    snapshots(&Server::start_with(&url, &SETTINGS).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_what_follows_fit_together_on_postgres() {
    let postgres = Postgres::start();
    let database = postgres.create_database().await;
    snapshots(&Server::start_with(&database, &SETTINGS).await).await;
}

async fn snapshots(server: &Server) {
    let load = Load::start(&server.address, &["p".to_owned()], PACE);
    load.flows(100).await;
    let (started, first) = (Instant::now(), load.heads()["p"]);
    let (mut boards, mut moved_on) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let client = Client::connect(&server.address).await;
        let (mut board, joined) = if round % 2 == 0 {
            join_after_snapshot(&client).await
        } else {
            join_with_snapshot(&client).await
        };
        moved_on += usize::from(joined > board.seq);
        for event in client.take(EVENTS).await {
            board.apply(&event);
        }
        boards.push(board);
    }
    let (took, last) = (started.elapsed(), load.heads()["p"]);
    eprintln!(
        "{} events in {took:?}, {moved_on} joins of {ROUNDS} were behind",
        last - first
    );
    assert!(
        moved_on > ROUNDS / 10,
        "hardly anything happened between snapshots and joins"
    );
    load.stop().await;
    replay(&server.address, &boards).await;
}

async fn join_after_snapshot(client: &Client) -> (Board, i64) {
    let snapshot = client.call("project:snapshot", json!("p")).await;
    let join = json!({"projectId": "p", "since": snapshot["cursor"]});
    let joined = client.call("join:project", join).await;
    assert_eq!(joined["reset"], Value::Null, "{joined}");
    (Board::new(&snapshot), joined["seq"].as_i64().unwrap())
}

async fn join_with_snapshot(client: &Client) -> (Board, i64) {
    let join = json!({"projectId": "p", "snapshot": true});
    let joined = client.call("join:project", join).await;
    let board = Board::new(&joined["snapshot"]);
    (board, joined["seq"].as_i64().unwrap())
}

/// Each board is what the log says up to its seq, and the last state is that of the database.
async fn replay(address: &str, boards: &[Board]) {
    let client = Client::connect(address).await;
    let join = json!({"projectId": "p", "since": 0, "snapshot": true});
    let joined = client.call("join:project", join).await;
    assert_eq!(joined["reset"], Value::Null, "{}", joined["reason"]);
    let end = Board::new(&joined["snapshot"]);
    let mut replayed = Board::default();
    for board in boards.iter().chain([&end]) {
        while replayed.seq < board.seq {
            replayed.apply(&client.next().await);
        }
        assert_eq!(replayed, *board);
    }
}

/// A project as it is after an event.
#[derive(Debug, Default, PartialEq)]
struct Board {
    seq: i64,
    tasks: BTreeMap<String, Value>,
}

impl Board {
    fn new(snapshot: &Value) -> Self {
        let tasks = snapshot["tasks"].as_array().unwrap().iter().map(task);
        Self {
            seq: snapshot["seq"].as_i64().unwrap(),
            tasks: tasks.collect(),
        }
    }

    fn apply(&mut self, event: &Received) {
        assert_eq!(event.seq(), self.seq + 1, "a gap or a repeat");
        self.seq += 1;
        let (id, state) = task(&event.args[0]);
        self.tasks.insert(id, state);
    }
}

/// A task's id, and what an event and a snapshot both say of it.
fn task(said: &Value) -> (String, Value) {
    let fields = ["version", "number", "rank", "updatedAt", "updatedBy"];
    let state = fields.map(|field| said[field].clone());
    (
        said["id"].as_str().unwrap().to_owned(),
        state.to_vec().into(),
    )
}
