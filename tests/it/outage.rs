//! Postgres goes away and comes back: commands in between are refused as retryable or succeed, none is half
//! done, and the server recovers by itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::eventually;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn outage_of_postgres_is_survived() {
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let server = Server::start_with(&url, &[("DATABASE_TIMEOUT", "3s")]).await;
    let (writer, watcher) = (
        Client::connect(&server.address).await,
        Client::connect(&server.address).await,
    );
    watcher.join("p").await;
    let mut stream = Stream::default();
    stream.send(&writer).await;
    postgres.kill9();
    stream.send(&writer).await;
    server
        .health_becomes("degraded", |health| health["status"] == "degraded")
        .await;
    postgres.restart();
    eventually("commands succeed again", async || {
        writer.call("task:update", change("probe", 0)).await["ok"] == true
    })
    .await;
    stream.send(&writer).await;
    server
        .health_becomes("healthy", |health| health["status"] == "healthy")
        .await;
    assert!(
        stream.refused > 0,
        "nothing was refused: the database was never away"
    );
    assert!(
        stream.done.len() >= 2 * STREAM,
        "what was sent outside the outage succeeded"
    );
    stream.was_delivered(&watcher).await;
}

/// Commands of one phase.
const STREAM: usize = 300;

/// A stream of commands, and what became of it.
#[derive(Default)]
struct Stream {
    sent: i64,
    /// The seq and the value of each that succeeded.
    done: Vec<(i64, i64)>,
    refused: usize,
}

impl Stream {
    async fn send(&mut self, client: &Client) {
        let answers: Vec<_> = (0..STREAM)
            .map(|_| {
                self.sent += 1;
                (
                    self.sent,
                    client.ask("task:update", &[change("t", self.sent)]),
                )
            })
            .collect();
        for (value, answer) in answers {
            let answer = answer
                .await
                .expect("every packet that asks for an ack gets one");
            if answer["ok"] == true {
                self.done.push((answer["seq"].as_i64().unwrap(), value));
            } else {
                assert_eq!(answer["code"], "unavailable", "{answer}");
                assert_eq!(answer["retryable"], true, "{answer}");
                self.refused += 1;
            }
        }
    }

    /// Acked = in the log = delivered, and the live connection has no hole.
    async fn was_delivered(&self, watcher: &Client) {
        let snapshot = watcher.call("project:snapshot", json!("p")).await;
        let mut log = std::collections::HashMap::new();
        for seq in 1..=snapshot["seq"].as_i64().unwrap() {
            let event = watcher.next().await;
            assert_eq!(event.seq(), seq);
            log.insert(seq, event.args[0]["value"].as_i64().unwrap());
        }
        for (seq, value) in &self.done {
            assert_eq!(log[seq], *value);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_postgres_is_an_outage_too() {
    let postgres = Postgres::start();
    let server = Server::start_with(
        &postgres.create_database().await,
        &[("DATABASE_TIMEOUT", "1s")],
    )
    .await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    assert_eq!(client.call("task:update", change("t", 1)).await["ok"], true);
    postgres.pause();
    let refused = client.call("task:update", change("t", 2)).await;
    assert_eq!(refused["code"], "unavailable", "{refused}");
    let health = server.health().await;
    assert_eq!(health["store"]["status"], "unavailable", "{health}");
    postgres.resume();
    eventually("commands succeed again", async || {
        client.call("task:update", change("t", 3)).await["ok"] == true
    })
    .await;
}

/// One feed serves them all; none waits for the others' turns.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_join_during_an_outage_are_told_soon() {
    let postgres = Postgres::start();
    let server = Server::start(&postgres.create_database().await).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Client::connect(&server.address).await);
    }
    postgres.kill9();
    let asked = Instant::now();
    let joins: Vec<_> = clients
        .iter()
        .map(|client| client.ask("join:project", &[json!("p")]))
        .collect();
    for join in joins {
        let refused = join.await.unwrap();
        assert_eq!(refused["code"], "unavailable", "{refused}");
    }
    let waited = asked.elapsed();
    assert!(waited < Duration::from_secs(15), "{waited:?}");
    postgres.restart();
    eventually("joins succeed again", async || {
        clients[0].call("join:project", json!("p")).await["ok"] == true
    })
    .await;
}

fn change(task: &str, value: i64) -> Value {
    json!({"projectId": "p", "taskId": task, "updates": {"value": value}})
}
