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
        assert_eq!(
            self.client.call("task:update", change).await["seq"],
            self.seq
        );
        assert_eq!(self.client.next().await.seq(), self.seq);
    }
}

/// Packets as they stand on the wire, each behind the code with which it is refused and the field that the
/// refusal names (`*`: any). `<x:N>` stands for N letters, `<deep:N>` for N levels, `<many:N>` for N arguments.
const BAD_PACKETS: &str = r#"
validation_failed * ["task:update"]
validation_failed * ["task:update",null]
validation_failed * ["task:update",7]
validation_failed * ["task:update",[1,2]]
validation_failed * ["task:update",true]
validation_failed * ["task:update","text"]
validation_failed taskId ["task:update",{}]
validation_failed taskId ["task:update",{"projectId":"p","taskId":""}]
validation_failed taskId ["task:update",{"projectId":"p","taskId":{}}]
validation_failed projectId ["task:update",{"projectId":"","taskId":"t"}]
validation_failed projectId ["task:create",{"title":"of no project"}]
validation_failed projectId ["join:project"]
validation_failed projectId ["join:project",null]
validation_failed projectId ["join:project","<x:256>"]
validation_failed projectId ["join:project",{"projectId":[1]}]
validation_failed * ["task:update",<many:1000>"x"]
payload_too_large * ["task:update",{"projectId":"p","taskId":"t","text":"<x:300000>"}]
payload_too_large * ["task:update",{"projectId":"p","taskId":"t","text":"<x:2000000>"}]
validation_failed * ["task:update",{"projectId":"p","taskId":"t","deep":<deep:40>}]
validation_failed * ["task:update",{"projectId":"p","taskId":"t","deep":<deep:10000>}]
validation_failed * ["task:update",{"projectId":"p","taskId":"t","__proto__":{"admin":true}}]
validation_failed * ["task:update",{"projectId":"p","taskId":"t","updates":{"a":{"__proto__":1}}}]
validation_failed title ["task:update",{"projectId":"p","taskId":"t","title":"a\u0000b"}]
validation_failed updates.title ["task:update",{"projectId":"p","taskId":"t","updates":{"title":"\ud800"}}]
validation_failed file ["task:update",{"projectId":"p","taskId":"t","file":{"_placeholder":true,"num":0}}]
validation_failed updates ["task:update",{"projectId":"p","taskId":"t","updates":"text"}]
validation_failed idempotencyKey ["task:update",{"projectId":"p","taskId":"t","idempotencyKey":""}]
unknown_event * ["launch:missiles",{}]
unknown_event * ["",{}]
"#;

/// Code, field and packet of a row.
fn bad_packets() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    BAD_PACKETS.trim().lines().map(|row| {
        let mut parts = row.splitn(3, ' ');
        let mut next = || parts.next().expect("a row has three parts");
        (next(), next(), expand(next()))
    })
}

/// Replaces what stands for a long text.
fn expand(packet: &str) -> String {
    let Some((before, rest)) = packet.split_once('<') else {
        return packet.to_owned();
    };
    let (short, after) = rest.split_once('>').expect("it is closed");
    let (what, count) = short.split_once(':').expect("it has a number");
    let count = count.parse().expect("it is a number");
    let long = match what {
        "x" => "x".repeat(count),
        "deep" => format!("{}1{}", "{\"a\":".repeat(count), "}".repeat(count)),
        "many" => "1,".repeat(count),
        _ => panic!("unknown: {what}"),
    };
    format!("{before}{long}{after}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_packet_is_answered_with_its_reason() {
    let server = Server::start("sqlite::memory:").await;
    let mut bystander = Bystander::new(&server).await;
    let client = Client::connect(&server.address).await;
    for (code, field, packet) in bad_packets() {
        let shown: String = packet.chars().take(100).collect();
        let answer = tokio::time::timeout(Duration::from_secs(10), client.ask_raw(&packet)).await;
        let answer = answer
            .unwrap_or_else(|_| panic!("no answer to {shown}"))
            .unwrap_or_else(|_| panic!("closed by {shown}"));
        assert_eq!(
            (&answer["ok"], &answer["code"]),
            (&json!(false), &json!(code)),
            "{shown}: {answer}"
        );
        assert!(
            answer["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty()),
            "{answer}"
        );
        if field != "*" {
            assert_eq!(answer["field"], field, "{shown}: {answer}");
        }
        bystander.is_undisturbed().await;
    }
    assert_eq!(
        client
            .call(
                "task:update",
                json!({"projectId": "p", "taskId": "t", "a": 1})
            )
            .await["ok"],
        true
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_without_ack_is_told_to_its_sender_alone() {
    let server = Server::start("sqlite::memory:").await;
    let (sender, other) = (
        Client::connect(&server.address).await,
        Client::connect(&server.address).await,
    );
    sender.join("p").await;
    other.join("p").await;
    sender.emit("task:update", &[json!({"projectId": "p"})]);
    let error = sender.next().await;
    assert_eq!(error.name, "error");
    assert_eq!(error.args[0]["event"], "task:update");
    assert_eq!(error.args[0]["field"], "taskId");
    sender
        .call(
            "task:update",
            json!({"projectId": "p", "taskId": "t", "a": 1}),
        )
        .await;
    assert_eq!(
        other.next().await.name,
        "task:updated",
        "the other one heard of nothing before"
    );
}

/// Socket.IO and Engine.IO messages that are none.
const MALFORMED: [&str; 14] = [
    "",
    "9",
    "4",
    "42",
    "42{",
    "42[",
    "42[]",
    "42[1]",
    "4299999999999999999999[\"a\"]",
    "451-[\"a\",{\"_placeholder\":true,\"num\":0}]",
    "4\u{1e}2",
    "47",
    "40/nowhere,",
    "42/nowhere,[\"a\"]",
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
    server
        .health_becomes("only the bystander is left", |health| {
            health["connections"] == 1
        })
        .await;
}

/// Sends the same by long-polling.
async fn polled(server: &Server, body: &str) {
    let (_, opened) = http::get(&server.address, "/socket.io/?EIO=4&transport=polling").await;
    let opened: Value =
        serde_json::from_str(opened.trim_start_matches('0')).expect("an open packet");
    let path = format!(
        "/socket.io/?EIO=4&transport=polling&sid={}",
        opened["sid"].as_str().unwrap()
    );
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
        (
            "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA",
            400,
        ),
        ("/socket.io/?EIO=4&transport=websocket&sid=%00%ff", 400),
        ("/nowhere", 404),
    ] {
        let (status, body) = http::get(&server.address, path).await;
        assert_eq!(status, expected, "{path}: {body}");
    }
    let long = http::post(
        &server.address,
        "/socket.io/?EIO=4&transport=polling",
        &"x".repeat(5_000_000),
    )
    .await;
    assert!(long.0 >= 400, "{}", long.0);
    assert!(http::request(&server.address, "NONSENSE\r\n\r\n").await.0 >= 400);
    bystander.is_undisturbed().await;
}

/// Half of what ten floods would leave behind if each connection kept the least that one takes. Allocators keep
/// some memory for themselves, so that the figure before and after is never the same.
const LEAK_KIB: u64 = 15 * 1024;

/// Handshakes begun and left alone: no head, no upgrade, no CONNECT.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_half_open_handshakes_passes() {
    let settings = [
        ("CONNECT_TIMEOUT", "300ms"),
        ("PING_INTERVAL", "1s"),
        ("PING_TIMEOUT", "1s"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let mut bystander = Bystander::new(&server).await;
    // The first floods fill what the allocator keeps; what matters is that the next ones add nothing.
    floods(&server, &mut bystander, 10).await;
    let full = server.memory_kib();
    floods(&server, &mut bystander, 10).await;
    eventually("memory is where it was", async || {
        server.memory_kib() < full + LEAK_KIB
    })
    .await;
}

async fn floods(server: &Server, bystander: &mut Bystander, count: usize) {
    let before = server.open_files();
    for _ in 0..count {
        flood(server).await;
        bystander.is_undisturbed().await;
        eventually("the flood has drained", async || {
            server.open_files() <= before
        })
        .await;
    }
}

async fn flood(server: &Server) {
    let mut open = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let text = match number % 3 {
            0 => "GET /socket.io/?EIO=4&transp",
            1 => "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: it\r\n\r\n",
            _ => {
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            }
        };
        stream.write_all(text.as_bytes()).await.unwrap();
        open.push(stream);
    }
}
