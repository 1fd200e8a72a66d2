//! Postgres goes away and comes back: commands in between are refused as retryable or succeed, none is half
//! done, and the server recovers by itself.

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
    let (writer, watcher) = (Client::connect(&server.address).await, Client::connect(&server.address).await);
    watcher.join("p").await;
    let mut done = Vec::new();
    let mut refused = 0;
    let mut attempt = 0;
    for phase in ["up", "down", "up again"] {
        match phase {
            "down" => postgres.kill9(),
            "up again" => {
                server.health_becomes("degraded", |health| health["status"] == "degraded").await;
                postgres.restart();
                eventually("commands succeed again", async || {
                    let probe = writer.call("task:update", change("probe", 0)).await;
                    probe["ok"] == true
                })
                .await;
            }
            _ => {}
        }
        let answers: Vec<_> = (0..300)
            .map(|_| {
                attempt += 1;
                (attempt, writer.ask("task:update", &[change("t", attempt)]))
            })
            .collect();
        for (attempt, answer) in answers {
            let answer = answer.await.expect("every packet that asks for an ack gets one");
            if answer["ok"] == true {
                done.push((answer["seq"].as_i64().unwrap(), attempt));
            } else {
                assert_eq!(answer["code"], "unavailable", "{answer}");
                assert_eq!(answer["retryable"], true, "{answer}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "nothing was refused: the database was never away");
    assert!(done.len() >= 600, "{} of the 600 outside the outage succeeded", done.len());
    server.health_becomes("healthy", |health| health["status"] == "healthy").await;
    let snapshot = watcher.call("project:snapshot", json!("p")).await;
    let head = snapshot["seq"].as_i64().unwrap();
    let mut log = std::collections::HashMap::new();
    for seq in 1..=head {
        let event = watcher.next().await;
        assert_eq!(event.seq(), seq, "the live connection has no hole");
        log.insert(seq, event.args[0]["value"].as_i64().unwrap());
    }
    for (seq, attempt) in done {
        assert_eq!(log[&seq], attempt, "acked = in the log = delivered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_postgres_is_an_outage_too() {
    let postgres = Postgres::start();
    let server = Server::start_with(&postgres.create_database().await, &[("DATABASE_TIMEOUT", "1s")]).await;
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

fn change(task: &str, value: i64) -> Value {
    json!({"projectId": "p", "taskId": task, "updates": {"value": value}})
}
