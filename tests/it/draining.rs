//! A shutdown that sends its clients away over a time, and serves them until then.

use std::time::Duration;

use futures_util::SinkExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::client::{Client, next_text};
use crate::support::polling::{OPENING, Polling};
use crate::support::server::Server;
use crate::support::{eventually, http};

const CLIENTS: usize = 20;
/// Those of them on long-polling.
const POLLING: usize = 4;
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// How often each client changes something.
const PACE: Duration = Duration::from_millis(150);
/// Nobody's turn comes in a test, but that of the first.
const NEVER: [(&str, &str); 1] = [("DRAIN_TIME", "60m")];

#[tokio::test(flavor = "multi_thread")]
async fn clients_leave_one_after_the_other_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("it.db").display());
    let mut server = Server::start_with(&database, &[("DRAIN_TIME", "2s")]).await;
    let mut clients = Vec::new();
    for _ in POLLING..CLIENTS {
        let client = Client::connect(&server.address).await;
        client.join("p").await;
        clients.push(client);
    }
    let polling = join_all((0..POLLING).map(|_| Polling::connect(&server.address))).await;
    let clients = clients.into_iter().map(|client| tokio::spawn(work(client)));
    let polling = polling
        .into_iter()
        .map(|session| tokio::spawn(work_polling(session)));
    let working: Vec<_> = clients.chain(polling).collect();
    server.signal("TERM");
    let mut acked = 0;
    let mut ends = Vec::new();
    for working in working {
        let (by_one, end) = working.await.unwrap();
        acked += by_one;
        ends.push(end);
    }
    assert_eq!(server.ended().await, Some(0));
    ends.sort_unstable();
    let took = ends[CLIENTS - 1] - ends[0];
    assert!(took > DRAIN_TIME / 2, "all left within {took:?}");
    for half in ends.windows(CLIENTS / 2 + 1) {
        let took = half[CLIENTS / 2] - half[0];
        assert!(took > DRAIN_TIME / 4, "half of them left within {took:?}");
    }
    server.restart().await;
    let snapshot = Client::connect(&server.address)
        .await
        .call("project:snapshot", json!("p"))
        .await;
    assert!(
        snapshot["seq"].as_i64() >= Some(acked),
        "{acked} {snapshot}"
    );
}

/// Changes something again and again until the connection ends; how many changes were acked, and when it ended.
async fn work(client: Client) -> (i64, Instant) {
    let mut pace = tokio::time::interval(PACE);
    let mut acked = 0;
    loop {
        pace.tick().await;
        let create = json!({"projectId": "p", "title": "x"});
        let Some(answer) = client.try_call("task:create", create).await else {
            return (acked, Instant::now());
        };
        assert_eq!(answer["ok"], true, "{answer}");
        acked += 1;
    }
}

/// As [`work`], on long-polling.
async fn work_polling(session: Polling) -> (i64, Instant) {
    let mut pace = tokio::time::interval(PACE);
    let mut acked = 0;
    loop {
        pace.tick().await;
        if !takes_commands(&session).await {
            return (acked, Instant::now());
        }
        acked += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_stops_gets_an_answer_to_all_that_took_effect() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("it.db").display());
    let mut server = Server::start_with(&database, &[("DRAIN_TIME", "1s")]).await;
    let clients = (0..CLIENTS).map(|_| Client::connect(&server.address));
    let clients = join_all(clients).await;
    let working: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(never_stop(client)))
        .collect();
    server.signal("TERM");
    let mut acked = 0;
    for working in working {
        acked += working.await.unwrap();
    }
    assert_eq!(server.ended().await, Some(0));
    server.restart().await;
    let snapshot = Client::connect(&server.address)
        .await
        .call("project:snapshot", json!("p"))
        .await;
    assert_eq!(snapshot["seq"], acked);
}

/// Changes something without a pause until the connection ends; how many changes were acked.
async fn never_stop(client: Client) -> i64 {
    let mut acked = 0;
    let create = json!({"projectId": "p", "title": "x"});
    while let Some(answer) = client.try_call("task:create", create.clone()).await {
        acked += i64::from(answer["ok"] == true);
    }
    acked
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_are_there_are_served_and_others_are_sent_away() {
    let mut server = Server::start_with("sqlite::memory:", &NEVER).await;
    // One of them may leave at once.
    let polling = join_all((0..3).map(|_| Polling::connect(&server.address))).await;
    let client = Client::connect(&server.address).await;
    server.signal("TERM");
    eventually("new clients are to go elsewhere", async || {
        http::get(&server.address, "/ready").await.0 == 503
    })
    .await;
    assert_eq!(http::get(&server.address, "/live").await.0, 200);
    server.health().await;
    others_are_sent_away(&server.address).await;

    let mut acked = usize::from(is_served(&client).await);
    let mut upgraded = Vec::new();
    for session in &polling {
        if takes_commands(session).await {
            upgraded.push(upgrade(&server.address, &session.sid).await);
            acked += 1;
        }
    }
    assert!(acked >= 3, "{acked} of 4 were served");
    for stream in &mut upgraded {
        let packet = r#"422["task:create",{"projectId":"p","title":"x"}]"#;
        stream.send(Message::text(packet)).await.unwrap();
        let answer = next_text(stream).await;
        assert!(answer.starts_with(r#"432[{"ok":true"#), "{answer}");
    }
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(130), "who insists gets it");
}

async fn others_are_sent_away(address: &str) {
    let request =
        |path: &str| format!("GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n");
    // A session that somebody else has is none of ours either: a proxy is to look for it elsewhere.
    for path in [OPENING, &format!("{OPENING}&sid=AAAAAAAAAAAAAAAA")] {
        let answer = http::exchange(address, &request(path)).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{path}: {answer}");
        assert!(answer.contains("retry-after: 1\r\n"), "{path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], "unavailable", "{body}");
        assert_eq!(body["retryable"], true, "{body}");
    }
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let Err(Error::Http(answer)) = tokio_tungstenite::connect_async(url).await else {
        panic!("a WebSocket is refused");
    };
    assert_eq!(answer.status(), 503);
}

/// Whether a client's command is acked; `false` if its connection has ended.
async fn is_served(client: &Client) -> bool {
    let create = json!({"projectId": "p", "title": "x"});
    match client.try_call("task:create", create).await {
        Some(answer) => answer["ok"] == true,
        None => false,
    }
}

/// Whether a command is acked on long-polling; `false` if the session has ended.
async fn takes_commands(session: &Polling) -> bool {
    let command = r#"421["task:create",{"projectId":"p","title":"x"}]"#;
    if session.post(command).await.0 != 200 {
        return false;
    }
    loop {
        let (status, packets) = session.poll().await;
        if status != 200 {
            return false;
        }
        if packets.contains("431[") {
            assert!(packets.contains(r#"431[{"ok":true"#), "{packets}");
            return true;
        }
    }
}

async fn upgrade(
    address: &str,
    sid: &str,
) -> tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>> {
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket&sid={sid}");
    let (mut stream, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    stream.send(Message::text("2probe")).await.unwrap();
    assert_eq!(next_text(&mut stream).await, "3probe");
    stream.send(Message::text("5")).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_when_nobody_is_left() {
    let mut server = Server::start_with("sqlite::memory:", &NEVER).await;
    let clients = join_all((0..3).map(|_| Client::connect(&server.address))).await;
    server.signal("TERM");
    eventually("it drains", async || {
        http::get(&server.address, "/ready").await.0 == 503
    })
    .await;
    drop(clients);
    assert_eq!(server.ended().await, Some(0));
}
