//! Requests that begin a connection, as clients, proxies and devices write them: what is wrong with one is said at once, and
//! what Node's server takes is taken.

use serde_json::{Value, json};

use crate::support::http;
use crate::support::server::Server;

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// Every door for WebSockets.
const DOORS: [&str; 5] = [
    "/socket.io/?EIO=4&transport=websocket",
    "/",
    "/ws",
    "/ws/",
    "/ws/v1",
];

fn get(path: &str, version: &str, headers: &str) -> String {
    format!("GET {path} HTTP/{version}\r\nHost: it\r\n{headers}\r\n")
}

fn json_of(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_engine_io_refuses_get_its_numbers() {
    let server = Server::start("sqlite::memory:").await;
    let unknown = json!({"code": 0, "message": "Transport unknown"});
    let session = json!({"code": 1, "message": "Session ID unknown"});
    let method = json!({"code": 2, "message": "Bad handshake method"});
    let bad = json!({"code": 3, "message": "Bad request"});
    let version = json!({"code": 5, "message": "Unsupported protocol version"});
    for (request, query, expected) in [
        ("GET", "", &unknown),
        ("GET", "?EIO=4", &unknown),
        ("GET", "?EIO=4&transport=pigeon", &unknown),
        ("POST", "?EIO=4&transport=tobi", &unknown),
        (
            "GET",
            "?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA",
            &session,
        ),
        ("GET", "?EIO=4&transport=polling&sid=x", &session),
        ("GET", "?EIO=4&transport=polling&sid=", &session),
        (
            "POST",
            "?EIO=3&transport=polling&sid=AAAAAAAAAAAAAAAA",
            &session,
        ),
        ("POST", "?EIO=4&transport=polling", &method),
        ("DELETE", "?EIO=4&transport=websocket", &method),
        ("GET", "?EIO=4&transport=websocket", &bad),
        ("GET", "?EIO=4&transport=websocket&sid=x", &bad),
        ("GET", "?EIO=9&transport=polling", &version),
        ("GET", "?EIO=2&transport=websocket", &version),
        ("GET", "?transport=polling", &version),
    ] {
        let request = format!(
            "{request} /socket.io/{query} HTTP/1.1\r\nHost: it\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let answer = http::exchange(&server.address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request}{answer}");
        assert!(
            answer.contains("content-type: application/json\r\n"),
            "{answer}"
        );
        assert_eq!(&json_of(&answer), expected, "{request}");
    }
    // A session that is there, used otherwise than it began.
    let (_, opened) = http::get(&server.address, OPEN).await;
    let opened: Value = serde_json::from_str(&opened[1..]).unwrap();
    let path = format!("{OPEN}&sid={}", opened["sid"].as_str().unwrap());
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = http::exchange(&server.address, &request).await;
    assert_eq!(json_of(&answer), bad, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offered_subprotocol_is_answered_at_every_door() {
    let server = Server::start("sqlite::memory:").await;
    for path in DOORS {
        for (offered, chosen) in [
            ("Sec-WebSocket-Protocol: chat\r\n", "chat"),
            ("Sec-WebSocket-Protocol: bearer, a.b-c\r\n", "bearer"),
            (
                "Sec-WebSocket-Protocol: one\r\nSec-WebSocket-Protocol: two\r\n",
                "one",
            ),
        ] {
            let request = get(path, "1.1", &format!("{UPGRADE}{offered}"));
            let (head, _) = http::first(&server.address, &request).await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
            let line = format!("sec-websocket-protocol: {chosen}\r\n");
            assert!(head.contains(&line), "{path}: {head}");
        }
        let (head, _) = http::first(&server.address, &get(path, "1.1", UPGRADE)).await;
        assert!(!head.contains("sec-websocket-protocol"), "{path}: {head}");
    }
}

/// nginx speaks HTTP/1.0 to its upstream unless it is told otherwise, and drops `Upgrade`.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_cannot_be_is_refused_at_once() {
    let server = Server::start("sqlite::memory:").await;
    let key = UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short");
    let no_key = UPGRADE.split_inclusive('\n').take(3).collect::<String>();
    let version = UPGRADE.replace("Version: 13", "Version: 8");
    for path in DOORS {
        for (version, headers) in [
            ("1.0", UPGRADE),
            ("1.0", "Connection: close\r\n"),
            ("1.1", "Connection: close\r\n"),
            ("1.1", "Upgrade: websocket\r\nConnection: close\r\n"),
            ("1.1", &key),
            ("1.1", &no_key),
            ("1.1", &version),
        ] {
            let (head, _) = http::first(&server.address, &get(path, version, headers)).await;
            let status = head.split(' ').nth(1).unwrap_or_default();
            let is_refused = matches!(status, "400" | "426");
            assert!(is_refused, "{path} {version} {headers}: {head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_with_many_headers_are_served() {
    let server = Server::start("sqlite::memory:").await;
    for count in [101, 500, 1_500] {
        let headers = "X-Hop: a\r\n".repeat(count);
        let request = get(OPEN, "1.1", &format!("Connection: close\r\n{headers}"));
        let answer = http::exchange(&server.address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{count}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_taken_as_they_are_written() {
    let server = Server::start("sqlite::memory:").await;
    let query = r#"auth={"token":"a|b"}&x=<y>^`\"#;
    let request = get(&format!("{OPEN}&{query}"), "1.1", "");
    let answer = http::exchange(&server.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    for door in DOORS {
        let mark = if door.contains('?') { '&' } else { '?' };
        let request = get(&format!("{door}{mark}{query}"), "1.1", UPGRADE);
        let (head, _) = http::first(&server.address, &request).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{door}: {head}");
    }
    let plain = get(&format!("{OPEN}&x={{|}}"), "1.1", "Connection: close\r\n");
    let answer = http::exchange(&server.address, &plain).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
