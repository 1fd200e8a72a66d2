//! What is so at the plain WebSocket alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::scene::open;
use crate::support::http;
use crate::support::server::Server;
use crate::support::websocket::Ws;

const SOON: Duration = Duration::from_secs(5);
/// What nothing that comes from a client can be.
const NO_SEQ: &str = "9223372036854775807";

/// What is said until a fence is answered.
async fn told(ws: &mut Ws) -> Vec<Value> {
    ws.settled().await
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_cursor_is_refused_or_reset() {
    let server = open(&[]).await;
    for cursor in [json!("garbage"), json!(i64::MAX), json!(-1)] {
        let mut ws = Ws::connect(&server.address, "/ws").await;
        ws.send(json!({"type": "subscribe", "sessionId": "s", "cursor": cursor}))
            .await;
        let answer = ws.next().await;
        assert!(!answer.to_string().contains(NO_SEQ), "{cursor}: {answer}");
        let is_reset = answer["channels"][0]["reset"] == true;
        let is_refused = answer["code"] == "validation_failed";
        assert!(is_reset || is_refused, "{cursor}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_unsubscribe_leaves_the_session_that_took_the_place_of_another() {
    let server = open(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws").await;
    for session in ["s2", "s3"] {
        ws.send(json!({"type": "subscribe", "sessionId": session}))
            .await;
        assert_eq!(ws.next().await["type"], "subscribed");
    }
    ws.send(json!({"type": "unsubscribe"})).await;
    let left = ws.next().await;
    assert_eq!(
        (&left["type"], &left["sessionId"]),
        (&json!("unsubscribed"), &json!("s3")),
        "{left}"
    );
    let mut other = Ws::connect(&server.address, "/ws?sessionId=s2").await;
    let said = other.call("note", json!({"n": 1})).await;
    assert_eq!(said["ok"], true, "{said}");
    assert_eq!(ws.settled().await, [Value::Null; 0], "s2 was left for s3");
    let (_, stats) = http::get(&server.address, "/api/ws/stats").await;
    let stats: Value = serde_json::from_str(&stats).unwrap();
    let sessions = stats["clients"].as_array().unwrap().iter();
    let mut sessions: Vec<_> = sessions
        .map(|client| client["sessionId"].as_str())
        .collect();
    sessions.sort_unstable();
    assert_eq!(sessions, [None, Some("s2")], "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_type_with_an_id_gets_a_refusal_as_its_ack() {
    let server = open(&[]).await;
    for path in ["/ws", "/ws/v1"] {
        let mut ws = Ws::connect(&server.address, path).await;
        ws.send(json!({"type": "connection", "id": "i"})).await;
        let answer = ws.next().await;
        assert_eq!(
            (&answer["type"], &answer["id"]),
            (&json!("ack"), &json!("i"))
        );
        let said = if path == "/ws" {
            &answer
        } else {
            &answer["data"]
        };
        assert_eq!(said["ok"], false, "{path}: {answer}");
        assert_eq!(said["code"], "validation_failed", "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn type_that_is_too_long_with_an_id_gets_its_refusal() {
    let server = open(&[]).await;
    for path in ["/ws?sessionId=s", "/ws/v1?sessionId=s"] {
        let mut ws = Ws::connect(&server.address, path).await;
        ws.send(json!({"type": "x".repeat(65), "id": "i", "data": {"channel": "c"}}))
            .await;
        let answer = ws.next().await;
        let correlated = [&answer["id"], &answer["metadata"]["correlationId"]];
        assert!(correlated.contains(&&json!("i")), "{path}: {answer}");
        let code = [&answer["code"], &answer["data"]["code"]];
        assert!(
            code.contains(&&json!("validation_failed")),
            "{path}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeat_of_true_is_on() {
    let server = open(&[("WEBSOCKET_PING_INTERVAL", "300ms")]).await;
    let mut ws = Ws::connect(&server.address, "/ws?heartbeat=true").await;
    let heartbeat = ws.try_next(SOON).await;
    assert_eq!(heartbeat.expect("one in time")["type"], "heartbeat");
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_that_is_no_number_is_refused_by_name() {
    let server = open(&[]).await;
    for path in ["/ws?batch=abc", "/ws/v1?batch=abc"] {
        let Ok(mut ws) = Ws::open(&server.address, path, &[]).await else {
            let (status, body) = upgrade(&server, path).await;
            assert_eq!(status, 422, "{path}: {body}");
            // As every refusal of a handshake: what an ack would be.
            let said: Value = serde_json::from_str(&body).unwrap();
            let expected = json!({"ok": false, "code": "validation_failed", "field": "batch"});
            let found = json!({"ok": said["ok"], "code": said["code"], "field": said["field"]});
            assert_eq!(found, expected, "{path}: {body}");
            continue;
        };
        let said = told(&mut ws).await;
        let names_it =
            |said: &Value| [&said["field"], &said["data"]["field"]].contains(&&json!("batch"));
        assert!(said.iter().any(names_it), "{path}: {said:?}");
    }
}

/// Asks for a WebSocket that is refused; status and body.
async fn upgrade(server: &Server, path: &str) -> (u16, String) {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: it\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    http::request(&server.address, &request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_is_no_upgrade_is_told_to_be_one() {
    let server = open(&[]).await;
    for path in ["/ws", "/ws/v1", "/"] {
        let (status, body) = http::get(&server.address, path).await;
        assert_eq!(status, 426, "{path}: {body}");
    }
    let old = "GET /ws HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (head, _) = http::first(&server.address, old).await;
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    assert!(head.contains("sec-websocket-version: 13"), "{head}");
}
