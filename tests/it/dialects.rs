//! Dialects: rights are those of the sender, what is kept is recovered, and what a file says happens.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::rest::Rest;
use crate::support::server::Server;
use crate::support::tokens;

const PATIENCE: Duration = Duration::from_secs(20);

/// A rule of each sort. Each message names its room, so that no joining is needed.
const RULES: &str = r#"
about = "A rule of each sort"
[on."make"]
is = "task:create"
with = { projectId = "$data.room", taskId = "$data.id", title = "x" }
[on."say"]
room = "$data.room"
relay = { event = "said", keep = "log", to = "all" }
[on."wave"]
room = "$data.room"
relay = { event = "waved", to = "all", data = { "..." = "$data", from = "$user.id" } }
[on."look"]
room = "$data.room"
reply = { event = "seen", data = { tasks = "$state.tasks" } }
[on."who"]
room = "$data.room"
reply = { event = "people", data = "$presence" }
[on."whisper"]
room = "$data.room"
relay = { event = "whispered", keep = "log", to = "user", user = "$data.user" }
[on."hush"]
room = "$data.room"
relay = { event = "hushed", to = "user", user = "$data.user" }
[on."enter"]
is = "join:project"
with = "$data.room"
reply = { event = "state", data = "$state.tasks" }
[on."overhear"]
is = "subscribe"
with = { channel = "user:${data.user}" }
[on."others"]
room = "$data.room"
relay = { event = "other", keep = "log", data = "$data.id" }
[on."shape"]
is = "task:update"
with = { projectId = "$data.room", taskId = "$data.id", title = "$data.title" }
ack = { done = true, task = "$ack.data" }
refused = { event = "shape:rejected", data = { code = "$error.code", message = "$error.message" } }
"#;

fn written(folder: &Path, text: &str) -> String {
    let file = folder.join("rules.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

async fn server(folder: &Path, text: &str, settings: &[(&str, &str)]) -> Server {
    let file = written(folder, text);
    let mut all = vec![("DIALECTS", file.as_str())];
    all.extend_from_slice(settings);
    let database = format!("sqlite://{}", folder.join("it.db").display());
    Server::start_with(&database, &all).await
}

async fn client(server: &Server, auth: &Value) -> Client {
    let connected = Client::connect_with(&server.address, auth).await;
    connected.expect("the server lets it in")
}

/// What is told without a cursor, by name.
async fn told(client: &Client, name: &str) -> Value {
    let told = client.try_signal(name, PATIENCE).await;
    told.unwrap_or_else(|| panic!("{name} is told")).args[0].clone()
}

/// The next events without a seq in their payload that are not about who comes and goes: names and payloads.
async fn heard(client: &Client, count: usize) -> Vec<(String, Value)> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let told = client.next_signal().await;
        if !told.name.starts_with("presence") {
            heard.push((told.name, told.args[0].clone()));
        }
    }
    heard
}

/// Each message, and who is answered that it was done: a stranger, a viewer, a member. What only says something is answered before
/// it is known whether it may be said.
fn table() -> Vec<(&'static str, Value, [bool; 3])> {
    let in_room = |mut more: Value| {
        more["room"] = json!("p");
        more
    };
    let (member, everybody) = ([false, false, true], [true, true, true]);
    let viewer = [false, true, true];
    vec![
        ("make", in_room(json!({"id": "t1"})), member),
        ("say", in_room(json!({})), member),
        ("others", in_room(json!({"id": "x"})), member),
        ("shape", in_room(json!({"id": "t1", "title": "y"})), member),
        ("enter", in_room(json!({})), viewer),
        ("overhear", json!({"user": "max"}), [false, false, false]),
        ("wave", in_room(json!({})), everybody),
        ("look", in_room(json!({})), everybody),
        ("who", in_room(json!({})), everybody),
        ("whisper", in_room(json!({"user": "max"})), everybody),
        ("whisper", in_room(json!({"user": "stranger"})), everybody),
        ("hush", in_room(json!({"user": "max"})), everybody),
    ]
}

/// A project of `owner` with a viewer and two members.
async fn found(server: &Server) -> Client {
    let owner = json!({"token": tokens::with_roles("owner", json!({"p": "owner"}))});
    let owner = client(server, &owner).await;
    let project = json!({"projectId": "p"});
    assert_eq!(owner.call("project:create", project).await["ok"], true);
    for (user, role) in [("vera", "viewer"), ("mia", "member"), ("max", "member")] {
        let added = json!({"projectId": "p", "userId": user, "role": role});
        assert_eq!(owner.call("member:add", added).await["ok"], true);
    }
    owner
}

/// The names of a channel's events in the log.
async fn log_of(server: &Server, channel: &str) -> Vec<String> {
    let all = tokens::with_roles("auditor", json!({"*": "owner"}));
    let rest = Rest::new(&server.address).showing(&all);
    let path = format!("/channels/{channel}/events?limit=500");
    let log = rest.get(&path).await.expect(200);
    let events = log["events"].as_array().unwrap().iter();
    events
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_give_nobody_a_right() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), RULES, &tokens::REQUIRED).await;
    let owner = found(&server).await;
    owner.join("p").await;
    let max = client(&server, &json!({"token": tokens::of("max")})).await;
    let subscribed = max.call("subscribe", json!({"channel": "user:max"})).await;
    assert_eq!(subscribed["ok"], true, "{subscribed}");
    for (column, user) in ["stranger", "vera", "mia"].into_iter().enumerate() {
        let caller = client(&server, &json!({"token": tokens::of(user)})).await;
        for (event, payload, done) in table() {
            let answer = caller.call(event, payload.clone()).await;
            let is_done = answer["ok"] == true || answer["done"] == true;
            assert_eq!(is_done, done[column], "{user} {event} {payload}: {answer}");
        }
        // A message after all of that: what was to be told was told before it is answered.
        for name in ["seen", "people"] {
            let patience = Duration::from_millis(if user == "stranger" { 200 } else { 20_000 });
            let heard = caller.try_signal(name, patience).await;
            assert_eq!(heard.is_some(), user != "stranger", "{user} {name}");
        }
    }
    let log = log_of(&server, "project:p").await;
    for (name, count) in [("said", 1), ("other", 1), ("task:created", 1)] {
        let found = log.iter().filter(|found| *found == name).count();
        assert_eq!(found, count, "{name} in {log:?}");
    }
    assert_eq!(log_of(&server, "user:max").await, ["whispered"]);
    assert_eq!(log_of(&server, "user:stranger").await, [""; 0]);
    let waves = heard(&owner, 4).await;
    let waves = waves.iter().filter(|(name, _)| name == "waved");
    assert_eq!(waves.count(), 2, "of the viewer, and of the member");
    let told = heard(&max, 2).await;
    let hushed = told.iter().filter(|(name, _)| name == "hushed");
    assert_eq!(hushed.count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_reach_whom_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), RULES, &[]).await;
    let ann = client(&server, &json!({"userId": "ann"})).await;
    let ben = client(&server, &json!({"userId": "ben"})).await;
    for one in [&ann, &ben] {
        assert_eq!(one.call("enter", json!({"room": "p"})).await["ok"], true);
        assert_eq!(told(one, "state").await, json!([]));
    }
    let said = ann.call("say", json!({"room": "p", "n": 1})).await;
    assert!(said["ok"] == true && said["seq"] == 1, "{said}");
    let other = ann.call("others", json!({"room": "p", "id": "x"})).await;
    assert_eq!(other["seq"], 2);
    ann.call("say", json!({"room": "p", "n": 2})).await;
    let first = ("said".to_owned(), json!({"room": "p", "n": 1}));
    let last = ("said".to_owned(), json!({"room": "p", "n": 2}));
    assert_eq!(heard(&ann, 2).await, [first.clone(), last.clone()]);
    let other = ("other".to_owned(), json!("x"));
    assert_eq!(heard(&ben, 3).await, [first, other, last]);
    ann.call("wave", json!({"room": "p"})).await;
    assert_eq!(told(&ben, "waved").await["from"], "ann");
    let shaped = ann
        .call("shape", json!({"room": "p", "id": "t", "title": "T"}))
        .await;
    assert_eq!(
        (&shaped["done"], &shaped["task"]["title"]),
        (&json!(true), &json!("T"))
    );
    ann.emit("shape", &[json!({"room": "p", "id": "", "title": "T"})]);
    let rejected = told(&ann, "shape:rejected").await;
    assert_eq!(rejected["code"], "validation_failed");
    assert!(rejected["message"].is_string(), "{rejected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_relays_are_recovered_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path(), RULES, &[]).await;
    let (ann, ben) = (
        client(&server, &json!({"userId": "ann"})).await,
        client(&server, &json!({"userId": "ben"})).await,
    );
    for one in [&ann, &ben] {
        one.call("enter", json!({"room": "p"})).await;
        assert_eq!(told(one, "state").await, json!([]));
    }
    for n in 0..10 {
        ann.call("say", json!({"room": "p", "n": n})).await;
    }
    heard(&ben, 10).await;
    let recovery = ben.recovery();
    ben.cut().await;
    for n in 10..20 {
        ann.call("say", json!({"room": "p", "n": n})).await;
    }
    server.kill().await;
    server.restart().await;
    let ben = client(&server, &recovery).await;
    assert!(ben.recovered());
    let missed = heard(&ben, 10).await;
    let numbers: Vec<_> = missed
        .iter()
        .map(|(_, payload)| payload["n"].clone())
        .collect();
    assert_eq!(numbers, (10..20).map(Value::from).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_comes_back_and_joins_again_misses_nothing_and_hears_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path(), RULES, &[]).await;
    let (ann, ben) = (
        client(&server, &json!({"userId": "ann"})).await,
        client(&server, &json!({"userId": "ben"})).await,
    );
    for one in [&ann, &ben] {
        one.call("enter", json!({"room": "p"})).await;
        assert_eq!(told(one, "state").await, json!([]));
    }
    let recovery = ben.recovery();
    ben.cut().await;
    for n in 0..50 {
        ann.call("say", json!({"room": "p", "n": n})).await;
    }
    ann.call("make", json!({"room": "p", "id": "t1"})).await;
    server.kill().await;
    server.restart().await;
    let ben = client(&server, &recovery).await;
    assert!(ben.recovered());
    // As pages do it: they join again whenever they are connected, and do not wait.
    ben.emit("enter", &[json!({"room": "p"})]);
    let missed = heard(&ben, 51).await;
    let mut expected: Vec<_> = (0..50)
        .map(|n| ("said".to_owned(), json!({"room": "p", "n": n})))
        .collect();
    assert_eq!(missed[..50], expected);
    let (name, state) = &missed[50];
    assert_eq!((name.as_str(), &state[0]["id"]), ("state", &json!("t1")));
    assert_eq!(ben.next().await.name, "task:created");
    ben.call("say", json!({"room": "p", "n": 50})).await;
    expected = vec![("said".to_owned(), json!({"room": "p", "n": 50}))];
    assert_eq!(heard(&ben, 1).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_in_the_default_room_and_hears_its_state_first() {
    let folder = tempfile::tempdir().unwrap();
    let rules = r#"
[room]
default = "main"
join = true
[user]
id = "$auth.me"
name = "$auth.name"
room = true
[[greet]]
event = "init"
data = { tasks = "$state.tasks", me = "$user.name" }
[person]
shape = { id = "$it.userId", label = "$it.name" }
[on."people"]
reply = { event = "people", data = "$presence.users" }
"#;
    let server = server(folder.path(), rules, &[]).await;
    let ann = client(&server, &json!({"me": "ann", "name": "Ann"})).await;
    assert_eq!(told(&ann, "init").await, json!({"tasks": [], "me": "Ann"}));
    let made = ann
        .call("task:create", json!({"id": "t1", "title": "T"}))
        .await;
    assert_eq!(
        (&made["ok"], &made["data"]["projectId"]),
        (&json!(true), &json!("main"))
    );
    assert_eq!(ann.next().await.name, "task:created");
    let ben = client(&server, &json!({"me": "ben", "name": "Ben"})).await;
    assert_eq!(told(&ben, "init").await["tasks"][0]["id"], "t1");
    ann.call("task:update", json!({"id": "t1", "title": "U"}))
        .await;
    let updated = ben.next().await;
    assert_eq!(
        (updated.name.as_str(), &updated.args[0]["title"]),
        ("task:updated", &json!("U"))
    );
    ben.emit("people", &[]);
    let people = told(&ben, "people").await;
    assert_eq!(
        people,
        json!([{"id": "ann", "label": "Ann"}, {"id": "ben", "label": "Ben"}])
    );
    let published =
        json!({"channel": "user:ben", "type": "task-created", "data": {"task": {"id": "t9"}}});
    Rest::new(&server.address)
        .post("/publish", &published)
        .await
        .expect(201);
    assert_eq!(heard(&ben, 1).await[0].0, "task-created");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_knows_go_to_the_room_as_the_setting_says() {
    let settings = [("CUSTOM_EVENTS", "cursor:*=signal,secret:*=refuse,*=log")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let (ann, ben) = (
        client(&server, &json!({"userId": "ann"})).await,
        client(&server, &json!({"userId": "ben"})).await,
    );
    ann.join("p").await;
    ben.join("p").await;
    let kept = ann.call("note:add", json!({"text": "x"})).await;
    assert_eq!((&kept["ok"], &kept["seq"]), (&json!(true), &json!(1)));
    for one in [&ann, &ben] {
        let kept = heard(one, 1).await;
        assert_eq!(kept, [("note:add".to_owned(), json!({"text": "x"}))]);
    }
    assert_eq!(ann.call("cursor:move", json!({"x": 1})).await["ok"], true);
    assert_eq!(told(&ben, "cursor:move").await, json!({"x": 1}));
    let refused = ann.call("secret:x", json!({})).await;
    assert_eq!(refused["code"], "unknown_event");
    let nowhere = client(&server, &json!({}))
        .await
        .call("note:add", json!({}))
        .await;
    assert_eq!(
        (&nowhere["code"], &nowhere["field"]),
        (&json!("validation_failed"), &json!("projectId"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_of_cards_hears_of_cards() {
    let server = Server::start("sqlite::memory:").await;
    let (ann, ben) = (
        client(&server, &json!({"userId": "ann"})).await,
        client(&server, &json!({"userId": "ben"})).await,
    );
    assert_eq!(
        ann.call("join_board", json!({"boardId": "b1"})).await["ok"],
        true
    );
    ben.join("b1").await;
    let made = ann
        .call(
            "card:create",
            json!({"boardId": "b1", "cardId": "c1", "card": {"title": "T", "status": "todo"}}),
        )
        .await;
    assert_eq!(
        (&made["ok"], &made["data"]["title"]),
        (&json!(true), &json!("T"))
    );
    let card = ann.next().await;
    assert_eq!(
        (card.name.as_str(), &card.args[0]["cardId"]),
        ("card:created", &json!("c1"))
    );
    let task = ben.next().await;
    assert_eq!(
        (task.name.as_str(), &task.args[0]["taskId"]),
        ("task:created", &json!("c1"))
    );
    ben.call(
        "task:move",
        json!({"projectId": "b1", "taskId": "c1", "status": "done"}),
    )
    .await;
    let moved = ann.take(3).await;
    let names: Vec<_> = moved.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["card:moved", "card:updated", "card:status_changed"]);
    assert_eq!(moved[0].args[0]["boardId"], "b1");
    let pong = client(&server, &json!({})).await;
    pong.emit("ping", &[]);
    assert!(told(&pong, "pong").await["timestamp"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_publish_names_of_ours_where_nothing_has_happened() {
    let server = Server::start("sqlite::memory:").await;
    let ann = client(&server, &json!({"userId": "ann"})).await;
    ann.join("fresh").await;
    let rest = Rest::new(&server.address);
    for (name, data) in [
        ("task:comment_added", json!({"taskId": "t1"})),
        ("card:created", json!({"card": {"_id": "c1"}})),
        ("taskClone", json!([])),
    ] {
        let body = json!({"channel": "project:fresh", "type": name, "data": data});
        rest.post("/publish", &body).await.expect(201);
        assert_eq!(heard(&ann, 1).await, [(name.to_owned(), data)]);
    }
    // The project is none the worse.
    let made = ann
        .call("task:create", json!({"projectId": "fresh", "title": "T"}))
        .await;
    assert_eq!((&made["ok"], &made["seq"]), (&json!(true), &json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_ends_the_program_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "\n[on.x]\nrely = 'y'\n");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_boardcast"))
        .args(["--dialect", &file])
        .env("DATABASE_URL", "sqlite::memory:")
        .env("PORT", "0")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("rules.toml:3: there is no \"rely\" here"),
        "{said}"
    );
    let server = self::server(folder.path(), "about = 'x'", &[]).await;
    let refused = Client::connect_with(&server.address, &json!({"dialect": "nope"})).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("there are rules, default"), "{refused}");
}
