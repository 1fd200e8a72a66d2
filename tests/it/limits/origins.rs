//! Pages that may not connect.

use super::{body, refused};
use crate::support::http;
use crate::support::server::Server;

const GOOD: &str = "https://app.example";

fn polling(headers: &str) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{headers}\r\n"
    )
}

fn websocket(headers: &str) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

async fn head(server: &Server, request: &str) -> String {
    // A WebSocket stays open: only its beginning is looked at.
    let (head, _) = tokio::time::timeout(
        std::time::Duration::from_secs(10),
        http::first(&server.address, request),
    )
    .await
    .expect("an answer");
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_pages_connect() {
    let settings = [("CORS_ORIGINS", "https://App.example,http://localhost:3000")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    for origin in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: https://app.example.evil\r\n",
        "Origin: http://app.example\r\n",
        "Origin: https://app.example:8443\r\n",
        "Origin: https://app.example\r\nOrigin: https://evil.example\r\n",
    ] {
        for request in [polling(origin), websocket(origin)] {
            let answer = http::exchange(&server.address, &request).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{request}{answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            // Engine.IO's number for it.
            assert_eq!(body(&answer)["code"], 4, "{answer}");
        }
    }
    assert_eq!(refused(&server, "origins").await, 12);
    assert_eq!(server.health().await["limits"]["sessions"], 0);
    let good = format!("Origin: {GOOD}\r\n");
    for headers in ["", &good, "Origin: http://localhost:3000\r\n"] {
        let answer = http::exchange(&server.address, &polling(headers)).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{headers}{answer}");
        let answer = head(&server, &websocket(headers)).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{headers}{answer}");
    }
    let answer = http::exchange(&server.address, &polling(&good)).await;
    assert!(
        answer.contains(&format!("access-control-allow-origin: {GOOD}\r\n")),
        "{answer}"
    );
    assert!(
        answer.contains("access-control-allow-credentials: true\r\n"),
        "{answer}"
    );
    let vary = answer
        .lines()
        .find(|line| line.starts_with("vary: "))
        .unwrap();
    assert!(vary.contains("origin"), "{answer}");
}

/// The server's own pages, and clients that send its address as their origin, connect whatever the list says.
#[tokio::test(flavor = "multi_thread")]
async fn own_origin_connects_also_behind_a_trusted_proxy() {
    let settings = [("CORS_ORIGINS", GOOD)];
    let forwarded =
        "Host: it:8002\r\nX-Forwarded-Host: board.example\r\nOrigin: https://board.example\r\n";
    let ported = "Host: it:8002\r\nX-Forwarded-Host: board.example\r\nX-Forwarded-Port: 8443\r\nOrigin: https://board.example:8443\r\n";
    let untrusted = Server::start_with("sqlite::memory:", &settings).await;
    let trusting = [settings[0], ("TRUSTED_PROXIES", "127.0.0.1")];
    let trusting = Server::start_with("sqlite::memory:", &trusting).await;
    for (server, headers, status) in [
        (
            &untrusted,
            "Host: it:8002\r\nOrigin: http://it:8002\r\n",
            200,
        ),
        (&untrusted, "Host: it\r\nOrigin: https://it\r\n", 200),
        (
            &untrusted,
            "Host: it:8002\r\nOrigin: http://it:3000\r\n",
            403,
        ),
        (&untrusted, forwarded, 403),
        (&trusting, forwarded, 200),
        (&trusting, ported, 200),
        (
            &trusting,
            "Host: it\r\nOrigin: https://board.example\r\n",
            403,
        ),
    ] {
        let at = |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
            async move { http::exchange(&server.address, &request).await }
        };
        for path in ["/socket.io/?EIO=4&transport=polling", "/api/projects"] {
            let answer = at(path).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{path} {headers}{answer}"
            );
        }
        let request = websocket(headers).replacen("Host: it\r\n", "", 1);
        let expected = if status == 200 { 101 } else { status };
        let answer = head(server, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected} ")),
            "{headers}{answer}"
        );
    }
}

/// A session that exists is no way in for another page.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_cannot_use_a_session() {
    let server = Server::start_with("sqlite::memory:", &[("CORS_ORIGINS", GOOD)]).await;
    let session = crate::support::polling::Polling::connect(&server.address).await;
    let post = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\
         Origin: https://evil.example\r\nContent-Length: 1\r\n\r\n1",
        session.sid
    );
    let answer = http::exchange(&server.address, &post).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(session.post(r#"421["nothing"]"#).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_page_means_no_credentials() {
    let server = Server::start("sqlite::memory:").await;
    let preflight = "OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\
                     Origin: https://any.example\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: content-type\r\n\r\n";
    let get = polling("Origin: https://any.example\r\n");
    for request in [preflight, &get] {
        let answer = http::exchange(&server.address, request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            answer.contains("access-control-allow-origin: *\r\n"),
            "{answer}"
        );
        assert!(!answer.contains("allow-credentials"), "{answer}");
    }
}
