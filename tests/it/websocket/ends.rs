//! How connections end when the server does.

use std::time::Duration;

use serde_json::json;

use super::{join, start};
use crate::support::server::Server;
use crate::support::websocket::Ws;

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_answers_what_was_sent_and_sends_clients_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("it.db").display());
    let mut server = Server::start(&database).await;
    let mut ws = Ws::connect(&server.address, "/ws").await;
    join(&mut ws, "p").await;
    for number in 0..200 {
        let data = json!({"projectId": "p", "taskId": "t", "number": number});
        ws.send(json!({"type": "task:update", "id": number, "data": data}))
            .await;
    }
    let mut heard = vec![ws.next().await];
    server.signal("TERM");
    while let Some(message) = ws.try_next(Duration::from_secs(20)).await {
        heard.push(message);
    }
    assert_eq!(ws.closed().await, (1012, "shutdown".to_owned()));
    let acks = heard.iter().filter(|message| message["type"] == "ack");
    let (acked, refused): (Vec<_>, Vec<_>) = acks.partition(|ack| ack["ok"] == true);
    assert!(refused.iter().all(|ack| ack["code"] == "unavailable"));
    // What came in after the end had begun was not taken.
    assert!(!acked.is_empty() && acked.len() + refused.len() <= 200);
    let events = heard
        .iter()
        .filter(|message| message["type"] == "task:updated");
    let created = heard
        .iter()
        .filter(|message| message["type"] == "task:created");
    assert_eq!(
        events.chain(created).count(),
        acked.len(),
        "whoever was told yes hears of it"
    );
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_leave_over_a_time_and_nobody_comes_in_meanwhile() {
    let mut server = start(&[("DRAIN_TIME", "1s")]).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Ws::connect(&server.address, "/ws").await);
    }
    server.signal("TERM");
    let began = tokio::time::Instant::now();
    let mut ends = Vec::new();
    for mut client in clients {
        ends.push(tokio::spawn(async move {
            assert_eq!(client.closed().await.0, 1012);
            tokio::time::Instant::now()
        }));
    }
    let status = loop {
        match Ws::open(&server.address, "/ws", &[]).await {
            Err(status) => break status,
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert_eq!(status, 503);
    let mut last = began;
    for end in ends {
        last = last.max(end.await.unwrap());
    }
    assert!(
        last - began > Duration::from_millis(500),
        "{:?}",
        last - began
    );
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_who_takes_long_to_read_its_answers() {
    let settings = [
        &crate::support::server::UNLIMITED[..],
        &[("DRAIN_TIME", "20s")],
    ]
    .concat();
    let mut server = start(&settings).await;
    let mut ws = Ws::connect(&server.address, "/ws").await;
    let data = json!({"projectId": "p", "taskId": "t", "text": "x".repeat(100_000)});
    ws.call("task:update", data).await;
    let count = 500;
    for number in 0..count {
        ws.send(json!({"type": "project:snapshot", "id": number, "data": "p"}))
            .await;
    }
    ws.next().await;
    server.signal("TERM");
    let mut answers = 1;
    // Each quickly enough, all of them in far more than the time in which others say their last words.
    while ws.try_next(Duration::from_secs(20)).await.is_some() {
        answers += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(answers, count);
    assert_eq!(ws.closed().await, (1012, "shutdown".to_owned()));
    assert_eq!(server.ended().await, Some(0));
}
