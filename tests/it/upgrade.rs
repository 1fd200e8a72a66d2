//! From long-polling to WebSocket while events are under way.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, next_text};
use crate::support::http;
use crate::support::polling::Polling;
use crate::support::server::Server;

const EVENTS: i64 = 100;

/// Everything that waits is more than one polling answer may carry.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_in_the_middle_of_a_backlog_loses_nothing() {
    let settings = [("MAX_MESSAGE", "20000"), ("MAX_PAYLOAD", "10000")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let writer = Client::connect(&server.address).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let (_, opened) = http::get(&server.address, path).await;
    let opened: Value = serde_json::from_str(&opened[1..]).unwrap();
    let sid = opened["sid"].as_str().unwrap();
    let path = format!("{path}&sid={sid}");
    http::post(&server.address, &path, "40").await;
    while !http::get(&server.address, &path).await.1.contains("40{") {}
    http::post(&server.address, &path, r#"420["join:project","p"]"#).await;
    while !http::get(&server.address, &path).await.1.contains("430[") {}
    let text = "x".repeat(3000);
    for _ in 0..EVENTS {
        let create = json!({"projectId": "p", "title": text});
        assert_eq!(writer.call("task:create", create).await["ok"], true);
    }
    let (_, first) = http::get(&server.address, &path).await;
    let mut seqs: Vec<_> = first.split('\u{1e}').filter_map(seq).collect();
    let url = format!(
        "ws://{}/socket.io/?EIO=4&transport=websocket&sid={sid}",
        server.address
    );
    let (mut stream, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    stream.send(Message::text("2probe")).await.unwrap();
    assert_eq!(next_text(&mut stream).await, "3probe");
    stream.send(Message::text("5")).await.unwrap();
    while seqs.last() != Some(&EVENTS) {
        seqs.extend(seq(&next_text(&mut stream).await));
    }
    assert_eq!(seqs, (1..=EVENTS).collect::<Vec<_>>());
}

/// The seq of an event as it comes over the wire.
fn seq(packet: &str) -> Option<i64> {
    let event: Value = serde_json::from_str(packet.strip_prefix("42")?).ok()?;
    event[1]["seq"].as_i64()
}

/// An unmodified client polls on if its WebSocket comes to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_attempt_is_ended_and_its_session_polls_on() {
    let server = Server::start("sqlite::memory:").await;
    let session = Polling::connect(&server.address).await;
    let url = format!(
        "ws://{}/socket.io/?EIO=4&transport=websocket&sid={}",
        server.address, session.sid
    );
    let begun = Instant::now();
    let (mut silent, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    assert!(
        tokio_tungstenite::connect_async(&url).await.is_err(),
        "one at a time"
    );
    let ended = async { while let Some(Ok(_)) = silent.next().await {} };
    tokio::time::timeout(Duration::from_secs(15), ended)
        .await
        .expect("it is ended");
    assert!(
        begun.elapsed() > Duration::from_secs(9),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(session.post(r#"421["nothing"]"#).await.0, 200);
    while !session.poll().await.1.contains("431[") {}
    let (mut stream, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    stream.send(Message::text("2probe")).await.unwrap();
    assert_eq!(next_text(&mut stream).await, "3probe");
    stream.send(Message::text("5")).await.unwrap();
    stream
        .send(Message::text(r#"422["nothing"]"#))
        .await
        .unwrap();
    assert!(next_text(&mut stream).await.starts_with("432["));
}
