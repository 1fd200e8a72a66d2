//! Making, reading, changing and deleting.

use serde_json::{Value, json};

use super::{open, with_task};
use crate::support::client::Client;

#[tokio::test(flavor = "multi_thread")]
async fn a_project_and_what_is_in_it() {
    let (_server, rest) = open().await;
    let made = rest.post("/projects", &json!({"title": "Garden"})).await;
    let project = made.expect(201)["data"]["id"].clone();
    let project = project.as_str().expect("a made id").to_owned();
    assert_eq!(
        made.header("location"),
        Some(&*format!("/api/projects/{project}"))
    );
    for (plural, key) in [
        ("tasks", "taskId"),
        ("epics", "epicId"),
        ("sprints", "sprintId"),
    ] {
        let all = format!("/projects/{project}/{plural}");
        let made = rest.post(&all, &json!({"id": "a b/ü", "title": "x"})).await;
        let said = made.expect(201);
        assert_eq!(
            (&said["ok"], &said["version"]),
            (&json!(true), &json!(1)),
            "{said}"
        );
        let location = made.header("location").expect("where it is").to_owned();
        assert_eq!(location, format!("/api{all}/a%20b%2F%C3%BC"));
        let one = location.strip_prefix("/api").expect("it is below");
        let read = rest.get(one).await;
        assert_eq!(read.expect(200), said["data"], "the entity itself");
        assert_eq!(read.header("etag"), Some("\"1\""));
        assert_eq!(read.json()[key], "a b/ü");
        let changed = rest.patch(one, &json!({"title": "y", "custom": [1]})).await;
        assert_eq!(changed.header("etag"), Some("\"2\""));
        assert_eq!(changed.expect(200)["data"]["custom"], json!([1]));
        rest.delete(one).await.expect(200);
        rest.get(one).await.problem(410, "gone");
        rest.patch(one, &json!({"title": "z"}))
            .await
            .problem(410, "gone");
        assert_eq!(rest.delete(one).await.expect(200)["noop"], true);
    }
    let one = format!("/projects/{project}");
    rest.patch(&one, &json!({"title": "Field"}))
        .await
        .expect(200);
    assert_eq!(rest.get(&one).await.expect(200)["title"], "Field");
    rest.delete(&one).await.expect(200);
    rest.get(&one).await.problem(410, "gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_move_and_sprints_begin_and_end() {
    let (_server, rest) = with_task().await;
    rest.post("/projects/p/sprints", &json!({"id": "s"}))
        .await
        .expect(201);
    let one = "/projects/p/tasks/t";
    let to = json!({"sprintId": "s", "position": 0, "status": "doing"});
    let moved = rest.post(&format!("{one}/move"), &to).await.expect(200);
    assert_eq!(
        (&moved["data"]["sprintId"], &moved["data"]["status"]),
        (&json!("s"), &json!("doing"))
    );
    let status = rest
        .post(&format!("{one}/status"), &json!({"status": "todo"}))
        .await;
    assert_eq!(status.expect(200)["data"]["status"], "todo");
    let started = rest.send("POST", "/projects/p/sprints/s/start", None).await;
    assert_eq!(started.expect(200)["data"]["status"], "active");
    let completed = rest
        .post(
            "/projects/p/sprints/s/complete",
            &json!({"moveTo": "backlog"}),
        )
        .await;
    assert_eq!(completed.expect(200)["data"]["status"], "completed");
    assert_eq!(rest.get(one).await.expect(200)["sprintId"], Value::Null);
    rest.delete(one).await.expect(200);
    rest.send("POST", &format!("{one}/restore"), None)
        .await
        .expect(200);
    rest.get(one).await.expect(200);
    for one in ["/projects/p/sprints/s", "/projects/p"] {
        rest.delete(one).await.expect(200);
        rest.get(one).await.problem(410, "gone");
        let restore = rest.send("POST", &format!("{one}/restore"), None).await;
        assert_eq!(restore.expect(200)["data"]["deletedAt"], Value::Null);
        rest.get(one).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_added_and_changed_and_removed() {
    let (_server, rest) = with_task().await;
    let all = "/projects/p/members";
    let made = rest
        .post(all, &json!({"userId": "ann", "role": "owner"}))
        .await;
    made.expect(201);
    assert_eq!(made.header("location"), Some("/api/projects/p/members/ann"));
    rest.post(all, &json!({"userId": "bob"})).await.expect(201);
    let again = rest.post(all, &json!({"userId": "bob"})).await;
    assert_eq!(again.expect(200)["noop"], true, "nobody is added twice");
    let changed = rest
        .patch(&format!("{all}/bob"), &json!({"role": "viewer"}))
        .await;
    assert_eq!(changed.expect(200)["data"]["role"], "viewer");
    rest.patch(&format!("{all}/bob"), &json!({"role": "king"}))
        .await
        .problem(422, "validation_failed");
    rest.delete(&format!("{all}/ann"))
        .await
        .problem(422, "validation_failed");
    rest.delete(&format!("{all}/bob")).await.expect(200);
    rest.get(&format!("{all}/bob")).await.problem(410, "gone");
    rest.get(&format!("{all}/carl"))
        .await
        .problem(404, "not_found");
}

/// Who asks is written down, as it is for a connection.
#[tokio::test(flavor = "multi_thread")]
async fn the_author_is_who_asks() {
    let (_server, rest) = with_task().await;
    let ann = rest.with("X-User-Id", "ann");
    let changed = ann
        .patch("/projects/p/tasks/t", &json!({"a": 1}))
        .await
        .expect(200);
    assert_eq!(changed["data"]["updatedBy"], "ann");
    let changed = rest
        .patch("/projects/p/tasks/t?userId=bob", &json!({"a": 2}))
        .await;
    assert_eq!(changed.expect(200)["data"]["updatedBy"], "bob");
    let nobody = rest
        .patch("/projects/p/tasks/t", &json!({"a": 3}))
        .await
        .expect(200);
    let nobody = nobody["data"]["updatedBy"]
        .as_str()
        .expect("an author")
        .to_owned();
    assert!(nobody.starts_with("anonymous:"), "{nobody}");
    let long = rest.with("X-User-Id", &"x".repeat(256));
    let refused = long
        .get("/projects/p")
        .await
        .problem(422, "validation_failed");
    assert_eq!(refused["field"], "userId");
}

/// One change is seen by those who are connected otherwise, and what they send is seen here.
#[tokio::test(flavor = "multi_thread")]
async fn all_doors_lead_to_the_same_log() {
    let (server, rest) = with_task().await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let changed = rest
        .patch("/projects/p/tasks/t", &json!({"title": "U"}))
        .await
        .expect(200);
    let heard = client.next().await;
    assert_eq!((heard.seq(), &json!(heard.seq())), (3, &changed["seq"]));
    let told = client
        .call("task:update", json!({"taskId": "t", "title": "V"}))
        .await;
    let read = rest.get("/projects/p/tasks/t").await.expect(200);
    assert_eq!(read, told["data"]);
    let state = rest.get("/projects/p/snapshot").await.expect(200);
    assert_eq!((&state["seq"], &state["tasks"][0]), (&told["seq"], &read));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_of_many() {
    let (_server, rest) = with_task().await;
    let keyed = rest.with("Idempotency-Key", "k1");
    let first = keyed
        .post("/projects/p/tasks", &json!({"title": "once"}))
        .await;
    let said = first.expect(201);
    let again = keyed
        .post("/projects/p/tasks", &json!({"title": "once"}))
        .await;
    let mut expected = said.clone();
    expected["duplicate"] = json!(true);
    assert_eq!(again.expect(201), expected);
    for name in ["location", "etag"] {
        assert_eq!(again.header(name), first.header(name));
    }
    let other = keyed
        .post("/projects/p/tasks", &json!({"title": "twice"}))
        .await;
    other.problem(422, "idempotency_key_reused");
    // In quotes, as the header's draft has it.
    let quoted = rest.with("Idempotency-Key", "\"k1\"");
    let again = quoted
        .post("/projects/p/tasks", &json!({"title": "once"}))
        .await;
    assert_eq!(again.expect(201)["duplicate"], true);
    // The id of a project that is made under a key follows from it, and from who asks.
    let mut ids = Vec::new();
    for asking in [&keyed, &keyed, &keyed.with("X-User-Id", "ann")] {
        let made = asking.post("/projects", &json!({"title": "P"})).await;
        ids.push(made.expect(201)["data"]["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    let long = rest.with("Idempotency-Key", &"k".repeat(129));
    let refused = long.post("/projects", &json!({})).await;
    assert_eq!(
        refused.problem(422, "validation_failed")["field"],
        "Idempotency-Key"
    );
}

/// An id is a text, whatever it looks like.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_looks_like_json_is_an_id() {
    let (_server, rest) = open().await;
    let task = json!({"id": "t", "title": "T"});
    for project in ["%7B%7D", "%7B%22title%22:%22x%22%7D", "%5B1%5D", "null"] {
        let tasks = format!("/projects/{project}/tasks");
        let made = rest.post(&tasks, &task).await.expect(201);
        assert_eq!(
            (&made["data"]["id"], &made["data"]["title"]),
            (&json!("t"), &json!("T")),
            "{project}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_about_another_entity_than_the_path_is_refused() {
    let (_server, rest) = with_task().await;
    let task = "/projects/p/tasks/t";
    for (path, body, field) in [
        (task, json!({"id": "u", "title": "U"}), "taskId"),
        (task, json!({"taskId": 7, "title": "U"}), "taskId"),
        ("/projects/p", json!({"id": "q", "title": "U"}), "projectId"),
    ] {
        let refused = rest.patch(path, &body).await;
        assert_eq!(
            refused.problem(422, "validation_failed")["field"],
            field,
            "{body}"
        );
    }
    let whole = rest.get(task).await.expect(200);
    assert_eq!(rest.patch(task, &whole).await.expect(200)["noop"], true);
    let same = json!({"id": null, "taskId": "t", "title": "U"});
    rest.patch(task, &same).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_the_text_of_an_object_can_be_changed() {
    let (_server, rest) = with_task().await;
    for (id, path) in [
        (r#"{"a":1}"#, "%7B%22a%22%3A1%7D"),
        (r#"{"taskId":"t1"}"#, "%7B%22taskId%22%3A%22t1%22%7D"),
        ("[1]", "%5B1%5D"),
        (r#""t1""#, "%22t1%22"),
        ("null", "null"),
    ] {
        rest.post("/projects/p/tasks", &json!({"id": id, "title": "x"}))
            .await
            .expect(201);
        let one = format!("/projects/p/tasks/{path}");
        let changed = rest.patch(&one, &json!({"title": "y"})).await.expect(200);
        assert_eq!(changed["data"]["id"], id);
        rest.post(&format!("{one}/status"), &json!({"status": "done"}))
            .await
            .expect(200);
        assert_eq!(rest.get(&one).await.expect(200)["title"], "y");
        rest.delete(&one).await.expect(200);
        rest.get(&one).await.problem(410, "gone");
    }
    let project = "/projects/%7B%22projectId%22%3A%22p%22%7D";
    rest.patch(project, &json!({"title": "x"}))
        .await
        .expect(200);
    assert_eq!(rest.get(project).await.expect(200)["title"], "x");
}
