//! Clients that take exactly what their handlers declare get events with one argument, and their position in
//! `session:cursor`; see `tests/clients/test_python.py` for the real ones in Python.

use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::support::client::{Client, Stream, next_text};
use crate::support::http;
use crate::support::server::Server;

const DART: &str = "Dart/3.4 (dart:io)";

/// A client of whose packets nothing is hidden, with a `User-Agent` of its own.
struct Raw(Stream);

impl Raw {
    async fn connect(server: &Server, agent: &str, query: &str, auth: &Value) -> Self {
        let url = format!(
            "ws://{}/socket.io/?EIO=4&transport=websocket{query}",
            server.address
        );
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("user-agent", agent.parse().unwrap());
        let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let mut raw = Self(stream);
        raw.send(&format!("40{auth}")).await;
        while !raw.next().await.starts_with("40") {}
        raw
    }

    async fn send(&mut self, packet: &str) {
        self.0.send(Message::text(packet)).await.unwrap();
    }

    async fn next(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(20), next_text(&mut self.0)).await;
        next.expect("a packet in time")
    }

    /// The next event with one of these names, and its arguments.
    async fn event(&mut self, names: &[&str]) -> Vec<Value> {
        loop {
            let packet = self.next().await;
            let event = packet.strip_prefix("42").map(serde_json::from_str);
            if let Some(event) = event {
                let event: Vec<Value> = event.unwrap();
                if names.iter().any(|name| event[0] == *name) {
                    return event;
                }
            }
        }
    }

    /// Joins a project, and hears where it is then.
    async fn join(&mut self) -> String {
        self.send(r#"421["join:project","p"]"#).await;
        let cursor = self.event(&["session:cursor"]).await;
        while !self.next().await.starts_with("431[") {}
        cursor[1].as_str().unwrap().to_owned()
    }
}

async fn create(writer: &Client, title: &str) {
    let task = json!({"projectId": "p", "title": title});
    assert_eq!(writer.call("task:create", task).await["ok"], true);
}

/// Whether an event of a client that connects so has a second argument.
async fn has_argument(server: &Server, agent: &str, query: &str, auth: &Value) -> bool {
    let writer = Client::connect(&server.address).await;
    let mut raw = Raw::connect(server, agent, query, auth).await;
    raw.join().await;
    create(&writer, "a").await;
    raw.event(&["task:created"]).await.len() == 3
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_chooses_before_the_setting_and_that_before_what_is_recognised() {
    let none = json!({});
    for (setting, dart, browser) in [
        ("auto", false, true),
        ("always", true, true),
        ("never", false, false),
    ] {
        let server = Server::start_with("sqlite::memory:", &[("EVENT_CURSOR", setting)]).await;
        for (agent, expected) in [(DART, dart), ("Mozilla/5.0", browser)] {
            assert_eq!(
                has_argument(&server, agent, "", &none).await,
                expected,
                "{setting} {agent}"
            );
            for (query, auth, expected) in [
                ("&cursor=1", json!({}), true),
                ("&cursor=0", json!({}), false),
                ("", json!({"cursor": true}), true),
                ("", json!({"cursor": 0}), false),
                ("&cursor=1", json!({"cursor": false}), false),
            ] {
                let has_argument = has_argument(&server, agent, query, &auth).await;
                assert_eq!(has_argument, expected, "{setting} {agent} {query} {auth}");
            }
        }
    }
}

/// What `socket_io_client` makes of an event: one argument by itself, and a list of several.
fn as_dart_hears(event: &[Value]) -> Value {
    match event {
        [_, only] => only.clone(),
        [_, several @ ..] => json!(several),
        [] => Value::Null,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dart_hears_payloads_and_resumes_from_its_last_cursor() {
    let server = Server::start("sqlite::memory:").await;
    let writer = Client::connect(&server.address).await;
    let mut dart = Raw::connect(&server, DART, "", &json!({})).await;
    dart.join().await;
    create(&writer, "seen").await;
    let event = dart.event(&["task:created"]).await;
    assert_eq!(as_dart_hears(&event)["title"], "seen");
    // It follows at once: no event was sent for a second.
    let cursor = as_dart_hears(&dart.event(&["session:cursor", "task:created"]).await);
    assert!(cursor.is_string(), "{cursor}");
    drop(dart);
    create(&writer, "missed").await;
    let mut dart = Raw::connect(&server, DART, "", &json!({"cursor": cursor})).await;
    create(&writer, "live").await;
    for title in ["missed", "live"] {
        let event = dart.event(&["task:created"]).await;
        assert_eq!(as_dart_hears(&event)["title"], title);
    }
}

/// Also the notices that tell of more than a position.
#[tokio::test(flavor = "multi_thread")]
async fn reset_has_one_argument_and_its_cursor_follows() {
    let server = Server::start("sqlite::memory:").await;
    let auth = json!({"cursor": "nonsense"});
    let mut dart = Raw::connect(&server, DART, "", &auth).await;
    let reset = dart.event(&["session:reset", "session:cursor"]).await;
    assert_eq!(as_dart_hears(&reset)["reset"], true, "{reset:?}");
    let cursor = dart.event(&["session:cursor"]).await;
    assert!(as_dart_hears(&cursor).is_string(), "{cursor:?}");
}

/// As many cursors as events would double what is sent.
#[tokio::test(flavor = "multi_thread")]
async fn cursor_comes_once_a_second_and_covers_the_last_event() {
    const EVENTS: i64 = 300;
    let server = Server::start("sqlite::memory:").await;
    let writer = Client::connect(&server.address).await;
    let mut dart = Raw::connect(&server, DART, "", &json!({})).await;
    dart.join().await;
    let begun = std::time::Instant::now();
    for number in 1..=EVENTS {
        create(&writer, &number.to_string()).await;
    }
    let (mut seq, mut cursors, mut last) = (0, 0, String::new());
    // The position of the one project is what its cursor ends with.
    while !last.ends_with(&format!(":{EVENTS}")) {
        let event = dart.event(&["task:created", "session:cursor"]).await;
        if event[0] == "task:created" {
            assert_eq!(event.len(), 2, "{event:?}");
            seq += 1;
            assert_eq!(event[1]["seq"], seq);
        } else {
            cursors += 1;
            last = event[1].as_str().unwrap().to_owned();
        }
    }
    assert_eq!(seq, EVENTS);
    let seconds = begun.elapsed().as_secs();
    assert!(cursors <= seconds + 2, "{cursors} cursors in {seconds} s");
}

/// Who has a version 2 of the protocol cannot come back with a cursor, but may ask for what came since.
#[tokio::test(flavor = "multi_thread")]
async fn version_2_of_such_a_client_hears_one_argument() {
    let server = Server::start("sqlite::memory:").await;
    let writer = Client::connect(&server.address).await;
    let path = "/socket.io/?transport=polling&EIO=3";
    let (_, opened) = http::get(&server.address, path).await;
    let (_, sid) = opened.split_once("\"sid\":\"").unwrap();
    let path = format!("{path}&sid={}", sid.split_once('"').unwrap().0);
    let join = r#"420["join:project","p"]"#;
    http::post(&server.address, &path, &format!("{}:{join}", join.len())).await;
    let mut packets = String::new();
    while !packets.contains("430[") {
        packets += &http::get(&server.address, &path).await.1;
    }
    create(&writer, "a").await;
    while !packets.contains("42[\"task:created\"") {
        packets += &http::get(&server.address, &path).await.1;
    }
    let event = &packets[packets.find("[\"task:created\"").unwrap()..];
    let mut event = serde_json::Deserializer::from_str(event);
    let event = <Vec<Value> as serde::Deserialize>::deserialize(&mut event).unwrap();
    assert_eq!(
        (event.len(), &event[1]["title"]),
        (2, &json!("a")),
        "{packets}"
    );
}
