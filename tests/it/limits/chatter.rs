//! What is no message, and is counted by no rate.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::client::Client;
use crate::support::http;
use crate::support::polling::Polling;
use crate::support::server::Server;

const FLOODS: usize = 4;
const MEGABYTES: usize = 12;
/// What the server may take up, with all that a program that is not optimised needs.
const MEMORY: usize = 200;

/// A frame of a client, under a mask that changes nothing.
fn frame(payload: &str) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend(payload.bytes());
    frame
}

/// Says CONNECT over and over.
async fn enter_again_and_again(server: &Server) {
    let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (_, stream) = http::first(&server.address, request).await;
    let (mut reader, mut writer) = stream.into_split();
    let reading = async {
        let mut buffer = [0; 4096];
        while reader.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    let writing = async {
        let frames = frame("40").repeat(1024 * 1024 / 8);
        for _ in 0..MEGABYTES {
            if writer.write_all(&frames).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

async fn stays_small(server: &Server, flood: impl Future<Output = ()>) {
    let client = Client::connect(&server.address).await;
    let mut flood = std::pin::pin!(tokio::time::timeout(Duration::from_mins(1), flood));
    let mut most = 0;
    loop {
        tokio::select! {
            ended = flood.as_mut() => break ended.expect("it is all taken"),
            () = tokio::time::sleep(Duration::from_millis(20)) => most = most.max(server.memory_mb()),
        }
    }
    assert!(most < MEMORY, "{most} MB");
    let answer = client.call("nothing", serde_json::json!({})).await;
    assert_eq!(answer["code"], "unknown_event");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_enters_again_and_again_takes_up_no_memory() {
    let server = Server::start("sqlite::memory:").await;
    let floods = (0..FLOODS).map(|_| enter_again_and_again(&server));
    stays_small(&server, async {
        futures_util::future::join_all(floods).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_full_of_packets_takes_up_no_memory() {
    let server = Server::start("sqlite::memory:").await;
    let body = vec!["40"; 4_000_000 / 3].join("\u{1e}");
    let floods = (0..FLOODS).map(async |_| {
        let session = Polling::connect(&server.address).await;
        assert_eq!(session.post(&body).await.0, 400);
    });
    stays_small(&server, async {
        futures_util::future::join_all(floods).await;
    })
    .await;
}
