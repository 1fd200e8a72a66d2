//! How much clients may do.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::start;
use crate::support::client::Client;
use crate::support::http;
use crate::support::tokens::{REQUIRED, of};
use crate::support::websocket::Ws;

#[tokio::test(flavor = "multi_thread")]
async fn who_says_too_much_is_slowed_down_or_refused() {
    let server = start(&[
        ("COMMAND_RATE", "20/3"),
        ("READ_RATE", "20/3"),
        ("SIGNAL_RATE", "1/3"),
        ("PING_INTERVAL", "100ms"),
        ("PING_TIMEOUT", "100ms"),
    ])
    .await;
    let mut ws = Ws::connect(&server.address, "/ws?sessionId=s").await;
    for (kind, data) in [
        ("codeContext", json!({})),
        ("subscribe", json!({"channel": "c"})),
    ] {
        let started = Instant::now();
        for number in 0..14 {
            ws.send(json!({"type": kind, "id": number, "data": data}))
                .await;
        }
        for number in 0..14 {
            let answer = ws.next().await;
            assert_eq!(answer["id"], number, "{answer}");
            assert_ne!(answer["code"], "rate_limited", "{answer}");
        }
        assert!(started.elapsed() >= Duration::from_millis(400));
    }
    for number in 0..5 {
        ws.send(json!({"type": "ping", "id": number})).await;
    }
    for number in 0..5 {
        let answer = ws.next().await;
        assert_eq!(answer["id"], number, "{answer}");
        assert_eq!(answer["code"] == "rate_limited", number >= 3, "{answer}");
        if number >= 3 {
            let wait = answer["retryAfterMs"].as_u64().unwrap();
            assert!((1..=1000).contains(&wait), "{answer}");
        }
    }
    for _ in 0..2 {
        ws.send_text("x".to_owned()).await;
        assert_eq!(ws.next().await["code"], "rate_limited");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_too_deep_is_refused_and_what_is_huge_ends_the_connection() {
    let server = start(&[("MAX_PAYLOAD", "10000"), ("MAX_MESSAGE", "100000")]).await;
    let mut ws = Ws::connect(&server.address, "/ws?sessionId=s").await;
    for kind in ["task:create", "codeContext"] {
        let refused = ws
            .call(kind, json!({"projectId": "p", "x": "x".repeat(20_000)}))
            .await;
        assert_eq!(refused["code"], "payload_too_large", "{refused}");
        let deep: Value =
            serde_json::from_str(&format!("{}1{}", "[".repeat(60), "]".repeat(60))).unwrap();
        let refused = ws.call(kind, json!({"projectId": "p", "deep": deep})).await;
        assert_eq!(
            (&refused["code"], &refused["field"]),
            (&json!("validation_failed"), &json!("deep"))
        );
    }
    ws.send(json!({"type": "subscribe", "channel": "c".repeat(20_000)}))
        .await;
    assert_eq!(ws.next().await["code"], "payload_too_large");
    ws.send(json!({"type": "subscribe", "channels": vec!["x"; 1000]}))
        .await;
    assert_eq!(ws.next().await["type"], "subscribed", "they are one");
    ws.send_text("x".repeat(200_000)).await;
    assert_eq!(ws.closed().await, (1009, "message_too_large".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_frames_are_understood_or_end_the_connection() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws").await;
    ws.stream
        .send(Message::binary(br#"{"type":"ping"}"#.to_vec()))
        .await
        .unwrap();
    assert_eq!(ws.next().await["type"], "pong");
    ws.stream.send(Message::binary(vec![0xff])).await.unwrap();
    assert_eq!(ws.next().await["error"], "Invalid message format");
    ws.stream.close(None).await.unwrap();
    assert_eq!(ws.closed().await.0, 1006, "the end was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_come_in() {
    let server = start(&[
        ("MAX_CONNECTIONS_PER_IP", "2"),
        ("CORS_ORIGINS", "https://app.example"),
    ])
    .await;
    let _first = Ws::connect(&server.address, "/ws").await;
    let origin = |origin| Ws::open(&server.address, "/ws", origin);
    assert_eq!(
        origin(&[("origin", "https://evil.example")]).await.err(),
        Some(403)
    );
    let second = origin(&[("origin", "https://app.example")]).await.unwrap();
    assert_eq!(origin(&[]).await.err(), Some(429));
    drop(second);
    server
        .health_becomes("it has gone", |health| health["limits"]["sessions"] == 1)
        .await;
    Ws::connect(&server.address, "/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_connections() {
    let settings = [&REQUIRED[..], &[("MAX_CONNECTIONS_PER_USER", "1")]].concat();
    let server = start(&settings).await;
    let path = format!("/ws?token={}", of("ann"));
    let _first = Ws::connect(&server.address, &path).await;
    let mut second = Ws::open(&server.address, &path, &[]).await.unwrap();
    assert_eq!(second.next().await["code"], "rate_limited");
    assert_eq!(second.closed().await, (4429, "rate_limited".to_owned()));
    Ws::connect(&server.address, &format!("/ws?token={}", of("bob"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_no_upgrades_are_told_so() {
    let server = start(&[]).await;
    for path in ["/ws", "/ws/v1"] {
        assert_eq!(http::get(&server.address, path).await.0, 426);
    }
    assert_eq!(http::get(&server.address, "/").await.0, 426);
    let old = "GET /ws HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (head, _) = http::first(&server.address, old).await;
    assert!(
        head.starts_with("HTTP/1.1 426 ") && head.contains("sec-websocket-version: 13"),
        "{head}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ping_with_an_id_is_answered_however_late_that_is_read() {
    let server = start(&crate::support::server::UNLIMITED).await;
    let ws = Ws::connect(&server.address, "/ws").await;
    let (count, long) = (60_000, "x".repeat(200));
    // Answers fill all that lies between, while nothing is read.
    let (mut sink, stream) = ws.stream.split();
    let sending = tokio::spawn(async move {
        for number in 0..count {
            let ping = json!({"type": "ping", "id": format!("{number}-{long}")});
            sink.send(Message::text(ping.to_string())).await.unwrap();
        }
        sink
    });
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let pongs = stream
        .take(count)
        .map(|message| {
            let pong: Value = serde_json::from_str(message.unwrap().to_text().unwrap()).unwrap();
            assert_eq!(pong["type"], "pong");
            pong["id"].as_str().unwrap().to_owned()
        })
        .collect::<std::collections::HashSet<_>>();
    let pongs = tokio::time::timeout(std::time::Duration::from_mins(1), pongs).await;
    assert_eq!(pongs.unwrap().len(), count);
    drop(sending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_names_no_more_channels_than_a_cursor() {
    let server = start(&[]).await;
    let channels: Vec<_> = (0..2000).map(|number| format!("c{number}")).collect();
    let path = format!("/ws?channels={}", channels.join(","));
    let mut ws = Ws::connect(&server.address, &path).await;
    let refused = ws.settled().await;
    assert!((1..=257).contains(&refused.len()), "{}", refused.len());
    assert!(refused.iter().any(|refusal| refusal["field"] == "channels"));
}

/// As a pool of two that removes the oldest.
#[tokio::test(flavor = "multi_thread")]
async fn newest_connection_of_a_user_takes_the_place_of_the_oldest_by_setting() {
    let more = [
        ("MAX_CONNECTIONS_PER_USER", "2"),
        ("USER_CONNECTIONS_FULL", "replace"),
    ];
    let server = start(&[&REQUIRED[..], &more].concat()).await;
    let path = |user: &str| format!("/ws?token={}", of(user));
    let mut first = Ws::connect(&server.address, &path("ann")).await;
    let mut second = Ws::connect(&server.address, &path("ann")).await;
    let mut other = Ws::connect(&server.address, &path("bob")).await;
    let third = Ws::connect(&server.address, &path("ann")).await;
    let told = first.next().await;
    assert_eq!(
        (&told["type"], &told["code"]),
        (&json!("error"), &json!("conflict"))
    );
    assert_eq!(first.closed().await, (4409, "replaced".to_owned()));
    // Over Socket.IO as well, in the order in which they came.
    let auth = json!({"token": of("ann")});
    let socket = Client::connect_with(&server.address, &auth).await.unwrap();
    assert_eq!(second.closed().await.0, 4409);
    drop(third);
    server
        .health_becomes("one of two is left", |health| health["connections"] == 2)
        .await;
    let _fourth = Ws::connect(&server.address, &path("ann")).await;
    let _fifth = Ws::connect(&server.address, &path("ann")).await;
    let told = socket.next().await;
    assert_eq!(
        (told.name.as_str(), &told.args[0]["code"]),
        ("error", &json!("conflict"))
    );
    server
        .health_becomes("there are two of ann and one of bob", |health| {
            health["connections"] == 3
        })
        .await;
    assert!(other.settled().await.is_empty(), "others are not meant");
}
