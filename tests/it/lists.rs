//! Lists on request: in the ack, or in an event to the sender alone, at every door that takes messages.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::rest::Rest;
use crate::support::server::{KINDS, Server};
use crate::support::tokens;
use crate::support::websocket::Ws;

const PATIENCE: Duration = Duration::from_secs(20);

async fn done(client: &Client, event: &str, payload: Value) -> Value {
    let answer = client.call(event, payload.clone()).await;
    assert_eq!(answer["ok"], true, "{event} {payload}: {answer}");
    answer
}

fn ids(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array();
    let items = items.unwrap_or_else(|| panic!("a list: {answer}")).iter();
    items
        .map(|item| item["id"].as_str().expect("an id"))
        .collect()
}

/// A project with tasks and what belongs to them, and somebody who has joined it.
async fn scene(settings: &[(&str, &str)]) -> (Server, Client) {
    let server = Server::start_with("sqlite::memory:", &[&[KINDS], settings].concat()).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    for (id, status) in [("t1", "open"), ("t2", "done"), ("t3", "open")] {
        let task = json!({"projectId": "p", "taskId": id, "status": status, "title": id});
        done(&client, "task:create", task).await;
        client.next().await;
    }
    for (kind, id, task) in [
        ("comment", "c1", "t1"),
        ("comment", "c2", "t1"),
        ("comment", "c3", "t2"),
        ("subtask", "s1", "t1"),
    ] {
        let mut entity = json!({"projectId": "p", "taskId": task});
        entity[format!("{kind}Id")] = json!(id);
        done(&client, &format!("{kind}:create"), entity).await;
        client.next().await;
    }
    (server, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn list_with_an_ack_is_answered_as_rest_answers_it() {
    let (server, client) = scene(&[]).await;
    let rest = Rest::new(&server.address);
    for (event, payload, path) in [
        ("task:list", json!({"projectId": "p"}), "tasks"),
        ("listTasks", json!({"status": "open"}), "tasks?status=open"),
        ("tasks:list", json!("p"), "tasks"),
        ("task:list", json!({"q": "T2"}), "tasks?q=T2"),
        ("comment:list", json!({}), "comments"),
        ("comment:list", json!({"taskId": "t1"}), "tasks/t1/comments"),
        (
            "comments:list",
            json!({"task_id": "t1"}),
            "comments?taskId=t1",
        ),
        ("comment:list", json!("t1"), "tasks/t1/comments"),
        (
            "subtask:list",
            json!({"taskId": "t1"}),
            "subtasks?taskId=t1",
        ),
        ("member:list", json!("p"), "members"),
        ("epic:list", json!("p"), "epics"),
    ] {
        let answer = done(&client, event, payload.clone()).await;
        let expected = rest.get(&format!("/projects/p/{path}")).await.expect(200);
        assert_eq!(answer, expected, "{event} {payload}");
        assert_eq!(answer["projectId"], "p", "{event} {payload}");
    }
    let projects = done(&client, "project:list", json!({})).await;
    assert_eq!(projects, rest.get("/projects").await.expect(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn list_comes_in_pages_whose_tokens_go_on() {
    let (_server, client) = scene(&[]).await;
    let page = json!({"projectId": "p", "limit": 2});
    let first = done(&client, "task:list", page).await;
    assert_eq!(ids(&first), ["t1", "t2"]);
    let page = json!({"projectId": "p", "limit": 2, "cursor": first["nextCursor"]});
    let second = done(&client, "task:list", page).await;
    assert_eq!(ids(&second), ["t3"]);
    assert_eq!(second["nextCursor"], Value::Null);
    for (payload, field) in [
        (json!({"projectId": "p", "limit": 501}), "limit"),
        (json!({"projectId": "p", "limit": "2"}), "limit"),
        (json!({"projectId": "p", "cursor": "nonsense"}), "cursor"),
        (json!({"projectId": "p", "status": ["open"]}), "status"),
        (json!([]), "payload"),
    ] {
        let refused = client.call("task:list", payload.clone()).await;
        assert_eq!(refused["code"], "validation_failed", "{payload}: {refused}");
        assert_eq!(refused["field"], field, "{payload}: {refused}");
    }
    let told = done(
        &client,
        "task:list",
        json!({"colour": "red", "userId": "ann"}),
    )
    .await;
    assert_eq!(told["ignored"], json!(["colour"]), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_without_an_ack_is_told_to_its_sender_alone() {
    let (server, client) = scene(&[]).await;
    let other = Client::connect(&server.address).await;
    other.join("p").await;
    client.emit("comment:list", &[json!({"taskId": "t1", "view": 7})]);
    let told = client.try_signal("comment:listed", PATIENCE).await;
    let told = told.expect("the list").args[0].clone();
    assert_eq!(ids(&told), ["c1", "c2"]);
    let said = (
        &told["taskId"],
        &told["view"],
        &told["projectId"],
        &told["seq"],
    );
    assert_eq!(said, (&json!("t1"), &json!(7), &json!("p"), &Value::Null));
    client.emit("card:list", &[json!({"boardId": "p", "status": "done"})]);
    let told = client.try_signal("card:listed", PATIENCE).await;
    let told = told.expect("the list, of cards").args[0].clone();
    assert_eq!((ids(&told), &told["boardId"]), (vec!["t2"], &json!("p")));
    client.emit("comment:list", &[json!({"projectId": "p", "limit": 0})]);
    let refused = client.next().await;
    assert_eq!(
        (&*refused.name, &refused.args[0]["event"]),
        ("error", &json!("comment:list"))
    );
    let barrier = json!({"projectId": "p", "title": "barrier"});
    done(&client, "epic:create", barrier).await;
    let heard = other.next().await;
    assert_eq!(heard.name, "epic:created", "nobody else hears of lists");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_of_no_project_is_that_of_the_one_that_can_be_meant() {
    let (_server, client) = scene(&[]).await;
    client.join("q").await;
    let unknown = client.call("task:list", json!({})).await;
    assert_eq!(
        (&unknown["code"], &unknown["field"]),
        (&json!("validation_failed"), &json!("projectId"))
    );
    let of_task = done(&client, "comment:list", json!({"taskId": "t2"})).await;
    assert_eq!(ids(&of_task), ["c3"]);
    let unborn = done(&client, "task:list", json!("q")).await;
    assert_eq!(ids(&unborn), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn list_is_told_over_plain_websockets_in_both_formats() {
    let (server, _client) = scene(&[]).await;
    for path in ["/ws", "/ws/v1"] {
        let mut ws = Ws::connect(&server.address, path).await;
        let answer = ws
            .call("comment:list", json!({"projectId": "p", "taskId": "t1"}))
            .await;
        assert_eq!(ids(&answer), ["c1", "c2"], "{path}");
        let message = match path {
            "/ws" => json!({"type": "task:list", "projectId": "p", "status": "open"}),
            _ => json!({"type": "task:list", "data": {"projectId": "p", "status": "open"}}),
        };
        ws.send(message).await;
        let told = ws.until("task:listed").await;
        let data = if told["data"]["items"].is_array() {
            &told["data"]
        } else {
            &told
        };
        assert_eq!(ids(data), ["t1", "t3"], "{path}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn list_in_a_dialect_has_its_shapes_and_names() {
    const TEXT: &str = r#"
about = "Lists"
[kinds.task]
shape = { "..." = "$it", _id = "$it.id" }
[tell."task:listed"]
as = "tasks"
data = "$entity.items"
[on."get:comments"]
is = "comment:list"
with = { projectId = "p", taskId = "$data" }
ack = "$ack.items"
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lists.toml");
    std::fs::write(&file, TEXT).expect("a file");
    let file = format!("{},{}", KINDS.1, file.display());
    let (_server, client) = scene(&[("DIALECTS", &file)]).await;
    client.emit("task:list", &[json!({"status": "done"})]);
    let told = client.try_signal("tasks", PATIENCE).await;
    let told = told.expect("the list").args[0].clone();
    assert_eq!(
        (&told[0]["_id"], told.as_array().map(Vec::len)),
        (&json!("t2"), Some(1))
    );
    let answer = client.call("get:comments", json!("t1")).await;
    assert_eq!(ids(&json!({"items": answer})), ["c1", "c2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn list_of_projects_has_those_that_the_client_can_see() {
    let server = Server::start_with("sqlite::memory:", &tokens::REQUIRED).await;
    let as_of = async |user: &str, roles: Value| {
        let auth = json!({"token": tokens::with_roles(user, roles)});
        Client::connect_with(&server.address, &auth)
            .await
            .expect("a good token")
    };
    let founder = as_of("founder", json!({"*": "owner"})).await;
    for project in ["a", "b"] {
        done(&founder, "project:create", json!({"projectId": project})).await;
    }
    let ann = as_of("ann", json!({"a": "viewer"})).await;
    assert_eq!(ids(&done(&ann, "project:list", json!({})).await), ["a"]);
    ann.emit("task:list", &[json!("b")]);
    let refused = ann.next().await;
    assert_eq!(
        (&*refused.name, &refused.args[0]["code"]),
        ("error", &json!("not_found"))
    );
}
