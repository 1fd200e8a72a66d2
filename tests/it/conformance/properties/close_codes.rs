//! A client that breaks a rule is told which one, however much of what it has sent nobody has read.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;

use crate::conformance::door::Door;
use crate::conformance::scene::open;
use crate::support::http;

/// How often each rule is broken.
const TIMES: usize = 30;
/// Bytes that follow what is wrong.
const IN_FLIGHT: usize = 4_000_000;
const PATIENCE: Duration = Duration::from_secs(10);
/// The code of a connection that ended without a close frame.
const NONE: u16 = 1006;

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
/// An opcode that there is not.
const UNKNOWN: u8 = 0x83;

/// A frame of a client, under a mask that changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

pub(crate) async fn close_code_arrives_whatever_is_in_flight(door: Door) {
    let settings = [("MAX_PAYLOAD", "50000"), ("MAX_MESSAGE", "100000")];
    let server = open(&settings).await;
    let path = match door {
        Door::WebSocketEnvelope => "/ws/v1",
        _ => "/ws",
    };
    let ping = frame(TEXT, br#"{"type":"pong"}"#);
    let pings = ping.repeat(IN_FLIGHT / ping.len());
    let mut failures = Vec::new();
    for (expected, wrong) in [
        (1009, frame(TEXT, &vec![b'x'; IN_FLIGHT])),
        (1007, [frame(TEXT, &[0xff]), pings.clone()].concat()),
        (1002, [frame(UNKNOWN, b"x"), pings].concat()),
    ] {
        let mut codes = BTreeMap::<u16, usize>::new();
        for _ in 0..TIMES {
            let code = code_after(&server.address, path, &wrong).await;
            *codes.entry(code).or_default() += 1;
        }
        if codes != BTreeMap::from([(expected, TIMES)]) {
            failures.push(format!("{expected} is due, and these came: {codes:?}"));
        }
    }
    assert!(failures.is_empty(), "{door:?}: {failures:#?}");
}

/// Sends bytes; with which code the server closes.
async fn code_after(address: &str, path: &str, bytes: &[u8]) -> u16 {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let (head, stream) = http::first(address, &request).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let (mut reader, mut writer) = stream.into_split();
    let sending = async {
        writer.write_all(bytes).await.ok();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        code = timeout(PATIENCE, close_code(&mut reader)) => code.expect("it ends in time"),
        () = sending => unreachable!("it waits for the end"),
    }
}

/// Reads a server's frames until it closes.
async fn close_code(reader: &mut OwnedReadHalf) -> u16 {
    loop {
        let Ok(first) = reader.read_u8().await else {
            return NONE;
        };
        let length = match reader.read_u8().await.unwrap_or_default() {
            126 => usize::from(reader.read_u16().await.unwrap_or_default()),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        if reader.read_exact(&mut payload).await.is_err() {
            return NONE;
        }
        if first == CLOSE {
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}
