//! Event streams: what is told, and that nobody misses anything, whatever happens to the connection.

mod access;
mod cluster;
mod default;
mod ending;
mod form;
mod refused;
mod resets;
mod resuming;
mod slow;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::{Server, UNLIMITED};
use crate::support::tokens::REQUIRED;

/// A server in memory on which tests may do what they like.
async fn unlimited() -> Server {
    Server::start_with("sqlite::memory:", &UNLIMITED).await
}

/// A server in memory on which clients must show who they are.
async fn required(more: &[(&str, &str)]) -> Server {
    let settings = [&REQUIRED[..], &UNLIMITED, more].concat();
    Server::start_with("sqlite::memory:", &settings).await
}

/// Makes a task; its seq.
async fn create(client: &Client, project: &str, title: &str) -> i64 {
    let task = json!({"projectId": project, "title": title});
    let answer: Value = client.call("task:create", task).await;
    answer["seq"].as_i64().unwrap_or_else(|| panic!("{answer}"))
}
