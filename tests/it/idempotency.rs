//! A command repeated with its key has one effect and gets the first answer again: at once, while the first is
//! still on its way, and after a crash.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn keys_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    keys(Server::on_file(folder.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_on_postgres() {
    let postgres = Postgres::start();
    keys(Server::start(&postgres.create_database().await).await).await;
}

fn create(key: &str, title: &str) -> Value {
    json!({"projectId": "p", "task": {"title": title}, "idempotencyKey": key})
}

async fn keys(mut server: Server) {
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let answers: Vec<_> = (0..20)
        .map(|_| client.ask("task:create", &[create("k1", "one")]))
        .collect();
    let mut first: Option<Value> = None;
    for answer in answers {
        let mut answer = answer.await.unwrap();
        let duplicate = answer.as_object_mut().unwrap().remove("duplicate");
        assert_eq!(duplicate.is_some(), first.is_some(), "{answer}");
        assert_eq!(*first.get_or_insert(answer.clone()), answer);
    }
    let reused = client.call("task:create", create("k1", "two")).await;
    assert_eq!(reused["code"], "idempotency_key_reused", "{reused}");
    let trailing = client.ask(
        "task:create",
        &[json!({"projectId": "p", "title": "three"}), json!("k2")],
    );
    assert_eq!(trailing.await.unwrap()["seq"], 2);

    // A refusal is an answer too, even if the reason for it has gone.
    let restore = json!({"projectId": "p", "taskId": "t", "requestId": "k3"});
    assert_eq!(
        client.call("task:restore", restore.clone()).await["code"],
        "not_found"
    );
    client
        .call("task:create", json!({"projectId": "p", "id": "t"}))
        .await;
    let again = client.call("task:restore", restore).await;
    assert_eq!(
        (&again["code"], &again["duplicate"]),
        (&json!("not_found"), &json!(true))
    );

    server.kill().await;
    server.restart().await;
    let client = Client::connect(&server.address).await;
    let mut after = client.call("task:create", create("k1", "one")).await;
    assert_eq!(
        after.as_object_mut().unwrap().remove("duplicate"),
        Some(json!(true))
    );
    assert_eq!(Some(after), first);
    let snapshot = client.call("project:snapshot", json!("p")).await;
    assert_eq!(snapshot["seq"], 3, "one effect each: {snapshot}");
}

/// Two people may well number their requests alike.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_two_users_do_not_meet() {
    let server = Server::start("sqlite::memory:").await;
    for user in ["ann", "bob"] {
        let client = Client::connect_with(&server.address, &json!({"userId": user}))
            .await
            .unwrap();
        let answer = client.call("task:create", create("1", user)).await;
        assert_eq!(
            (&answer["ok"], &answer["duplicate"]),
            (&json!(true), &Value::Null),
            "{answer}"
        );
        assert_eq!(answer["data"]["createdBy"], user);
    }
}
