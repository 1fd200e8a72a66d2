//! Requests that other servers and proxies read differently: without a host, with two, or with half a handshake.

use crate::support::http;
use crate::support::server::Server;

const DOORS: [&str; 4] = [
    "/socket.io/?EIO=4&transport=websocket",
    "/ws",
    "/ws/v1",
    "/",
];
const HANDSHAKE: [&str; 5] = [
    "Host: it",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

async fn head(server: &Server, line: &str, headers: &[&str]) -> String {
    let request = format!("{line}\r\n{}\r\n\r\n", headers.join("\r\n"));
    let (head, _) = http::first(&server.address, &request).await;
    head.to_ascii_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_http_1_1_without_one_host_is_refused_at_every_door() {
    let server = Server::start("sqlite::memory:").await;
    let doors = ["/health", "/live", "/api/projects", "/nowhere"];
    for path in DOORS.iter().chain(&doors) {
        for hosts in [
            &[][..],
            &["Host: a", "Host: b"],
            &["Host: a", "Host: a"],
            &["Host: u@a"],
        ] {
            let headers = [hosts, &HANDSHAKE[1..]].concat();
            let head = head(&server, &format!("GET {path} HTTP/1.1"), &headers).await;
            assert!(
                head.starts_with("http/1.1 400 "),
                "{path} {hosts:?}: {head}"
            );
        }
    }
    let old = head(&server, "GET /live HTTP/1.0", &["Accept: */*"]).await;
    assert!(old.starts_with("http/1.0 200 "), "{old}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_of_another_version_is_told_the_right_one_at_every_door() {
    let server = Server::start("sqlite::memory:").await;
    for path in DOORS {
        let line = format!("GET {path} HTTP/1.1");
        let right = head(&server, &line, &HANDSHAKE).await;
        assert!(right.starts_with("http/1.1 101 "), "{path}: {right}");
        for version in [
            "Sec-WebSocket-Version: 8",
            "Sec-WebSocket-Version: 14",
            "X-Version: 13",
        ] {
            let headers = HANDSHAKE.map(|header| match header {
                "Sec-WebSocket-Version: 13" => version,
                other => other,
            });
            let head = head(&server, &line, &headers).await;
            assert!(
                head.starts_with("http/1.1 426 "),
                "{path} {version}: {head}"
            );
            assert!(
                head.contains("sec-websocket-version: 13"),
                "{path} {version}: {head}"
            );
        }
        for key in [
            "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==",
            "Sec-WebSocket-Key: *",
            "X-Key: x",
        ] {
            let headers = [&HANDSHAKE[..4], &[key]].concat();
            let head = head(&server, &line, &headers).await;
            assert!(head.starts_with("http/1.1 400 "), "{path} {key}: {head}");
        }
    }
}
