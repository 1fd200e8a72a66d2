//! What single keys of dialects do: joins without being seen, a command for each of a list, several arguments, lists of a state, and
//! rooms that nobody joins.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::tokens;
use crate::support::websocket::Ws;

const PATIENCE: Duration = Duration::from_secs(20);

async fn server(folder: &Path, text: &str, settings: &[(&str, &str)]) -> Server {
    let file = folder.join("rules.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let settings = [&[("DIALECTS", file.as_str())], settings].concat();
    Server::start_with("sqlite::memory:", &settings).await
}

async fn client(server: &Server, user: &str) -> Client {
    let auth = json!({"userId": user, "presence": true});
    Client::connect_with(&server.address, &auth).await.unwrap()
}

async fn done(client: &Client, event: &str, payload: Value) -> Value {
    let answer = client.call(event, payload.clone()).await;
    assert_eq!(answer["ok"], true, "{event} {payload}: {answer}");
    answer
}

async fn told(client: &Client, name: &str) -> Vec<Value> {
    let told = client.try_signal(name, PATIENCE).await;
    told.unwrap_or_else(|| panic!("{name} is told")).args
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_joins_by_a_hiding_rule_hears_and_is_not_seen() {
    const RULES: &str = r#"
[on."watch"]
is = "join:project"
with = "$data"
present = false
[on."enter"]
is = "join:project"
with = "$data"
"#;
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), RULES, &[]).await;
    let (ann, ben) = (client(&server, "ann").await, client(&server, "ben").await);
    done(&ann, "enter", json!("p")).await;
    let watching = done(&ben, "watch", json!("p")).await;
    assert_eq!(watching["presenceCount"], 1, "{watching}");
    done(&ann, "task:create", json!({"projectId": "p", "id": "t"})).await;
    assert_eq!(ben.next().await.name, "task:created");
    let recovery = ben.recovery();
    ben.cut().await;
    let ben = client_again(&server, &recovery).await;
    done(&ann, "task:update", json!({"id": "t", "title": "x"})).await;
    assert_eq!(ben.next().await.name, "task:updated");
    let again = done(&ann, "enter", json!("p")).await;
    assert_eq!(
        again["presenceCount"], 1,
        "who comes back is not seen either"
    );
    let entered = done(&ben, "enter", json!("p")).await;
    assert_eq!(entered["presenceCount"], 2, "{entered}");
    assert_eq!(told(&ann, "presence:join").await[0]["userId"], "ben");
}

async fn client_again(server: &Server, recovery: &Value) -> Client {
    let mut auth = recovery.clone();
    auth["userId"] = json!("ben");
    let client = Client::connect_with(&server.address, &auth).await.unwrap();
    assert!(client.recovered());
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_for_each_of_a_list_is_a_command_for_each() {
    const RULES: &str = r#"
[kinds.column]
[on."columns:reorder"]
is = "column:update"
each = "$data.order"
with = { projectId = "$data.board", columnId = "$it", position = "$index", idempotencyKey = "$data.key" }
relay = { event = "columns:reordered", to = "all", data = "$data.order" }
"#;
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), RULES, &tokens::REQUIRED).await;
    let enter = async |user: &str, role: &str| {
        let token = tokens::with_roles(user, json!({"p": role}));
        let auth = json!({"token": token});
        Client::connect_with(&server.address, &auth).await.unwrap()
    };
    let ann = enter("ann", "owner").await;
    done(&ann, "project:create", json!({"projectId": "p"})).await;
    ann.join("p").await;
    for column in ["a", "b"] {
        done(
            &ann,
            "column:create",
            json!({"projectId": "p", "columnId": column}),
        )
        .await;
    }
    let order = json!({"board": "p", "order": ["b", "a"], "key": "k"});
    let answer = done(&ann, "columns:reorder", order.clone()).await;
    let positions = |answer: &Value| {
        let results = answer["results"].as_array().unwrap().iter();
        let positions =
            results.map(|one| (one["data"]["id"].clone(), one["data"]["position"].clone()));
        positions.collect::<Vec<_>>()
    };
    assert_eq!(
        positions(&answer),
        [(json!("b"), json!(0)), (json!("a"), json!(1))]
    );
    assert_eq!(told(&ann, "columns:reordered").await, [json!(["b", "a"])]);
    let again = done(&ann, "columns:reorder", order.clone()).await;
    assert_eq!(again["results"][1]["duplicate"], true, "{again}");
    let many: Vec<_> = (0..101).collect();
    for (list, why) in [
        (json!(many), "101"),
        (json!("b"), "no list"),
        (json!(null), "nothing"),
    ] {
        let payload = json!({"board": "p", "order": list});
        let refused = ann.call("columns:reorder", payload).await;
        assert_eq!(refused["code"], "validation_failed", "{why}: {refused}");
    }
    done(&ann, "columns:reorder", json!({"board": "p", "order": []})).await;
    let vera = enter("vera", "viewer").await;
    let refused = vera.call("columns:reorder", order).await;
    assert_eq!(refused["code"], "forbidden", "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_pass_on_all_arguments_at_once_and_after_a_reconnection() {
    const RULES: &str = r#"
[on."say"]
relay = { keep = "log", to = "all" }
[on."wave"]
relay = { to = "all" }
"#;
    let folder = tempfile::tempdir().unwrap();
    let settings = [("CUSTOM_EVENTS", "kept:*=log,*=signal")];
    let server = server(folder.path(), RULES, &settings).await;
    let (ann, ben) = (client(&server, "ann").await, client(&server, "ben").await);
    for one in [&ann, &ben] {
        one.join("p").await;
    }
    let recovery = ben.recovery();
    let sent = [json!({"n": 1}), json!("two"), json!([3])];
    for name in ["say", "wave", "kept:zap", "zap"] {
        ann.emit(name, &sent);
        let heard = told(&ben, name).await;
        let arguments = heard.iter().take(3).cloned().collect::<Vec<_>>();
        assert_eq!(arguments, sent, "{name}");
    }
    let mut ws = Ws::connect(&server.address, "/ws").await;
    let since = json!({"projectId": "p", "since": 0});
    ws.call("join:project", since).await;
    let heard = ws.until("say").await;
    assert_eq!(heard["data"]["$args"], json!(sent), "{heard}");
    ben.cut().await;
    let ben = client_again(&server, &recovery).await;
    for name in ["say", "kept:zap"] {
        let heard = told(&ben, name).await;
        assert_eq!(heard[..3], sent, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn list_of_the_state_by_a_value_has_all_of_them() {
    const COMMENTS: usize = 25;
    const RULES: &str = r#"
[kinds.comment]
shape = { "..." = "$it", _id = "$it.id", card = "$it.taskId" }
[on."comments"]
room = "p"
reply = { event = "comments", data = { "$list" = "$state.comments", "$where" = { card = "$data" }, "$each" = "$it._id" } }
[on."newest"]
room = "p"
reply = { event = "newest", data = { "$list" = "$state.comments", "$each" = "$it._id" } }
"#;
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), RULES, &[]).await;
    let ann = client(&server, "ann").await;
    for number in 0..COMMENTS {
        let id = format!("c{number:02}");
        let comment = json!({"projectId": "p", "taskId": "t", "commentId": id});
        done(&ann, "comment:create", comment).await;
    }
    let other = json!({"projectId": "p", "taskId": "u", "commentId": "other"});
    done(&ann, "comment:create", other).await;
    ann.emit("comments", &[json!("t")]);
    let all = told(&ann, "comments").await[0].clone();
    let expected: Vec<_> = (0..COMMENTS)
        .map(|number| format!("c{number:02}"))
        .collect();
    assert_eq!(all, json!(expected));
    ann.emit("newest", &[]);
    let newest = told(&ann, "newest").await[0].clone();
    assert_eq!(newest.as_array().map(Vec::len), Some(21), "20 of each task");
}

#[tokio::test(flavor = "multi_thread")]
async fn broadcast_reaches_clients_that_have_joined_nothing() {
    let server = Server::start_with("sqlite::memory:", &[("DIALECTS", "broadcast")]).await;
    let (ann, ben) = (client(&server, "ann").await, client(&server, "ben").await);
    let update = json!({"projectId": "123", "taskId": "456", "status": "completed"});
    ann.emit("task:update", &[update]);
    let heard = ben.next().await;
    assert_eq!(heard.name, "task:updated");
    assert_eq!(
        (
            &heard.args[0]["taskId"],
            &heard.args[0]["status"],
            &heard.args[0]["projectId"]
        ),
        (&json!("456"), &json!("completed"), &json!("main"))
    );
    ben.emit("task:update", &[json!({"taskId": "456", "title": "Sow"})]);
    for one in [&ann, &ben] {
        let mut heard = one.next().await;
        while heard.args[0]["title"] != "Sow" {
            heard = one.next().await;
        }
        assert_eq!(heard.args[0]["status"], "completed");
    }
    done(&ann, "join:project", json!("123")).await;
    done(
        &ann,
        "project:create",
        json!({"projectId": "new", "title": "New"}),
    )
    .await;
    let heard = ben.next().await;
    assert_eq!(
        (&*heard.name, &heard.args[0]["projectId"]),
        ("project:created", &json!("new"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn new_project_is_told_to_those_who_can_see_it_and_have_joined_nothing() {
    let settings = [&tokens::REQUIRED[..], &[("DIALECTS", "relay")]].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let enter = async |user: &str, roles: Value| {
        let auth = json!({"token": tokens::with_roles(user, roles)});
        Client::connect_with(&server.address, &auth).await.unwrap()
    };
    let ann = enter("ann", json!({"*": "owner"})).await;
    let admin = enter("admin", json!({"*": "viewer"})).await;
    let ben = enter("ben", json!({})).await;
    done(&ann, "project:create", json!({"projectId": "p"})).await;
    let heard = admin.next().await;
    assert_eq!(
        (&*heard.name, &heard.args[0]["projectId"]),
        ("project:created", &json!("p"))
    );
    let added = json!({"projectId": "p", "userId": "ben"});
    done(&ann, "member:add", added).await;
    let heard = ben.next().await;
    assert_eq!(
        heard.name, "member:added",
        "nothing before that was ben's to hear"
    );
}
