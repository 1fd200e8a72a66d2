//! Many clients at once: every subscriber sees the same order without gap or repeat, each client's own
//! messages take effect in the order in which it sent them, and the database agrees with what was seen.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::client::{Client, Received};
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const CLIENTS: usize = 100;
const MESSAGES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn storm_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    storm(&Server::on_file(folder.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storm_on_postgres() {
    let postgres = Postgres::start();
    storm(&Server::start(&postgres.create_database().await).await).await;
}

/// More bytes at once than one transaction takes: they are committed in parts, in order.
#[tokio::test(flavor = "multi_thread")]
async fn large_commands_are_committed_in_parts() {
    let server = Server::start("sqlite::memory:").await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let text = "x".repeat(200_000);
    let change =
        |step| json!({"projectId": "p", "taskId": "t", "updates": {"step": step, "text": text}});
    let answers: Vec<_> = (1..=35)
        .map(|step| client.ask("task:update", &[change(step)]))
        .collect();
    for (seq, answer) in (1..).zip(answers) {
        assert_eq!(answer.await.unwrap()["seq"], seq);
    }
    for event in client.take(35).await {
        assert_eq!(event.args[0]["step"], event.seq());
    }
}

async fn storm(server: &Server) {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let client = Client::connect(&server.address).await;
        client.join("p").await;
        clients.push(client);
    }
    let answers: Vec<Vec<_>> = clients.iter().enumerate().map(burst).collect();
    let mut acked = 0;
    for answer in answers.into_iter().flatten() {
        let answer = answer
            .await
            .expect("every packet that asks for an ack gets one");
        assert_eq!(answer["ok"], true, "{answer}");
        acked += 1;
    }
    assert_eq!(acked, CLIENTS * MESSAGES);
    let snapshot = clients[0]
        .call("project:snapshot", json!({"projectId": "p"}))
        .await;
    let head = snapshot["seq"].as_i64().unwrap();
    let mut first: Option<Vec<Received>> = None;
    for client in &clients {
        let seen = client.take(usize::try_from(head).unwrap()).await;
        assert!(
            seen.iter().map(Received::seq).eq(1..=head),
            "gaps or repeats"
        );
        match &first {
            Some(first) => assert!(*first == seen, "two subscribers saw different things"),
            None => first = Some(seen),
        }
    }
    let seen = first.unwrap();
    own_order_is_kept(&seen);
    database_agrees(&seen, &snapshot);
}

/// Fires all messages of a client at once: updates of its own task, numbered, and of one that all share.
fn burst((number, client): (usize, &Client)) -> Vec<tokio::sync::oneshot::Receiver<Value>> {
    (0..MESSAGES)
        .map(|step| {
            let task = if step % 4 == 3 {
                "shared".to_owned()
            } else {
                format!("t{number}")
            };
            let change =
                json!({"projectId": "p", "taskId": task, "updates": {"step": step, "by": number}});
            client.ask("task:update", &[change])
        })
        .collect()
}

fn own_order_is_kept(seen: &[Received]) {
    let mut last: HashMap<u64, i64> = HashMap::new();
    for event in seen {
        let (by, step) = (
            event.args[0]["by"].as_u64().unwrap(),
            event.args[0]["step"].as_i64().unwrap(),
        );
        let before = last.insert(by, step);
        assert!(
            before.is_none_or(|before| before < step),
            "{by}: {step} after {before:?}"
        );
    }
    assert_eq!(last.len(), CLIENTS);
}

fn database_agrees(seen: &[Received], snapshot: &Value) {
    let mut latest: HashMap<&str, &Value> = HashMap::new();
    for event in seen {
        latest.insert(event.args[0]["id"].as_str().unwrap(), &event.args[0]);
    }
    let tasks = snapshot["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), latest.len());
    for task in tasks {
        let told = latest[task["id"].as_str().unwrap()];
        for field in ["version", "step", "by", "rank", "updatedAt", "updatedBy"] {
            assert_eq!(told[field], task[field], "{field} of {task}");
        }
    }
}
