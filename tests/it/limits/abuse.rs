//! One who does too much of everything, and others who do not notice. How long they wait is measured by
//! `cargo bench --bench load -- abuse`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::nobody_is_left;
use crate::support::client::Client;
use crate::support::server::Server;

const OTHERS: usize = 20;
const CHANGES: usize = 40;
const FLOOD: usize = 2500;
const KNOCKS: usize = 300;

/// Sends far more than it may.
async fn flood(abuser: &Client) {
    let change = |number| json!({"projectId": "abuse", "taskId": "t", "number": number});
    let asked: Vec<_> = (0..FLOOD)
        .map(|number| abuser.ask("task:update", &[change(number)]))
        .collect();
    for answer in asked {
        let answer: Value = answer.await.expect("one answer each");
        assert_eq!(answer["ok"], true, "{answer}");
    }
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
        ("COMMAND_RATE", "500/500"),
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
    let ((), _, ()) = tokio::join!(flood(&abuser), knocking, behaving);
    assert!(turned_away.load(Ordering::Relaxed) > 0);
    let health = server.health().await;
    assert!(
        health["limits"]["held_back"].as_u64().unwrap() > 100,
        "{health}"
    );
    drop(abuser);
    nobody_is_left(&server).await;
}
