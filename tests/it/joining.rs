//! Joining at awkward moments: again, in the middle of heavy writes, and just before the client goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::Server;

/// Writes to project `p` until it is dropped.
struct Load {
    stop: Arc<AtomicBool>,
}

impl Load {
    async fn start(address: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (client, stopped) = (Client::connect(address).await, Arc::clone(&stop));
        tokio::spawn(async move {
            let mut answers = VecDeque::new();
            for number in 0.. {
                answers.push_back(client.ask("task:update", &[change(number)]));
                if answers.len() > 50 {
                    answers.pop_front().unwrap().await.unwrap();
                }
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self { stop }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn change(number: u64) -> Value {
    json!({"projectId": "p", "taskId": "t", "updates": {"number": number}})
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_again_repeats_nothing_and_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(folder.path()).await;
    let load = Load::start(&server.address).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    for _ in 0..300 {
        client.join("p").await;
    }
    drop(load);
    let mut last = None;
    while let Some(event) = client.try_next(Duration::from_secs(1)).await {
        if let Some(last) = last {
            assert_eq!(event.seq(), last + 1);
        }
        last = Some(event.seq());
    }
    assert!(last.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_read_a_moment_ago_is_not_outside_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file_unlimited(folder.path()).await;
    let client = Client::connect(&server.address).await;
    assert_eq!(client.call("task:update", change(0)).await["ok"], true);
    let _load = Load::start(&server.address).await;
    let mut since = 1;
    for _ in 0..300 {
        let join = json!({"projectId": "p", "since": since, "events": true});
        let joined = client.call("join:project", join).await;
        assert_eq!(joined["ok"], true, "{joined}");
        assert_eq!(joined["reset"], Value::Null, "{}", joined["reason"]);
        let snapshot = json!({"projectId": "p", "snapshot": true});
        let joined = client.call("join:project", snapshot).await;
        assert_eq!(joined["reset"], Value::Null, "{}", joined["reason"]);
        let synced = client
            .call("project:sync", json!({"projectId": "p", "since": since}))
            .await;
        since = synced["seq"].as_i64().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_while_it_joins_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(folder.path()).await;
    for _ in 0..20 {
        let client = Client::connect(&server.address).await;
        for project in 0..200 {
            client.emit("join:project", &[json!(format!("p{project}"))]);
        }
        // The last answer but many tells that the server is in the middle of it.
        client.join("first").await;
        for project in 200..1000 {
            client.emit("join:project", &[json!(format!("p{project}"))]);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server
        .health_becomes("nobody is connected", |health| health["connections"] == 0)
        .await;
    server
        .health_becomes("no feed is left", |health| health["feeds"] == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_in_more_rooms_than_the_server_can_bear() {
    let server = Server::start("sqlite::memory:").await;
    let client = Client::connect(&server.address).await;
    for project in 0..256 {
        client.join(&format!("p{project}")).await;
    }
    let refused = client.call("join:project", json!("p256")).await;
    assert_eq!(refused["code"], "validation_failed", "{refused}");
    client.join("p7").await;
    assert_eq!(client.call("leave:project", json!("p7")).await["ok"], true);
    client.join("p256").await;
}
