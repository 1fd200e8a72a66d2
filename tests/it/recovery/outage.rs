//! While Postgres is away nobody knows what a client has missed: it is not told anything, and tries again.

use std::time::Duration;

use super::follower::Follower;
use super::load::Load;
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const PACE: Duration = Duration::from_millis(10);
/// Longer than the server looks for an answer, and shorter than a client waits for one.
const NO_ANSWER: Duration = Duration::from_secs(4);

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
