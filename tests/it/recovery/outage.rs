//! While Postgres is away nobody knows what a client has missed: it is not told anything, and tries again.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::follower::Follower;
use super::load::Load;
use crate::support::client::Client;
use crate::support::polling::Polling;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const PACE: Duration = Duration::from_millis(10);
/// Longer than the server looks for an answer, and shorter than a client waits for one.
const NO_ANSWER: Duration = Duration::from_secs(4);
/// Clients on long-polling.
const POLLING: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_while_postgres_is_dead_comes_again_and_misses_nothing() {
    outage(Postgres::kill9, Postgres::restart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_while_postgres_hangs_comes_again_and_misses_nothing() {
    outage(Postgres::pause, Postgres::resume).await;
}

async fn outage(begin: fn(&Postgres), end: fn(&Postgres)) {
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let settings = [("DATABASE_TIMEOUT", "1s"), ("CONNECT_TIMEOUT", "3s")];
    let server = Server::start_with(&url, &settings).await;
    let projects = ["p".to_owned(), "q".to_owned()];
    let load = Load::start(&server.address, &projects, PACE);
    load.flows(1).await;
    let mut client = Follower::join(&server.address, &projects).await;
    client.take(10).await;
    client.cut().await;
    load.flows(10).await;
    begin(&postgres);
    let recovery = client.client.recovery();
    let attempt = Client::try_connect(&server.address, &recovery);
    let attempt = tokio::time::timeout(NO_ANSWER, attempt).await;
    let attempt = attempt.expect("the connection is closed soon");
    assert!(attempt.is_none(), "it is told something");
    let newcomer = Client::connect(&server.address).await;
    assert!(!newcomer.is_closed(), "who asks for nothing may come in");
    end(&postgres);
    client.come_back(&server.address).await;
    load.flows(10).await;
    client.ends_at(&load.stop().await).await;
}

/// Who polls has an open request when it is decided that nothing is said.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_by_polling_while_postgres_is_dead_is_not_refused() {
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let settings = [("DATABASE_TIMEOUT", "1s"), ("CONNECT_TIMEOUT", "3s")];
    let server = Server::start_with(&url, &settings).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let recovery = client.recovery();
    drop(client);
    let sessions = join_all((0..POLLING).map(|_| Polling::open(&server.address))).await;
    postgres.kill9();
    let told = join_all(sessions.iter().map(|session| told(session, &recovery))).await;
    assert!(
        told.iter().all(String::is_empty),
        "clients do not come back after that: {told:?}"
    );
}

/// What is said to a client that asks to go on, until the session ends, besides pings.
async fn told(session: &Polling, recovery: &Value) -> String {
    let connect = async { session.post(&format!("40{recovery}")).await };
    let polling = async {
        let mut told = String::new();
        while let (200, packets) = session.poll().await {
            let packets = packets.split('\u{1e}').filter(|packet| *packet != "2");
            told.extend(packets);
        }
        told
    };
    tokio::join!(connect, polling).1
}
