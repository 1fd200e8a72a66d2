//! What is written past the libraries is, byte for byte, what they write: the packets that a client on a WebSocket gets are those of
//! one on long-polling.

use std::collections::VecDeque;

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Stream, next_text, open};
use crate::support::polling::Polling;
use crate::support::server::Server;

/// A client of whose packets nothing is hidden.
enum Raw {
    WebSocket(Box<Stream>),
    Polling(Polling, VecDeque<String>),
}

impl Raw {
    async fn connect(server: &Server, websocket: bool, auth: &Value) -> Self {
        let mut raw = if websocket {
            Self::WebSocket(Box::new(open(&server.address).await))
        } else {
            Self::Polling(Polling::open(&server.address).await, VecDeque::new())
        };
        raw.send(&format!("40{auth}")).await;
        raw.until(|packet| packet.starts_with("40")).await;
        raw
    }

    async fn send(&mut self, packet: &str) {
        match self {
            Self::WebSocket(stream) => stream.send(Message::text(packet)).await.unwrap(),
            Self::Polling(polling, _) => assert_eq!(polling.post(packet).await.0, 200),
        }
    }

    async fn next(&mut self) -> String {
        match self {
            Self::WebSocket(stream) => next_text(stream).await,
            Self::Polling(polling, packets) => loop {
                if let Some(packet) = packets.pop_front() {
                    return packet;
                }
                let (status, body) = polling.poll().await;
                assert_eq!(status, 200, "{body}");
                packets.extend(body.split('\u{1e}').map(str::to_owned));
            },
        }
    }

    /// The packets up to one that is found, without pings.
    async fn until(&mut self, is_found: impl Fn(&str) -> bool) -> Vec<String> {
        let mut packets = Vec::new();
        loop {
            let packet = self.next().await;
            if packet == "2" {
                if let Self::Polling(..) = self {
                    self.send("3").await;
                }
                continue;
            }
            packets.push(packet);
            if packets.last().is_some_and(|packet| is_found(packet)) {
                return packets;
            }
        }
    }
}

/// A title in which JSON has something to escape.
fn title(number: usize) -> String {
    format!("\"{number}\" é \\ \u{1} 😀")
}

#[tokio::test]
async fn packets_of_a_websocket_are_those_of_polling_in_every_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(folder.path()).await;
    let mut readers = Vec::new();
    for style in ["colon", "dash", "snake", "camel"] {
        for argument in [true, false] {
            for websocket in [true, false] {
                let auth = json!({"eventStyle": style, "cursor": argument});
                let mut raw = Raw::connect(&server, websocket, &auth).await;
                raw.send(r#"421["join:project","p"]"#).await;
                raw.until(|packet| packet.starts_with("431[")).await;
                readers.push(raw);
            }
        }
    }
    let mut writer = Raw::connect(&server, true, &json!({})).await;
    for number in 0..40 {
        let task = json!({"projectId": "p", "taskId": "t", "title": title(number)});
        writer
            .send(&format!("42{}", json!(["task:update", task])))
            .await;
    }
    let end = json!(["task:delete", {"projectId": "p", "taskId": "t"}]);
    writer.send(&format!("42{end}")).await;
    let mut told = Vec::new();
    for raw in &mut readers {
        let packets = raw.until(|packet| packet.contains("deletedAt")).await;
        let events = packets
            .into_iter()
            .filter(|packet| packet.contains("\"taskId\""));
        told.push(events.collect::<Vec<_>>());
    }
    for pair in told.chunks(2) {
        assert_eq!(pair[0], pair[1]);
        assert_eq!(pair[0].len(), 41);
    }
    assert_ne!(told[0], told[2], "with and without a cursor");
    assert_ne!(told[0], told[4], "another spelling");
    // An answer of each kind, too.
    let mut answers = Vec::new();
    for raw in readers.iter_mut().take(2) {
        raw.send(r#"4277["nothing:known","é"]"#).await;
        answers.push(raw.until(|packet| packet.starts_with("4377")).await.pop());
    }
    assert_eq!(answers[0], answers[1]);
}
