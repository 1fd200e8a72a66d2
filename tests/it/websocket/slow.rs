//! Clients that do not read, or do not answer.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{join, start};
use crate::support::eventually;
use crate::support::server::{Server, UNLIMITED};
use crate::support::websocket::Ws;

const EVENTS: i64 = 15_000;
/// Far below what so many events would take if they were kept for the slow client.
const MEMORY_KIB: u64 = 60 * 1024;

/// Changes a task so often.
async fn change(ws: &mut Ws, count: i64) {
    let text = "x".repeat(2000);
    for number in 0..count {
        let data =
            json!({"projectId": "p", "taskId": "t", "updates": {"number": number, "text": text}});
        ws.send(json!({"type": "task:update", "id": number, "data": data}))
            .await;
        if number >= 200 {
            assert_eq!(ws.until("ack").await["ok"], true);
        }
    }
    for _ in 0..count.min(200) {
        assert_eq!(ws.until("ack").await["ok"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_pauses_misses_nothing_and_costs_little() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file_unlimited(folder.path()).await;
    let mut slow = Ws::connect(&server.address, "/ws").await;
    let mut batched = Ws::connect(&server.address, "/ws/v1?batch=100").await;
    let mut quick = Ws::connect(&server.address, "/ws").await;
    join(&mut slow, "p").await;
    batched
        .send(json!({"type": "subscribe", "data": {"resource": "project:p"}}))
        .await;
    batched.until("subscription_update").await;
    let before = server.memory_kib();
    change(&mut quick, EVENTS).await;
    let grown = server.memory_kib().saturating_sub(before);
    assert!(grown < MEMORY_KIB, "the server grew by {grown} KiB");
    for seq in 1..=EVENTS {
        assert_eq!(slow.next().await["seq"], seq);
    }
    let mut seq = 0;
    while seq < EVENTS {
        let message = batched.next().await;
        let messages = message["data"]["messages"].as_array().cloned();
        for event in messages.unwrap_or_else(|| vec![message]) {
            seq += 1;
            assert_eq!(event["metadata"]["seq"], seq);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_for_long_is_closed_and_comes_back_without_a_hole() {
    let settings = [&UNLIMITED[..], &[("SLOW_READER_TIMEOUT", "1s")]].concat();
    let server = start(&settings).await;
    let mut slow = Ws::connect(&server.address, "/ws").await;
    let mut quick = Ws::connect(&server.address, "/ws").await;
    let joined = join(&mut slow, "p").await;
    let mut cursor = joined["cursor"].as_str().unwrap().to_owned();
    change(&mut quick, EVENTS / 3).await;
    server
        .health_becomes("it is closed", |health| health["connections"] == 1)
        .await;
    let mut seq = 0;
    while let Some(message) = slow.try_next(Duration::from_secs(5)).await {
        seq += 1;
        assert_eq!(message["seq"], seq);
        cursor = message["cursor"].as_str().unwrap().to_owned();
    }
    assert!(seq < EVENTS / 3, "it was not slow");
    let mut again = Ws::connect(&server.address, &format!("/ws?cursor={cursor}")).await;
    for seq in seq + 1..=EVENTS / 3 {
        assert_eq!(again.next().await["seq"], seq);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_pings_is_dead() {
    let server = start(&[
        ("WEBSOCKET_PING_INTERVAL", "300ms"),
        ("PING_TIMEOUT", "500ms"),
    ])
    .await;
    let mut alive = Ws::connect(&server.address, "/ws?heartbeat=1").await;
    let dead = Ws::connect(&server.address, "/ws?sessionId=s").await;
    let (mut pings, mut heartbeats) = (0, 0);
    while pings < 4 || heartbeats < 4 {
        match alive.stream.next().await.unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            Message::Text(text) => {
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(message["type"], "heartbeat");
                assert!(message["timestamp"].is_string());
                assert_eq!(message["data"], json!({"timestamp": message["timestamp"]}));
                heartbeats += 1;
            }
            _ => {}
        }
    }
    // The other one is silent because nobody polls it.
    eventually("the dead one is gone", async || {
        alive.try_next(Duration::from_millis(20)).await;
        server.health().await["connections"] == 1
    })
    .await;
    drop(dead);
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_come_together_and_answers_do_not_overtake_them() {
    let server = start(&[]).await;
    let mut batched = Ws::connect(&server.address, "/ws?sessionId=s&batch=5000").await;
    let mut backend = Ws::connect(&server.address, "/ws?sessionId=s").await;
    for number in 0..10 {
        backend
            .send(json!({"type": "tick", "data": {"number": number}}))
            .await;
    }
    backend.settled().await;
    let answer = batched
        .call("task:create", json!({"projectId": "p", "title": "x"}))
        .await;
    assert_eq!(answer["ok"], true);
    let batch = batched.next().await;
    assert_eq!(batch["type"], "batchUpdate", "before the answer");
    assert_eq!(batch["data"], json!({"messages": batch["messages"]}));
    let numbers: Vec<_> = batch["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["number"].clone())
        .collect();
    assert_eq!(
        numbers,
        (0..10).map(|number| json!(number)).collect::<Vec<_>>()
    );
}
