//! One who does too much of everything, and others who do not notice. How long they wait is measured by
//! `cargo bench --bench load -- abuse`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{nobody_is_left, refused};
use crate::support::client::Client;
use crate::support::server::Server;

const OTHERS: usize = 20;
const CHANGES: usize = 40;
const FLOOD: usize = 10_000;
const KNOCKS: usize = 300;

/// Sends far more than it may; how often it was refused.
async fn flood(abuser: &Client) -> usize {
    let change = |number| json!({"projectId": "abuse", "taskId": "t", "number": number});
    let asked: Vec<_> = (0..FLOOD)
        .map(|number| abuser.ask("task:update", &[change(number)]))
        .collect();
    let mut limited = 0;
    for answer in asked {
        let answer: Value = answer.await.expect("one answer each");
        if answer["ok"] != true {
            assert_eq!(answer["code"], "rate_limited", "{answer}");
            assert!(answer["retryAfterMs"].as_u64().unwrap() >= 1, "{answer}");
            limited += 1;
        }
    }
    limited
}

async fn behave(server: &Server, number: usize) {
    let client = Client::connect(&server.address).await;
    let project = format!("p{}", number % 4);
    client.join(&project).await;
    for step in 0..CHANGES {
        let change = json!({"projectId": project, "taskId": format!("t{number}"), "step": step});
        let answer = client.call("task:update", change).await;
        assert_eq!(answer["ok"], true, "{answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_does_too_much_hurts_nobody_else() {
    let settings = [
        ("COMMAND_RATE", "100/500"),
        ("MAX_CONNECTIONS_PER_IP", "50"),
        ("CONNECT_RATE_PER_IP", "50/100"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let abuser = Client::connect_from("127.0.0.2", &server.address)
        .await
        .unwrap();
    let (done, turned_away) = (AtomicBool::new(false), AtomicUsize::new(0));
    let knocking = join_all((0..KNOCKS).map(async |_| {
        while !done.load(Ordering::Relaxed) {
            match Client::connect_from("127.0.0.2", &server.address).await {
                Ok(client) => drop(client),
                Err(status) => {
                    assert!([429, 0].contains(&status), "{status}");
                    turned_away.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }));
    let behaving = async {
        join_all((0..OTHERS).map(|number| behave(&server, number))).await;
        done.store(true, Ordering::Relaxed);
    };
    let (limited, _, ()) = tokio::join!(flood(&abuser), knocking, behaving);
    assert!(limited > FLOOD / 2, "{limited}");
    assert!(turned_away.load(Ordering::Relaxed) > 0);
    let counted = refused(&server, "commands").await + refused(&server, "inbox").await;
    assert_eq!(counted, limited as u64);
    drop(abuser);
    nobody_is_left(&server).await;
}
