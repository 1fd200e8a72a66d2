//! Messages of the largest size, and the memory that they take up.

use std::time::Duration;

use serde_json::{Value, json};

use super::start;
use crate::support::websocket::Ws;

const MEBIBYTE: usize = 1024 * 1024;

/// Up to 8 MiB, and memory for two of them in each format.
const SETTINGS: [(&str, &str); 4] = [
    ("WEBSOCKET_MAX_MESSAGE", "8388608"),
    ("MAX_MESSAGE", "1000000"),
    ("RECEIVE_MEMORY", "8388608"),
    ("SEND_MEMORY", "33554432"),
];

/// A message of so many bytes.
fn message(bytes: usize) -> String {
    let frame = r#"{"type":"frame","id":1,"data":""}"#.len();
    let data = "x".repeat(bytes - frame);
    format!(r#"{{"type":"frame","id":1,"data":"{data}"}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn large_message_reaches_more_clients_than_fit_into_memory_by_themselves() {
    let server = start(&SETTINGS).await;
    let mut all = Vec::new();
    for _ in 0..6 {
        // None takes what is sent until all have it.
        all.push(Ws::connect(&server.address, "/ws?sessionId=s").await);
    }
    let mut canvas = Ws::connect(&server.address, "/ws?sessionId=s").await;
    canvas.send_text(message(8 * MEBIBYTE)).await;
    let ack = canvas.next().await;
    assert_eq!((&ack["type"], &ack["ok"]), (&json!("ack"), &json!(true)));
    for ws in &mut all {
        let heard = ws.next().await;
        assert_eq!(heard["type"], "frame");
        assert!(heard["data"].as_str().unwrap().len() > 8 * MEBIBYTE - 100);
    }
    canvas.send(json!({"type": "after"})).await;
    for ws in &mut all {
        assert_eq!(ws.next().await["type"], "after", "nobody was cut off");
    }
    assert_eq!(
        canvas.settled().await,
        [] as [Value; 0],
        "nobody hears themselves"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_is_larger_still_ends_the_connection_and_commands_stay_small() {
    let server = start(&SETTINGS).await;
    let mut ws = Ws::connect(&server.address, "/ws?sessionId=s").await;
    let refused = ws
        .call(
            "task:create",
            json!({"projectId": "p", "title": "x".repeat(300_000)}),
        )
        .await;
    assert_eq!(refused["code"], "payload_too_large");
    ws.send_text(message(8 * MEBIBYTE + 1)).await;
    assert_eq!(ws.closed().await.0, 1009);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_follow_a_large_one_in_their_order_and_batches_do_without_it() {
    let server = start(&SETTINGS).await;
    let mut batched = Ws::connect(&server.address, "/ws?sessionId=s&batch=50").await;
    let mut canvas = Ws::connect(&server.address, "/ws?sessionId=s").await;
    for text in [message(100), message(MEBIBYTE), message(200), message(300)] {
        canvas.send_text(text).await;
    }
    let mut seqs = Vec::new();
    while seqs.len() < 4 {
        let heard = batched.try_next(Duration::from_secs(30)).await.unwrap();
        let messages = heard["messages"].as_array().cloned().unwrap_or(vec![heard]);
        seqs.extend(messages.iter().map(|event| event["seq"].as_i64().unwrap()));
    }
    assert_eq!(seqs, [1, 2, 3, 4]);
}
