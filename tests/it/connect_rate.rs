//! New sessions wait for their turn, and nobody else does.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support::client::Client;
use crate::support::http;
use crate::support::polling::{OPENING, Polling};
use crate::support::server::Server;

/// More than anything here takes that does not wait for a turn.
const PROMPT: Duration = Duration::from_millis(900);

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_let_in_at_its_pace_and_health_is_prompt() {
    let server = Server::start_with("sqlite::memory:", &[("CONNECT_RATE", "50")]).await;
    let begun = Instant::now();
    let connecting = join_all((0..100).map(|_| Client::connect(&server.address)));
    let asking = async {
        while begun.elapsed() < Duration::from_secs(1) {
            let asked = Instant::now();
            server.health().await;
            assert!(asked.elapsed() < PROMPT, "{:?}", asked.elapsed());
        }
    };
    let (clients, ()) = tokio::join!(connecting, asking);
    let took = begun.elapsed();
    // The hundredth turn is 99/50 s after the first.
    assert!(took > Duration::from_millis(1500), "{took:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    server
        .health_becomes("all are there", |health| health["connections"] == 100)
        .await;
    drop(clients);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_would_wait_too_long_is_refused() {
    let server = Server::start_with("sqlite::memory:", &[("CONNECT_RATE", "1")]).await;
    let session = Polling::connect(&server.address).await;
    let request = format!("GET {OPENING} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n");
    let crowd = join_all((0..10).map(|_| http::exchange(&server.address, &request)));
    let talking = async {
        for _ in 0..5 {
            let asked = Instant::now();
            let (status, _) = session.post(r#"421["nothing"]"#).await;
            assert_eq!(status, 200);
            while !session.poll().await.1.contains("431[") {}
            assert!(asked.elapsed() < PROMPT, "{:?}", asked.elapsed());
        }
    };
    let (answers, ()) = tokio::join!(crowd, talking);
    let (refused, let_in): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| answer.starts_with("HTTP/1.1 429 "));
    assert!(let_in.len() >= 5, "{answers:?}");
    assert!(refused.len() >= 2, "{answers:?}");
    for answer in let_in {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    for answer in refused {
        assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], "rate_limited", "{body}");
        assert_eq!(body["retryable"], true, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_those_who_wait() {
    let mut server = Server::start_with("sqlite::memory:", &[("CONNECT_RATE", "1")]).await;
    let (to_statuses, mut statuses) = mpsc::unbounded_channel();
    for _ in 0..10 {
        let (address, to_statuses) = (server.address.clone(), to_statuses.clone());
        tokio::spawn(async move {
            to_statuses
                .send(http::get(&address, OPENING).await.0)
                .unwrap();
        });
    }
    drop(to_statuses);
    // Once somebody is refused, others wait.
    while statuses.recv().await.expect("somebody is refused") != 429 {}
    server.signal("TERM");
    let begun = Instant::now();
    assert_eq!(server.ended().await, Some(0));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    let mut sent_away = 0;
    while let Some(status) = statuses.recv().await {
        sent_away += usize::from(status == 503);
    }
    assert!(sent_away >= 2, "{sent_away}");
}
