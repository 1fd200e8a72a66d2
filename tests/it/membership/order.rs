//! What a client is told of its own place, in which order.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{REVOKED, done, enter, found, give, remove};
use crate::support::client::{next_text, open};
use crate::support::server::Server;
use crate::support::tokens::{REQUIRED, of};

/// Bob's connection is full when he joins, and he is removed before there is room for the answer.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_turned_out_is_not_told_after_that_that_they_are_in() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let (noisy, other) = (found(&ann).await, found(&ann).await);
    for project in [&noisy, &other] {
        give(&ann, project, "bob", "viewer").await;
    }
    for round in 0..6 {
        let mut bob = open(&server.address).await;
        let hello = format!("40{}", json!({"token": of("bob")}));
        let join = format!("420{}", json!(["join:project", noisy]));
        for (said, answer) in [(hello, "40"), (join, "430")] {
            bob.send(Message::text(said)).await.unwrap();
            while !next_text(&mut bob).await.starts_with(answer) {}
        }
        let text = "x".repeat(100_000);
        for _ in 0..100 {
            let task = json!({"projectId": noisy, "description": text});
            done(&ann, "task:create", task).await;
        }
        let join = json!(["join:project", {"projectId": other, "snapshot": true}]);
        bob.send(Message::text(format!("421{join}"))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        remove(&ann, &other, "bob").await;
        let (mut told, mut answer) = (false, None);
        while answer.is_none() {
            let text = next_text(&mut bob).await;
            told |= text.contains("access_revoked");
            if let Some(ack) = text.strip_prefix("431") {
                answer = Some(serde_json::from_str::<Value>(ack).unwrap()[0].take());
            }
        }
        let answer = answer.unwrap();
        assert!(!told || answer["ok"] == false, "{round}: {answer}");
        give(&ann, &other, "bob", "viewer").await;
    }
}

/// Bob's connection is full when he is removed and added again, so that he cannot be told of it, and joins once more.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_joins_again_before_they_were_told_misses_nothing() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let (noisy, other) = (found(&ann).await, found(&ann).await);
    for project in [&noisy, &other] {
        give(&ann, project, "bob", "viewer").await;
    }
    let bob = enter(&server.address, "bob").await;
    bob.join(&noisy).await;
    let before = bob.join(&other).await["seq"].as_i64().unwrap();
    bob.set_reading(false);
    let text = "x".repeat(100_000);
    for _ in 0..100 {
        let task = json!({"projectId": noisy, "description": text});
        done(&ann, "task:create", task).await;
    }
    remove(&ann, &other, "bob").await;
    give(&ann, &other, "bob", "viewer").await;
    let joining = bob.ask("join:project", &[json!(other)]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    bob.set_reading(true);
    assert_eq!(joining.await.unwrap()["ok"], true);
    done(&ann, "task:create", json!({"projectId": other})).await;
    let mut heard = Vec::new();
    while heard.last() != Some(&(before + 3)) {
        let event = bob.next().await;
        if event.args[0]["projectId"] == json!(other) {
            assert_ne!(event.name, REVOKED);
            heard.push(event.seq());
        }
    }
    assert_eq!(heard, [before + 1, before + 2, before + 3]);
}
