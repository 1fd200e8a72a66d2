//! kill -9 in the middle of a stream: what was acked is there afterwards, and the log and the entities agree.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn crash_on_sqlite_loses_nothing_acked() {
    let folder = tempfile::tempdir().unwrap();
    crash(Server::on_file(folder.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_on_postgres_loses_nothing_acked() {
    let postgres = Postgres::start();
    crash(Server::start(&postgres.create_database().await).await).await;
}

async fn crash(mut server: Server) {
    let mut acked: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for round in 0..ROUNDS {
        let client = Client::connect(&server.address).await;
        let mut answers = Vec::new();
        for step in 0..400 {
            let task = format!("t{}", step % 7);
            let value = i64::try_from(round * 1000 + step).unwrap();
            let change = json!({"projectId": "p", "taskId": task, "updates": {"value": value}});
            answers.push((task, value, client.ask("task:update", &[change])));
        }
        // The moment of the crash differs from round to round: after so many answers.
        let mut answers = answers.into_iter();
        for (task, value, answer) in answers.by_ref().take(round * 15 + 1) {
            note(&mut acked, task, value, &answer.await.expect("still alive"));
        }
        server.kill().await;
        for (task, value, answer) in answers {
            if let Ok(answer) = answer.await {
                note(&mut acked, task, value, &answer);
            }
        }
        server.restart().await;
        check(&server, &acked).await;
    }
}

fn note(acked: &mut BTreeMap<String, (i64, i64)>, task: String, value: i64, answer: &Value) {
    assert_eq!(answer["ok"], true, "{answer}");
    acked.insert(task, (answer["seq"].as_i64().unwrap(), value));
}

/// Replays the whole log and compares it with the snapshot and with what was acked.
async fn check(server: &Server, acked: &BTreeMap<String, (i64, i64)>) {
    let client = Client::connect(&server.address).await;
    let snapshot = client.call("project:snapshot", json!("p")).await;
    let head = snapshot["seq"].as_i64().unwrap();
    let joined = client
        .call("join:project", json!({"projectId": "p", "since": 0}))
        .await;
    assert_eq!(joined["seq"], head);
    let mut replayed: BTreeMap<String, Value> = BTreeMap::new();
    let mut by_seq = BTreeMap::new();
    for seq in 1..=head {
        let event = client.next().await;
        assert_eq!(event.seq(), seq);
        let task = event.args[0]["id"].as_str().unwrap().to_owned();
        by_seq.insert(seq, (task.clone(), event.args[0]["value"].clone()));
        replayed.insert(task, event.args[0].clone());
    }
    assert!(client.try_next(Duration::from_millis(50)).await.is_none());
    for (task, (seq, value)) in acked {
        assert_eq!(
            by_seq[seq],
            (task.clone(), json!(value)),
            "an acked change is missing"
        );
    }
    for task in snapshot["tasks"].as_array().unwrap() {
        let last = &replayed[task["id"].as_str().unwrap()];
        assert_eq!(
            (&last["value"], &last["version"]),
            (&task["value"], &task["version"])
        );
    }
    assert_eq!(snapshot["tasks"].as_array().unwrap().len(), replayed.len());
}
