//! A client that does not read for a while misses nothing, repeats nothing, and costs bounded memory.

use std::time::Duration;

use boardcast::cli::Cli;
use boardcast::contract::{Limits, Publication};
use boardcast::domain::{ConnectionId, PrivateId};
use boardcast::state::AppState;
use boardcast::writer::Caller;
use clap::Parser as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::client::Client;
use crate::support::http;
use crate::support::server::Server;

const EVENTS: usize = 20_000;
const PAUSE: Duration = Duration::from_secs(10);
/// Far below what 20 000 events would take if they were kept for the slow client.
const MEMORY_KIB: u64 = 60 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_pauses_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file_unlimited(folder.path()).await;
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

/// Far more than a packet queue holds, and a socket's buffers before it.
const BROADCASTS: usize = 900;

/// Notifications lie in the same queue as events, and stop before it is full.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_full_of_broadcasts_delays_events_and_burns_nothing() {
    let settings = [("ADMIN_TOKEN", "it-is-a-secret-for-tests")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let slow = Client::connect_with(&server.address, &json!({"userId": "slow"}))
        .await
        .unwrap();
    let quick = Client::connect(&server.address).await;
    slow.join("p").await;
    slow.set_reading(false);
    let body = json!({"userId": "slow", "text": "x".repeat(30_000)}).to_string();
    let request = format!(
        "POST /admin/notifications HTTP/1.1\r\nHost: it\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        settings[0].1,
        body.len()
    );
    for _ in 0..BROADCASTS {
        assert_eq!(http::request(&server.address, &request).await.0, 202);
    }
    for number in 0..10 {
        let change = json!({"projectId": "p", "taskId": "t", "updates": {"number": number}});
        assert_eq!(quick.call("task:update", change).await["ok"], true);
    }
    let before = server.cpu_ticks();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = server.cpu_ticks() - before;
    assert!(used < 50, "{used} hundredths of 2 s");
    slow.set_reading(true);
    for seq in 1..=10 {
        assert_eq!(slow.next().await.seq(), seq);
    }
}

/// More than a socket's buffers hold, and a packet queue behind them.
const PUBLICATIONS: i64 = 4_000;

/// Each event of a channel comes in two forms, and a queue that has room for one of them alone gets neither.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_pauses_gets_both_forms_of_an_event_once() {
    let arguments = ["boardcast", "--database-url", "sqlite::memory:"];
    let config = Cli::try_parse_from(arguments).unwrap().config;
    let app = AppState::start(config).await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = boardcast::server::serve(app.clone(), listener, std::future::pending());
    let serving = tokio::spawn(serving);
    let slow = Client::connect(&address).await;
    slow.call("subscribe", json!("c")).await;
    slow.set_reading(false);
    let client = PrivateId::generate().client();
    let caller = Caller::new(ConnectionId::generate(), client, None);
    for number in 1..=PUBLICATIONS {
        let data = json!({"seq": number, "text": "x".repeat(5_000)});
        let text = json!({"channel": "c", "type": "t", "data": data}).to_string();
        let publication = Publication::read(&text, &Limits::default()).unwrap();
        let channel = publication.channel.clone();
        let answer = app
            .writer()
            .publish(channel, vec![publication], &caller, None);
        assert!(answer.unwrap().await.unwrap().is_ok());
    }
    slow.set_reading(true);
    for number in 1..=PUBLICATIONS {
        let (whole, alone) = (slow.next().await, slow.next().await);
        assert_eq!((&*whole.name, whole.seq()), ("event", number));
        assert_eq!((&*alone.name, alone.seq()), ("t", number));
    }
    serving.abort();
}
