//! Whatever is thrown at the server gets its answer, and nobody else notices.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, open};
use crate::support::server::Server;
use crate::support::{eventually, http};

/// A client that must not notice anything.
struct Bystander {
    client: Client,
    seq: i64,
}

impl Bystander {
    async fn new(server: &Server) -> Self {
        let client = Client::connect(&server.address).await;
        client.join("calm").await;
        Self { client, seq: 0 }
    }

    async fn is_undisturbed(&mut self) {
        self.seq += 1;
        let change = json!({"projectId": "calm", "taskId": "t", "updates": {"number": self.seq}});
        assert_eq!(self.client.call("task:update", change).await["seq"], self.seq);
        assert_eq!(self.client.next().await.seq(), self.seq);
    }
}

fn deep(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

/// Packets as they stand on the wire, what they are answered, and the field that the answer names.
fn bad_packets() -> Vec<(String, &'static str, Option<&'static str>)> {
    let update = |rest: &str| format!(r#"["task:update",{{"projectId":"p","taskId":"t",{rest}}}]"#);
    vec![
        (r#"["task:update"]"#.into(), "validation_failed", None),
        (r#"["task:update",null]"#.into(), "validation_failed", None),
        (r#"["task:update",7]"#.into(), "validation_failed", None),
        (r#"["task:update",[1,2]]"#.into(), "validation_failed", None),
        (r#"["task:update",true]"#.into(), "validation_failed", None),
        (r#"["task:update","text"]"#.into(), "validation_failed", None),
        (r#"["task:update",{}]"#.into(), "validation_failed", Some("taskId")),
        (r#"["task:update",{"projectId":"p","taskId":""}]"#.into(), "validation_failed", Some("taskId")),
        (r#"["task:update",{"projectId":"","taskId":"t"}]"#.into(), "validation_failed", Some("projectId")),
        (format!(r#"["join:project","{}"]"#, "x".repeat(129)), "validation_failed", Some("projectId")),
        (r#"["join:project"]"#.into(), "validation_failed", Some("projectId")),
        (r#"["join:project",null]"#.into(), "validation_failed", Some("projectId")),
        (r#"["join:project",{"projectId":[1]}]"#.into(), "validation_failed", Some("projectId")),
        (format!(r#"["task:update",{}"x"]"#, "1,".repeat(1000)), "validation_failed", None),
        (update(&format!(r#""text":"{}""#, "x".repeat(300_000))), "payload_too_large", None),
        (update(&format!(r#""text":"{}""#, "x".repeat(2_000_000))), "payload_too_large", None),
        (update(&format!(r#""deep":{}"#, deep(40))), "validation_failed", None),
        (update(&format!(r#""deep":{}"#, deep(10_000))), "validation_failed", None),
        (update(r#""__proto__":{"admin":true}"#), "validation_failed", None),
        (update(r#""updates":{"a":{"__proto__":1}}"#), "validation_failed", None),
        (update(r#""title":"a\u0000b""#), "validation_failed", Some("title")),
        (update(r#""updates":{"title":"\ud800"}"#), "validation_failed", Some("updates.title")),
        (update(r#""file":{"_placeholder":true,"num":0}"#), "validation_failed", Some("file")),
        (update(r#""updates":"text""#), "validation_failed", Some("updates")),
        (update(r#""idempotencyKey":"""#), "validation_failed", Some("idempotencyKey")),
        (r#"["launch:missiles",{}]"#.into(), "unknown_event", None),
        (r#"["",{}]"#.into(), "unknown_event", None),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_packet_is_answered_with_its_reason() {
    let server = Server::start("sqlite::memory:").await;
    let mut bystander = Bystander::new(&server).await;
    let client = Client::connect(&server.address).await;
    for (packet, code, field) in bad_packets() {
        let shown: String = packet.chars().take(100).collect();
        let answer = tokio::time::timeout(Duration::from_secs(10), client.ask_raw(&packet)).await;
        let answer = answer.unwrap_or_else(|_| panic!("no answer to {shown}")).unwrap_or_else(|_| panic!("closed by {shown}"));
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!(code)), "{shown}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| !error.is_empty()), "{answer}");
        if let Some(field) = field {
            assert_eq!(answer["field"], field, "{shown}: {answer}");
        }
        bystander.is_undisturbed().await;
    }
    assert_eq!(client.call("task:update", json!({"projectId": "p", "taskId": "t", "a": 1})).await["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_without_ack_is_told_to_its_sender_alone() {
    let server = Server::start("sqlite::memory:").await;
    let (sender, other) = (Client::connect(&server.address).await, Client::connect(&server.address).await);
    sender.join("p").await;
    other.join("p").await;
    sender.emit("task:update", &[json!({"projectId": "p"})]);
    let error = sender.next().await;
    assert_eq!(error.name, "error");
    assert_eq!(error.args[0]["event"], "task:update");
    assert_eq!(error.args[0]["field"], "taskId");
    sender.call("task:update", json!({"projectId": "p", "taskId": "t", "a": 1})).await;
    assert_eq!(other.next().await.name, "task:updated", "the other one heard of nothing before");
}

/// Socket.IO and Engine.IO messages that are none.
const MALFORMED: [&str; 14] = [
    "", "9", "4", "42", "42{", "42[", "42[]", "42[1]", "4299999999999999999999[\"a\"]", "451-[\"a\",{\"_placeholder\":true,\"num\":0}]",
    "4\u{1e}2", "47", "40/nowhere,", "42/nowhere,[\"a\"]",
];

#[tokio::test(flavor = "multi_thread")]
async fn malformed_packets_end_at_most_their_own_connection() {
    let server = Server::start("sqlite::memory:").await;
    let mut bystander = Bystander::new(&server).await;
    for malformed in MALFORMED {
        let mut stream = open(&server.address).await;
        stream.send(Message::text("40")).await.unwrap();
        stream.send(Message::text(malformed)).await.ok();
        stream.send(Message::binary(vec![0, 255, 4])).await.ok();
        drop(stream);
        polled(&server, malformed).await;
        bystander.is_undisturbed().await;
    }
    server.health_becomes("only the bystander is left", |health| health["connections"] == 1).await;
}

/// Sends the same by long-polling.
async fn polled(server: &Server, body: &str) {
    let (_, opened) = http::get(&server.address, "/socket.io/?EIO=4&transport=polling").await;
    let opened: Value = serde_json::from_str(opened.trim_start_matches('0')).expect("an open packet");
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", opened["sid"].as_str().unwrap());
    assert_eq!(http::post(&server.address, &path, "40").await.0, 200);
    let (status, _) = http::post(&server.address, &path, body).await;
    assert!([200, 400, 413].contains(&status), "{status} for {body}");
    // Says goodbye, so that the session need not time out.
    http::post(&server.address, &path, "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_requests_are_refused() {
    let server = Server::start("sqlite::memory:").await;
    let mut bystander = Bystander::new(&server).await;
    for (path, expected) in [
        ("/socket.io/", 400),
        ("/socket.io/?EIO=9&transport=polling", 400),
        ("/socket.io/?EIO=4&transport=pigeon", 400),
        ("/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", 400),
        ("/socket.io/?EIO=4&transport=websocket&sid=%00%ff", 400),
        ("/nowhere", 404),
    ] {
        let (status, body) = http::get(&server.address, path).await;
        assert_eq!(status, expected, "{path}: {body}");
    }
    let long = http::post(&server.address, "/socket.io/?EIO=4&transport=polling", &"x".repeat(5_000_000)).await;
    assert!(long.0 >= 400, "{}", long.0);
    assert!(http::request(&server.address, "NONSENSE\r\n\r\n").await.0 >= 400);
    bystander.is_undisturbed().await;
}

/// Handshakes begun and left alone: no head, no upgrade, no CONNECT.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_half_open_handshakes_passes() {
    let settings = [("CONNECT_TIMEOUT", "1s"), ("PING_INTERVAL", "1s"), ("PING_TIMEOUT", "1s")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let mut bystander = Bystander::new(&server).await;
    flood(&server).await;
    server.health_becomes("the flood has drained", |health| health["connections"] == 1).await;
    let once = server.memory_kib();
    for _ in 0..3 {
        flood(&server).await;
        bystander.is_undisturbed().await;
    }
    // Allocators keep some; what matters is that floods do not add up.
    eventually("memory returns to where it was", async || server.memory_kib() < once + once / 4).await;
}

async fn flood(server: &Server) {
    let mut open = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let text = match number % 3 {
            0 => "GET /socket.io/?EIO=4&transp",
            1 => "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: it\r\n\r\n",
            _ => "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        };
        stream.write_all(text.as_bytes()).await.unwrap();
        open.push(stream);
    }
}
