//! While Postgres is away nobody knows what a client has missed: it is not told anything, and tries again.

use std::time::Duration;

use super::follower::Follower;
use super::load::Load;
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const PACE: Duration = Duration::from_millis(10);
/// Longer than the database may take, and shorter than a client waits.
const NO_ANSWER: Duration = Duration::from_millis(4500);

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_during_an_outage_comes_again_and_misses_nothing() {
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let server = Server::start_with(&url, &[("DATABASE_TIMEOUT", "1s")]).await;
    let projects = ["p".to_owned(), "q".to_owned()];
    let load = Load::start(&server.address, &projects, PACE);
    load.flows(1).await;
    let mut client = Follower::join(&server.address, &projects).await;
    client.take(10).await;
    client.cut().await;
    load.flows(10).await;
    postgres.pause();
    let recovery = client.client.recovery();
    let attempt = Client::try_connect(&server.address, &recovery);
    let attempt = tokio::time::timeout(NO_ANSWER, attempt).await;
    let attempt = attempt.expect("the connection is closed soon");
    assert!(attempt.is_none(), "it is told something");
    let mut newcomer = Client::connect(&server.address).await;
    assert!(!newcomer.is_closed(), "who asks for nothing may come in");
    postgres.resume();
    client.come_back(&server.address).await;
    load.flows(10).await;
    newcomer = Client::connect(&server.address).await;
    newcomer.join("p").await;
    client.ends_at(&load.stop().await).await;
}
