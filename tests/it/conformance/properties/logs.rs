//! The lines of the log say at every door in the same words whom they are about.

use serde_json::{Value, json};

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::scene::{SESSION, logged, required};
use crate::support::http;
use crate::support::tokens::of;

/// A project that nobody has made.
const NOWHERE: &str = "project:nowhere";

fn assert_says(door: Door, line: &Value, fields: &[&str]) {
    for field in fields {
        assert!(!line[field].is_null(), "{door:?}: no {field} in {line}");
    }
    assert_eq!(line["actor"], "ann", "{door:?}: {line}");
}

pub(crate) async fn refused_request_is_logged_with_its_actor(door: Door) {
    let server = required(&[]).await;
    let options = Options::to(&[SESSION]).token(of("ann"));
    let of_request = ["request.id", "path", "code", "reason"];
    let of_message = ["connection.id", "event", "code", "reason"];
    let fields = if door.takes_commands() {
        let mut client = Client::connect(door, &server.address, &options).await;
        let refused = client.call("join:project", json!("nowhere")).await;
        assert_eq!(refused.unwrap()["code"], "not_found", "{door:?}");
        of_message
    } else {
        let path = match door {
            Door::Sse => format!("/api/events?channels={NOWHERE}{}", options.who()),
            _ => format!("/api/channels/{NOWHERE}/events?since=0{}", options.who()),
        };
        assert_eq!(http::get(&server.address, &path).await.0, 404, "{door:?}");
        of_request
    };
    let line = logged(&server, "a refusal", |line| line["message"] == "refused").await;
    assert_says(door, &line, &fields);
    assert_eq!(line["code"], "not_found", "{door:?}: {line}");
}

pub(crate) async fn ended_connection_is_logged_with_its_actor(door: Door) {
    let server = required(&[]).await;
    let options = Options::to(&[SESSION]).token(of("ann"));
    let client = Client::connect(door, &server.address, &options).await;
    client.leave().await;
    let line = logged(&server, "the end", |line| line["duration_ms"].is_u64()).await;
    assert_says(door, &line, &["connection.id", "reason", "messages"]);
    if door.takes_commands() {
        assert_eq!(line["rate_limited"], 0, "{door:?}: {line}");
    }
}
