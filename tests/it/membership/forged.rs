//! What somebody sends does not pass for what the server says.

use serde_json::json;

use super::{connect, done, enter, found, give};
use crate::support::server::Server;
use crate::support::tokens::{REQUIRED, of};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_turned_out_by_what_somebody_says_in_passing() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    give(&ann, &project, "bob", "viewer").await;
    let bob = connect(&server.address, &of("bob")).await;
    bob.join(&project).await;
    // As in an object that was removed once and is sent back whole.
    let raised = json!({"projectId": project, "userId": "bob", "role": "member",
        "deletedAt": "2020-01-01T00:00:00.000Z", "deletedBy": "eve"});
    done(&ann, "member:role", raised).await;
    let heard = bob.next().await;
    assert_eq!(heard.name, "member:updated");
    assert_eq!(heard.args[0].get("deletedAt"), None);
    done(&bob, "task:create", json!({"projectId": project})).await;
    assert_eq!(bob.next().await.name, "task:created");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_what_is_not_for_the_sender_to_say() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    ann.join(&project).await;
    let stamps = ["created", "updated", "deleted"];
    for command in ["task:create", "task:update", "task:delete"] {
        let mut task = json!({"projectId": project, "taskId": "t", "title": command, "extra": 1});
        for stamp in stamps {
            for end in ["By", "_by", "At", "_at"] {
                task[format!("{stamp}{end}")] = json!("eve");
            }
        }
        done(&ann, command, task).await;
        let heard = ann.next().await;
        assert_eq!(heard.args[0]["extra"], 1, "what else was sent is there");
        // What was sent of its making is kept, under a name that says so.
        let said = heard
            .raw
            .replace(r#""sourceCreatedAt":"eve","sourceCreatedBy":"eve""#, "");
        assert!(!said.contains("\"eve\""), "{said}");
    }
}
