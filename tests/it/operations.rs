//! What operators ask: notifications, counts and disconnects of rooms, and the probes. Here on one instance, which
//! has the same adapter as many.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::Server;
use crate::support::{eventually, http};

const TOKEN: &str = "a token for tests";

async fn server() -> Server {
    Server::start_with("sqlite::memory:", &[("ADMIN_TOKEN", TOKEN)]).await
}

/// Asks with a token, and with a body if there is one.
async fn ask(server: &Server, line: &str, token: Option<&str>, body: &str) -> (u16, Value) {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!(
        "{line} HTTP/1.1\r\nHost: it\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n",
        token.unwrap_or_default(),
        body.len()
    );
    let (status, body) = http::request(&server.address, &(head + body)).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

async fn notify(server: &Server, body: Value) -> (u16, Value) {
    ask(
        server,
        "POST /admin/notifications",
        Some(TOKEN),
        &body.to_string(),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_operates_without_the_token() {
    let with = server().await;
    let without = Server::start("sqlite::memory:").await;
    for line in [
        "POST /admin/notifications",
        "GET /admin/sockets?room=project:p",
        "POST /admin/disconnect",
    ] {
        let (status, answer) = ask(&without, line, Some(TOKEN), "{}").await;
        assert_eq!(
            (status, &answer["code"]),
            (403, &json!("forbidden")),
            "{line}"
        );
        for wrong in [
            None,
            Some(""),
            Some("a token for testz"),
            Some("a token for tests, longer"),
        ] {
            let (status, answer) = ask(&with, line, wrong, "{}").await;
            assert_eq!(
                (status, &answer["code"]),
                (401, &json!("unauthenticated")),
                "{line}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_reach_their_audience_in_its_spelling() {
    let server = server().await;
    let connect = async |auth: Value| Client::connect_with(&server.address, &auth).await.unwrap();
    let ann = connect(json!({"userId": "ann"})).await;
    let bob = connect(json!({"userId": "bob", "eventStyle": "dash"})).await;
    ann.join("p").await;
    bob.join("q").await;
    for (audience, to_ann, to_bob) in [
        (json!({"projectId": "p"}), true, false),
        (json!({"userId": "bob"}), false, true),
        (json!({"everyone": true}), true, true),
    ] {
        let mut body = audience.clone();
        body["title"] = json!(audience.to_string());
        let (status, answer) = notify(&server, body.clone()).await;
        assert_eq!(status, 202, "{answer}");
        for (client, name, told) in [
            (&ann, "system:notification", to_ann),
            (&bob, "system-notification", to_bob),
        ] {
            if told {
                let got = client.next_signal().await;
                assert_eq!(got.name, name);
                assert_eq!(got.args.len(), 1, "no trailing string: {got:?}");
                assert_eq!(got.args[0]["title"], body["title"]);
                assert_eq!(got.args[0]["id"], answer["id"]);
            }
        }
    }
    // Whoever was not meant got nothing in between: the next that comes is this one.
    notify(&server, json!({"everyone": true, "title": "last"})).await;
    for client in [&ann, &bob] {
        assert_eq!(client.next_signal().await.args[0]["title"], "last");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_told_what_is_wrong() {
    let server = server().await;
    for (line, body, field) in [
        ("POST /admin/notifications", "{}", Value::Null),
        ("POST /admin/notifications", "[]", Value::Null),
        (
            "POST /admin/notifications",
            r#"{"userId":[]}"#,
            json!("userId"),
        ),
        ("POST /admin/disconnect", "{}", json!("room")),
        ("GET /admin/sockets", "", json!("room")),
    ] {
        let (status, answer) = ask(&server, line, Some(TOKEN), body).await;
        assert_eq!(status, 422, "{line} {body}: {answer}");
        assert_eq!(answer["code"], "validation_failed");
        assert_eq!(answer["field"], field);
    }
    let large = "x".repeat(65_537);
    let (status, _) = ask(&server, "POST /admin/notifications", Some(TOKEN), &large).await;
    assert_eq!(status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_counted_and_disconnected() {
    let server = server().await;
    let auth = json!({"userId": "ann"});
    let ann = [
        Client::connect_with(&server.address, &auth).await.unwrap(),
        Client::connect_with(&server.address, &auth).await.unwrap(),
    ];
    let other = Client::connect(&server.address).await;
    let count = async |room: &str| {
        let line = format!("GET /admin/sockets?room={room}");
        ask(&server, &line, Some(TOKEN), "").await.1["sockets"].clone()
    };
    assert_eq!(count("user:ann").await, 2);
    assert_eq!(count("project:p").await, 0);
    other.join("p").await;
    ann[0].join("p").await;
    assert_eq!(count("project:p").await, 2);
    let left = ann[0].call("leave:project", json!("p")).await;
    assert_eq!(left["ok"], true);
    assert_eq!(count("project:p").await, 1);
    let body = r#"{"room":"user:ann"}"#;
    let (status, _) = ask(&server, "POST /admin/disconnect", Some(TOKEN), body).await;
    assert_eq!(status, 202);
    eventually("the room is empty", async || count("user:ann").await == 0).await;
    server
        .health_becomes("one is left", |health| health["connections"] == 1)
        .await;
    other.join("p").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_whether_to_restart_and_whether_to_send_clients() {
    let postgres = Postgres::start();
    let server = Server::start(&postgres.create_database().await).await;
    let status = async |path: &str| http::get(&server.address, path).await.0;
    assert_eq!((status("/live").await, status("/ready").await), (200, 200));
    postgres.pause();
    assert_eq!((status("/live").await, status("/ready").await), (200, 503));
    postgres.resume();
    eventually("it is ready again", async || status("/ready").await == 200).await;
    tokio::time::timeout(Duration::from_secs(5), status("/health"))
        .await
        .unwrap();
}
