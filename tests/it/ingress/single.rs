//! A single instance on SQLite hears backends, too.

use serde_json::json;

use super::backend::Backend;
use super::listens;
use crate::program::run;
use crate::support::redis::Redis;
use crate::support::server::Server;
use crate::support::sse::EventStream;

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_on_sqlite_tells_what_backends_publish_and_no_second_one_starts() {
    let redis = tokio::task::block_in_place(Redis::start);
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("board.db").display());
    let url = redis.url();
    let settings = [("REDIS_URL", url.as_str())];
    let server = Server::start_with(&database, &settings).await;
    listens(&server).await;
    let health = server.health().await;
    assert_eq!(
        health["broker"],
        json!({"kind": "redis", "status": "available", "circuit": "closed"})
    );
    assert_eq!(health["status"], "healthy");
    // As the page of the dashboard has it.
    let mut stream = EventStream::open(&server.address, "/api/events", None).await;
    stream.id_after("").await;
    let mut backend = Backend::start(&redis);
    let said = json!({"jobId": "job_123", "status": "completed", "result": {"suggestions": 5}});
    backend.say("ai:jobs:status", &format!("'{said}'")).await;
    backend.finish().await;
    let told = stream.next().await.json();
    assert_eq!(told["channel"], "ai:jobs:status");
    assert_eq!(told["message"], said);

    let none = [("REDIS_URL", url.as_str()), ("INGRESS_CHANNELS", "none")];
    let deaf = Server::start_with("sqlite::memory:", &none).await;
    assert_eq!(deaf.health().await["ingress"], json!(null));

    let more = [("DATABASE_URL", database.as_str()), ("PORT", "0")];
    let output = tokio::task::block_in_place(|| run(&[], &[&settings[..], &more].concat()));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{error}");
    assert!(error.contains("another process"), "{error}");
}
