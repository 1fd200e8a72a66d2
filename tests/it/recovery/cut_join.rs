//! A connection that breaks while the answer to a join is on its way.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, next_text, open};
use crate::support::server::Server;

/// The cursor comes before the answer, and again after it. Who has only the first one, or the answer and not the second
/// one, is told the state anew; nobody misses it without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_did_not_arrive_is_told_again() {
    let server = Server::start("sqlite::memory:").await;
    let writer = Client::connect(&server.address).await;
    let mut tasks = 0;
    let mut write = async || {
        tasks += 1;
        let task = json!({"projectId": "p", "title": tasks});
        assert_eq!(writer.call("task:create", task).await["ok"], true);
        tasks
    };
    write().await;
    for asked in [
        json!({"projectId": "p", "snapshot": true}),
        json!({"projectId": "p", "since": 0, "events": true}),
        json!({"projectId": "p", "since": "x"}),
    ] {
        for received in 1..=3 {
            let recovery = cut_after(&server, &asked, received).await;
            let written = write().await;
            let back = Client::connect_with(&server.address, &recovery).await;
            let back = back.unwrap();
            let told = back.next().await;
            let what = format!("{asked}, cut after {received} messages: {told:?}");
            assert_eq!(told.seq(), written, "{what}");
            if received == 3 {
                assert!(back.recovered() && told.name == "task:created", "{what}");
                continue;
            }
            assert!(!back.recovered() && told.name == "project:reset", "{what}");
            let tasks = told.args[0]["snapshot"]["tasks"].as_array().unwrap();
            assert_eq!(i64::try_from(tasks.len()), Ok(written), "{what}");
        }
    }
}

/// Joins, and loses the connection after so many of: a cursor, the answer, a cursor. What it would come back with.
async fn cut_after(server: &Server, asked: &Value, received: usize) -> Value {
    let mut stream = open(&server.address).await;
    stream.send(Message::text("40")).await.unwrap();
    let connected = next_text(&mut stream).await;
    let mut recovery: Value = serde_json::from_str(&connected[2..]).unwrap();
    let join = format!("420{}", json!(["join:project", asked]));
    stream.send(Message::text(join)).await.unwrap();
    for place in 1..=received {
        let message = next_text(&mut stream).await;
        assert_eq!(message.starts_with("430"), place == 2, "{message}");
        if let Some(event) = message.strip_prefix("42") {
            let event: Value = serde_json::from_str(event).unwrap();
            assert_eq!(event[0], "session:cursor");
            recovery["offset"] = event[1].clone();
        }
    }
    recovery
}
