//! What properties need besides a client: a server, somebody who changes something, and facts that are awaited.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::rest::Rest;
use crate::support::server::{Server, UNLIMITED};
use crate::support::sse::{post, publish_as};
use crate::support::tokens::REQUIRED;

/// How soon something must be so.
const SOON: Duration = Duration::from_secs(8);

/// A project's channel…
pub(super) const PROJECT: &str = "project:p";
/// … and another one, on which everybody may publish.
pub(super) const SESSION: &str = "session:s";
/// Both.
pub(super) const BOTH: [&str; 2] = [PROJECT, SESSION];

/// A server in memory without limits of messages.
pub(super) async fn open(more: &[(&str, &str)]) -> Server {
    let settings = [&UNLIMITED[..], more].concat();
    Server::start_with("sqlite::memory:", &settings).await
}

/// The same, on which clients must show tokens.
pub(super) async fn required(more: &[(&str, &str)]) -> Server {
    let settings = [&REQUIRED[..], more].concat();
    open(&settings).await
}

/// Makes an event on a channel of a server that everybody may change; its seq.
pub(super) async fn make_event(address: &str, channel: &str) -> i64 {
    make_event_of(address, channel, "tasks").await
}

/// The same; on a project's channel about something new of a kind, by its plural.
pub(super) async fn make_event_of(address: &str, channel: &str, plural: &str) -> i64 {
    let answer = if let Some(project) = channel.strip_prefix("project:") {
        let path = format!("/projects/{project}/{plural}");
        let made = Rest::new(address)
            .post(&path, &json!({"title": "Sow"}))
            .await;
        made.expect(201)
    } else {
        let body = json!({"channel": channel, "type": "tick"}).to_string();
        let (status, answer) = post(address, &body).await;
        assert_eq!(status, 201, "{answer}");
        serde_json::from_str(&answer).expect("answers are JSON")
    };
    answer["seq"].as_i64().expect("a seq")
}

/// Makes an event on [`SESSION`] as somebody.
pub(super) async fn make_event_as(address: &str, token: &str) {
    publish_as(address, token, SESSION, "tick").await;
}

/// Waits until something is so, not for long.
pub(super) async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let late = Instant::now() + SOON;
    while !is_so().await {
        assert!(Instant::now() < late, "not in time: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a server has so many connections.
pub(super) async fn connections_become(server: &Server, count: usize) {
    soon(&format!("{count} connections are left"), async || {
        server.health().await["connections"] == count
    })
    .await;
}

/// Waits for a line in the log.
pub(super) async fn logged(server: &Server, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let mut found = None;
    soon(&format!("{what} is logged"), async || {
        let lines = server.logged();
        let mut lines = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        found = lines.find(|line| is_it(line));
        found.is_some()
    })
    .await;
    found.expect("it was awaited")
}
