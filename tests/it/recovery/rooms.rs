//! One cursor covers all rooms of a client.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::follower::Follower;
use super::load::Load;
use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const PROJECTS: usize = 6;
const CLIENTS: usize = 12;
const ROUNDS: usize = 12;
/// 300 events per second in all.
const PACE: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn all_rooms_come_back_whatever_happens_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    all_rooms(Server::on_file(folder.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rooms_come_back_whatever_happens_on_postgres() {
    let postgres = Postgres::start();
    let database = postgres.create_database().await;
    all_rooms(Server::start(&database).await).await;
}

/// Clients of one to six rooms are cut again and again, and the server is killed now and then.
async fn all_rooms(mut server: Server) {
    let mut chance = Chance::from_seed();
    let projects = projects(PROJECTS);
    let load = Load::start(&server.address, &projects, PACE);
    load.flows(1).await;
    let joining = (0..CLIENTS).map(|number| {
        let rooms = &projects[number % PROJECTS..];
        Follower::join(&server.address, rooms)
    });
    let mut clients = join_all(joining).await;
    for round in 0..ROUNDS {
        let reading = clients
            .iter_mut()
            .map(|client| client.take(chance.below(20)));
        join_all(reading).await;
        // Some have stopped reading before: of what was sent to them not everything has arrived.
        let paused = chance.below(CLIENTS);
        for client in &clients[..paused] {
            client.client.set_reading(false);
        }
        load.flows(i64::try_from(chance.below(10)).unwrap()).await;
        let killed = round % 3 == 2;
        if killed {
            server.kill().await;
        }
        join_all(clients.iter_mut().map(Follower::cut)).await;
        if killed {
            server.restart().await;
        } else {
            load.flows(i64::try_from(chance.below(10)).unwrap()).await;
        }
        let back = clients
            .iter_mut()
            .map(|client| client.come_back(&server.address));
        join_all(back).await;
    }
    let heads = load.stop().await;
    join_all(clients.iter_mut().map(|client| client.ends_at(&heads))).await;
}

/// What a client emits while it is away waits in its buffer and follows CONNECT at once.
#[tokio::test(flavor = "multi_thread")]
async fn rooms_can_be_left_and_joined_while_cut() {
    let server = Server::start("sqlite::memory:").await;
    let projects = projects(3);
    let load = Load::start(&server.address, &projects, PACE);
    load.flows(1).await;
    let mut client = Follower::join(&server.address, &projects[..2]).await;
    client.take(10).await;
    client.cut().await;
    load.flows(10).await;
    client.come_back(&server.address).await;
    let left = client.client.ask("leave:project", &[json!("p0")]);
    let joined = client.client.ask("join:project", &[json!("p2")]);
    assert_eq!(left.await.unwrap()["ok"], true);
    let joined = joined.await.unwrap();
    let head = joined["seq"].as_i64().expect("it has joined");
    client.seen.insert("p2".to_owned(), head);
    client.take(20).await;
    client.cut().await;
    client.seen.remove("p0");
    load.flows(10).await;
    client.come_back(&server.address).await;
    load.flows(10).await;
    client.ends_at(&load.stop().await).await;
}

/// The cursor comes with the join and not with the first event.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_events_comes_back() {
    let server = Server::start("sqlite::memory:").await;
    let projects = projects(3);
    let mut client = Follower::join(&server.address, &projects).await;
    for _ in 0..3 {
        client.cut().await;
        client.come_back(&server.address).await;
    }
    let left = client.client.call("leave:project", json!("p1")).await;
    assert_eq!(left["ok"], true, "{left}");
    client.seen.remove("p1");
    client.cut().await;
    let load = Load::start(&server.address, &projects, PACE);
    load.flows(10).await;
    client.come_back(&server.address).await;
    client.ends_at(&load.stop().await).await;
}

fn projects(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("p{number}")).collect()
}

/// A number stays a number, also where the cursor alone says which project it was.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_a_number_stays_one() {
    let server = Server::start("sqlite::memory:").await;
    let watcher = Client::connect(&server.address).await;
    let task = json!({"projectId": 7, "title": "Sow"});
    assert_eq!(watcher.call("task:create", task).await["ok"], true);
    assert_eq!(watcher.call("join:project", json!(7)).await["ok"], true);
    let client = Client::connect(&server.address).await;
    assert_eq!(client.call("join:project", json!(7)).await["ok"], true);
    client.cut().await;
    let back = Client::connect_with(&server.address, &client.recovery()).await;
    let back = back.unwrap();
    assert!(back.recovered());
    back.emit("typing", &[]);
    let typing = watcher.try_signal("typing", super::SOON).await.unwrap();
    assert_eq!(typing.args[0]["projectId"], 7);
}
