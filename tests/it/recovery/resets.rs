//! Several projects that cannot be continued: one cursor stands for all of them, so it comes with the last.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, next_text, open};
use crate::support::server::Server;

const PROJECTS: usize = 32;
/// So large that together they are more than a connection holds.
const TASKS: usize = 3;
const TEXT: usize = 200_000;
/// Clients that do not read.
const CLIENTS: usize = 10;
/// All states for all clients would be 190 MB.
const MEMORY_KIB: u64 = 80 * 1024;

/// A server with large projects, and a cursor that is ahead of all of them.
async fn scene() -> (Server, Value) {
    let server = Server::start("sqlite::memory:").await;
    let writer = Client::connect(&server.address).await;
    let text = "x".repeat(TEXT);
    for project in 0..PROJECTS {
        let project = project.to_string();
        for task in 0..TASKS {
            let task = json!({"projectId": project, "taskId": task.to_string(), "text": text});
            assert_eq!(writer.call("task:update", task).await["ok"], true);
        }
        writer.join(&project).await;
    }
    let offset = writer.recovery()["offset"].clone();
    let ahead = offset.as_str().unwrap().replace(',', "0000,") + "0000";
    (server, json!({"offset": ahead}))
}

/// A client that asks for something at once is not told a cursor before it has been told all that the cursor covers.
#[tokio::test(flavor = "multi_thread")]
async fn no_cursor_comes_before_the_last_reset() {
    let (server, auth) = scene().await;
    let mut stream = open(&server.address).await;
    let connect = Message::text(format!("40{auth}"));
    stream.send(connect).await.unwrap();
    let connected = next_text(&mut stream).await;
    assert!(connected.starts_with("40"), "{connected}");
    let join = Message::text(r#"420["join:project","new"]"#);
    stream.send(join).await.unwrap();
    let mut resets = 0;
    loop {
        let told = next_text(&mut stream).await;
        if told.starts_with("430") {
            break;
        }
        let event: Value = serde_json::from_str(&told[2..]).unwrap();
        resets += usize::from(event[0] == "project:reset");
        let cursor = event.as_array().unwrap().last().unwrap();
        assert!(
            resets == PROJECTS || !cursor.is_string(),
            "{} brings a cursor after {resets} resets",
            event[0]
        );
    }
    assert_eq!(resets, PROJECTS);
}

/// The state of a project is not read before its client can take it.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_reset_costs_little_memory() {
    let (server, auth) = scene().await;
    let before = server.memory_kib();
    let mut asleep = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = open(&server.address).await;
        let connect = Message::text(format!("40{auth}"));
        stream.send(connect).await.unwrap();
        let connected = next_text(&mut stream).await;
        assert!(connected.starts_with("40"), "{connected}");
        asleep.push(stream);
    }
    let grown = server.memory_kib().saturating_sub(before);
    assert!(grown < MEMORY_KIB, "the server grew by {grown} KiB");
}
