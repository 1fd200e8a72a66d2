//! Those who hold something and do nothing with it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::{nobody_is_left, refused};
use crate::support::client;
use crate::support::http;
use crate::support::polling::Polling;
use crate::support::server::Server;

const QUICK: [(&str, &str); 2] = [("PING_INTERVAL", "1s"), ("PING_TIMEOUT", "500ms")];

/// What is read until the server closes the connection, if it does so in time.
async fn rest(mut stream: TcpStream, patience: Duration) -> Option<String> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(patience, stream.read_to_end(&mut rest)).await;
    read.ok()?.ok();
    Some(String::from_utf8_lossy(&rest).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_requests_are_closed() {
    let server = Server::start("sqlite::memory:").await;
    let begun = Instant::now();
    let silent = async {
        let stream = TcpStream::connect(&server.address).await.unwrap();
        rest(stream, Duration::from_secs(20))
            .await
            .expect("silence is not for ever");
    };
    let trickling = async {
        let (mut reader, mut writer) = TcpStream::connect(&server.address)
            .await
            .unwrap()
            .into_split();
        let trickle = async {
            for byte in b"GET /health HTTP/1.1\r\nHost: it-is-a-slow-one"
                .iter()
                .cycle()
            {
                if writer.write_u8(*byte).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let mut answer = Vec::new();
        tokio::select! {
            () = trickle => {}
            read = reader.read_to_end(&mut answer) => drop(read),
        }
    };
    let kept_alive = async {
        let request = "GET /live HTTP/1.1\r\nHost: it\r\n\r\n";
        let (head, stream) = http::first(&server.address, request).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        rest(stream, Duration::from_secs(20))
            .await
            .expect("idle is not for ever");
    };
    tokio::join!(silent, trickling, kept_alive);
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    server
        .health_becomes("only the question itself", |health| {
            health["limits"]["tcp_connections"].as_u64() <= Some(1)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_given_up() {
    let server = Server::start_with("sqlite::memory:", &QUICK).await;
    let session = Polling::connect(&server.address).await;
    let posts = [
        format!("/socket.io/?EIO=4&transport=polling&sid={}", session.sid),
        "/admin/notifications".to_owned(),
        "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA".to_owned(),
    ];
    let posting = posts.map(async |path| {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: it\r\nContent-Length: 100000\r\n\r\n4");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let trickle = async {
            while writer.write_u8(b'2').await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), trickle)
            .await
            .expect("the connection is closed");
        drop(reader);
        begun.elapsed()
    });
    for took in futures_util::future::join_all(posting).await {
        assert!(took < Duration::from_secs(6), "{took:?}");
    }
    nobody_is_left(&server).await;
}

/// It answers pings that it cannot have seen.
#[tokio::test(flavor = "multi_thread")]
async fn who_only_posts_and_never_polls_has_to_go() {
    let server = Server::start_with("sqlite::memory:", &QUICK).await;
    let session = Polling::open(&server.address).await;
    assert_eq!(session.post("40").await.0, 200);
    server
        .health_becomes("it is connected", |health| health["connections"] == 1)
        .await;
    let begun = Instant::now();
    while session.post("3").await.0 == 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "it stays for ever"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        begun.elapsed() > Duration::from_millis(1400),
        "{:?}",
        begun.elapsed()
    );
    nobody_is_left(&server).await;
    assert_eq!(refused(&server, "unpolled").await, 1);
}

/// The poll that takes long is no silence.
#[tokio::test(flavor = "multi_thread")]
async fn who_polls_stays() {
    let server = Server::start_with("sqlite::memory:", &QUICK).await;
    let session = Polling::connect(&server.address).await;
    // The first ping came with the answer.
    assert_eq!(session.post("3").await.0, 200);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        let (status, packets) = session.poll().await;
        assert_eq!(status, 200, "after {:?}", begun.elapsed());
        if packets.contains('2') {
            assert_eq!(session.post("3").await.0, 200);
        }
    }
    assert_eq!(refused(&server, "unpolled").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_enter_has_to_go() {
    let settings = [("CONNECT_TIMEOUT", "500ms")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let mut stream = client::open(&server.address).await;
    let session = Polling::open(&server.address).await;
    assert_eq!(server.health().await["limits"]["sessions"], 2);
    let begun = Instant::now();
    while let Some(Ok(_)) = futures_util::StreamExt::next(&mut stream).await {}
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    nobody_is_left(&server).await;
    assert_eq!(session.post("40").await.0, 400);
}

const SOON: [(&str, &str); 3] = [
    ("CONNECT_TIMEOUT", "500ms"),
    ("PING_INTERVAL", "10s"),
    ("PING_TIMEOUT", "10s"),
];

/// Version 2 enters without being asked, and a refusal does not end it.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_has_to_go() {
    let required = [
        ("AUTH_REQUIRED", "true"),
        ("AUTH_SECRET", crate::support::tokens::SECRET),
    ];
    let settings = [&SOON[..], &required].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let url = format!("ws://{}/socket.io/?transport=websocket", server.address);
    for version in [3, 4] {
        let (mut stream, _) = tokio_tungstenite::connect_async(format!("{url}&EIO={version}"))
            .await
            .unwrap();
        client::next_text(&mut stream).await;
        if version == 4 {
            stream.send(Message::text("40")).await.unwrap();
        }
        assert!(client::next_text(&mut stream).await.starts_with("44"));
        ends_soon(stream).await;
    }
    let (_, opened) = http::get(&server.address, "/socket.io/?EIO=3&transport=polling").await;
    assert!(opened.contains("sid"), "{opened}");
    nobody_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_may_come_back_for_a_while() {
    let server = Server::start_with("sqlite::memory:", &SOON).await;
    let mut stream = client::open(&server.address).await;
    for _ in 0..3 {
        stream.send(Message::text("40")).await.unwrap();
        assert!(client::next_text(&mut stream).await.starts_with("40{"));
        stream.send(Message::text("41")).await.unwrap();
        server
            .health_becomes("it has left", |health| health["connections"] == 0)
            .await;
    }
    stream.send(Message::text("40")).await.unwrap();
    assert!(client::next_text(&mut stream).await.starts_with("40{"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    stream
        .send(Message::text(r#"421["nothing"]"#))
        .await
        .unwrap();
    assert!(client::next_text(&mut stream).await.starts_with("431"));
    stream.send(Message::text("41")).await.unwrap();
    ends_soon(stream).await;
    let session = Polling::connect(&server.address).await;
    assert_eq!(session.post("41").await.0, 200);
    nobody_is_left(&server).await;
}

async fn ends_soon(mut stream: client::Stream) {
    let ends = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::time::timeout(Duration::from_secs(5), ends)
        .await
        .expect("it ends");
}
