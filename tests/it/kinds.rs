//! Comments, and entities of kinds that the configuration declares, from outside.

use std::sync::Arc;

use boardcast::cli::Cli;
use boardcast::contract::{ErrorCode, EventStyle};
use boardcast::domain::{
    Actor, ConnectionId, Entity, EntityId, FieldFilter, Grants, Holder, Id, Identity, Kind,
    PrivateId, ProjectId, Role, Stamp, Timestamp,
};
use boardcast::session::Session;
use boardcast::state::AppState;
use boardcast::writer::Caller;
use clap::Parser as _;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::rest::Rest;
use crate::support::server::{KINDS, Server, UNLIMITED};

/// Comments of a task in a state.
const OF_TASK: usize = 20;

fn ids(items: &Value) -> Vec<&str> {
    let items = items.as_array().expect("a list").iter();
    items
        .map(|item| item["id"].as_str().expect("an id"))
        .collect()
}

async fn done(client: &Client, event: &str, payload: Value) -> Value {
    let answer = client.call(event, payload.clone()).await;
    assert_eq!(answer["ok"], true, "{event} {payload}: {answer}");
    answer
}

async fn start(database: &str) -> Server {
    Server::start_with(database, &[&UNLIMITED[..], &[KINDS]].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn state_has_the_newest_and_says_how_many_more_there_are_on_sqlite() {
    newest(&start("sqlite::memory:").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_has_the_newest_and_says_how_many_more_there_are_on_postgres() {
    let postgres = Postgres::start();
    newest(&start(&postgres.create_database().await).await).await;
}

async fn newest(server: &Server) {
    let client = Client::connect(&server.address).await;
    for number in 0..OF_TASK + 5 {
        let id = format!("c{number:02}");
        let payload = json!({"projectId": "p", "taskId": "t", "commentId": id, "text": "x"});
        done(&client, "comment:create", payload).await;
    }
    let payload = json!({"projectId": "p", "taskId": "u", "id": "other"});
    done(&client, "comment:create", payload).await;
    done(
        &client,
        "subtask:create",
        json!({"projectId": "p", "id": "s", "taskId": "t"}),
    )
    .await;
    let expected: Vec<_> = (5..OF_TASK + 5)
        .map(|number| format!("c{number:02}"))
        .collect();
    let snapshot = client.call("project:snapshot", json!("p")).await;
    let join = json!({"projectId": "p", "snapshot": true});
    let joined = client.call("join:project", join).await;
    let restart = client
        .call(
            "project:sync",
            json!({"projectId": "p", "since": "nonsense"}),
        )
        .await;
    let rest = Rest::new(&server.address);
    let read = rest.get("/projects/p/snapshot").await.expect(200);
    for state in [&snapshot, &joined["snapshot"], &restart["snapshot"], &read] {
        let listed = ids(&state["comments"]);
        assert_eq!(listed[..OF_TASK], expected, "{state}");
        assert_eq!(listed[OF_TASK..], ["other"]);
        assert_eq!(ids(&state["subtasks"]), ["s"]);
        assert_eq!(state["notes"], json!([]));
        assert_eq!(state["more"], json!({"comments": 5}));
    }
    for number in 0..5 {
        let gone = json!({"projectId": "p", "id": format!("c{number:02}")});
        done(&client, "comment:delete", gone).await;
    }
    let state = client.call("project:snapshot", json!("p")).await;
    assert_eq!(state["more"], Value::Null, "all are listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_of_a_task_are_listed_page_by_page() {
    let server = start("sqlite::memory:").await;
    let rest = Rest::new(&server.address);
    for number in 0..7 {
        let comment =
            json!({"id": format!("c{number}"), "taskId": if number == 3 { "u" } else { "t" }});
        let made = rest.post("/projects/p/comments", &comment).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let location = format!("/api/projects/p/comments/c{number}");
        assert_eq!(made.header("location"), Some(&*location));
    }
    for path in [
        "/projects/p/tasks/t/comments?",
        "/projects/p/comments?taskId=t&",
    ] {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = rest
                .get(&format!("{path}limit=4&cursor={cursor}"))
                .await
                .expect(200);
            all.extend(ids(&page["items"]).into_iter().map(str::to_owned));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(all, ["c0", "c1", "c2", "c4", "c5", "c6"], "{path}");
    }
    let answered = json!({"parentId": "c0", "text": "yes"});
    rest.post("/projects/p/comments", &answered)
        .await
        .expect(201);
    let below = rest
        .get("/projects/p/comments?parentId=c0")
        .await
        .expect(200);
    assert_eq!(below["items"].as_array().map(Vec::len), Some(1), "{below}");
    let toggled = rest
        .post(
            "/projects/p/comments/c0/toggle",
            &json!({"field": "pinned"}),
        )
        .await;
    assert_eq!(toggled.expect(200)["data"]["pinned"], true);
    let one = rest.get("/projects/p/comments/c0").await;
    assert_eq!(one.header("etag"), Some("\"2\""));
    assert_eq!(one.expect(200)["pinned"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_kind_has_the_endpoints_of_all_others() {
    let server = start("sqlite::memory:").await;
    let rest = Rest::new(&server.address);
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let made = rest
        .post(
            "/projects/p/subtasks",
            &json!({"subtaskId": "s", "taskId": 7}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("location"), Some("/api/projects/p/subtasks/s"));
    rest.post("/projects/p/subtasks", &json!({"id": "other"}))
        .await
        .expect(201);
    rest.patch("/projects/p/subtasks/s", &json!({"title": "Sow"}))
        .await
        .expect(200);
    let toggled = rest
        .post("/projects/p/subtasks/s/toggle", &json!({}))
        .await
        .expect(200);
    assert_eq!(toggled["data"]["completed"], true, "{toggled}");
    let listed = rest.get("/projects/p/subtasks?taskId=7").await.expect(200);
    assert_eq!(ids(&listed["items"]), ["s"]);
    let one = rest.get("/projects/p/subtasks/s").await.expect(200);
    assert_eq!(
        (&one["subtaskId"], &one["taskId"], &one["title"]),
        (&json!("s"), &json!(7), &json!("Sow"))
    );
    rest.delete("/projects/p/subtasks/s").await.expect(200);
    rest.get("/projects/p/subtasks/s")
        .await
        .problem(410, "gone");
    rest.post("/projects/p/subtasks/s/restore", &json!({}))
        .await
        .expect(200);
    rest.patch("/projects/p/subtasks/s", &json!({"id": "another"}))
        .await
        .problem(422, "validation_failed");
    let mut names = Vec::new();
    for event in client.take(6).await {
        if event.name == "subtask:deleted" {
            let payload = &event.args[0];
            assert_eq!(
                (&payload["taskId"], &payload["title"]),
                (&json!(7), &Value::Null),
                "{payload}"
            );
        }
        names.push(event.name);
    }
    let verbs = [
        "created", "created", "updated", "updated", "deleted", "restored",
    ];
    assert_eq!(names, verbs.map(|verb| format!("subtask:{verb}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn plural_that_is_no_kinds_is_answered_with_those_that_are() {
    let server = start("sqlite::memory:").await;
    let rest = Rest::new(&server.address);
    for path in [
        "/projects/p/nothings",
        "/projects/p/nothings/x",
        "/projects/p/members/x/restore",
    ] {
        let answer = if path.ends_with("restore") {
            rest.post(path, &json!({})).await
        } else {
            rest.get(path).await
        };
        let problem = answer.problem(404, "not_found");
        let kinds = "tasks, epics, sprints, members, comments, ";
        assert!(
            problem["detail"].as_str().unwrap().contains(kinds),
            "{problem}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_declared_kinds_are_spelled_as_all_others() {
    let server = start("sqlite::memory:").await;
    for (style, name) in [
        ("dash", "subtask-created"),
        ("camel", "subtaskCreated"),
        ("snake", "subtask_created"),
    ] {
        let client = Client::connect_with(&server.address, &json!({"eventStyle": style}))
            .await
            .unwrap();
        client.join("p").await;
        done(&client, "createSubtask", json!({"projectId": "p"})).await;
        assert_eq!(client.next().await.name, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_and_declared_kinds_are_imported() {
    let server = start("sqlite::memory:").await;
    let rest = Rest::new(&server.address).with("Content-Type", "application/json");
    let items = json!([
        {"kind": "comment", "id": "c", "taskId": "t", "createdBy": "ann", "createdAt": "2020-01-01"},
        {"kind": "subtask", "id": "s", "taskId": "t"},
        {"kind": "riddle", "id": "r"},
        {"kind": "member", "id": "m"},
    ]);
    let answer = rest.post("/projects/p/import", &items).await;
    let text = answer.text();
    assert!(text.contains("task, epic, sprint, comment, "), "{text}");
    assert!(
        text.contains("\"created\":2") && text.contains("\"refused\":2"),
        "{text}"
    );
    let comment = rest.get("/projects/p/comments/c").await.expect(200);
    assert_eq!(
        (&comment["createdBy"], &comment["createdAt"]),
        (&json!("ann"), &json!("2020-01-01T00:00:00.000Z"))
    );
}

/// A kind may be taken out of the configuration while there are entities of it.
#[tokio::test(flavor = "multi_thread")]
async fn kind_that_is_not_declared_any_more_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let mut server = start(&url).await;
    let client = Client::connect(&server.address).await;
    done(
        &client,
        "subtask:create",
        json!({"projectId": "p", "id": "s"}),
    )
    .await;
    done(
        &client,
        "comment:create",
        json!({"projectId": "p", "id": "c"}),
    )
    .await;
    server.kill().await;
    let server = Server::start(&url).await;
    let client = Client::connect(&server.address).await;
    let joined = client
        .call(
            "join:project",
            json!({"projectId": "p", "since": 0, "snapshot": true}),
        )
        .await;
    assert_eq!(ids(&joined["snapshot"]["comments"]), ["c"], "{joined}");
    assert_eq!(joined["snapshot"]["subtasks"], Value::Null);
    let names: Vec<_> = client
        .take(2)
        .await
        .into_iter()
        .map(|event| event.name)
        .collect();
    assert_eq!(names, ["subtask.created", "comment:created"]);
    let refused = client
        .call("subtask:create", json!({"projectId": "p"}))
        .await;
    assert_eq!(refused["code"], "unknown_event");
    let rest = Rest::new(&server.address);
    rest.get("/projects/p/subtasks")
        .await
        .problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn toggles_of_many_at_once_are_all_counted() {
    let server = start("sqlite::memory:").await;
    let clients = [
        Client::connect(&server.address).await,
        Client::connect(&server.address).await,
    ];
    done(
        &clients[0],
        "task:create",
        json!({"projectId": "p", "id": "t"}),
    )
    .await;
    let mut answers = Vec::new();
    for number in 0..51 {
        let toggle = json!({"projectId": "p", "taskId": "t", "field": "done"});
        answers.push(clients[number % 2].ask("task:toggle", &[toggle]));
    }
    for answer in answers {
        assert_eq!(answer.await.unwrap()["ok"], true);
    }
    let state = clients[0].call("project:snapshot", json!("p")).await;
    assert_eq!(
        (&state["tasks"][0]["done"], &state["tasks"][0]["version"]),
        (&json!(true), &json!(52))
    );
}

/// What dialects ask a session for, and nobody else: lists of what has certain values.
#[tokio::test(flavor = "multi_thread")]
async fn list_by_values_is_for_those_who_see_the_project() {
    let flags = [
        "boardcast",
        "--database-url=sqlite::memory:",
        "--auth-required",
        "--auth-secret=a secret of more than thirty-two characters",
    ];
    let app = AppState::start(Cli::parse_from(flags).config)
        .await
        .unwrap();
    let id = |text: &str| Id::from_text(text).unwrap();
    let project = ProjectId(id("p"));
    let stamp = Stamp {
        at: Timestamp::from_millis(1),
        by: Actor::new("ann"),
    };
    let comment = |name: &str, task: &str| {
        let (id, stamp) = (EntityId(id(name)), stamp.clone());
        let mut comment = Entity::blank(project.clone(), Kind::Comment, id, stamp);
        comment.version = 1;
        comment.fields.insert("taskId", json!(task));
        Arc::new(comment)
    };
    let mut tx = app.store().begin().await.unwrap();
    let all = [("a", "t"), ("b", "t"), ("c", "u")].map(|(name, task)| comment(name, task));
    tx.entities_put(&all).await.unwrap();
    tx.commit().await.unwrap();
    let listed = async |role: Option<Role>| {
        let mut grants = Grants::default();
        if let Some(role) = role {
            grants.insert("p", role);
        }
        let identity = Identity {
            actor: Actor::new("bob"),
            holder: Holder::User { granted_at: None },
            grants,
            expires_at: None,
        };
        let client = PrivateId::generate().client();
        let caller = Caller::new(ConnectionId::generate(), client, Some("bob"));
        let session = Session::new(app.clone(), caller, EventStyle::Colon, Some(identity));
        let of_task = FieldFilter {
            field: "taskId".to_owned(),
            value: json!("t"),
        };
        session
            .entities_where(&project, Kind::Comment, &[of_task], 1)
            .await
    };
    let (seen, _) = listed(Some(Role::Viewer)).await.unwrap();
    assert_eq!(ids(&json!(seen)), ["b"], "the newest");
    assert_eq!(
        (&seen[0]["taskId"], &seen[0]["version"]),
        (&json!("t"), &json!(1))
    );
    let refused = listed(None).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::NotFound));
}
