//! What plain connections are told of the server, where a setting wants it.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::start;
use crate::support::rest::Rest;
use crate::support::tokens::{REQUIRED, of};
use crate::support::websocket::Ws;

/// The types of the next messages but pings, as they come.
async fn next_text(ws: &mut Ws) -> Value {
    loop {
        if let Message::Text(text) = ws.stream.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeat_comes_to_everybody_by_setting_and_not_to_who_does_not_want_it() {
    let server = start(&[
        ("WEBSOCKET_PING_INTERVAL", "600ms"),
        ("PING_TIMEOUT", "5s"),
        ("WEBSOCKET_HEARTBEAT", "true"),
    ])
    .await;
    let mut deaf = Ws::connect(&server.address, "/?heartbeat=false").await;
    let mut flat = Ws::connect(&server.address, "/").await;
    let mut envelope = Ws::connect(&server.address, "/ws/v1").await;
    let got = next_text(&mut flat).await;
    assert_eq!(got["type"], "heartbeat");
    assert!(got["data"]["timestamp"].is_string(), "{got}");
    let got = next_text(&mut envelope).await;
    assert_eq!(got["type"], "ping");
    assert!(got["data"]["timestamp"].is_number(), "{got}");
    let quiet = std::time::Duration::from_millis(900);
    assert_eq!(deaf.try_next(quiet).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_status_is_told_at_the_beginning_with_what_was_broadcast_last() {
    let server = start(&[("CONNECTION_STATUS", "true")]).await;
    let mut first = Ws::connect(&server.address, "/").await;
    let got = first.next().await;
    assert_eq!(got["type"], "connectionStatus");
    assert_eq!(got["data"]["connected"], true);
    assert!(got["data"].get("lastActivity").is_some(), "{got}");
    let data = json!({"connected": true, "activePort": 9222, "availablePorts": [9222, 9223]});
    let body = json!({"channel": "broadcast", "type": "connectionStatus", "data": data});
    let sent = Rest::new(&server.address).post("/publish", &body).await;
    assert_eq!(sent.expect(201)["reached"], 1);
    assert_eq!(first.next().await["data"], data);
    for path in ["/ws", "/ws/v1"] {
        let mut later = Ws::connect(&server.address, path).await;
        let got = later.next().await;
        assert_eq!(got["type"], "connectionStatus");
        assert_eq!(got["data"]["activePort"], 9222, "{got}");
        assert!(got["data"]["lastActivity"].is_string(), "{got}");
    }
    server.signal("TERM");
    let got = first.next().await;
    assert_eq!(got["type"], "connectionStateChanged");
    assert_eq!(got["data"]["connected"], false);
    assert_eq!(got["data"]["reconnecting"], true);
    assert!(got["data"]["lastConnected"].is_string());
    assert_eq!(first.closed().await.0, 1012);
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_status_waits_until_it_is_known_who_the_client_is() {
    let mut settings = REQUIRED.to_vec();
    settings.push(("CONNECTION_STATUS", "true"));
    let server = start(&settings).await;
    let mut ws = Ws::connect(&server.address, "/").await;
    for expected in ["welcome", "connectionStatus", "welcome"] {
        if expected == "welcome" {
            let data = json!({"token": of("ann")});
            ws.send(json!({"type": "handshake", "data": data})).await;
        }
        assert_eq!(ws.next().await["type"], expected);
    }
}
