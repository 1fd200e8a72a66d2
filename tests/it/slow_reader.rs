//! A client that does not read for a while misses nothing, repeats nothing, and costs bounded memory.

use std::time::Duration;

use serde_json::json;

use crate::support::client::Client;
use crate::support::server::Server;

const EVENTS: usize = 20_000;
const PAUSE: Duration = Duration::from_secs(10);
/// Far below what 20 000 events would take if they were kept for the slow client.
const MEMORY_KIB: u64 = 60 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_pauses_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(folder.path()).await;
    let (slow, quick) = (
        Client::connect(&server.address).await,
        Client::connect(&server.address).await,
    );
    slow.join("p").await;
    quick.join("p").await;
    let before = server.memory_kib();
    slow.set_reading(false);
    let paused = tokio::time::Instant::now();
    let text = "x".repeat(2000);
    let mut answers = std::collections::VecDeque::new();
    for number in 0..EVENTS {
        let change =
            json!({"projectId": "p", "taskId": "t", "updates": {"number": number, "text": text}});
        answers.push_back(quick.ask("task:update", &[change]));
        if answers.len() > 200 {
            assert_eq!(answers.pop_front().unwrap().await.unwrap()["ok"], true);
        }
        if number % 100 == 0 {
            for _ in 0..100.min(EVENTS - number) {
                // The quick one reads along, so that its own queue is not what the test measures.
                if quick.try_next(Duration::from_millis(1)).await.is_none() {
                    break;
                }
            }
        }
    }
    for answer in answers {
        assert_eq!(answer.await.unwrap()["ok"], true);
    }
    tokio::time::sleep_until(paused + PAUSE).await;
    let grown = server.memory_kib().saturating_sub(before);
    assert!(grown < MEMORY_KIB, "the server grew by {grown} KiB");
    slow.set_reading(true);
    for seq in 1..=i64::try_from(EVENTS).unwrap() {
        assert_eq!(slow.next().await.seq(), seq);
    }
    assert!(!slow.is_closed());
}
