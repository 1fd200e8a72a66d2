//! Streams end with the server, one after the other, and nobody loses anything.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::unlimited;
use crate::support::server::{Server, UNLIMITED};
use crate::support::sse::{EventStream, post, publish};
use crate::support::{eventually, http};

const CLIENTS: usize = 10;
const PATH: &str = "/api/events?channels=c";

async fn open_many(address: &str) -> Vec<EventStream> {
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = EventStream::open(address, PATH, None).await;
        stream.id_after("").await;
        streams.push(stream);
    }
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_one_after_the_other_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("it.db").display());
    let settings = [&UNLIMITED[..], &[("DRAIN_TIME", "2s")]].concat();
    let mut server = Server::start_with(&database, &settings).await;
    let streams = open_many(&server.address).await;
    let reading = streams.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            let mut seqs = Vec::new();
            while let Some(message) = stream.try_next().await {
                seqs.push(message.seq());
            }
            assert!(stream.ended().await, "it came to its end, and was not cut");
            (seqs, stream.last_id().to_owned(), Instant::now())
        })
    });
    let reading: Vec<_> = reading.collect();
    server.signal("TERM");
    let mut published = 0;
    eventually("all streams have ended", async || {
        let body = json!({"channel": "c", "type": "tick"}).to_string();
        let (status, _) = post(&server.address, &body).await;
        published += i64::from(status == 201);
        reading.iter().all(tokio::task::JoinHandle::is_finished)
    })
    .await;
    assert_eq!(server.ended().await, Some(0));
    server.restart().await;
    let mut ends = Vec::new();
    for reading in reading {
        let (mut seqs, last, end) = reading.await.unwrap();
        let mut stream = EventStream::open(&server.address, PATH, Some(&last)).await;
        while seqs.last().copied().unwrap_or(0) < published {
            seqs.push(stream.next().await.seq());
        }
        assert!(
            seqs.iter().copied().eq(1..=published),
            "{seqs:?} of {published}"
        );
        ends.push(end);
    }
    ends.sort_unstable();
    let took = ends[CLIENTS - 1] - ends[0];
    assert!(took > Duration::from_secs(1), "all ended within {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_without_a_drain_ends_streams_after_what_waits() {
    let mut server = unlimited().await;
    let mut streams = open_many(&server.address).await;
    for number in 0..100 {
        publish(&server.address, "c", "tick", &json!({"number": number})).await;
    }
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0));
    for stream in &mut streams {
        for seq in 1..=100 {
            assert_eq!(stream.next().await.seq(), seq);
        }
        assert!(stream.ended().await);
    }
}

/// One that takes nothing more does not hold the others up.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_does_not_hold_up_a_shutdown() {
    let mut server = unlimited().await;
    let mut stream = EventStream::open(&server.address, PATH, None).await;
    stream.id_after("").await;
    let text = "x".repeat(100_000);
    for _ in 0..100 {
        publish(&server.address, "c", "tick", &json!({"text": text})).await;
    }
    let started = Instant::now();
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0));
    let took = started.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    server.tells("\"shut down\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_drains_sends_new_clients_elsewhere() {
    let settings = [("DRAIN_TIME", "60m")];
    let mut server = Server::start_with("sqlite::memory:", &settings).await;
    // The first one may leave at once.
    let mut streams = open_many(&server.address).await;
    server.signal("TERM");
    eventually("it drains", async || {
        http::get(&server.address, "/ready").await.0 == 503
    })
    .await;
    let (status, body) = http::get(&server.address, PATH).await;
    assert_eq!(status, 503, "{body}");
    // A browser gives up at that, so it is asked to come again.
    let mut browser = EventStream::open(&server.address, PATH, None).await;
    assert!(browser.ended().await);
    assert_eq!(browser.retry(), Some(1000));
    publish(&server.address, "c", "tick", &json!({})).await;
    let mut told = 0;
    for stream in &mut streams {
        told += usize::from(stream.try_next().await.is_some());
    }
    assert!(told >= CLIENTS - 1, "those who are here are served: {told}");
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(130));
}
