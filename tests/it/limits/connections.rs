//! Connections that are too many, and that everybody is counted for exactly as long as they are there.

use std::time::Duration;

use futures_util::SinkExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use super::{body, nobody_is_left, refused};
use crate::support::client::{self, Client};
use crate::support::http;
use crate::support::polling::{OPENING, Polling};
use crate::support::server::Server;

fn opening(headers: &str) -> String {
    format!("GET {OPENING} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{headers}\r\n")
}

async fn sessions(server: &Server) -> Value {
    server.health().await["limits"]["sessions"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections() {
    let settings = [("MAX_CONNECTIONS_PER_IP", "3")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let abuser = join_all((0..3).map(|_| Client::connect_from("127.0.0.2", &server.address))).await;
    assert!(abuser.iter().all(Result::is_ok));
    let fourth = Client::connect_from("127.0.0.2", &server.address).await;
    assert_eq!(fourth.err(), Some(429));
    let stream = http::connect_from("127.0.0.2", &server.address)
        .await
        .unwrap();
    let answer = http::exchange_on(stream, &opening("")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
    let reply = body(&answer);
    assert_eq!(reply["code"], "rate_limited", "{reply}");
    assert_eq!(reply["retryAfterMs"], 5000, "{reply}");
    assert_eq!(reply["retryable"], true, "{reply}");
    // Nobody else is meant, and whoever was there stays.
    let other = Client::connect(&server.address).await;
    other.join("p").await;
    for client in abuser.iter().flatten() {
        client.join("p").await;
    }
    assert_eq!(refused(&server, "connections_per_ip").await, 2);
    assert_eq!(sessions(&server).await, 4);
    drop(abuser);
    server
        .health_becomes("they have gone", |health| health["limits"]["sessions"] == 1)
        .await;
    Client::connect_from("127.0.0.2", &server.address)
        .await
        .expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_has_so_many_connections() {
    let server = Server::start_with("sqlite::memory:", &[("MAX_CONNECTIONS", "2")]).await;
    let first = Client::connect_from("127.0.0.2", &server.address).await;
    let second = Polling::connect(&server.address).await;
    let third = Client::connect_from("127.0.0.3", &server.address).await;
    assert_eq!(third.err(), Some(429));
    // Whoever is there can go on, and upgrade.
    assert_eq!(second.post(r#"421["nothing"]"#).await.0, 200);
    second.post("1").await;
    server
        .health_becomes("one has gone", |health| health["limits"]["sessions"] == 1)
        .await;
    let third = Client::connect_from("127.0.0.3", &server.address).await;
    drop((first, third));
    nobody_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_clients_are_told_apart_and_cannot_lie() {
    let settings = [
        ("MAX_CONNECTIONS_PER_IP", "1"),
        ("TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let connect = async |source: &str, forwarded: &str| {
        let stream = http::connect_from(source, &server.address).await.unwrap();
        let request = opening(&format!("X-Forwarded-For: {forwarded}\r\n"));
        let answer = http::exchange_on(stream, &request).await.unwrap();
        answer[9..12].parse::<u16>().unwrap()
    };
    assert_eq!(connect("127.0.0.1", "198.51.100.1").await, 200);
    assert_eq!(connect("127.0.0.1", "198.51.100.1").await, 429);
    assert_eq!(connect("127.0.0.1", "203.0.113.9, 198.51.100.1").await, 429);
    assert_eq!(connect("127.0.0.1", "198.51.100.1, 10.0.0.1").await, 429);
    assert_eq!(connect("127.0.0.1", "198.51.100.2").await, 200);
    assert_eq!(connect("127.0.0.1", "2001:db8::1").await, 200);
    assert_eq!(connect("127.0.0.1", "2001:db8::2").await, 429);
    assert_eq!(connect("127.0.0.1", "2001:db8:0:1::1").await, 200);
    // Nor can they hide behind what is no text.
    assert_eq!(connect("127.0.0.1", "\u{e9}, 198.51.100.1").await, 429);
    // Whoever is no proxy is who they are, whatever they say.
    assert_eq!(connect("127.0.0.2", "198.51.100.3").await, 200);
    assert_eq!(connect("127.0.0.2", "198.51.100.4").await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_connects_so_often() {
    let settings = [("CONNECT_RATE_PER_IP", "1/5"), ("CONNECT_RATE", "20")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let knocks = join_all((0..40).map(async |_| {
        let stream = http::connect_from("127.0.0.2", &server.address)
            .await
            .unwrap();
        http::exchange_on(stream, &opening(""))
            .await
            .unwrap_or_default()
    }));
    let others = join_all((0..5).map(|_| Client::connect(&server.address)));
    let (answers, others) = tokio::join!(knocks, others);
    // Those beyond four times as many are not even told.
    let answers = answers.iter().filter(|answer| !answer.is_empty());
    let (refused_ones, let_in): (Vec<_>, Vec<_>) = answers
        .clone()
        .partition(|answer| answer.starts_with("HTTP/1.1 429 "));
    assert!((5..10).contains(&let_in.len()), "{let_in:?}");
    assert!((10..20).contains(&refused_ones.len()), "{refused_ones:?}");
    for answer in refused_ones {
        let wait = body(answer)["retryAfterMs"].as_u64().unwrap();
        assert!((1..=1000).contains(&wait), "{answer}");
        assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    }
    // The turns of all were not eaten by one.
    assert_eq!(refused(&server, "connect_rate").await, 0);
    let (told, closed) = (
        refused(&server, "connect_rate_per_ip").await,
        refused(&server, "tcp_connect_rate_per_ip").await,
    );
    assert_eq!(let_in.len() as u64 + told + closed, 40);
    assert!((10..=20).contains(&closed), "{closed}");
    drop(others);
}

/// Every way in which a session can end.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_gone_does_not_count() {
    let settings = [
        ("CONNECT_TIMEOUT", "1s"),
        ("PING_INTERVAL", "500ms"),
        ("PING_TIMEOUT", "500ms"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let address = &server.address;
    let until_nobody_is_left = async |what: &str| {
        server
            .health_becomes(what, |health| health["limits"]["sessions"] == 0)
            .await;
    };
    drop(Client::connect(address).await);
    until_nobody_is_left("a websocket that was cut").await;
    let client = Client::connect(address).await;
    client.send_raw("41".to_owned());
    client.send_raw("1".to_owned());
    until_nobody_is_left("a websocket that said farewell").await;
    let client = Client::connect(address).await;
    client.send_raw("nonsense".to_owned());
    until_nobody_is_left("a websocket that made no sense").await;
    let client = Client::connect(address).await;
    client.sleep().await;
    until_nobody_is_left("a websocket that fell asleep").await;
    let mut stream = client::open(address).await;
    until_nobody_is_left("a websocket that did not enter").await;
    stream.close(None).await.ok();
    drop(client::open(address).await);
    until_nobody_is_left("a websocket that left before it entered").await;
    Polling::open(address).await;
    until_nobody_is_left("a polling session that did not enter").await;
    Polling::connect(address).await;
    until_nobody_is_left("a polling session that fell asleep").await;
    Polling::connect(address).await.post("1").await;
    until_nobody_is_left("a polling session that said farewell").await;
    Polling::connect(address).await.post("9").await;
    until_nobody_is_left("a polling session that made no sense").await;
    let polling = Polling::connect(address).await;
    polling.poll().await;
    tokio::join!(polling.poll(), polling.poll());
    until_nobody_is_left("a polling session that polled twice at once").await;
    http::get(address, "/socket.io/?EIO=5&transport=polling").await;
    http::get(address, "/socket.io/?EIO=4&transport=pigeon").await;
    until_nobody_is_left("no sessions at all").await;
    nobody_is_left(&server).await;
}

/// A session counts once while its transport changes, however the change ends.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_one_session() {
    let settings = [("PING_INTERVAL", "1s"), ("PING_TIMEOUT", "1s")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let upgrade = async |polling: &Polling| {
        let url = format!(
            "ws://{}/socket.io/?EIO=4&transport=websocket&sid={}",
            server.address, polling.sid
        );
        tokio_tungstenite::connect_async(url)
            .await
            .map(|(stream, _)| stream)
    };
    let probe = async |polling: &Polling| {
        let mut stream = upgrade(polling).await.unwrap();
        stream.send(Message::text("2probe")).await.unwrap();
        let (answer, _) = tokio::join!(client::next_text(&mut stream), polling.poll());
        assert_eq!(answer, "3probe");
        stream
    };
    let polling = Polling::connect(&server.address).await;
    let mut stream = probe(&polling).await;
    assert_eq!(sessions(&server).await, 1);
    stream.send(Message::text("5")).await.unwrap();
    stream
        .send(Message::text(r#"427["nothing"]"#))
        .await
        .unwrap();
    assert!(client::next_text(&mut stream).await.starts_with("437"));
    assert_eq!(sessions(&server).await, 1);
    // Somebody who tries the same once more changes nothing.
    assert!(upgrade(&polling).await.is_err());
    stream
        .send(Message::text(r#"428["nothing"]"#))
        .await
        .unwrap();
    assert!(client::next_text(&mut stream).await.starts_with("438"));
    assert_eq!(sessions(&server).await, 1);
    drop(stream);
    nobody_is_left(&server).await;
    // One that breaks off halfway.
    let polling = Polling::connect(&server.address).await;
    drop(probe(&polling).await);
    nobody_is_left(&server).await;
    // One on which nothing is said.
    let polling = Polling::connect(&server.address).await;
    let silent = upgrade(&polling).await.unwrap();
    nobody_is_left(&server).await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_knocks_leaves_nothing() {
    let settings = [("CONNECT_TIMEOUT", "3s"), ("MAX_CONNECTIONS_PER_IP", "100")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    for _ in 0..3 {
        let knocks = join_all((0..300).map(async |number: usize| {
            let source = format!("127.0.0.{}", 2 + number % 2);
            let Ok(stream) = http::connect_from(&source, &server.address).await else {
                return;
            };
            // Some do not even wait for the answer.
            if number.is_multiple_of(3) {
                let (_, mut writer) = stream.into_split();
                writer.write_all(opening("").as_bytes()).await.ok();
            } else {
                http::exchange_on(stream, &opening("")).await.ok();
            }
        }));
        knocks.await;
        let other = Client::connect(&server.address).await;
        let health = server.health().await;
        assert!(
            health["limits"]["sessions"].as_u64().unwrap() <= 201,
            "{health}"
        );
        drop(other);
        nobody_is_left(&server).await;
    }
    assert!(refused(&server, "connections_per_ip").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_tcp_connections() {
    let settings = [("MAX_CONNECTIONS_PER_IP", "5")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let idle = join_all((0..60).map(|_| http::connect_from("127.0.0.2", &server.address))).await;
    server
        .health_becomes("the others are closed", |health| {
            health["limits"]["refused"]["tcp_connections_per_ip"] == 40
        })
        .await;
    let closed = idle.into_iter().map(async |stream| {
        let Ok(mut stream) = stream else { return 1 };
        let read = tokio::time::timeout(Duration::from_secs(2), stream.read_u8()).await;
        usize::from(read.is_ok())
    });
    assert_eq!(join_all(closed).await.into_iter().sum::<usize>(), 40);
    let other = Client::connect(&server.address).await;
    assert_eq!(other.call("project:snapshot", json!("p")).await["ok"], true);
    drop(other);
    // A WebSocket is one as long as it is there.
    let client = Client::connect_from("127.0.0.3", &server.address)
        .await
        .unwrap();
    let health = server.health().await;
    let open = health["limits"]["tcp_connections"].as_u64().unwrap();
    assert!((1..=3).contains(&open), "{health}");
    drop(client);
}
