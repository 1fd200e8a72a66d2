//! Why there is no stream, and in which form that is said.

use serde_json::{Value, json};

use super::{required, unlimited};
use crate::support::server::Server;
use crate::support::sse::{EventStream, publish_as};
use crate::support::{http, tokens};

/// The status, `Retry-After`, and what is said.
async fn asked(address: &str, path: &str, more: &str) -> (u16, Option<String>, Value) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{more}\r\n");
    let answer = http::exchange(address, &request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let json = "content-type: application/problem+json";
    assert!(head.contains(json), "{head}");
    let after = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    (
        status,
        after.map(str::to_owned),
        serde_json::from_str(body).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_its_reason() {
    let server = unlimited().await;
    let long = format!("/api/events?channel={}", "x".repeat(129));
    for (path, field) in [
        ("/api/events?channels=a%20b", "channel"),
        ("/api/events?channel=a,b", "channel"),
        ("/api/events?channels=*", "channel"),
        (&long, "channel"),
        ("/api/events?channels=a&types=a%20b", "types"),
        ("/api/events?channels=a&eventStyle=loud", "eventStyle"),
        ("/api/events?channels=a,b&since=7", "since"),
    ] {
        let (status, _, problem) = asked(&server.address, path, "").await;
        assert_eq!(
            (status, problem["field"].as_str()),
            (422, Some(field)),
            "{path}: {problem}"
        );
        assert_eq!(problem["code"], "validation_failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_hear_is_told_so() {
    let server = required(&[]).await;
    let token = tokens::of("ann");
    let bearer = format!("Authorization: Bearer {token}\r\n");
    for (path, more, expected) in [
        ("/api/events?channels=c", "", (401, "unauthenticated")),
        (
            "/api/events?channels=c&token=nonsense",
            "",
            (401, "unauthenticated"),
        ),
        (
            "/api/events?channels=user:bob",
            &*bearer,
            (403, "forbidden"),
        ),
        (
            "/api/events?channels=user:eve,user:bob",
            &bearer,
            (403, "forbidden"),
        ),
        (
            "/api/events?channels=project:hers",
            &bearer,
            (404, "not_found"),
        ),
    ] {
        let (status, _, problem) = asked(&server.address, path, more).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (expected.0, Some(expected.1)),
            "{path}"
        );
    }
    let path = format!("/api/events?channels=user:ann,session:s&token={token}");
    EventStream::open(&server.address, &path, None).await;
}

/// A refusal would end a browser's stream for good.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_hear_some_channels_hears_those_and_is_told_of_the_rest() {
    let server = required(&[]).await;
    let token = tokens::of("ann");
    let path = format!("/api/events?channels=user:bob,session:s&token={token}");
    let mut stream = EventStream::open(&server.address, &path, None).await;
    let told = stream.next().await;
    assert_eq!(told.name, "access_revoked");
    assert_eq!(
        told.json(),
        json!({"channel": "user:bob", "reason": "forbidden"})
    );
    publish_as(&server.address, &tokens::of("bob"), "session:s", "tick").await;
    assert_eq!(stream.next().await.channel(), "session:s");
}

/// A browser would give up for good.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_too_often_is_told_when_to_come_again() {
    let settings = [("MAX_CONNECTIONS_PER_IP", "1")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let path = "/api/events?channels=c";
    let first = EventStream::open(&server.address, path, None).await;
    let (status, after, problem) = asked(&server.address, path, "").await;
    assert_eq!((status, after.as_deref()), (429, Some("5")), "{problem}");
    let mut browser = EventStream::open(&server.address, path, None).await;
    assert!(browser.ended().await);
    assert_eq!((browser.retry(), browser.last_id()), (Some(5000), ""));
    drop(first);
    server
        .health_becomes("the place is free", |health| health["connections"] == 0)
        .await;
    let mut again = EventStream::open(&server.address, path, None).await;
    again.id_after("").await;
}

/// As with the nginx that sets nothing but `X-Real-IP`.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_behind_a_proxy_that_names_it_in_x_real_ip_counts_by_itself() {
    let settings = [
        ("MAX_CONNECTIONS_PER_IP", "1"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let open = async |client: &str| {
        let real = format!("X-Real-IP: {client}\r\n");
        let opened = EventStream::open_with(&server.address, "/api/events", None, &real).await;
        opened.expect("it is answered")
    };
    let mut first = open("192.0.2.1").await;
    first.id_after("").await;
    let mut other = open("192.0.2.2").await;
    other.id_after("").await;
    assert!(open("192.0.2.1").await.ended().await, "it has one already");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_refused() {
    let settings = [("CORS_ORIGINS", "https://ours.example")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let path = "/api/events?channels=c";
    let theirs = "Origin: https://theirs.example\r\n";
    let (status, _, problem) = asked(&server.address, path, theirs).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")));
    let ours = "Origin: https://ours.example\r\n";
    let stream = EventStream::open_with(&server.address, path, None, ours)
        .await
        .unwrap();
    assert!(stream.head.starts_with("HTTP/1.1 200 "), "{}", stream.head);
    assert!(
        stream
            .head
            .contains("access-control-allow-origin: https://ours.example")
    );
}
