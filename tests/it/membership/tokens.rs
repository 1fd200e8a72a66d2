//! Roles that come with a token, and what is left of them.

use serde_json::json;

use super::{REVOKED, connect, done, enter, found, refused};
use crate::support::eventually;
use crate::support::server::Server;
use crate::support::tokens::{REQUIRED, now, with, with_roles};

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_token_without_a_role_ends_what_an_older_one_gave() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let roles = json!({"here": "member", "there": "viewer"});
    let ann = connect(&server.address, &with_roles("ann", roles)).await;
    for project in ["here", "there"] {
        ann.join(project).await;
    }
    let fresh = with_roles("ann", json!({"there": "member"}));
    done(&ann, "auth:refresh", json!({"token": fresh})).await;
    let told = ann.next_signal().await;
    assert_eq!(told.name, REVOKED);
    assert_eq!(told.args[0]["projectId"], "here");
    assert_eq!(told.args[0]["reason"], "token");
    let lost = json!({"projectId": "here"});
    assert_eq!(refused(&ann, "task:create", lost).await, "not_found");
    done(&ann, "task:create", json!({"projectId": "there"})).await;
    assert_eq!(ann.next().await.args[0]["projectId"], "there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_counts_more_than_an_older_token_and_less_than_a_newer_one() {
    let mut settings = REQUIRED.to_vec();
    settings.push(("AUTH_LEEWAY", "1s"));
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    let roles = json!({(project.as_str()): "admin"});
    let older = with("bob", json!({"projects": roles, "iat": now() - 60}));
    let bob = connect(&server.address, &older).await;
    bob.join(&project).await;
    let member = json!({"projectId": project, "userId": "bob", "role": "viewer"});
    done(&ann, "member:add", member).await;
    assert_eq!(bob.next().await.name, "member:added");
    let task = json!({"projectId": project});
    assert_eq!(
        refused(&bob, "task:create", task.clone()).await,
        "forbidden"
    );
    let member = json!({"projectId": project, "userId": "bob"});
    done(&ann, "member:remove", member).await;
    assert_eq!(bob.next().await.name, REVOKED);
    assert_eq!(
        refused(&bob, "join:project", json!(project)).await,
        "not_found"
    );
    // A token that is made now is newer, once that is so whatever the issuer's clock says.
    eventually("a newer token counts", async || {
        let newer = with_roles("bob", roles.clone());
        let bob = connect(&server.address, &newer).await;
        bob.call("join:project", json!(project)).await["ok"] == true
    })
    .await;
    let bob = connect(&server.address, &with_roles("bob", roles.clone())).await;
    done(&bob, "task:create", task).await;
}
