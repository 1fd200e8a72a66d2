//! What properties need besides a client: a server, somebody who changes something, and facts that are awaited.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::rest::Rest;
use crate::support::server::{KINDS, Server, UNLIMITED};
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

/// Of which kinds something is made, or changed, in turn: a task, a comment, and an entity of a kind that the configuration declares.
const KINDS_IN_TURN: [&str; 3] = ["task", "comment", "subtask"];

/// A server in memory without limits of messages, which knows a kind of its own.
pub(super) async fn open(more: &[(&str, &str)]) -> Server {
    let settings = [&UNLIMITED[..], &[KINDS], more].concat();
    Server::start_with("sqlite::memory:", &settings).await
}

/// The same, on which clients must show tokens.
pub(super) async fn required(more: &[(&str, &str)]) -> Server {
    let settings = [&REQUIRED[..], more].concat();
    open(&settings).await
}

/// The kind whose turn it is.
pub(super) fn next_kind() -> &'static str {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    KINDS_IN_TURN[turn % KINDS_IN_TURN.len()]
}

/// The name and the payload of a command that creates, in a project, an entity of the kind whose turn it is.
pub(super) fn create(project: &Value) -> (String, Value) {
    let payload = json!({"projectId": project, "title": "Sow"});
    (format!("{}:create", next_kind()), payload)
}

/// The name and the payload of a command that changes such an entity, one of each kind.
pub(super) fn update(number: impl Into<Value>) -> (String, Value) {
    let kind = next_kind();
    let mut payload = json!({"projectId": "p", "number": number.into()});
    payload[format!("{kind}Id")] = json!("t");
    (format!("{kind}:update"), payload)
}

/// Makes an event on a channel of a server that everybody may change, on a project's about something new of the kind whose turn
/// it is; its seq.
pub(super) async fn make_event(address: &str, channel: &str) -> i64 {
    make_event_of(address, channel, next_kind()).await
}

/// The same; on a project's channel about something new of a kind.
pub(super) async fn make_event_of(address: &str, channel: &str, kind: &str) -> i64 {
    let answer = if let Some(project) = channel.strip_prefix("project:") {
        let path = format!("/projects/{project}/{kind}s");
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
