//! Who comes back with a cursor misses nothing and hears nothing twice.

use std::time::Duration;

use serde_json::{Value, json};

use super::publish;
use crate::support::chance::Chance;
use crate::support::server::Server;
use crate::support::websocket::Ws;

const EVENTS: i64 = 600;

/// All cursors of a message, or of those that it is made of.
fn events(message: &Value) -> Vec<Value> {
    match message["messages"].as_array() {
        Some(messages) => messages.clone(),
        None => vec![message.clone()],
    }
}

/// Follows a session through cuts, with a query; the numbers that it heard.
async fn follow(address: &str, query: &str, chance: &mut Chance) -> Vec<i64> {
    let (mut heard, mut cursor) = (Vec::new(), None::<String>);
    while heard.last() != Some(&EVENTS) {
        let resume = cursor
            .as_ref()
            .map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let (mut ws, greeting) =
            Ws::greeted(address, &format!("/ws?sessionId=s{query}{resume}")).await;
        cursor.get_or_insert_with(|| greeting["cursor"].as_str().unwrap().to_owned());
        for _ in 0..chance.below(60) {
            let Some(message) = ws.try_next(Duration::from_secs(20)).await else {
                break;
            };
            for event in events(&message) {
                if event["type"] == "tick" {
                    heard.push(event["number"].as_i64().unwrap());
                }
                cursor = Some(
                    event["cursor"]
                        .as_str()
                        .unwrap_or_else(|| panic!("{event}"))
                        .to_owned(),
                );
            }
            if heard.last() == Some(&EVENTS) {
                break;
            }
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_and_nothing_repeated_however_often_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file_unlimited(folder.path()).await;
    let mut backend = Ws::connect(&server.address, "/ws?sessionId=s").await;
    let queries = ["", "&batch=50", "&batch=10&channels=agent:*"];
    let mut chances = Chance::from_seed();
    let following: Vec<_> = (0..6_usize)
        .map(|number| {
            let address = server.address.clone();
            let mut chance = chances.fork();
            tokio::spawn(async move { follow(&address, queries[number % 3], &mut chance).await })
        })
        .collect();
    // All of them must have begun.
    server
        .health_becomes("all are there", |health| health["connections"] == 7)
        .await;
    for number in 1..=EVENTS {
        publish(&mut backend, "tick", json!({"number": number})).await;
    }
    let expected: Vec<_> = (1..=EVENTS).collect();
    for following in following {
        let heard = tokio::time::timeout(Duration::from_mins(1), following).await;
        assert_eq!(heard.unwrap().unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_cursor_covers_is_heard_again() {
    let server = Server::start("sqlite::memory:").await;
    let mut ws = Ws::connect(&server.address, "/ws?channels=project:p,ai:jobs,session:s").await;
    let mut other = Ws::connect(&server.address, "/ws?sessionId=s").await;
    other
        .call("task:create", json!({"projectId": "p", "title": "1"}))
        .await;
    let cursor = ws.until("task:created").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    drop(ws);
    other
        .call("task:create", json!({"projectId": "p", "title": "2"}))
        .await;
    publish(&mut other, "note", json!({"n": 3})).await;
    let (mut ws, greeting) = Ws::greeted(&server.address, &format!("/ws?cursor={cursor}")).await;
    let mut channels: Vec<_> = greeting["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    channels.sort();
    assert_eq!(channels, ["\"ai:jobs\"", "\"project:p\"", "\"session:s\""]);
    let mut heard = [
        ws.next().await["type"].clone(),
        ws.next().await["type"].clone(),
    ]
    .map(|kind| kind.to_string());
    heard.sort();
    assert_eq!(heard, ["\"note\"", "\"task:created\""]);
    // What is known to nobody is said.
    let (mut ws, _) = Ws::greeted(&server.address, "/ws?cursor=e.1:7&sessionId=s").await;
    let reset = ws.next().await;
    assert_eq!(
        (&reset["type"], &reset["reset"]),
        (&json!("session:reset"), &json!(true)),
        "{reset}"
    );
    publish(&mut other, "note", json!({"n": 4})).await;
    for n in [3, 4] {
        assert_eq!(
            ws.until("note").await["n"],
            n,
            "what is kept, and then what comes"
        );
    }
}
