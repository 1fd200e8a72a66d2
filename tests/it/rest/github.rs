//! Webhooks of GitHub.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::http;
use crate::support::server::Server;
use crate::support::tokens::{REQUIRED, with_roles};
use crate::support::websocket::Ws;

const SECRET: &str = "It's a Secret to Everybody";

async fn start(settings: &[(&str, &str)]) -> Server {
    let mut all = vec![
        ("GITHUB_WEBHOOK_SECRET", SECRET),
        ("GITHUB_REPOSITORIES", "o/board=project:board"),
    ];
    all.extend_from_slice(settings);
    Server::start_with("sqlite::memory:", &all).await
}

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", digits.collect::<String>())
}

/// Sends what GitHub would.
async fn deliver(
    server: &Server,
    (event, id): (&str, &str),
    body: &str,
    signature: &str,
) -> (u16, Value) {
    let head = format!(
        "POST /api/webhooks/github HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Type: application/json\r\n\
         X-GitHub-Event: {event}\r\nX-GitHub-Delivery: {id}\r\nX-Hub-Signature-256: {signature}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let (status, body) = http::request(&server.address, &(head + body)).await;
    (status, serde_json::from_str(&body).unwrap())
}

async fn signed(server: &Server, event: (&str, &str), payload: &Value) -> (u16, Value) {
    let body = payload.to_string();
    deliver(server, event, &body, &signature(&body)).await
}

fn issue(repository: &str, number: u64) -> Value {
    json!({"action": "opened", "repository": {"full_name": repository}, "sender": {"login": "ann"},
        "issue": {"number": number, "title": "It breaks", "state": "open", "html_url": "https://github.com/i",
            "user": {"login": "ann"}, "body": "x".repeat(1000)}})
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_is_published_once_on_the_channel_of_its_repository() {
    let server = start(&REQUIRED).await;
    let token = with_roles("watcher", json!({"*": "viewer"}));
    let path = format!("/ws/v1?token={token}&channels=github");
    let mut ws = Ws::connect(&server.address, &path).await;
    for (times, duplicate) in [(1, Value::Null), (2, json!(true))] {
        let (status, answer) = signed(&server, ("issues", "d-1"), &issue("o/r", 7)).await;
        assert_eq!(
            (status, &answer["seq"]),
            (201, &json!(1)),
            "{times}: {answer}"
        );
        assert_eq!(answer["duplicate"], duplicate, "{answer}");
    }
    let run = json!({"action": "completed", "repository": {"full_name": "o/r"},
        "workflow_run": {"id": 5, "name": "CI", "status": "completed", "conclusion": "failure", "html_url": "u"}});
    assert_eq!(signed(&server, ("workflow_run", "d-2"), &run).await.0, 201);
    let first = ws.next().await;
    assert_eq!(first["type"], "github_issue_update");
    assert_eq!(
        (&first["id"], &first["metadata"]["source"]),
        (&json!("d-1"), &json!("github"))
    );
    assert_eq!(first["metadata"]["actor"], "boardcast:github");
    let data = &first["data"];
    assert_eq!(
        (&data["repository"], &data["number"], &data["url"]),
        (&json!("o/r"), &json!(7), &json!("https://github.com/i"))
    );
    assert!(data.get("body").is_none(), "{data}");
    let second = ws.next().await;
    assert_eq!(
        (&second["type"], &second["data"]["conclusion"]),
        (&json!("github_workflow_update"), &json!("failure"))
    );
    let (status, answer) = signed(&server, ("issues", "d-3"), &issue("O/Board", 8)).await;
    assert_eq!(
        (status, &answer["channel"]),
        (201, &json!("project:board")),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_that_is_not_signed_is_refused() {
    let server = start(&REQUIRED).await;
    let body = issue("o/r", 7).to_string();
    let other = signature("{}");
    for wrong in ["", "sha256=", "sha1=x", &other, &signature(&body)[7..]] {
        let (status, answer) = deliver(&server, ("issues", "d-1"), &body, wrong).await;
        assert_eq!(
            (status, &answer["code"]),
            (401, &json!("unauthenticated")),
            "{wrong}"
        );
    }
    let (status, answer) = signed(&server, ("ping", "d-2"), &json!({"zen": "x"})).await;
    assert_eq!((status, &answer["pong"]), (200, &json!(true)), "{answer}");
    let (status, answer) = signed(&server, ("star", "d-3"), &json!({})).await;
    assert_eq!(
        (status, &answer["ignored"]),
        (202, &json!("star")),
        "{answer}"
    );
    let (status, answer) = signed(&server, ("issues", "d-4"), &json!({})).await;
    assert_eq!(
        (status, &answer["field"]),
        (422, &json!("payload")),
        "{answer}"
    );
    let (status, answer) = signed(&server, ("", "d-5"), &json!({})).await;
    assert_eq!(
        (status, &answer["field"]),
        (422, &json!("x-github-event")),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_may_be_large_and_one_beyond_the_bound_is_refused() {
    let server = start(&[]).await;
    let mut payload = issue("o/r", 7);
    payload["padding"] = json!("x".repeat(8 * 1024 * 1024));
    assert_eq!(signed(&server, ("issues", "d-1"), &payload).await.0, 201);
    let head = "POST /api/webhooks/github HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Type: application/json\r\n\
                X-GitHub-Event: issues\r\nX-GitHub-Delivery: d\r\nX-Hub-Signature-256: sha256=00\r\n\
                Content-Length: 30000000\r\n\r\n";
    assert_eq!(http::request(&server.address, head).await.0, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_there_is_nothing() {
    let server = Server::start("sqlite::memory:").await;
    let (status, answer) = signed(&server, ("ping", "d"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("not_found")));
    assert!(
        answer["detail"]
            .as_str()
            .unwrap()
            .contains("GITHUB_WEBHOOK_SECRET"),
        "{answer}"
    );
}
