//! Everybody at once: the log is read once for all who missed the same, not once for each of them.

use std::time::Duration;

use futures_util::future::join_all;

use super::follower::Follower;
use super::load::Load;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const CLIENTS: usize = 200;
const PROJECTS: usize = 10;
/// What everybody misses of each project: less than a page.
const MISSED: i64 = 30;
/// Reads of the log that a project may cost: its page, and what was committed while that was read.
const READS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_reconnects_reads_the_log_once_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    storm(&Server::on_file(folder.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_reconnects_reads_the_log_once_on_postgres() {
    let postgres = Postgres::start();
    let database = postgres.create_database().await;
    storm(&Server::start(&database).await).await;
}

async fn storm(server: &Server) {
    let projects: Vec<_> = (0..PROJECTS).map(|number| format!("p{number}")).collect();
    let load = Load::start(&server.address, &projects, Duration::from_millis(50));
    load.flows(1).await;
    let joining = (0..CLIENTS).map(|number| {
        let project = &projects[number % PROJECTS];
        Follower::join(&server.address, std::slice::from_ref(project))
    });
    let mut clients = join_all(joining).await;
    join_all(clients.iter_mut().map(|client| client.take(1))).await;
    join_all(clients.iter_mut().map(Follower::cut)).await;
    server
        .health_becomes("nobody follows", |health| health["feeds"] == 0)
        .await;
    load.flows(MISSED).await;
    let before = log_reads(server).await;
    let back = clients
        .iter_mut()
        .map(|client| client.come_back(&server.address));
    join_all(back).await;
    let heads = load.heads();
    join_all(clients.iter_mut().map(|client| client.reach(&heads))).await;
    let reads = log_reads(server).await - before;
    eprintln!("{CLIENTS} clients of {PROJECTS} projects came back with {reads} reads of the log");
    assert!(reads > 0, "what was missed is in the log alone");
    assert!(reads <= READS * PROJECTS as u64, "{reads} reads");
    let heads = load.stop().await;
    join_all(clients.iter_mut().map(|client| client.ends_at(&heads))).await;
}

async fn log_reads(server: &Server) -> u64 {
    let health = server.health().await;
    health["log_reads"]
        .as_u64()
        .unwrap_or_else(|| panic!("{health} has log_reads"))
}
