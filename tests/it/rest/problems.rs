//! What is refused, and how that looks.

use serde_json::json;

use super::{open, with_task};
use crate::support::rest::Rest;
use crate::support::server::Server;
use crate::support::tokens;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_an_id() {
    let (server, rest) = open().await;
    let said = rest
        .with("X-Request-Id", "mine-1")
        .get("/projects/nope")
        .await;
    assert_eq!(said.problem(404, "not_found")["instance"], "mine-1");
    server.tells("mine-1").await;
    for strange in ["", "a b", &"x".repeat(129)] {
        let answer = rest.with("X-Request-Id", strange).get("/projects").await;
        let made = answer.header("x-request-id").expect("always");
        assert!(made != strange && made.len() == 36, "{made}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_what_cannot_be_done() {
    let (_server, rest) = with_task().await;
    for path in [
        "",
        "/",
        "/nothing",
        "/projects/",
        "/projects/p/tasks/t/x",
        "/projects/p/owners",
    ] {
        rest.get(path).await.problem(404, "not_found");
    }
    for (method, path, allow) in [
        ("PUT", "/projects", "GET,HEAD,POST"),
        ("DELETE", "/projects", "GET,HEAD,POST"),
        ("POST", "/projects/p", "GET,HEAD,PATCH,DELETE"),
        ("GET", "/projects/p/commands", "POST"),
        ("POST", "/openapi.json", "GET,HEAD"),
        ("BREW", "/projects", "GET,HEAD,POST"),
    ] {
        let refused = rest.send(method, path, None).await;
        refused.problem(405, "method_not_allowed");
        let mut allowed: Vec<_> = refused
            .header("allow")
            .unwrap_or_default()
            .split(',')
            .collect();
        let mut expected: Vec<_> = allow.split(',').collect();
        allowed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_one_json_object() {
    let (_server, rest) = with_task().await;
    let all = "/projects/p/tasks";
    for body in [
        "{",
        "",
        " ",
        "[]",
        "7",
        "\"x\"",
        "null",
        "{} {}",
        r#"{"a":1},"key""#,
        "{\"a\":\u{1}}",
    ] {
        let refused = rest.send("POST", all, Some(body)).await;
        let problem = refused.problem(422, "validation_failed");
        assert_eq!(problem["field"], "payload", "{body}");
    }
    for body in [r#"{"title":"a\u0000"}"#, r#"{"title":"\ud800"}"#] {
        let refused = rest.send("POST", all, Some(body)).await;
        assert_eq!(refused.problem(422, "validation_failed")["field"], "title");
    }
    for said in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ] {
        let other = rest.with("Content-Type", said);
        let refused = other.send("POST", all, Some("{}")).await;
        refused.problem(415, "unsupported_media_type");
    }
    for said in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
    ] {
        let same = rest.with("Content-Type", said);
        same.send("POST", all, Some(r#"{"title":"x"}"#))
            .await
            .expect(201);
    }
    let large = json!({"title": "x".repeat(300_000)}).to_string();
    rest.send("POST", all, Some(&large))
        .await
        .problem(413, "payload_too_large");
    let huge = json!({"title": "x".repeat(5_000_000)}).to_string();
    rest.send("POST", all, Some(&huge))
        .await
        .problem(413, "payload_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_names_no_other_project_and_no_other_task() {
    let (_server, rest) = with_task().await;
    rest.post("/projects", &json!({"id": "q"}))
        .await
        .expect(201);
    for (method, path) in [
        ("POST", "/projects/p/tasks"),
        ("PATCH", "/projects/p/tasks/t"),
        ("DELETE", "/projects/p/tasks/t"),
        ("POST", "/projects/p/tasks/t/restore"),
        ("PATCH", "/projects/p"),
        ("DELETE", "/projects/p"),
    ] {
        for key in ["projectId", "project_id"] {
            let body = json!({key: "q", "title": "x"}).to_string();
            let refused = rest.send(method, path, Some(&body)).await;
            let problem = refused.problem(422, "validation_failed");
            assert_eq!(problem["field"], "projectId", "{method} {path} {body}");
        }
    }
    rest.patch("/projects/p/tasks/t", &json!({"projectId": "p", "a": 1}))
        .await
        .expect(200);
    // An id that looks like a payload names itself and no other.
    let strange = "/projects/p/tasks/%7B%22taskId%22%3A%22t%22%7D";
    let made = rest.patch(strange, &json!({"a": 2})).await.expect(200);
    assert_eq!(made["data"]["id"], r#"{"taskId":"t"}"#);
    for (path, field) in [
        (format!("/projects/{}", "x".repeat(256)), "projectId"),
        ("/projects/a%00".to_owned(), "projectId"),
        ("/projects/p/tasks/a%00".to_owned(), "taskId"),
        ("/projects/%ff".to_owned(), "path"),
    ] {
        let problem = rest.get(&path).await.problem(422, "validation_failed");
        assert_eq!(problem["field"], field, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_much_is_told_when_to_go_on() {
    let limits = [("USER_READ_RATE", "1/3"), ("AUTH_SECRET", tokens::SECRET)];
    let server = Server::start_with("sqlite::memory:", &limits).await;
    let rest = Rest::new(&server.address);
    for _ in 0..3 {
        rest.get("/projects").await.expect(200);
    }
    let refused = rest.get("/projects").await;
    let problem = refused.problem(429, "rate_limited");
    assert!(
        problem["retryAfterMs"]
            .as_u64()
            .is_some_and(|wait| wait <= 1000),
        "{problem}"
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Whoever shows who they are counts by themselves, and so do changes.
    let ann = rest.showing(&tokens::of("ann"));
    ann.get("/projects").await.expect(200);
    rest.post("/projects", &json!({"id": "p"}))
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_refused() {
    let settings = [("CORS_ORIGINS", "https://board.example")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let rest = Rest::new(&server.address);
    let other = rest
        .with("Origin", "https://evil.example")
        .get("/projects")
        .await;
    other.problem(403, "forbidden");
    let own = rest.with("Origin", "https://board.example");
    let answer = own.get("/projects").await;
    answer.expect(200);
    let exposed = answer
        .header("access-control-expose-headers")
        .unwrap_or_default();
    for header in ["etag", "location", "x-request-id", "retry-after"] {
        assert!(exposed.contains(header), "{exposed}");
    }
    let preflight = own.with("Access-Control-Request-Method", "PATCH");
    let answer = preflight.send("OPTIONS", "/projects/p", None).await;
    let methods = answer
        .header("access-control-allow-methods")
        .unwrap_or_default();
    assert!(
        methods.contains("PATCH") && methods.contains("DELETE"),
        "{methods}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_what_counts_for_nothing_again_and_again_has_to_wait() {
    let settings = [("USER_READ_RATE", "1/3"), ("USER_COMMAND_RATE", "none")];
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("board.db").display());
    let server = Server::start_with(&url, &[&tokens::REQUIRED[..], &settings].concat()).await;
    let rest = Rest::new(&server.address);
    let ann = rest.showing(&tokens::of("ann"));
    // What counts is not taken out of what the address may do.
    for number in 0..10 {
        let project = json!({"title": number.to_string()});
        ann.post("/projects", &project).await.expect(201);
    }
    let stranger = rest.showing("nobody's");
    for _ in 0..3 {
        stranger
            .get("/projects")
            .await
            .problem(401, "unauthenticated");
    }
    let refused = stranger.get("/projects").await;
    refused.problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
}
