//! Connections that are stuck: their sessions must end all the same.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::Client;
use crate::support::http;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let settings = [
        ("SLOW_READER_TIMEOUT", "1s"),
        ("PING_INTERVAL", "1s"),
        ("PING_TIMEOUT", "1s"),
    ];
    let server = Server::start_with(&url, &settings).await;
    let stuck = Client::connect(&server.address).await;
    let text = "x".repeat(200_000);
    let change = json!({"projectId": "p", "taskId": "t", "updates": {"text": text}});
    assert_eq!(stuck.call("task:update", change).await["ok"], true);
    stuck.set_reading(false);
    for _ in 0..200 {
        drop(stuck.ask("project:snapshot", &[json!("p")]));
    }
    server
        .health_becomes("the stuck one is gone", |health| health["connections"] == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_breaks_off_ends_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let settings = [("PING_INTERVAL", "1s"), ("PING_TIMEOUT", "1s")];
    let server = Server::start_with(&url, &settings).await;
    for probe in [false, true] {
        let path = "/socket.io/?EIO=4&transport=polling";
        let (_, opened) = http::get(&server.address, path).await;
        let opened: serde_json::Value = serde_json::from_str(&opened[1..]).unwrap();
        let sid = opened["sid"].as_str().unwrap();
        let path = format!("{path}&sid={sid}");
        http::post(&server.address, &path, "40").await;
        while !http::get(&server.address, &path).await.1.contains("40{") {}
        // The first ping is out; with its pong the client is known to be alive.
        http::post(&server.address, &path, "3").await;
        let url = format!(
            "ws://{}/socket.io/?EIO=4&transport=websocket&sid={sid}",
            server.address
        );
        let (mut stream, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        if probe {
            stream.send(Message::text("2probe")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(stream);
    }
    server
        .health_becomes("nobody is connected", |health| health["connections"] == 0)
        .await;
}

/// Its answer waits, and it never asks for it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_polling_client_that_is_gone_does_not_hold_up_a_shutdown() {
    let mut server = Server::start_with("sqlite::memory:", &[("SHUTDOWN_TIMEOUT", "30s")]).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let (_, opened) = http::get(&server.address, path).await;
    let opened: Value = serde_json::from_str(&opened[1..]).unwrap();
    let path = format!("{path}&sid={}", opened["sid"].as_str().unwrap());
    http::post(&server.address, &path, "40").await;
    while !http::get(&server.address, &path).await.1.contains("40{") {}
    http::post(&server.address, &path, r#"420["join:project","p"]"#).await;
    server
        .health_becomes("it has joined", |health| health["feeds"] == 1)
        .await;
    let begun = tokio::time::Instant::now();
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}
