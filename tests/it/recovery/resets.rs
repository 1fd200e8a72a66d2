//! Several projects that cannot be continued: one cursor stands for all of them, so it comes with the last.

use serde_json::{Value, json};

use crate::support::client::{Client, next_text, open};
use crate::support::server::Server;

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

const PROJECTS: usize = 32;
/// So large that together they are more than a connection holds.
const TASKS: usize = 3;

/// A client that asks for something at once is not told a cursor before it has been told all that the cursor covers.
#[tokio::test(flavor = "multi_thread")]
async fn no_cursor_comes_before_the_last_reset() {
    let server = Server::start("sqlite::memory:").await;
    let writer = Client::connect(&server.address).await;
    for project in 0..PROJECTS {
        for task in 0..TASKS {
            let task = json!({"projectId": project.to_string(), "taskId": task.to_string(), "text": "x".repeat(200_000)});
            assert_eq!(writer.call("task:update", task).await["ok"], true);
        }
        writer.join(&project.to_string()).await;
    }
    let recovery = writer.recovery();
    let ahead = recovery["offset"].as_str().unwrap().replace(',', "0000,") + "0000";
    let mut stream = open(&server.address).await;
    let auth = json!({"offset": ahead});
    stream
        .send(Message::text(format!("40{auth}")))
        .await
        .unwrap();
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
