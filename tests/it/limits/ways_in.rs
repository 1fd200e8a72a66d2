//! Requests that say the same in other words get no more than others.

use std::time::Duration;

use super::{nobody_is_left, refused};
use crate::support::client::Client;
use crate::support::http;
use crate::support::polling::Polling;
use crate::support::server::Server;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn knock(server: &Server, query: &str, headers: &str) -> (String, tokio::net::TcpStream) {
    let request = format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: it\r\n{headers}\r\n");
    let first = http::first(&server.address, &request);
    tokio::time::timeout(Duration::from_secs(10), first)
        .await
        .expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_is_counted_however_it_was_asked_for() {
    let server = Server::start_with("sqlite::memory:", &[("MAX_CONNECTIONS", "1")]).await;
    let only = Client::connect(&server.address).await;
    let other_upgrade = UPGRADE.replace("Upgrade: websocket", "Upgrade: foo, websocket");
    for (query, headers) in [
        ("EIO=4&transport=polling", ""),
        ("EIO=4&transport=polling&%73id=x", ""),
        ("EIO=4&transport=polling&%73id=AAAAAAAAAAAAAAAA", ""),
        ("EIO=4&transport=polling&sid=", ""),
        ("EIO=4&transport=websocket", UPGRADE),
        ("EIO=4&transport=websocket&%73id=x", UPGRADE),
        ("%45IO=5&EIO=4&transport=websocket", UPGRADE),
        ("EIO=4=5&transport=websocket", UPGRADE),
        ("EIO=4&transport=websocket=", UPGRADE),
        ("EIO=4&%74ransport=polling&transport=websocket", UPGRADE),
        ("EIO=4&transport=websocket", &other_upgrade),
    ] {
        let (head, stream) = knock(&server, query, headers).await;
        let status = &head[9..12];
        assert!(["429", "400"].contains(&status), "{query} {headers}{head}");
        drop(stream);
    }
    assert!(refused(&server, "connections").await > 0);
    drop(only);
    nobody_is_left(&server).await;
}

/// Whoever went past the door could not be sent away any more.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_upgrades_past_the_door() {
    let server = Server::start("sqlite::memory:").await;
    let session = Polling::connect(&server.address).await;
    let other_upgrade = UPGRADE.replace("Upgrade: websocket", "Upgrade: foo");
    for sid in [session.sid.as_str(), "AAAAAAAAAAAAAAAA"] {
        let query = format!("EIO=4&transport=websocket&sid={sid}");
        let (head, _) = knock(&server, &query, &other_upgrade).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    }
}
