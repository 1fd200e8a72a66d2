//! What a backend does over HTTP: commands, and events that it publishes.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::contract::{EventClass, EventName};

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MAX_ANSWER: u64 = 1024 * 1024;
/// Under which name a backend's changes are written down.
const BACKEND: &str = "backend";

/// Whether a name is that of a command, which a backend sends instead of publishing an event.
pub(super) fn is_command(name: &str) -> bool {
    EventName::find(name).is_some_and(|event| event.class() == EventClass::Command)
}

/// Sends a command about a project. `Err`: why it was refused.
pub(super) async fn command(
    server: SocketAddr,
    project: &str,
    event: &str,
    data: &Value,
) -> Result<(), String> {
    let path = format!("/api/projects/-/commands?{}", query("projectId", project));
    let answer = post(
        server,
        &path,
        json!({"commands": [{"event": event, "data": data}]}),
    );
    let answer = answer.await?;
    refusal_in(answer.pointer("/results/0").unwrap_or(&answer))
}

/// Publishes an event on a channel. `Err`: why it was refused.
pub(super) async fn publish(
    server: SocketAddr,
    channel: &str,
    name: &str,
    data: &Value,
) -> Result<(), String> {
    let event = json!({"channel": channel, "type": name, "data": data});
    refusal_in(&post(server, "/api/publish", event).await?)
}

fn query(name: &str, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish()
}

/// Why an answer is a refusal.
fn refusal_in(answer: &Value) -> Result<(), String> {
    if answer["ok"] == true {
        return Ok(());
    }
    let words = ["detail", "error", "message"];
    let text = words.iter().find_map(|word| answer[word].as_str());
    Err(text.map_or_else(|| answer.to_string(), str::to_owned))
}

async fn post(server: SocketAddr, path: &str, body: Value) -> Result<Value, String> {
    let url = format!("http://{server}{path}");
    let sent = spawn_blocking(move || {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        let request = agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-User-Id", BACKEND);
        let mut answer = request.send(body.to_string())?;
        answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_string()
    });
    let text = sent.await.map_err(|error| error.to_string())?;
    let text = text.map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|_| text)
}
