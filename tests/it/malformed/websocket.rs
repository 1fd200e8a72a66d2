//! Over a WebSocket, of versions 3 and 4 of Engine.IO.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{CREATE, MALFORMED, TOO_LARGE, answer, assert_refused};
use crate::support::client::{Stream, next_text, open};
use crate::support::http;
use crate::support::server::Server;

/// A WebSocket that is in the namespace.
async fn entered(server: &Server, version: u8) -> Stream {
    if version == 3 {
        let url = format!(
            "ws://{}/socket.io/?EIO=3&transport=websocket",
            server.address
        );
        let (mut stream, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        while !next_text(&mut stream).await.starts_with("40") {}
        return stream;
    }
    let mut stream = open(&server.address).await;
    send(&mut stream, "40").await;
    while !next_text(&mut stream).await.starts_with("40") {}
    stream
}

async fn send(stream: &mut Stream, text: &str) {
    stream.send(Message::text(text)).await.unwrap();
}

/// The next ack or `error`.
async fn next_answer(stream: &mut Stream) -> (Option<u64>, Value) {
    let next = async {
        loop {
            if let Some(answer) = answer(&next_text(stream).await) {
                return answer;
            }
        }
    };
    let next = tokio::time::timeout(Duration::from_secs(10), next).await;
    next.expect("an answer in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_packet_over_a_websocket_is_refused_and_the_next_one_taken() {
    let server = Server::start("sqlite::memory:").await;
    for version in [3, 4] {
        let mut stream = entered(&server, version).await;
        for (number, (packet, field)) in (0..).zip(MALFORMED) {
            let id = 2 * number;
            send(&mut stream, &format!("42{id}{packet}")).await;
            send(&mut stream, &format!("42{}{CREATE}", id + 1)).await;
            let (ack, refusal) = next_answer(&mut stream).await;
            assert_eq!(ack, Some(id), "{packet}");
            assert_refused(&refusal, field, packet);
            let (ack, done) = next_answer(&mut stream).await;
            assert_eq!(
                (ack, &done["ok"]),
                (Some(id + 1), &Value::Bool(true)),
                "{packet}: {done}"
            );
            // Without an ack id it is told by an event, which names the event if that can be read.
            send(&mut stream, &format!("42{packet}")).await;
            let (ack, refusal) = next_answer(&mut stream).await;
            assert_eq!(ack, None, "{packet}");
            assert_refused(&refusal, field, packet);
            let name = if packet.starts_with("[\"task:create\"") {
                "task:create"
            } else {
                ""
            };
            assert!(
                refusal["event"].as_str().unwrap().starts_with(name),
                "{packet}: {refusal}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ack_id_that_is_too_large_is_told_by_an_event() {
    let server = Server::start("sqlite::memory:").await;
    let mut stream = entered(&server, 4).await;
    send(&mut stream, &format!("42{TOO_LARGE}{CREATE}")).await;
    let (ack, refusal) = next_answer(&mut stream).await;
    assert_eq!(ack, None);
    assert_refused(&refusal, "ack", TOO_LARGE);
    assert_eq!(refusal["event"], "task:create");
    send(&mut stream, &format!("42-1{CREATE}")).await;
    assert_refused(&next_answer(&mut stream).await.1, "payload", "-1");
    // It has not taken effect.
    send(&mut stream, r#"421["project:snapshot","p"]"#).await;
    let (ack, snapshot) = next_answer(&mut stream).await;
    assert_eq!((ack, &snapshot["seq"]), (Some(1), &0.into()), "{snapshot}");
}

/// Legal in Socket.IO, although socketioxide does not read it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_spelled_otherwise_is_taken() {
    let server = Server::start("sqlite::memory:").await;
    let mut stream = entered(&server, 4).await;
    send(&mut stream, "421[21,{}]").await;
    let (ack, refusal) = next_answer(&mut stream).await;
    assert_eq!(
        (ack, &*refusal["code"].to_string()),
        (Some(1), "\"unknown_event\"")
    );
    for create in [
        r#"["task\u003acreate",{"projectId":"p","title":"a"}]"#.to_owned(),
        format!(" {CREATE}"),
    ] {
        send(&mut stream, &format!("422{create}")).await;
        let (ack, done) = next_answer(&mut stream).await;
        assert_eq!(
            (ack, &done["ok"]),
            (Some(2), &Value::Bool(true)),
            "{create}: {done}"
        );
    }
}

/// Answers that nobody has asked for are ignored, as in Node.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_ack_id_is_ignored() {
    let server = Server::start("sqlite::memory:").await;
    let mut stream = entered(&server, 4).await;
    for answer in ["43[]", "43", &format!("43{TOO_LARGE}[]"), "431[]"] {
        send(&mut stream, answer).await;
    }
    send(&mut stream, &format!("421{CREATE}")).await;
    assert_eq!(next_answer(&mut stream).await.0, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_packet_takes_its_attachments_with_it() {
    let server = Server::start("sqlite::memory:").await;
    for version in [3, 4] {
        let mut stream = entered(&server, version).await;
        send(&mut stream, "452-1[\"task:create\",{\"file\":NaN}]").await;
        for _ in 0..2 {
            stream
                .send(Message::binary(vec![4, 1, 2, 3]))
                .await
                .unwrap();
        }
        send(&mut stream, &format!("422{CREATE}")).await;
        let (ack, refusal) = next_answer(&mut stream).await;
        assert_eq!(ack, Some(1));
        assert_refused(&refusal, "payload", "45");
        assert_eq!(next_answer(&mut stream).await.1["ok"], true);
        send(&mut stream, "45-3[\"a\"]").await;
        let (ack, refusal) = next_answer(&mut stream).await;
        assert_eq!(ack, Some(3));
        assert_refused(&refusal, "attachments", "45-");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_packet_in_fragments_is_refused_and_pings_between_them_answered() {
    let server = Server::start("sqlite::memory:").await;
    let mut stream = entered(&server, 4).await;
    let packets = ["421[\"task:create\",{]".to_owned(), format!("422{CREATE}")];
    for (id, packet) in (1..).zip(&packets) {
        let (first, rest) = packet.split_at(1);
        let (second, last) = rest.split_at(7);
        send_fragment(&mut stream, Data::Text, first, false).await;
        ping(&mut stream).await;
        send_fragment(&mut stream, Data::Continue, second, false).await;
        ping(&mut stream).await;
        send_fragment(&mut stream, Data::Continue, last, true).await;
        let (ack, answer) = next_answer(&mut stream).await;
        assert_eq!(
            (ack, &answer["ok"]),
            (Some(id), &(id == 2).into()),
            "{answer}"
        );
    }
}

async fn send_fragment(stream: &mut Stream, opcode: Data, text: &str, is_last: bool) {
    let frame = Frame::message(text.to_owned(), OpCode::Data(opcode), is_last);
    stream.send(Message::Frame(frame)).await.unwrap();
}

/// Sends a ping and waits for its pong, while nothing else comes.
async fn ping(stream: &mut Stream) {
    stream.send(Message::Ping("p".into())).await.unwrap();
    let pong = async { while !stream.next().await.unwrap().unwrap().is_pong() {} };
    let pong = tokio::time::timeout(Duration::from_secs(10), pong).await;
    pong.expect("a pong before the text has ended");
}

/// Bytes of frames on a bare connection: byte by byte, all at once, and right behind the end of a probe.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_packets_in_any_reads_are_refused() {
    let server = Server::start("sqlite::memory:").await;
    let large = format!(
        "423[\"task:create\",{{\"title\":\"{}\"}}",
        "x".repeat(100_000)
    );
    let bytes = [
        "40",
        "421[]",
        &format!("422{CREATE}"),
        &large,
        &format!("424{CREATE}"),
    ]
    .map(frame)
    .concat();
    for piece in [1, 511, 100_000_000] {
        let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let (_, mut stream) = http::first(&server.address, request).await;
        stream.set_nodelay(true).unwrap();
        // Events in a namespace that is not entered yet end the session.
        let (enter, rest) = bytes.split_at(frame("40").len());
        stream.write_all(enter).await.unwrap();
        read_until(&mut stream, "40{").await;
        // Byte by byte, the large one would take long.
        let (slow, fast) = rest.split_at(rest.len().min(150 * piece));
        for piece in slow.chunks(piece) {
            stream.write_all(piece).await.unwrap();
        }
        stream.write_all(fast).await.unwrap();
        let received = read_until(&mut stream, "434[").await;
        let at = ["431[", "432[", "433[", "434["].map(|ack| received.find(ack).expect(ack));
        assert!(at.is_sorted(), "{received}");
        assert_eq!(
            received.matches("validation_failed").count(),
            2,
            "{received}"
        );
    }
}

/// A frame under a mask that changes nothing.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    if let Ok(short @ 0..=125) = u8::try_from(text.len()) {
        frame.push(0x80 | short);
    } else {
        frame.push(0xff);
        frame.extend((text.len() as u64).to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(text.bytes());
    frame
}

async fn read_until(stream: &mut tokio::net::TcpStream, text: &str) -> String {
    let mut received = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&received).contains(text) {
            let read = stream.read_buf(&mut received).await.unwrap();
            assert!(read > 0, "it ends: {}", String::from_utf8_lossy(&received));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .expect("an answer in time");
    String::from_utf8_lossy(&received).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_packet_right_behind_the_upgrade_is_refused() {
    let server = Server::start("sqlite::memory:").await;
    let session = crate::support::polling::Polling::connect(&server.address).await;
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket&sid={} HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        session.sid
    );
    let (_, mut stream) = http::first(&server.address, &request).await;
    stream.write_all(&frame("2probe")).await.unwrap();
    read_until(&mut stream, "3probe").await;
    let behind = ["5", "421[]", &format!("422{CREATE}")].map(frame).concat();
    stream.write_all(&behind).await.unwrap();
    let received = read_until(&mut stream, "432[").await;
    assert!(received.contains("431["), "{received}");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_packets_are_counted_by_the_rates() {
    let server = Server::start_with("sqlite::memory:", &[("COMMAND_RATE", "20/3")]).await;
    let mut stream = entered(&server, 4).await;
    for id in 0..6 {
        send(&mut stream, &format!("42{id}[\"task:create\",{{]")).await;
    }
    for id in 0..6 {
        let (ack, refusal) = next_answer(&mut stream).await;
        assert_eq!(ack, Some(id));
        assert_eq!(refusal["code"], "validation_failed");
    }
    let health = server.health().await;
    assert!(
        health["limits"]["held_back"].as_u64().unwrap() >= 2,
        "{health}"
    );
}

/// As before: the library ends the connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_packet_that_is_too_large_ends_the_connection() {
    let settings = [("MAX_MESSAGE", "20000"), ("MAX_PAYLOAD", "10000")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let mut stream = entered(&server, 4).await;
    send(&mut stream, &format!("421[\"{}", "x".repeat(15_000))).await;
    assert_refused(&next_answer(&mut stream).await.1, "payload", "large");
    send(&mut stream, &format!("421[\"{}", "x".repeat(25_000))).await;
    let ends = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), ends)
        .await
        .expect("it ends");
}
