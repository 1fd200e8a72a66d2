//! Who is told of presence: those who look, at every door and under every setting; and what that costs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{says, told};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::server::Server;
use crate::support::sse::EventStream;
use crate::support::websocket::Ws;

/// A time after which everything that was gathered has been told.
const GATHERED: Duration = Duration::from_millis(400);
const SETTINGS: [&str; 3] = ["asked", "always", "never"];
/// Who hears with `asked`, with `always`, and with `never`: who has asked, who has said nothing, and who wants none.
const ASKED: [bool; 3] = [true, true, false];
const SILENT: [bool; 3] = [false, true, false];
const REFUSED: [bool; 3] = [false, false, false];
/// What a client says in `auth`, and with what it joins.
const SOCKETS: [(&str, &str, [bool; 3]); 17] = [
    ("{}", r#"["p"]"#, SILENT),
    (r#"{"presence":true}"#, r#"["p"]"#, ASKED),
    (r#"{"presence":"1"}"#, r#"["p"]"#, ASKED),
    (r#"{"presence":false}"#, r#"["p"]"#, REFUSED),
    ("{}", r#"[{"id":"p","presence":true}]"#, ASKED),
    ("{}", r#"[{"id":"p","presence":false}]"#, REFUSED),
    ("{}", r#"[{"id":"p","userName":"Ann"}]"#, ASKED),
    ("{}", r#"[{"id":"p","user_name":"Ann"}]"#, ASKED),
    ("{}", r#"[{"id":"p","avatar":"a.png"}]"#, ASKED),
    ("{}", r#"[{"id":"p","user":{"id":7}}]"#, ASKED),
    ("{}", r#"[{"id":"p","user":null,"name":""}]"#, SILENT),
    ("{}", r#"["p",{"name":"Ann"}]"#, ASKED),
    ("{}", r#"["p","Ann"]"#, ASKED),
    (
        "{}",
        r#"[{"id":"p","name":"Ann","presence":false}]"#,
        REFUSED,
    ),
    (
        r#"{"presence":true}"#,
        r#"[{"id":"p","presence":false}]"#,
        REFUSED,
    ),
    (
        r#"{"presence":false}"#,
        r#"[{"id":"p","name":"Ann"}]"#,
        REFUSED,
    ),
    (
        r#"{"presence":false}"#,
        r#"[{"id":"p","presence":true}]"#,
        ASKED,
    ),
];
/// Where a plain WebSocket connects to, and what it says to be in the project.
const WEBSOCKETS: [(&str, &str, [bool; 3]); 12] = [
    (
        "/ws",
        r#"{"type":"subscribe","channel":"project:p"}"#,
        SILENT,
    ),
    (
        "/ws?presence=1",
        r#"{"type":"subscribe","channel":"project:p"}"#,
        ASKED,
    ),
    (
        "/ws?presence=true",
        r#"{"type":"join:project","data":"p"}"#,
        ASKED,
    ),
    (
        "/ws?presence=false",
        r#"{"type":"subscribe","channel":"project:p"}"#,
        REFUSED,
    ),
    (
        "/ws",
        r#"{"type":"subscribe","channel":"project:p","presence":true}"#,
        ASKED,
    ),
    (
        "/ws",
        r#"{"type":"subscribe","channel":"project:p","types":["presence:join"]}"#,
        ASKED,
    ),
    (
        "/ws?presence=1",
        r#"{"type":"subscribe","channel":"project:p","presence":false}"#,
        REFUSED,
    ),
    (
        "/ws",
        r#"{"type":"join:project","data":{"projectId":"p","name":"Ann"}}"#,
        ASKED,
    ),
    ("/ws", r#"{"type":"join:project","data":"p"}"#, SILENT),
    (
        "/ws/v1",
        r#"{"type":"subscribe","data":{"resource":"project:p"}}"#,
        SILENT,
    ),
    (
        "/ws/v1",
        r#"{"type":"subscribe","data":{"resource":"project:p","presence":true}}"#,
        ASKED,
    ),
    (
        "/ws/v1?presence=1",
        r#"{"type":"subscribe","data":{"resource":"project:p"}}"#,
        ASKED,
    ),
];
/// As large as a room of the benchmark.
const CROWD: usize = 60;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn start(setting: &str) -> Server {
    Server::start_with("sqlite::memory:", &[("PRESENCE", setting)]).await
}

async fn connect(address: &str, auth: &Value) -> Client {
    Client::connect_with(address, auth).await.unwrap()
}

async fn done(client: &Client, name: &str, arguments: &[Value]) -> Value {
    let answer = client.ask(name, arguments).await.unwrap();
    assert_eq!(answer["ok"], true, "{name} {arguments:?}: {answer}");
    answer
}

/// Somebody comes and says something that everybody hears.
async fn arrive(address: &str, user: &str) -> Client {
    let client = connect(address, &json!({"userId": user})).await;
    done(&client, "join:project", &[json!("p")]).await;
    tokio::time::sleep(GATHERED).await;
    let task = json!({"projectId": "p", "id": user, "title": "T"});
    done(&client, "task:create", &[task]).await;
    client
}

/// Of whom a client was told before it heard of a task.
async fn told_before(client: &Client, task: &str) -> Vec<String> {
    while client.next().await.args[0]["id"] != task {}
    let signals = client.signals_so_far().await.into_iter();
    let signals = signals.filter(|signal| signal.name.starts_with("presence"));
    let users = signals.map(|signal| signal.args[0]["userId"].as_str().unwrap().to_owned());
    users.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn socket_is_told_of_presence_as_it_asks_and_as_the_setting_has_it() {
    for (number, setting) in SETTINGS.into_iter().enumerate() {
        let server = start(setting).await;
        let mut clients = Vec::new();
        for (auth, arguments, hears) in SOCKETS {
            let client = connect(&server.address, &parsed(auth)).await;
            let said = parsed(arguments);
            let joined = done(&client, "join:project", said.as_array().unwrap()).await;
            let listed = joined["presence"].as_array().unwrap().len();
            assert_eq!(
                listed,
                clients.len() + 1,
                "the list is for everybody: {joined}"
            );
            clients.push((client, arguments, hears[number]));
        }
        let _late = arrive(&server.address, "late").await;
        for (client, arguments, hears) in &clients {
            let told = told_before(client, "late").await;
            let is_told = told.iter().any(|user| user == "late");
            assert_eq!(is_told, *hears, "{setting} {arguments:?}: {told:?}");
            assert!(
                *hears || told.is_empty(),
                "{setting} {arguments:?}: {told:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_update_asks_from_then_on_and_typing_does_not() {
    let server = start("asked").await;
    let ann = connect(&server.address, &json!({})).await;
    let ben = connect(&server.address, &json!({})).await;
    for client in [&ann, &ben] {
        done(client, "join:project", &[json!("p")]).await;
    }
    done(&ben, "typing", &[json!({"projectId": "p", "name": "Ben"})]).await;
    let _cleo = arrive(&server.address, "cleo").await;
    assert_eq!(told_before(&ann, "cleo").await, [""; 0]);
    assert_eq!(told_before(&ben, "cleo").await, [""; 0]);
    done(&ann, "user:presence:update", &[json!({"status": "away"})]).await;
    let _dan = arrive(&server.address, "dan").await;
    assert_eq!(told_before(&ann, "dan").await, ["dan"]);
    assert_eq!(told_before(&ben, "dan").await, [""; 0]);
    // A join that says nothing changes nothing, one that wants none ends it, and so does leaving.
    done(&ann, "join:project", &[json!("p")]).await;
    let _eve = arrive(&server.address, "eve").await;
    assert_eq!(told_before(&ann, "eve").await, ["eve"]);
    done(
        &ann,
        "join:project",
        &[json!({"projectId": "p", "presence": false})],
    )
    .await;
    let _flo = arrive(&server.address, "flo").await;
    assert_eq!(told_before(&ann, "flo").await, [""; 0]);
    done(
        &ann,
        "join:project",
        &[json!({"projectId": "p", "presence": true})],
    )
    .await;
    done(&ann, "leave:project", &[json!("p")]).await;
    done(&ann, "join:project", &[json!("p")]).await;
    let _gus = arrive(&server.address, "gus").await;
    assert_eq!(told_before(&ann, "gus").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_comes_back_looks_as_before() {
    let server = start("asked").await;
    for (join, hears) in [
        (json!({"projectId": "p", "userName": "Ann"}), true),
        (json!({"projectId": "p", "presence": true}), true),
        (json!("p"), false),
    ] {
        let ann = connect(&server.address, &json!({})).await;
        done(&ann, "join:project", std::slice::from_ref(&join)).await;
        let recovery = ann.recovery();
        ann.cut().await;
        let ann = connect(&server.address, &recovery).await;
        assert!(ann.recovered());
        let name = format!("late {join}");
        let _late = arrive(&server.address, &name).await;
        let told = told_before(&ann, &name).await;
        assert_eq!(told.contains(&name), hears, "{join} {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_websocket_is_told_of_presence_if_it_asks() {
    for (number, setting) in SETTINGS.into_iter().enumerate() {
        let server = start(setting).await;
        let mut clients = Vec::new();
        for (path, message, hears) in WEBSOCKETS {
            let mut ws = Ws::connect(&server.address, path).await;
            ws.send(parsed(message)).await;
            ws.settled().await;
            clients.push((ws, (path, message), hears[number]));
        }
        let _late = arrive(&server.address, "late").await;
        for (ws, case, hears) in &mut clients {
            let told = ws.settled().await;
            let is_told = told.iter().any(|message| {
                let payload = message.get("data").unwrap_or(message);
                message["type"] == "presence:join" && payload["userId"] == "late"
            });
            assert_eq!(is_told, *hears, "{setting} {case:?}: {told:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn event_stream_is_told_of_presence_if_it_asks() {
    let cases = [
        ("", [false, false, false]),
        ("&signals=1", [false, true, false]),
        ("&presence=1", [true, true, false]),
        ("&presence=true&signals=1", [true, true, false]),
        ("&presence=0&signals=1", [false, false, false]),
    ];
    for (number, setting) in SETTINGS.into_iter().enumerate() {
        let server = start(setting).await;
        let mut streams = Vec::new();
        for (more, hears) in cases {
            let path = format!("/api/events?channels=project:p{more}");
            let mut stream = EventStream::open(&server.address, &path, None).await;
            stream.id_after("").await;
            streams.push((stream, more, hears[number]));
        }
        let _late = arrive(&server.address, "late").await;
        for (stream, more, hears) in &mut streams {
            let mut told = Vec::new();
            loop {
                let message = stream.next().await.json();
                if message["type"] == "task:created" {
                    break;
                }
                told.push(message["type"].as_str().unwrap().to_owned());
            }
            let expected = if *hears { &["presence:join"][..] } else { &[] };
            assert_eq!(told, expected, "{setting} {more}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crowd_that_joins_costs_nothing_where_nobody_looks_and_little_where_all_do() {
    let server = start("asked").await;
    for looks in [false, true] {
        let project = format!("looks {looks}");
        let payload = json!({"projectId": project, "presence": looks});
        let mut crowd = Vec::new();
        for _ in 0..CROWD {
            crowd.push(connect(&server.address, &json!({})).await);
        }
        let joins: Vec<_> = crowd
            .iter()
            .map(|client| client.ask("join:project", std::slice::from_ref(&payload)))
            .collect();
        for join in joins {
            assert_eq!(join.await.unwrap()["ok"], true);
        }
        tokio::time::sleep(GATHERED).await;
        let task = json!({"projectId": project, "id": project});
        done(&crowd[0], "task:create", &[task]).await;
        let (mut count, mut known) = (0, 0);
        for client in &crowd {
            let told = told_before(client, &project).await;
            count += told.len();
            known += usize::from(told.is_empty());
        }
        if looks {
            // Each pair is told of once at most: who came first hears of the other, who has the first in its list.
            assert!(count <= CROWD * (CROWD - 1) / 2, "{count} presence events");
            assert!(count >= CROWD - 1 && known >= 1, "{count} presence events");
        } else {
            assert_eq!(count, 0, "presence events");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_once_is_told_as_the_last_state() {
    let server = start("asked").await;
    let ann = connect(&server.address, &json!({"presence": true})).await;
    let ben = connect(&server.address, &json!({"userId": "ben"})).await;
    done(&ann, "join:project", &[json!("p")]).await;
    ben.emit("join:project", &[json!("p")]);
    for _ in 0..20 {
        ben.emit("leave:project", &[json!("p")]);
        ben.emit("join:project", &[json!("p")]);
    }
    done(
        &ben,
        "presence:update",
        &[json!({"projectId": "p", "status": "here"})],
    )
    .await;
    let _late = arrive(&server.address, "late").await;
    while ann.next().await.args[0]["id"] != "late" {}
    let told = ann.signals_so_far().await;
    let of_ben: Vec<_> = told
        .iter()
        .filter(|told| told.args[0]["userId"] == "ben")
        .collect();
    // On a slow machine it takes more than one window.
    assert!((1..=5).contains(&of_ben.len()), "{of_ben:?}");
    assert_eq!(of_ben[0].name, "presence:join");
    assert_eq!(of_ben.last().unwrap().args[0]["status"], "here");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_every_instance_are_told_only_if_they_look() {
    let cluster = Cluster::start(2).await;
    cluster.sees(0, 2).await;
    let looks = connect(cluster.address(1), &json!({"presence": true})).await;
    let does_not = connect(cluster.address(1), &json!({})).await;
    for client in [&does_not, &looks] {
        done(client, "join:project", &[json!("p")]).await;
    }
    let _late = arrive(cluster.address(0), "late").await;
    assert_eq!(told(&looks).await, says("presence:join", "late"));
    assert_eq!(told_before(&does_not, "late").await, [""; 0]);
}
