//! Projects are told of to those who make them, and to those who follow the list of projects and can see them.

use serde_json::{Value, json};

use crate::membership::{enter, give, remove};
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::rest::Rest;
use crate::support::server::Server;
use crate::support::sse::EventStream;
use crate::support::tokens::{self, REQUIRED};
use crate::support::websocket::Ws;

async fn done(client: &Client, command: &str, payload: Value) -> Value {
    let answer = client.call(command, payload).await;
    assert_eq!(answer["ok"], true, "{command}: {answer}");
    answer
}

/// The next events, each as its name and the project that it is about.
async fn told(client: &Client, count: usize) -> Vec<String> {
    let events = client.take(count).await;
    let told = events.iter().map(|event| {
        let project = event.args[0]["projectId"].as_str();
        format!("{} {}", event.name, project.unwrap_or_default())
    });
    told.collect()
}

/// Has a project say something, so that whoever has joined it is known to have been told all before.
async fn mark(client: &Client, project: &str) {
    let title = json!({"projectId": project, "title": "mark"});
    done(client, "task:create", title).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creator_hears_of_its_project_at_every_door() {
    let server = Server::start("sqlite::memory:").await;
    let client = Client::connect(&server.address).await;
    let made = done(
        &client,
        "project:create",
        json!({"id": 7, "title": "Garden", "x": 1}),
    )
    .await;
    let event = client.next().await;
    assert_eq!(event.name, "project:created");
    let said = &event.args[0];
    assert_eq!(
        (&said["id"], &said["x"], &said["seq"]),
        (&json!(7), &json!(1), &made["seq"])
    );
    // The same once more is nothing new, and who hears of it in a room is told once.
    done(
        &client,
        "project:create",
        json!({"id": 7, "title": "Garden", "x": 1}),
    )
    .await;
    client.join("b").await;
    done(&client, "project:create", json!({"id": "b"})).await;
    done(&client, "project:update", json!({"id": "b", "a": 1})).await;
    assert_eq!(
        told(&client, 2).await,
        ["project:created b", "project:updated b"]
    );

    let deaf = Client::connect_with(&server.address, &json!({"echo": false})).await;
    let deaf = deaf.expect("everybody is let in");
    done(&deaf, "project:create", json!({"id": "c"})).await;
    deaf.join("b").await;
    mark(&client, "b").await;
    assert_eq!(deaf.next().await.name, "task:created");

    for path in ["/ws", "/ws/v1"] {
        let mut ws = Ws::connect(&server.address, path).await;
        let create = json!({"type": "project:create", "id": "1", "data": {"id": path}});
        ws.send(create).await;
        let event = ws.until("project:created").await;
        assert_eq!(event["data"]["projectId"], path, "{event}");
    }
}

async fn everybody_hears(database: &str) {
    let server = Server::start_with(database, &[]).await;
    let [ann, bob] = [
        Client::connect(&server.address).await,
        Client::connect(&server.address).await,
    ];
    let joined = done(&bob, "join:projects", json!({})).await;
    assert_eq!(joined["channels"][0]["channel"], "projects", "{joined}");
    ann.call("subscribe", json!("projects")).await;
    for (event, id) in [
        ("project:create", "a"),
        ("project:update", "a"),
        ("project:delete", "a"),
        ("project:restore", "a"),
        ("project:create", "b"),
    ] {
        done(&ann, event, json!({"id": id, "title": event})).await;
    }
    // Members and tasks are not in the list.
    done(
        &ann,
        "member:add",
        json!({"projectId": "a", "userId": "eve"}),
    )
    .await;
    mark(&ann, "a").await;
    let all = [
        "project:created a",
        "project:updated a",
        "project:deleted a",
        "project:restored a",
        "project:created b",
    ];
    assert_eq!(told(&ann, 5).await, all);
    assert_eq!(told(&bob, 5).await, all);
    who_has_joined_hears_it_once(&ann, &bob).await;
    who_comes_back_misses_nothing(&server, &ann, bob).await;
    let refused = ann.call("leave:projects", json!({"projectIds": "a"})).await;
    assert_eq!(refused["field"], "projectIds", "{refused}");
    let joined = done(&ann, "join:projects", json!(["a", 7])).await;
    assert_eq!(joined["channels"][1]["channel"], "project:7", "{joined}");
}

async fn who_has_joined_hears_it_once(ann: &Client, bob: &Client) {
    bob.join("a").await;
    done(ann, "project:update", json!({"id": "a", "x": 1})).await;
    done(ann, "project:update", json!({"id": "b", "x": 1})).await;
    let mut heard = told(bob, 2).await;
    heard.sort_unstable();
    assert_eq!(heard, ["project:updated a", "project:updated b"]);
}

/// What happens meanwhile is told in its order.
async fn who_comes_back_misses_nothing(server: &Server, ann: &Client, bob: Client) {
    bob.cut().await;
    done(ann, "leave:projects", json!({})).await;
    for id in ["c", "d"] {
        done(ann, "project:create", json!({"id": id})).await;
        done(ann, "project:delete", json!({"id": id})).await;
    }
    let back = Client::connect_with(&server.address, &bob.recovery()).await;
    let back = back.expect("everybody is let in");
    assert!(back.recovered());
    let missed = [
        "project:created c",
        "project:deleted c",
        "project:created d",
        "project:deleted d",
    ];
    assert_eq!(told(&back, 4).await, missed);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_of_all_projects_without_authentication_on_sqlite() {
    everybody_hears("sqlite::memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_of_all_projects_without_authentication_on_postgres() {
    let postgres = Postgres::start();
    everybody_hears(&postgres.create_database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_tells_the_list_in_order() {
    let server = Server::start("sqlite::memory:").await;
    let stream = EventStream::open(&server.address, "/api/events?channels=projects", None);
    let mut stream = stream.await;
    stream.id_after("").await;
    let mut flat = Ws::connect(&server.address, "/ws?channels=projects").await;
    let mut envelope = Ws::connect(&server.address, "/ws/v1?channels=projects").await;
    let listener = Client::connect(&server.address).await;
    done(
        &listener,
        "projects:subscribe",
        json!({"types": ["project:created"]}),
    )
    .await;
    let rest = Rest::new(&server.address);
    for id in ["a", "b"] {
        rest.post("/projects", &json!({"id": id})).await.expect(201);
        let path = format!("/projects/{id}");
        rest.patch(&path, &json!({"x": 1})).await.expect(200);
    }
    for (seq, name, id) in [
        (1, "project:created", "a"),
        (2, "project:updated", "a"),
        (3, "project:created", "b"),
        (4, "project:updated", "b"),
    ] {
        let told = stream.next().await.json();
        assert_eq!(
            (&told["channel"], &told["seq"]),
            (&json!(format!("project:{id}")), &json!(seq))
        );
        let told = flat.until(name).await;
        assert_eq!(
            (&told["pattern"], &told["seq"], &told["data"]["id"]),
            (&json!("projects"), &json!(seq), &json!(id))
        );
        let told = envelope.until(name).await;
        assert_eq!(told["data"]["id"], id, "{told}");
    }
    assert_eq!(
        told(&listener, 2).await,
        ["project:created a", "project:created b"]
    );
    let page = rest
        .get("/channels/projects/events?since=2")
        .await
        .expect(200);
    assert_eq!(page["events"][0]["seq"], 3, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_publishes_in_the_list() {
    let server = Server::start("sqlite::memory:").await;
    let rest = Rest::new(&server.address);
    let event = json!({"channel": "projects", "type": "x"});
    rest.post("/publish", &event)
        .await
        .problem(422, "validation_failed");
}

async fn members_hear(database: &str) {
    let server = Server::start_with(database, &REQUIRED).await;
    let address = &server.address;
    let everywhere = tokens::with("carol", json!({"projects": {"*": "viewer"}}));
    let carol = Client::connect_with(address, &json!({"token": everywhere})).await;
    let carol = carol.expect("the token is good");
    let (ann, bob) = (enter(address, "ann").await, enter(address, "bob").await);
    for client in [&ann, &bob, &carol] {
        done(client, "join:projects", json!({})).await;
    }
    let made = async |client| {
        let made = done(client, "project:create", json!({})).await;
        made["data"]["id"].as_str().unwrap_or_default().to_owned()
    };
    let one = made(&ann).await;
    let update = async || done(&ann, "project:update", json!({"projectId": one})).await;
    let own = |name: &str, project: &str| format!("{name} {project}");
    // Who may see it is asked when it is told: what bob hears of his own comes after that.
    update().await;
    let zero = made(&bob).await;
    let heard = [own("project:created", &zero), own("member:added", &zero)];
    assert_eq!(told(&bob, 2).await, heard);
    give(&ann, &one, "bob", "viewer").await;
    assert_eq!(told(&bob, 1).await, [own("member:added", &one)]);
    update().await;
    assert_eq!(told(&bob, 1).await, [own("project:updated", &one)]);
    remove(&ann, &one, "bob").await;
    assert_eq!(told(&bob, 1).await, [own("member:removed", &one)]);
    update().await;
    done(&ann, "project:delete", json!({"projectId": one})).await;
    let two = made(&bob).await;
    let heard = [own("project:created", &two), own("member:added", &two)];
    assert_eq!(told(&bob, 2).await, heard);

    let anns = [
        "project:created",
        "member:added",
        "project:updated",
        "project:updated",
        "project:updated",
        "project:deleted",
    ];
    assert_eq!(told(&ann, 6).await, anns.map(|name| own(name, &one)));
    assert_eq!(
        told(&carol, 7).await,
        [
            own("project:created", &one),
            own("project:updated", &one),
            own("project:created", &zero),
            own("project:updated", &one),
            own("project:updated", &one),
            own("project:deleted", &one),
            own("project:created", &two),
        ]
    );
    who_looks_afterwards_sees_what_can_be_seen_now(address, &ann, &one).await;
}

async fn who_looks_afterwards_sees_what_can_be_seen_now(address: &str, ann: &Client, one: &str) {
    let seen = async |user: &str| {
        let rest = Rest::new(address).showing(&tokens::of(user));
        let page = rest.get("/channels/projects/events").await.expect(200);
        let events = page["events"].as_array().cloned().unwrap_or_default();
        let about = events
            .iter()
            .filter(|event| event["data"]["projectId"] == one);
        about.map(|event| event["type"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(seen("ann").await.len(), 6);
    assert_eq!(seen("bob").await, ["member:added", "member:removed"]);
    assert_eq!(seen("eve").await, Vec::<Value>::new());

    // So it is for who comes back: what happened while bob belonged to the project is none of bob's business any more.
    let cursor = ann
        .call("subscribe", json!({"channel": "projects", "since": 0}))
        .await;
    assert_eq!(cursor["ok"], true, "{cursor}");
    let late = enter(address, "bob").await;
    done(&late, "join:projects", json!({"since": 0})).await;
    let late = told(&late, 6).await;
    assert!(
        late.iter().all(|told| !told.starts_with("project:updated")),
        "{late:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn members_hear_of_their_projects_on_sqlite() {
    members_hear("sqlite::memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_hear_of_their_projects_on_postgres() {
    let postgres = Postgres::start();
    members_hear(&postgres.create_database().await).await;
}
