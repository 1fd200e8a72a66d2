//! A cursor is no key: who comes back with an old one gets what they may see now.

use std::time::Duration;

use serde_json::{Value, json};

use super::{REVOKED, connect, done, enter, found, give, remove};
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::tokens::{REQUIRED, of};

async fn come_back(address: &str, user: &str, recovery: &Value) -> Client {
    let mut auth = recovery.clone();
    auth["token"] = json!(of(user));
    let connected = Client::connect_with(address, &auth).await;
    connected.expect("the token is good")
}

async fn hears_nothing(client: &Client) {
    let heard = client.try_next(Duration::from_millis(300)).await;
    assert_eq!(heard, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_meanwhile_does_not_recover() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let (lost, kept) = (found(&ann).await, found(&ann).await);
    for project in [&lost, &kept] {
        give(&ann, project, "bob", "member").await;
    }
    let bob = enter(&server.address, "bob").await;
    for project in [&lost, &kept] {
        bob.join(project).await;
    }
    let recovery = bob.recovery();
    bob.cut().await;
    remove(&ann, &lost, "bob").await;
    for project in [&lost, &kept] {
        done(&ann, "task:create", json!({"projectId": project})).await;
    }
    let bob = come_back(&server.address, "bob", &recovery).await;
    assert!(!bob.recovered());
    let revoked = bob.next_signal().await;
    assert_eq!(revoked.name, REVOKED);
    assert_eq!(revoked.args[0]["projectId"], lost.as_str());
    let heard = bob.next().await;
    assert_eq!(heard.args[0]["projectId"], kept.as_str());
    done(&ann, "task:create", json!({"projectId": lost})).await;
    hears_nothing(&bob).await;
    // The next time there is nothing to be told any more.
    let recovery = bob.recovery();
    bob.cut().await;
    let bob = come_back(&server.address, "bob", &recovery).await;
    assert!(bob.recovered());
    hears_nothing(&bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_cursor_tells_nothing_of_what_is_there() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    let joined = ann.join(&project).await;
    let cursor = joined["cursor"].as_str().unwrap().to_owned();
    let (epoch, _) = cursor.split_once('.').unwrap();
    let mut told = Vec::new();
    for cursor in [cursor.clone(), format!("{epoch}.4711:0")] {
        let auth = json!({"cursor": cursor, "token": of("eve")});
        let eve = Client::connect_with(&server.address, &auth).await.unwrap();
        let reset = eve.next_signal().await;
        assert_eq!(reset.name, "session:reset");
        told.push(reset.args[0].to_string());
        done(&ann, "task:create", json!({"projectId": project})).await;
        hears_nothing(&eve).await;
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_is_told_in_their_turn() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    give(&ann, &project, "bob", "member").await;
    let bob = connect(&server.address, &of("bob")).await;
    let first = bob.join(&project).await["seq"].as_i64().unwrap() + 1;
    bob.set_reading(false);
    let text = "x".repeat(100_000);
    for _ in 0..200 {
        let task = json!({"projectId": project, "description": text});
        done(&ann, "task:create", task).await;
    }
    let removed = remove(&ann, &project, "bob").await;
    for _ in 0..20 {
        done(&ann, "task:create", json!({"projectId": project})).await;
    }
    bob.set_reading(true);
    for seq in first..removed {
        assert_eq!(bob.next().await.seq(), seq);
    }
    let last = bob.next().await;
    assert_eq!((last.name.as_str(), last.seq()), (REVOKED, removed));
    hears_nothing(&bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_hears_no_signal_of_after_the_removal() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    for user in ["bob", "carl"] {
        give(&ann, &project, user, "member").await;
    }
    let bob = connect(&server.address, &of("bob")).await;
    let looks = json!({"projectId": project, "presence": true});
    done(&bob, "join:project", looks).await;
    bob.set_reading(false);
    let text = "x".repeat(100_000);
    for _ in 0..200 {
        let task = json!({"projectId": project, "description": text});
        done(&ann, "task:create", task).await;
    }
    remove(&ann, &project, "bob").await;
    // Presence waits for those who have no room.
    let carl = enter(&server.address, "carl").await;
    carl.join(&project).await;
    bob.set_reading(true);
    while bob.next().await.name != REVOKED {
        done(&carl, "typing", json!({"projectId": project})).await;
    }
    let heard = bob.try_signal("presence:join", Duration::from_millis(300));
    assert_eq!(heard.await, None);
}
