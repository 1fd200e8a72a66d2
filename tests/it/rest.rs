//! The REST door.

mod batch;
mod conditions;
mod document;
mod entities;
mod events;
mod github;
mod import;
mod lists;
mod problems;
mod state;
mod visibility;

use serde_json::json;

use crate::support::rest::Rest;
use crate::support::server::Server;

/// A server, and somebody who is not told apart from others.
async fn open() -> (Server, Rest) {
    let server = Server::start("sqlite::memory:").await;
    let rest = Rest::new(&server.address);
    (server, rest)
}

/// The same, with a project and a task in it.
async fn with_task() -> (Server, Rest) {
    let (server, rest) = open().await;
    let project = json!({"id": "p", "title": "P"});
    rest.post("/projects", &project).await.expect(201);
    let task = json!({"id": "t", "title": "T"});
    rest.post("/projects/p/tasks", &task).await.expect(201);
    (server, rest)
}
