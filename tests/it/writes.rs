//! `/health` and `/ready` see that the database takes no writes although it answers, and that it takes them again.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::client::Client;
use crate::support::eventually;
use crate::support::http;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

async fn is_ready(server: &Server) -> bool {
    http::get(&server.address, "/ready").await.0 == 200
}

/// Waits until the server says that writes fail for a reason, and nobody is sent to it.
async fn fails(server: &Server, reason: &str) {
    server
        .health_becomes(reason, |health| {
            health["status"] == "degraded"
                && health["store"]["status"] == "failing"
                && health["store"]["error"] == reason
        })
        .await;
    let (status, body) = http::get(&server.address, "/ready").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["reason"]), (503, &json!(reason)));
}

async fn heals(server: &Server) {
    eventually("it is ready", async || is_ready(server).await).await;
    assert_eq!(server.health().await["status"], "healthy");
}

/// Its soft limit, which it may raise again.
fn limit_files(server: &Server, bytes: &str) {
    let pid = format!("--pid={}", server.pid());
    let limited = Command::new("prlimit")
        .args([&pid, &format!("--fsize={bytes}:")])
        .status();
    assert!(limited.unwrap().success());
}

/// The WAL's size: appended to by each commit.
fn wal(folder: &Path) -> u64 {
    let files = folder.read_dir().unwrap().map(|file| file.unwrap());
    let wal = files.filter(|file| file.file_name().to_string_lossy().ends_with("-wal"));
    wal.map(|file| file.metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_seen_without_a_commit_and_heals_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(folder.path()).await;
    let client = Client::connect(&server.address).await;
    let create = async |id: &str| {
        let task = json!({"projectId": "p", "taskId": id, "title": "x"});
        client.call("task:create", task).await
    };
    assert_eq!(create("1").await["ok"], true);
    assert!(is_ready(&server).await);
    limit_files(&server, "1000");
    // Nobody commits anything.
    fails(&server, "the disk fails, or takes nothing more").await;
    assert_eq!(create("2").await["code"], "unavailable");
    assert_eq!(http::get(&server.address, "/live").await.0, 200);
    limit_files(&server, "unlimited");
    heals(&server).await;
    assert_eq!(create("2").await["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_are_answered_by_one_write_in_five_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(folder.path()).await;
    assert!(is_ready(&server).await);
    let before = wal(folder.path());
    let begun = std::time::Instant::now();
    for _ in 0..200 {
        server.health().await;
        assert!(is_ready(&server).await);
    }
    let written = wal(folder.path()) - before;
    // One page and its header, by each write.
    let most = (begun.elapsed().as_secs() / 5 + 1) * 4_200;
    assert!(written <= most, "{written} bytes in {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_takes_no_writes_is_seen_and_heals_by_itself() {
    // One of its own: others are not to become read-only.
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let server = Server::start_with(&url, &[("DATABASE_TIMEOUT", "8s")]).await;
    heals(&server).await;
    let mut admin = PgConnection::connect(&url).await.unwrap();
    for (value, reason) in [("on", Some("the database is read-only")), ("off", None)] {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        admin
            .execute("SET default_transaction_read_only = off")
            .await
            .unwrap();
        admin.execute(sqlx::AssertSqlSafe(set)).await.unwrap();
        admin.execute("SELECT pg_reload_conf()").await.unwrap();
        match reason {
            Some(reason) => fails(&server, reason).await,
            None => heals(&server).await,
        }
    }

    admin
        .execute("SET default_transaction_read_only = off")
        .await
        .unwrap();
    admin.execute("BEGIN; LOCK TABLE events").await.unwrap();
    eventually("it is not ready", async || !is_ready(&server).await).await;
    fails(&server, "the database is locked").await;
    admin.execute("ROLLBACK").await.unwrap();
    heals(&server).await;
}
