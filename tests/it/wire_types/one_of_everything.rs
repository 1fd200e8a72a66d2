//! Each event that can be sent is sent once, each event that can be heard is heard.

use boardcast::contract::EventStyle;
use serde_json::{Value, json};

use super::witness::Witness;
use crate::support::client::Client;
use crate::support::http;
use crate::support::server::Server;
use crate::support::tokens::{self, REQUIRED};

const ADMIN_TOKEN: &str = "a token for tests";
const PROJECT: &str = "garden";
/// The client of the tests keeps the first to itself, as real ones do, and nobody publishes the other one here.
const UNHEARD: [&str; 2] = ["heard session.cursor", "heard event"];

fn token(user: &str, claims: &Value) -> Value {
    let mut all = json!({"projects": {"*": "owner"}});
    for (claim, value) in claims.as_object().unwrap() {
        all[claim] = value.clone();
    }
    json!({"token": tokens::with(user, all)})
}

async fn connect(server: &Server, auth: &Value) -> Client {
    Client::connect_with(&server.address, auth).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_everything_is_as_its_type_says() {
    let settings = [("ADMIN_TOKEN", ADMIN_TOKEN), ("AUTH_EXPIRY_WARNING", "2s")];
    let settings = [&REQUIRED[..], &settings].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let witness = Witness::of(EventStyle::Colon);
    let mut looking = token("ann", &json!({}));
    looking["presence"] = json!(true);
    let soon = token("cat", &json!({"exp": tokens::now() + 4}));
    let (ann, bob, cat) = (
        connect(&server, &looking).await,
        connect(&server, &json!({"token": tokens::of("bob")})).await,
        connect(&server, &soon).await,
    );
    let cursor = commands(&witness, &ann).await;
    let of_channel = channels(&witness, &cat).await;
    people(&witness, &server, &ann, &bob).await;
    refusals(&witness, &ann).await;
    resets(&witness, &server, &[cursor, of_channel]).await;
    witness.call(&ann, "project:delete", json!(PROJECT)).await;
    witness.until(&ann, "project:deleted").await;
    witness.call(&ann, "project:restore", json!(PROJECT)).await;
    witness.until(&ann, "project:restored").await;
    witness.call(&ann, "leave:project", json!(PROJECT)).await;
    witness.until_signal(&cat, "auth:expiring").await;
    let fresh = json!({"token": tokens::of("cat")});
    witness.call(&cat, "auth:refresh", fresh).await;
    witness.until_signal(&cat, "channel:access_revoked").await;
    let missed = witness.missed();
    let missed: Vec<_> = missed
        .iter()
        .filter(|what| !UNHEARD.contains(&&***what))
        .collect();
    assert!(missed.is_empty(), "never seen: {missed:?}");
}

async fn done(witness: &Witness, client: &Client, name: &'static str, payload: Value) -> Value {
    let answer = witness.call(client, name, payload).await;
    assert_eq!(answer["ok"], true, "{name}: {answer}");
    answer
}

/// All commands, and what is read; a cursor.
async fn commands(witness: &Witness, ann: &Client) -> String {
    let join = json!({"projectId": PROJECT, "snapshot": true});
    let joined = done(witness, ann, "join:project", join).await;
    for (name, payload) in plan()
        .into_iter()
        .chain(tasks())
        .chain(many())
        .chain(comments())
        .chain(ends())
    {
        done(witness, ann, name, payload).await;
    }
    lists(witness, ann).await;
    let missed = json!({"projectId": PROJECT, "since": joined["cursor"], "events": true});
    done(witness, ann, "join:project", missed).await;
    let lost = json!({"projectId": PROJECT, "since": "nonsense"});
    let reset = done(witness, ann, "project:sync", lost).await;
    assert_eq!(reset["reset"], true, "{reset}");
    witness.until(ann, "epic:deleted").await;
    joined["cursor"].as_str().unwrap().to_owned()
}

/// All lists: answered, and told to who waits for no answer.
async fn lists(witness: &Witness, ann: &Client) {
    let here = json!({"projectId": PROJECT, "limit": 1});
    for name in [
        "project:list",
        "task:list",
        "epic:list",
        "sprint:list",
        "member:list",
        "comment:list",
    ] {
        let page = match name {
            "project:list" => json!({"limit": 1}),
            _ => here.clone(),
        };
        done(witness, ann, name, page.clone()).await;
        ann.emit(name, &[page]);
        witness.until_signal(ann, &format!("{name}ed")).await;
    }
}

type Step = (&'static str, Value);

fn plan() -> [Step; 7] {
    let (project, title) = (PROJECT, "Garden");
    [
        (
            "project:create",
            json!({"projectId": project, "title": title}),
        ),
        ("project:update", json!({"projectId": project, "colour": 7})),
        ("epic:create", json!({"projectId": project, "id": "e"})),
        ("epic:update", json!({"epicId": "e", "status": "open"})),
        ("sprint:create", json!({"projectId": project, "id": "s"})),
        ("sprint:create", json!({"projectId": project, "id": 8})),
        ("sprint:update", json!({"sprintId": "s", "goal": title})),
    ]
}

fn many() -> [Step; 7] {
    let made =
        |ids: [&str; 2]| json!({"projectId": PROJECT, "tasks": [{"id": ids[0]}, {"id": ids[1]}]});
    [
        ("task:bulk_create", made(["b1", "b2"])),
        ("tasks:create", made(["b3", "b4"])),
        (
            "task:bulk_update",
            json!({"taskIds": ["b1", "b2"], "updates": {"x": 1}}),
        ),
        ("tasks:update", json!({"tasks": [{"id": "b3", "x": 1}]})),
        ("tasks:move", json!({"taskIds": ["b2", "b1"]})),
        ("tasks:delete", json!({"taskIds": ["b3"]})),
        ("task:bulk_delete", json!({"ids": ["b4"]})),
    ]
}

fn comments() -> [Step; 15] {
    let comment = json!({"projectId": PROJECT, "id": "c", "taskId": "t", "text": "Rain"});
    let toggle = json!({"sprintId": "s", "field": "pinned"});
    [
        ("comment:create", comment),
        ("comment:create", json!({"projectId": PROJECT, "stars": 5})),
        ("comment:update", json!({"commentId": "c", "text": null})),
        (
            "comment:toggle",
            json!({"commentId": "c", "completed": true}),
        ),
        ("comment:delete", json!("c")),
        ("comment:restore", json!("c")),
        ("task:toggle", json!("t")),
        ("epic:toggle", json!({"epicId": "e"})),
        ("sprint:toggle", toggle),
        ("task:complete", json!({"taskId": "t"})),
        ("task:archive", json!({"taskId": "t"})),
        ("task:assign", json!({"taskId": "t", "userId": "ann"})),
        ("task:unassign", json!({"taskId": "t"})),
        ("task:unarchive", json!({"taskId": "t"})),
        ("task:reorder", json!({"taskId": "t", "position": 0})),
    ]
}

fn tasks() -> [Step; 7] {
    let mut task = json!({"projectId": PROJECT, "id": "t", "sprintId": "s", "epicId": "e"});
    let first = task.clone();
    for (key, value) in [
        ("id", json!(7)),
        ("tags", json!(["a"])),
        ("idempotencyKey", json!("a key")),
    ] {
        task[key] = value;
    }
    [
        ("task:create", first),
        ("task:create", task.clone()),
        ("task:create", task),
        ("task:update", json!({"taskId": "t", "status": null})),
        ("task:status", json!({"taskId": 7, "status": "done"})),
        ("task:move", json!({"taskId": "t", "beforeId": 7, "a": 1})),
        ("task:move", json!({"taskId": "t", "position": 0})),
    ]
}

fn ends() -> [Step; 14] {
    let end = json!({"sprintId": "s", "moveTo": "backlog"});
    let sync = json!({"projectId": PROJECT, "since": 0, "limit": 3});
    [
        ("sprint:start", json!("s")),
        ("sprint:complete", end),
        ("task:delete", json!("t")),
        ("task:delete", json!({"taskId": "t"})),
        ("task:restore", json!({"taskId": "t"})),
        ("project:snapshot", json!(PROJECT)),
        ("project:sync", sync),
        ("sprint:delete", json!(8)),
        ("epic:delete", json!("e")),
        ("sprint:restore", json!(8)),
        ("join:projects", json!({"types": ["project:deleted"]})),
        ("leave:projects", json!({})),
        ("epic:restore", json!("e")),
        ("epic:delete", json!("e")),
    ]
}

/// Who belongs to the project, who is there, and what they tell each other.
async fn people(witness: &Witness, server: &Server, ann: &Client, bob: &Client) {
    let bob_as = |role| json!({"projectId": PROJECT, "userId": "bob", "role": role});
    witness.call(ann, "member:add", bob_as("viewer")).await;
    witness.call(ann, "member:role", bob_as("member")).await;
    witness.call(bob, "join:project", json!(PROJECT)).await;
    witness.until_signal(ann, "presence:join").await;
    let busy = json!({"projectId": PROJECT, "status": "busy"});
    witness.call(bob, "presence:update", busy).await;
    witness.until_signal(ann, "presence:update").await;
    for name in ["typing", "typing:start", "typing:stop"] {
        witness.call(bob, name, json!({"taskId": name})).await;
        witness.until_signal(ann, "typing").await;
    }
    for name in [
        "task:editing",
        "task:editing:start",
        "task:editing:stop",
        "task:edit:start",
        "task:edit:stop",
    ] {
        witness
            .call(bob, name, json!({"taskId": name, "field": "title"}))
            .await;
        witness.until_signal(ann, "task:editing").await;
    }
    notify(server).await;
    witness.until_signal(ann, "system:notification").await;
    let bob_alone = json!({"projectId": PROJECT, "userId": "bob"});
    witness.call(ann, "member:remove", bob_alone).await;
    witness.until(bob, "project:access_revoked").await;
    witness.until_signal(ann, "presence:leave").await;
    witness.until(ann, "member:removed").await;
}

async fn notify(server: &Server) {
    let body = json!({"projectId": PROJECT, "title": "Rain"}).to_string();
    let head = format!(
        "POST /admin/notifications HTTP/1.1\r\nHost: it\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let (status, answer) = http::request(&server.address, &(head + &body)).await;
    assert_eq!(status, 202, "{answer}");
}

async fn refusals(witness: &Witness, ann: &Client) {
    let taken = json!({"projectId": PROJECT, "id": 7, "title": "Reap"});
    let conflict = witness.call(ann, "task:create", taken).await;
    assert_eq!(conflict["current"]["id"], 7, "{conflict}");
    let gone = witness
        .call(ann, "epic:update", json!({"epicId": "e", "status": "x"}))
        .await;
    assert_eq!(gone["code"], "gone", "{gone}");
    let unknown = ann.call("dance", json!({})).await;
    witness.answered("dance", &unknown);
    ann.emit("task:update", &[json!({"status": "nowhere"})]);
    witness.until(ann, "error").await;
}

/// Channels that are no projects'; the cursor of one.
async fn channels(witness: &Witness, cat: &Client) -> String {
    let wish = json!({"channels": ["agent:*", "user:bob"], "types": ["done"]});
    witness.call(cat, "subscribe", wish).await;
    let alone = witness.call(cat, "subscribe", json!("news")).await;
    let behind = json!({"channel": "news", "since": 7});
    let reset = witness.call(cat, "subscribe", behind).await;
    assert_eq!(reset["channels"][0]["reset"], true, "{reset}");
    let lost = json!({"channels": [format!("project:{PROJECT}")], "since": "nonsense"});
    let reset = witness.call(cat, "subscribe", lost).await;
    assert!(reset["channels"][0]["snapshot"].is_object(), "{reset}");
    let left = ["news".to_owned(), format!("project:{PROJECT}")];
    witness
        .call(cat, "unsubscribe", json!({"channels": left}))
        .await;
    let again = witness.call(cat, "unsubscribe", json!(left)).await;
    assert_eq!(again["noop"], true, "{again}");
    alone["channels"][0]["cursor"].as_str().unwrap().to_owned()
}

/// Those who come back with what cannot be continued.
async fn resets(witness: &Witness, server: &Server, [project, channel]: &[String; 2]) {
    let back = async |cursor: String| {
        let mut auth = token("ann", &json!({}));
        auth["cursor"] = json!(cursor);
        connect(server, &auth).await
    };
    let far = |cursor: &str| format!("{}:1000000", cursor.rsplit_once(':').unwrap().0);
    let client = back("nonsense".to_owned()).await;
    witness.until_signal(&client, "session:reset").await;
    let client = back(far(project)).await;
    witness.until(&client, "project:reset").await;
    let client = back(far(channel)).await;
    witness.until(&client, "channel:reset").await;
}
