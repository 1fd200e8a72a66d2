//! Who belongs to a project sees it and works on it, and nobody else does.

mod forged;
mod late;
mod order;
mod races;
mod recovery;
mod tokens;

use serde_json::{Value, json};

use crate::support::client::{Client, Received};
use crate::support::eventually;
use crate::support::postgres::Postgres;
use crate::support::server::Server;
use crate::support::tokens::{REQUIRED, of};

/// How somebody is told that they were turned out.
const REVOKED: &str = "project:access_revoked";

async fn connect(address: &str, token: &str) -> Client {
    let connected = Client::connect_with(address, &json!({"token": token})).await;
    connected.expect("the token is good")
}

pub(crate) async fn enter(address: &str, user: &str) -> Client {
    connect(address, &of(user)).await
}

/// Makes a project, of which its owner hears; its id.
pub(crate) async fn found(owner: &Client) -> String {
    let made = owner
        .call("project:create", json!({"title": "Garden"}))
        .await;
    assert_eq!(made["ok"], true, "{made}");
    assert_eq!(owner.next().await.name, "project:created");
    made["data"]["id"].as_str().unwrap().to_owned()
}

async fn done(client: &Client, command: &str, payload: Value) -> Value {
    let answer = client.call(command, payload).await;
    assert_eq!(answer["ok"], true, "{command}: {answer}");
    answer
}

async fn refused(client: &Client, command: &str, payload: Value) -> String {
    let answer = client.call(command, payload).await;
    let code = answer["code"].as_str();
    code.unwrap_or_else(|| panic!("{command}: {answer}"))
        .to_owned()
}

pub(crate) async fn give(owner: &Client, project: &str, user: &str, role: &str) {
    let member = json!({"projectId": project, "userId": user, "role": role});
    done(owner, "member:add", member).await;
}

/// Removes a member; the seq of the event that does so.
pub(crate) async fn remove(owner: &Client, project: &str, user: &str) -> i64 {
    let member = json!({"projectId": project, "userId": user});
    let removed = done(owner, "member:remove", member).await;
    removed["seq"].as_i64().unwrap()
}

fn names(events: &[Received]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

async fn ann_and_bob() -> (Server, Client, Client) {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let (ann, bob) = (
        enter(&server.address, "ann").await,
        enter(&server.address, "bob").await,
    );
    (server, ann, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_on_sqlite() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    members_come_and_go(&server.address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_on_postgres() {
    let postgres = Postgres::start();
    let database = postgres.create_database().await;
    let server = Server::start_with(&database, &REQUIRED).await;
    members_come_and_go(&server.address).await;
}

async fn members_come_and_go(address: &str) {
    let (ann, bob) = (enter(address, "ann").await, enter(address, "bob").await);
    let project = found(&ann).await;
    let card = json!({"projectId": project, "title": "Sow"});
    assert_eq!(
        refused(&bob, "join:project", json!(project)).await,
        "not_found"
    );
    assert_eq!(
        refused(&bob, "task:create", card.clone()).await,
        "not_found"
    );

    give(&ann, &project, "bob", "viewer").await;
    let joined = bob.join(&project).await;
    assert_eq!(
        joined["seq"], 3,
        "project.created and two members: {joined}"
    );
    assert_eq!(
        refused(&bob, "task:create", card.clone()).await,
        "forbidden"
    );
    ann.join(&project).await;

    let raise = json!({"projectId": project, "userId": "bob", "role": "member"});
    assert_eq!(
        refused(&bob, "member:role", raise.clone()).await,
        "forbidden"
    );
    done(&ann, "member:role", raise).await;
    let task = done(&bob, "task:create", card).await;
    assert_eq!(task["data"]["createdBy"], "bob");

    bob_is_turned_out(&ann, &bob, &project).await;
    let heard = ann.take(4).await;
    let expected = [
        "member:updated",
        "task:created",
        "member:removed",
        "task:created",
    ];
    assert_eq!(names(&heard), expected);
    let state = done(&ann, "project:snapshot", json!(project)).await;
    let members = state["members"].as_array().unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["userId"], "ann");
    assert_eq!(members[0]["role"], "owner");
}

/// Bob, who has not heard of the last two events yet, is removed.
async fn bob_is_turned_out(ann: &Client, bob: &Client, project: &str) {
    let card = json!({"projectId": project, "title": "Sow"});
    let gone = remove(ann, project, "bob").await;
    done(ann, "task:create", card.clone()).await;
    let heard = bob.take(3).await;
    let expected = ["member:updated", "task:created", REVOKED];
    assert_eq!(names(&heard), expected);
    assert_eq!(heard[2].args[0]["reason"], "removed");
    assert_eq!(heard[2].seq(), gone);
    for (command, payload) in [
        ("join:project", json!(project)),
        ("project:snapshot", json!(project)),
        ("project:sync", json!(project)),
        ("task:create", card),
        (
            "project:update",
            json!({"projectId": project, "title": "Mine"}),
        ),
    ] {
        assert_eq!(
            refused(bob, command, payload).await,
            "not_found",
            "{command}"
        );
    }
}

/// A client that knows its project by a number looks for that number.
#[tokio::test(flavor = "multi_thread")]
async fn removed_member_of_a_project_with_a_number_is_told_that_number() {
    let settings = [&REQUIRED[..], &[("CLIENT_PROJECT_IDS", "true")]].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let (ann, bob) = (
        enter(&server.address, "ann").await,
        enter(&server.address, "bob").await,
    );
    done(
        &ann,
        "project:create",
        json!({"projectId": 7, "title": "Garden"}),
    )
    .await;
    give(&ann, "7", "bob", "viewer").await;
    done(&bob, "join:project", json!(7)).await;
    remove(&ann, "7", "bob").await;
    let told = bob.next().await;
    assert_eq!(
        (told.name.as_str(), &told.args[0]["projectId"]),
        (REVOKED, &json!(7))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_hears_of_the_time_when_they_were_away_and_stays() {
    let (_server, ann, bob) = ann_and_bob().await;
    let project = found(&ann).await;
    give(&ann, &project, "bob", "member").await;
    let before = bob.join(&project).await["seq"].clone();
    remove(&ann, &project, "bob").await;
    assert_eq!(bob.next().await.name, REVOKED);
    give(&ann, &project, "bob", "viewer").await;
    let since = json!({"projectId": project, "since": before});
    done(&bob, "join:project", since).await;
    let heard = bob.take(2).await;
    assert_eq!(names(&heard), ["member:removed", "member:added"]);
    done(&ann, "task:create", json!({"projectId": project})).await;
    assert_eq!(bob.next().await.name, "task:created");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_leave_and_hears_their_first_answer_again() {
    let (_server, ann, bob) = ann_and_bob().await;
    let project = found(&ann).await;
    give(&ann, &project, "bob", "viewer").await;
    bob.join(&project).await;
    let leave = json!({"projectId": project, "userId": "bob", "idempotencyKey": "k"});
    let first = done(&bob, "member:remove", leave.clone()).await;
    let again = done(&bob, "member:remove", leave).await;
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["seq"], first["seq"]);
    assert_eq!(bob.next().await.name, REVOKED);
    let own = json!({"projectId": project, "userId": "ann"});
    assert_eq!(
        refused(&ann, "member:remove", own).await,
        "validation_failed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_made_once_however_often_that_is_asked_for() {
    let (_server, ann, bob) = ann_and_bob().await;
    let make = json!({"title": "Garden", "idempotencyKey": "k"});
    let first = done(&ann, "project:create", make.clone()).await;
    let again = done(&ann, "project:create", make.clone()).await;
    assert_eq!(again["data"]["id"], first["data"]["id"]);
    assert_eq!(again["duplicate"], true);
    // Keys belong to a user.
    let bobs = done(&bob, "project:create", make).await;
    assert_ne!(bobs["data"]["id"], first["data"]["id"]);
    assert_eq!(bobs["duplicate"], Value::Null);
    let another = json!({"title": "Orchard", "idempotencyKey": "k"});
    assert_eq!(
        refused(&ann, "project:create", another).await,
        "idempotency_key_reused"
    );
    assert_ne!(found(&ann).await, found(&ann).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_authentication_members_are_kept_and_nobody_is_judged() {
    let server = Server::start("sqlite::memory:").await;
    let (ann, bob) = (
        Client::connect(&server.address).await,
        Client::connect(&server.address).await,
    );
    let made = done(&ann, "project:create", json!({"id": "p"})).await;
    assert_eq!(made["seq"], 1, "nobody becomes owner: {made}");
    bob.join("p").await;
    give(&ann, "p", "bob", "viewer").await;
    remove(&bob, "p", "bob").await;
    done(&bob, "task:create", json!({"projectId": "p"})).await;
    let heard = bob.take(3).await;
    let expected = ["member:added", "member:removed", "task:created"];
    assert_eq!(names(&heard), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_logged_with_who_and_why_and_without_what() {
    let (server, ann, bob) = ann_and_bob().await;
    let project = found(&ann).await;
    give(&ann, &project, "bob", "viewer").await;
    let task = json!({"projectId": project, "title": "a secret title"});
    assert_eq!(refused(&bob, "task:create", task).await, "forbidden");
    let line = || {
        let lines = server.logged();
        lines.into_iter().find(|line| line.contains("forbidden"))
    };
    eventually("the refusal is logged", async || line().is_some()).await;
    let logged: Value = serde_json::from_str(&line().unwrap()).unwrap();
    assert_eq!(logged["actor"], "bob");
    assert_eq!(logged["event"], "task:create");
    assert!(logged["reason"].as_str().unwrap().contains("viewer"));
    let all = server.logged().concat();
    assert!(!all.contains("a secret title") && !all.contains(&of("bob")));
}
