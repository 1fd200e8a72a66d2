//! Who takes little, or nothing, costs little and loses nothing.

use std::time::Duration;

use serde_json::json;

use super::unlimited;
use crate::support::eventually;
use crate::support::server::{Server, UNLIMITED};
use crate::support::sse::{EventStream, publish};

const CLIENTS: usize = 20;
const EVENTS: usize = 1_500;
/// Each holds a MiB in its outlet, and what is on its way besides; all that is published is 300 MB.
const MEMORY_KIB: u64 = 120 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_pause_cost_bounded_memory_and_miss_nothing() {
    // Publishing all of it takes half a minute on two cores, and nobody reads meanwhile.
    let settings = [&UNLIMITED[..], &[("SLOW_READER_TIMEOUT", "300s")]].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let path = "/api/events?channels=c";
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = EventStream::open(&server.address, path, None).await;
        stream.id_after("").await;
        streams.push(stream);
    }
    let text = "x".repeat(10_000);
    publish(&server.address, "c", "tick", &json!({"text": text})).await;
    let before = server.memory_kib();
    for _ in 1..EVENTS {
        publish(&server.address, "c", "tick", &json!({"text": text})).await;
    }
    let grown = server.memory_kib().saturating_sub(before);
    assert!(grown < MEMORY_KIB, "the server grew by {grown} KiB");
    for stream in &mut streams {
        for seq in 1..=i64::try_from(EVENTS).unwrap() {
            assert_eq!(stream.next().await.seq(), seq);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_has_to_go_and_can_come_back() {
    let settings = [&UNLIMITED[..], &[("SLOW_READER_TIMEOUT", "2s")]].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let path = "/api/events?channels=c";
    let mut stream = EventStream::open(&server.address, path, None).await;
    stream.id_after("").await;
    let text = "x".repeat(100_000);
    // More than the connection and all that is before it can hold.
    for _ in 0..200 {
        publish(&server.address, "c", "tick", &json!({"text": text})).await;
    }
    server
        .health_becomes("the client is gone", |health| health["connections"] == 0)
        .await;
    let mut seqs = Vec::new();
    while let Some(message) = stream.try_next().await {
        seqs.push(message.seq());
    }
    let last = stream.last_id().to_owned();
    let mut stream = EventStream::open(&server.address, path, Some(&last)).await;
    while seqs.len() < 200 {
        seqs.push(stream.next().await.seq());
    }
    let all: Vec<_> = (1..=200).collect();
    assert_eq!(seqs, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_gone_is_forgotten() {
    let server = unlimited().await;
    let files = server.open_files();
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        streams.push(EventStream::open(&server.address, "/api/events?channels=c,d", None).await);
    }
    server
        .health_becomes("all are counted", |health| health["connections"] == CLIENTS)
        .await;
    drop(streams);
    server
        .health_becomes("none is left", |health| health["connections"] == 0)
        .await;
    eventually("no connection is left", async || {
        server.open_files() <= files + 2
    })
    .await;
    // Those who have gone without a word, while nothing happens, are told nothing.
    tokio::time::timeout(
        Duration::from_secs(5),
        publish(&server.address, "c", "t", &json!({})),
    )
    .await
    .unwrap();
}
