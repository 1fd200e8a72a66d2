//! The plain WebSocket, in both spellings of its envelope.

mod access;
mod agents;
mod ends;
mod envelope;
mod flat;
mod large;
mod limits;
mod recovery;
mod slow;
mod status;
mod status_told;
mod worker;

use serde_json::{Value, json};

use crate::support::server::Server;
use crate::support::websocket::Ws;

async fn start(settings: &[(&str, &str)]) -> Server {
    Server::start_with("sqlite::memory:", settings).await
}

/// Publishes on the session that the client is in.
async fn publish(ws: &mut Ws, kind: &str, data: Value) -> i64 {
    let published = ws.call(kind, data).await;
    assert_eq!(published["ok"], true, "{published}");
    published["seq"].as_i64().expect("a seq")
}

/// Joins a project.
async fn join(ws: &mut Ws, project: &str) -> Value {
    let joined = ws.call("join:project", json!(project)).await;
    assert_eq!(joined["ok"], true, "{joined}");
    // Where it stands comes before the answer.
    let cursor = ws.next().await;
    assert_eq!(cursor["type"], "session:cursor", "{cursor}");
    joined
}
