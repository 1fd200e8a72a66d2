//! Several commands in one request.

use serde_json::{Value, json};

use super::{open, with_task};
use crate::support::rest::Rest;
use crate::support::server::Server;

const COMMANDS: &str = "/projects/p/commands";

#[tokio::test(flavor = "multi_thread")]
async fn each_is_answered_and_none_fails_another() {
    let (_server, rest) = open().await;
    let long = "x".repeat(300_000);
    let commands = json!({"commands": [
        {"event": "task:create", "data": {"taskId": "a", "title": "A"}},
        {"event": "updateTask", "data": {"taskId": "a", "updates": {"title": "B"}}},
        {"event": "task:explode", "data": {}},
        {"event": "project:snapshot", "data": {}},
        7,
        ["task:create", {"taskId": "list"}],
        {"event": "task:create", "data": {"projectId": "q"}},
        {"event": "task:create", "data": {"title": long}},
        {"event": "task:delete", "data": "a", "idempotencyKey": "k"},
        {"event": "task:delete", "data": "a", "idempotencyKey": "k"},
        {"event": "task:create"},
        {"event": "task:restore", "data": {"taskId": "never"}},
    ]});
    let answer = rest.post(COMMANDS, &commands).await.expect(200);
    let results = answer["results"].as_array().expect("a list");
    let outcome = |result: &Value| match &result["code"] {
        Value::String(code) => code.clone(),
        _ => format!("{} {}", result["seq"], result["duplicate"]),
    };
    let outcomes: Vec<_> = results.iter().map(outcome).collect();
    assert_eq!(
        outcomes,
        [
            "1 null",
            "2 null",
            "unknown_event",
            "validation_failed",
            "validation_failed",
            "validation_failed",
            "validation_failed",
            "payload_too_large",
            "3 null",
            "3 true",
            "4 null",
            "not_found"
        ],
        "{answer}"
    );
    assert_eq!(results[1]["data"]["title"], "B");
    assert_eq!(results[6]["field"], "projectId");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_its_limits() {
    let (_server, rest) = open().await;
    let create = json!({"event": "task:create", "data": {"title": "x"}});
    let many = |count| json!({"commands": vec![create.clone(); count]});
    let answer = rest.post(COMMANDS, &many(100)).await.expect(200);
    let results = answer["results"].as_array().expect("a list").iter();
    let seqs: Vec<_> = results.map(|result| result["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=100).map(Some).collect::<Vec<_>>());
    for wrong in [
        many(101),
        json!({}),
        json!({"commands": 7}),
        json!({"commands": {"event": "x"}}),
    ] {
        let refused = rest.post(COMMANDS, &wrong).await;
        assert_eq!(
            refused.problem(422, "validation_failed")["field"],
            "commands"
        );
    }
    assert_eq!(
        rest.post(COMMANDS, &many(0)).await.expect(200)["results"],
        json!([])
    );
    // It would not say which of them.
    let keyed = rest.with("Idempotency-Key", "k");
    let refused = keyed.post(COMMANDS, &many(2)).await;
    assert_eq!(
        refused.problem(422, "validation_failed")["field"],
        "Idempotency-Key"
    );
    let nothing = rest.send("POST", COMMANDS, None).await;
    assert_eq!(
        nothing.problem(422, "validation_failed")["field"],
        "payload"
    );
    assert_eq!(
        rest.get("/projects/p/events?since=100").await.expect(200)["seq"],
        100
    );
}

/// Whatever it has in it.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_costs_something() {
    for (path, body) in [(COMMANDS, r#"{"commands":[]}"#), ("/publish", "[")] {
        let settings = [("USER_COMMAND_RATE", "1/5")];
        let server = Server::start_with("sqlite::memory:", &settings).await;
        let rest = Rest::new(&server.address);
        let mut statuses = Vec::new();
        for _ in 0..10 {
            statuses.push(rest.send("POST", path, Some(body)).await.status);
        }
        assert!(statuses.contains(&429), "{path}: {statuses:?}");
    }
    let settings = [("USER_COMMAND_RATE", "1/5")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let rest = Rest::new(&server.address);
    let commands = vec![json!({"event": "task:create"}); 5];
    let answer = rest.post(COMMANDS, &json!({"commands": commands})).await;
    let results = answer.expect(200)["results"].clone();
    let results = results.as_array().expect("a list").iter();
    let made = results.filter(|result| result["ok"] == true).count();
    assert_eq!(made, 5, "the request itself costs nothing more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_about_the_project_need_not_name_it() {
    let (_server, rest) = with_task().await;
    let commands = json!({"commands": [
        {"event": "project:update", "data": {"title": "Field"}},
        {"event": "project:update", "data": {"projectId": "p", "color": "red"}},
        {"event": "project:update", "data": {"projectId": "q", "title": "Other"}},
        {"event": "project:update", "data": {"id": "q", "title": "Other"}},
    ]});
    let answer = rest.post(COMMANDS, &commands).await.expect(200);
    let oks: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["ok"])
        .collect();
    assert_eq!(oks, [true, true, false, false], "{answer}");
    let project = rest.get("/projects/p").await.expect(200);
    assert_eq!(
        (&project["title"], &project["color"]),
        (&json!("Field"), &json!("red"))
    );
}
