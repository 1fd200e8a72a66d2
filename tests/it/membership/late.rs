//! Who is removed while they wait for an answer.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::{REVOKED, done, enter, found, give, remove};
use crate::support::client::Client;
use crate::support::cluster::admin;
use crate::support::server::{Server, UNLIMITED};
use crate::support::tokens::{REQUIRED, of};

const ADMIN: &str = "the-token-of-the-tests";

/// A project whose state takes long to read, because it is large.
async fn found_a_large_one(owner: &Client) -> String {
    let project = found(owner).await;
    let text = "x\n".repeat(50_000);
    for _ in 0..30 {
        let task = json!({"projectId": project, "description": text});
        done(owner, "task:create", task).await;
    }
    project
}

/// Whoever asks while a state is being read gets one that is read later: long enough for a removal in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_carries_no_state_of_after_the_removal() {
    let settings = [&REQUIRED[..], &UNLIMITED].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let ann = enter(&server.address, "ann").await;
    let project = found_a_large_one(&ann).await;
    for _ in 0..3 {
        give(&ann, &project, "bob", "viewer").await;
        let bobs = (0..16).map(|_| enter(&server.address, "bob"));
        let bobs = join_all(bobs).await;
        let joins = bobs.iter().zip(0..).map(|(bob, place)| {
            let join = match place % 4 {
                0 => json!({"projectId": project, "snapshot": true}),
                1 => json!({"projectId": project, "since": 999_999}),
                _ => json!({"projectId": project, "snapshot": true, "since": 1}),
            };
            async move {
                tokio::time::sleep(Duration::from_millis(10) * place).await;
                bob.call("join:project", join).await
            }
        });
        let removing = async {
            tokio::time::sleep(Duration::from_millis(80)).await;
            let removed = remove(&ann, &project, "bob").await;
            done(&ann, "task:create", json!({"projectId": project})).await;
            removed
        };
        let (answers, removed) = tokio::join!(join_all(joins), removing);
        for answer in answers {
            let seen = answer["snapshot"]["seq"].as_i64();
            assert!(seen < Some(removed), "{seen:?}, and removed at {removed}");
        }
    }
}

/// While the state of another project is taken slowly, in whose place there is no cursor any more.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_while_they_start_over_leaves_the_room() {
    let settings = [&REQUIRED[..], &UNLIMITED, &[("ADMIN_TOKEN", ADMIN)]].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let ann = enter(&server.address, "ann").await;
    let (large, small) = (found_a_large_one(&ann).await, found(&ann).await);
    for project in [&large, &small] {
        give(&ann, project, "bob", "viewer").await;
        ann.join(project).await;
    }
    let cursor = ann.recovery()["offset"].clone();
    let cursor = cursor.as_str().unwrap().replace(':', ":99999");
    let auth = json!({"token": of("bob"), "cursor": cursor});
    let bob = Client::connect_with(&server.address, &auth).await.unwrap();
    bob.set_reading(false);
    remove(&ann, &small, "bob").await;
    bob.set_reading(true);
    assert_eq!(bob.next().await.name, "project:reset");
    assert_eq!(bob.next_signal().await.name, REVOKED);
    let room = format!("/sockets?room=project:{small}");
    let (status, counted) = admin(&server.address, &room, ADMIN, None).await;
    assert_eq!(status, 200);
    assert_eq!(counted["sockets"], 1, "ann alone: {counted}");
}
