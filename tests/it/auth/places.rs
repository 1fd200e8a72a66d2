//! Where a token may stand.

use serde_json::{Value, json};

use super::line::{COOKIE, Line, Shown, TRANSPORTS, Transport};
use super::{UNAUTHENTICATED, required, start, token};
use crate::support::cluster::admin;
use crate::support::rest::Rest;
use crate::support::server::Server;
use crate::support::sse::EventStream;
use crate::support::websocket::Ws;
use crate::support::{eventually, http, tokens};

const ADMIN_TOKEN: &str = "the-token-of-the-tests";

async fn start_with_cookie() -> Server {
    let cookie = [
        ("AUTH_COOKIE", COOKIE),
        ("CORS_ORIGINS", "https://app.example"),
        ("AUTH_LEEWAY", "0s"),
        ("ADMIN_TOKEN", ADMIN_TOKEN),
    ];
    start(&required(&cookie)).await
}

/// Whether a connection is this user's, whose token it gets anew.
async fn is_of(line: &mut Line, user: &str) -> bool {
    let fresh = token(user, &json!({}));
    let answer = line.call("auth:refresh", json!({"token": fresh})).await;
    assert!(
        answer["ok"] == true || answer["code"] == "forbidden",
        "{answer}"
    );
    answer["ok"] == true && answer["userId"] == user
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_wherever_it_stands() {
    let server = start_with_cookie().await;
    let now = tokens::now();
    let wrong_key = json!({"sub": "ann", "iat": now, "exp": now + 3600});
    let wrong_key = tokens::signed(&wrong_key, "another secret of 32 characters!");
    let expired = token("ann", &json!({"exp": now - 5}));
    for transport in TRANSPORTS {
        for (place, shown) in Shown::everywhere(&token("ann", &json!({}))) {
            let (mut line, answer) = Line::enter(&server.address, transport, &shown).await;
            assert!(
                answer.starts_with("40{"),
                "{transport:?}, {place}: {answer}"
            );
            assert!(is_of(&mut line, "ann").await, "{transport:?}, {place}");
            assert!(!is_of(&mut line, "bob").await, "{transport:?}, {place}");
        }
        for bad in [&wrong_key, &expired, "garbage"] {
            for (place, shown) in Shown::everywhere(bad) {
                let (_, answer) = Line::enter(&server.address, transport, &shown).await;
                assert_eq!(answer, UNAUTHENTICATED, "{transport:?}, {place}");
            }
        }
        for shown in [
            Shown::default(),
            Shown::in_auth(json!({"token": null, "userId": "ann"})),
            Shown::in_query("token="),
            Shown::in_header("authorization", "Basic YW5uOmJvYg==".to_owned()),
            Shown::in_header("cookie", "other=x".to_owned()),
        ] {
            let (_, answer) = Line::enter(&server.address, transport, &shown).await;
            assert_eq!(answer, UNAUTHENTICATED, "{transport:?}, {shown:?}");
        }
    }
}

/// Clients of version 2 know no `auth`.
#[tokio::test(flavor = "multi_thread")]
async fn version_2_shows_it_in_the_query_or_in_a_header() {
    let server = start_with_cookie().await;
    let good = token("ann", &json!({}));
    for (shown, expected) in [
        (Shown::in_query(&format!("token={good}")), "40"),
        (Shown::in_query(&format!("token=Bearer%20{good}")), "40"),
        (Shown::in_header("authorization", good.clone()), "40"),
        (Shown::in_query("token=garbage"), UNAUTHENTICATED),
        (Shown::default(), UNAUTHENTICATED),
    ] {
        let open = Line::open(&server.address, Transport::WebSocket, 3, &shown);
        let mut line = open.await;
        assert_eq!(line.next().await, expected, "{shown:?}");
        // There is one namespace, which a refused client does not get into by naming it again.
        line.send(&format!("40/?token={good}")).await;
        if expected == "40" {
            assert!(is_of(&mut line, "ann").await, "{shown:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_place_counts() {
    let server = start_with_cookie().await;
    let [ann, bob] = ["ann", "bob"].map(|user| token(user, &json!({})));
    let auth = |token: &str| Shown::in_auth(json!({"token": token}));
    let header = |token: &str| Shown::in_header("authorization", token.to_owned());
    let query = |token: &str| Shown::in_query(&format!("token={token}"));
    let cookie = |token: &str| Shown::in_header("cookie", format!("{COOKIE}={token}"));
    for transport in TRANSPORTS {
        for (index, shown) in [
            auth(&ann)
                .and(header(&bob))
                .and(query(&bob))
                .and(cookie(&bob)),
            header(&ann).and(query(&bob)).and(cookie(&bob)),
            query(&ann).and(cookie(&bob)),
        ]
        .iter()
        .enumerate()
        {
            let (mut line, answer) = Line::enter(&server.address, transport, shown).await;
            assert!(
                answer.starts_with("40{"),
                "{transport:?}, {index}: {answer}"
            );
            assert!(is_of(&mut line, "ann").await, "{transport:?}, {index}");
        }
        // A bad one hides a good one.
        let shown = auth("garbage").and(header(&ann));
        let (_, answer) = Line::enter(&server.address, transport, &shown).await;
        assert_eq!(answer, UNAUTHENTICATED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_its_own_header_and_parameter_at_every_door() {
    let server = start_with_cookie().await;
    let key = token("ann", &json!({}));
    let rest = Rest::new(&server.address);
    for name in ["token", "apiKey", "api_key"] {
        for (key, rest_status, greeting) in [(&*key, 200, true), ("bck_x_wrong", 401, false)] {
            let query = format!("?{name}={key}");
            assert_eq!(
                rest.get(&format!("/projects{query}")).await.status,
                rest_status
            );
            let path = format!("/ws/v1{query}");
            let opened = Ws::open(&server.address, &path, &[]).await;
            assert_eq!(opened.is_ok(), greeting, "{path}");
            if let Ok(mut ws) = opened {
                assert_eq!(ws.next().await["data"]["authenticated"], true);
            }
            let stream = format!("/api/events{query}&channels=ui");
            let stream = EventStream::try_open(&server.address, &stream, None).await;
            let head = stream.expect("it listens").head;
            assert!(head.contains(&format!(" {rest_status} ")), "{head}");
        }
    }
    for (key, status, greeting) in [(&*key, 200, "connection"), ("bck_x_wrong", 401, "error")] {
        let said = rest.with("X-API-Key", key).get("/projects").await;
        assert_eq!(said.status, status);
        let mut ws = Ws::open(&server.address, "/ws", &[("x-api-key", key)]).await;
        let said = ws.as_mut().expect("it is open").next().await;
        assert_eq!(said["type"], greeting, "{said}");
        let head = format!("X-API-Key: {key}\r\n");
        let stream =
            EventStream::open_with(&server.address, "/api/events?channels=ui", None, &head);
        let head = stream.await.expect("it listens").head;
        assert!(head.contains(&format!(" {status} ")), "{head}");
    }
    for (key, status) in [(ADMIN_TOKEN, 200), ("wrong", 401)] {
        let head = format!(
            "GET /admin/sockets?room=x HTTP/1.1\r\nHost: it\r\nConnection: close\r\nX-API-Key: {key}\r\n\r\n"
        );
        assert_eq!(http::request(&server.address, &head).await.0, status);
    }
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    ws.send(json!({"type": "auth_request", "data": {"api_key": key}}))
        .await;
    let said = ws.next().await;
    assert_eq!(said["type"], "auth_success", "{said}");
}

/// A client may leave the namespace and enter it again: what came with its requests still counts, what came with
/// CONNECT does not.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_requests_show_counts_for_every_connect() {
    let server = start_with_cookie().await;
    let good = token("ann", &json!({}));
    for transport in TRANSPORTS {
        for (place, shown) in Shown::everywhere(&good) {
            let (mut line, answer) = Line::enter(&server.address, transport, &shown).await;
            assert!(
                answer.starts_with("40{"),
                "{transport:?}, {place}: {answer}"
            );
            line.send("41").await;
            eventually("the client has left", async || has_left(&server).await).await;
            let again = line.connect_again(&Value::Null).await;
            if place.starts_with("auth") {
                assert_eq!(again, UNAUTHENTICATED, "{transport:?}, {place}");
                assert!(line.connect(&shown.auth).await.starts_with("40{"));
            } else {
                assert!(again.starts_with("40{"), "{transport:?}, {place}: {again}");
            }
            assert!(is_of(&mut line, "ann").await, "{transport:?}, {place}");
            line.send("41").await;
            eventually("it has left again", async || has_left(&server).await).await;
        }
    }
}

/// Whether no connection is ann's any more.
async fn has_left(server: &Server) -> bool {
    let path = "/sockets?room=user:ann";
    let (status, counted) = admin(&server.address, path, ADMIN_TOKEN, None).await;
    assert_eq!(status, 200, "{counted}");
    counted["sockets"] == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_not_logged() {
    let cookie = [
        ("AUTH_COOKIE", COOKIE),
        ("CORS_ORIGINS", "https://app.example"),
        ("LOG_LEVEL", "trace"),
    ];
    let server = start(&required(&cookie)).await;
    let good = token("ann", &json!({}));
    // Its first characters are the same in every token.
    let secret = good.rsplit_once('.').unwrap().1;
    let bad = format!("{}x{}", &good[..20], &good[21..]);
    for transport in TRANSPORTS {
        for token in [&good, &bad] {
            for (_, shown) in Shown::everywhere(token) {
                Line::enter(&server.address, transport, &shown).await;
            }
        }
    }
    let (mut line, _) = Line::enter(
        &server.address,
        Transport::WebSocket,
        &Shown::in_auth(json!({"token": good})),
    )
    .await;
    line.call("auth:refresh", json!({"token": bad})).await;
    server.tells("refused at the door").await;
    let log = server.logged();
    let told = log.iter().find(|line| line.contains(secret));
    assert_eq!(told, None);
}
