//! A session has one connection: whoever comes later, with the same pid, has it.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::follower::{Follower, come_back};
use super::load::Load;
use crate::support::client::{Client, next_text, open};
use crate::support::cluster::Cluster;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const PACE: Duration = Duration::from_millis(10);
const ROUNDS: usize = 20;

/// The client has noticed that the connection is dead, the server has not.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_gives_way() {
    let server = Server::start("sqlite::memory:").await;
    gives_way(&server, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_to_another_instance_gives_way() {
    let cluster = Cluster::start(2).await;
    gives_way(&cluster.instances[0], &cluster.instances[1]).await;
}

async fn gives_way(from: &Server, to: &Server) {
    let projects = ["p".to_owned()];
    let load = Load::start(&to.address, &projects, PACE);
    load.flows(1).await;
    let mut client = Follower::join(&from.address, &projects).await;
    client.take(5).await;
    client.client.sleep().await;
    client.take_arrived().await;
    let back = come_back(&to.address, &client.client.recovery()).await;
    let asleep = std::mem::replace(&mut client.client, back);
    assert!(client.client.recovered());
    // The writer has a connection, too.
    let left = if from.address == to.address { 2 } else { 0 };
    from.health_becomes("the old connection is closed", |health| {
        health["connections"] == left
    })
    .await;
    drop(asleep);
    client.take(5).await;
    client.ends_at(&load.stop().await).await;
}

/// Nobody hears that a connection was replaced by another, neither then nor when it would be over.
#[tokio::test(flavor = "multi_thread")]
async fn presence_does_not_flicker() {
    let grace = Duration::from_millis(300);
    let settings = [("PRESENCE_GRACE", "300ms")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let watcher = Client::connect_with(&server.address, &json!({"presence": true})).await;
    let watcher = watcher.unwrap();
    watcher.join("p").await;
    let named = json!({"userId": "ada"});
    let mut ada = Client::connect_with(&server.address, &named).await.unwrap();
    ada.join("p").await;
    assert_eq!(watcher.next_signal().await.name, "presence:join");
    for _ in 0..3 {
        ada.sleep().await;
        let mut auth = ada.recovery();
        auth["userId"] = json!("ada");
        let back = come_back(&server.address, &auth).await;
        assert!(back.recovered());
        server
            .health_becomes("the old connection is closed", |health| {
                health["connections"] == 2
            })
            .await;
        ada = back;
    }
    tokio::time::sleep(2 * grace).await;
    ada.emit("typing", &[json!({"projectId": "p"})]);
    let signal = watcher.next_signal().await;
    assert_eq!(
        (&*signal.name, &signal.args[0]["userId"]),
        ("typing", &json!("ada"))
    );
}

/// Two attempts of one client on their way at once: neither hangs, one of them is left, and that one misses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_that_come_at_once_is_left() {
    let server = Server::start("sqlite::memory:").await;
    let projects = ["p".to_owned()];
    let load = Load::start(&server.address, &projects, PACE);
    load.flows(1).await;
    let mut client = Follower::join(&server.address, &projects).await;
    for round in 0..ROUNDS {
        client.take(2).await;
        client.cut().await;
        load.flows(3).await;
        let recovery = client.client.recovery();
        let [first, second] = both(&server.address, &recovery).await;
        let left = only(first, second).await;
        assert!(left.recovered(), "round {round}: {recovery}");
        client.client = left;
    }
    client.ends_at(&load.stop().await).await;
}

/// Connects twice at the same moment. Whoever has lost may not even be let in.
async fn both(address: &str, recovery: &Value) -> [Option<Client>; 2] {
    let (first, second) = tokio::join!(
        Client::try_connect(address, recovery),
        Client::try_connect(address, recovery)
    );
    [first, second]
}

/// Waits until only one connection is open.
async fn only(first: Option<Client>, second: Option<Client>) -> Client {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut clients: Vec<_> = [first, second].into_iter().flatten().collect();
    while clients.len() > 1 {
        assert!(Instant::now() < deadline, "both are connected");
        clients.retain(|client| !client.is_closed());
        tokio::task::yield_now().await;
    }
    clients.pop().expect("one of them is connected")
}

/// A connection that was given up while it was made does not end the one that its client has by now.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_given_up_ends_no_other() {
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let server = Server::start_with(&url, &[("DATABASE_TIMEOUT", "30s")]).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    client.cut().await;
    server
        .health_becomes("it is gone", |health| health["connections"] == 0)
        .await;
    let recovery = client.recovery();
    postgres.pause();
    let mut given_up = open(&server.address).await;
    let connect = Message::text(format!("40{recovery}"));
    given_up.send(connect).await.unwrap();
    server
        .health_becomes("it is on its way", |health| health["connections"] == 1)
        .await;
    drop(given_up);
    let pid = json!({"pid": recovery["pid"]});
    let client = Client::connect_with(&server.address, &pid).await.unwrap();
    postgres.resume();
    server
        .health_becomes("one is left", |health| health["connections"] == 1)
        .await;
    let joined = client.try_call("join:project", json!("p")).await;
    assert!(joined.is_some(), "the later connection was ended");
}

/// A client leaves the namespace and enters it again and again on the same connection, whether it is answered or not.
#[tokio::test(flavor = "multi_thread")]
async fn entering_again_and_again_leaves_one_session() {
    let server = Server::start("sqlite::memory:").await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    client.cut().await;
    let recovery = client.recovery();
    let connect = format!("40{recovery}");
    let mut stream = open(&server.address).await;
    for round in 0..ROUNDS {
        stream.send(Message::text(&*connect)).await.unwrap();
        let answer = next_text(&mut stream).await;
        assert!(answer.starts_with("40"), "round {round}: {answer}");
        assert!(
            answer.contains(recovery["pid"].as_str().unwrap()),
            "{answer}"
        );
        stream.send(Message::text("41")).await.unwrap();
        server
            .health_becomes("it has left", |health| health["connections"] == 0)
            .await;
    }
    // socketioxide takes up each of them by itself, so none may be followed by a farewell.
    for _ in 0..3 {
        stream.send(Message::text(&*connect)).await.unwrap();
    }
    assert!(next_text(&mut stream).await.starts_with("40"));
    let update = r#"420["task:update",{"projectId":"p","taskId":"t","title":"x"}]"#;
    stream.send(Message::text(update)).await.unwrap();
    let mut told = [next_text(&mut stream).await, next_text(&mut stream).await];
    told.sort();
    assert!(told[0].starts_with(r#"42["task:updated""#), "{told:?}");
    assert!(told[1].starts_with("430"), "{told:?}");
    server
        .health_becomes("it is here once", |health| health["connections"] == 1)
        .await;
    let watcher = Client::connect(&server.address).await;
    assert_eq!(watcher.join("p").await["presenceCount"], 2);
    drop(stream);
    server
        .health_becomes("it has gone", |health| health["connections"] == 1)
        .await;
}
