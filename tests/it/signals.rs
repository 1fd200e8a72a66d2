//! Signals: what is told to others in the room and to nobody else, how often, and that they never cost an event.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Client, Received};
use crate::support::server::{Server, UNLIMITED};

async fn joined(server: &Server, auth: Value) -> Client {
    let client = Client::connect_with(&server.address, &auth).await.unwrap();
    client.join("p").await;
    client
}

/// The next signal that is not about who comes and goes.
async fn next(client: &Client) -> Received {
    loop {
        let signal = client.next_signal().await;
        if !signal.name.starts_with("presence") {
            return signal;
        }
    }
}

/// What a client was told of others up to now: a last signal tells where now is.
async fn signals_until_fence(client: &Client, sender: &Client) -> Vec<Received> {
    static FENCES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let fence = FENCES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let task = json!(format!("fence {fence}"));
    let fence = json!({"projectId": "p", "taskId": task});
    assert_eq!(sender.call("typing", fence).await["ok"], true);
    let mut heard = Vec::new();
    loop {
        let signal = next(client).await;
        if signal.args[0]["taskId"] == task {
            return heard;
        }
        heard.push(signal);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_told_and_the_sender_is_not() {
    let server = Server::start("sqlite::memory:").await;
    let ada = joined(&server, json!({"userId": "ada"})).await;
    let tab = joined(&server, json!({"userId": "ada", "eventStyle": "dash"})).await;
    let bob = joined(&server, json!({"userId": "bob"})).await;
    let sent = json!({"projectId": "p", "taskId": 7, "field": "title", "userId": "eve", "connectionId": "x"});
    let ack = ada.call("startEditingTask", sent).await;
    assert_eq!(ack, json!({"ok": true, "success": true}));
    let heard = next(&bob).await;
    assert_eq!(heard.name, "task:editing");
    let [payload] = heard.args.as_slice() else {
        panic!("one argument: {heard:?}");
    };
    let connection = payload["connectionId"].as_str().unwrap();
    assert!(uuid::Uuid::parse_str(connection).is_ok(), "{payload}");
    let expected = json!({"projectId": "p", "taskId": 7, "field": "title", "userId": "ada", "isEditing": true,
        "connectionId": connection});
    assert_eq!(*payload, expected);
    let in_the_other_tab = next(&tab).await;
    assert_eq!(in_the_other_tab.name, "task-editing");
    assert_eq!(in_the_other_tab.args, heard.args);
    ada.emit("typing", &[]);
    assert_eq!(next(&bob).await.name, "typing");
    assert_eq!(
        signals_until_fence(&ada, &bob).await,
        [],
        "nothing of its own"
    );
    // Nothing of it is in the log.
    let change = json!({"projectId": "p", "taskId": "t", "a": 1});
    assert_eq!(bob.call("task:update", change).await["seq"], 1);
    assert_eq!(ada.next().await.seq(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_joined_neither_tells_nor_hears() {
    let server = Server::start("sqlite::memory:").await;
    let bob = joined(&server, json!({})).await;
    let eve = Client::connect(&server.address).await;
    for name in ["typing", "task:editing", "presence:update"] {
        let refused = eve.call(name, json!({"projectId": "p"})).await;
        assert_eq!(refused["code"], "validation_failed", "{refused}");
        assert_eq!(refused["field"], "projectId");
        assert_eq!(refused["error"], "join the project first");
    }
    eve.emit("typing", &[json!({"projectId": "p"})]);
    assert_eq!(eve.next().await.name, "error");
    eve.join("q").await;
    eve.join("r").await;
    let ambiguous = eve.call("typing", json!({})).await;
    assert_eq!(ambiguous["error"], "projectId is missing");
    let long = json!({"projectId": "q", "text": "x".repeat(5000)});
    assert_eq!(eve.call("typing", long).await["code"], "payload_too_large");
    let ada = joined(&server, json!({})).await;
    assert_eq!(signals_until_fence(&bob, &ada).await, []);
    assert_eq!(ada.call("leave:project", json!("p")).await["ok"], true);
    assert_eq!(
        ada.call("typing", json!({"projectId": "p"})).await["ok"],
        false
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_too_often_is_thinned_out_up_to_the_last_word() {
    const WORDS: u64 = 100;
    let server = Server::start("sqlite::memory:").await;
    let ada = joined(&server, json!({})).await;
    let bob = joined(&server, json!({})).await;
    let started = Instant::now();
    for number in 0..WORDS {
        let name = if number + 1 < WORDS {
            "typing:start"
        } else {
            "typing:stop"
        };
        ada.emit(name, &[json!({"number": number})]);
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&(WORDS - 1)) {
        let signal = next(&bob).await;
        let number = signal.args[0]["number"].as_u64().unwrap();
        assert_eq!(signal.args[0]["isTyping"], number + 1 < WORDS, "{signal:?}");
        heard.push(number);
    }
    let intervals = started.elapsed().as_millis() / 250;
    assert_eq!(heard[0], 0, "the first passes at once");
    assert!(heard.is_sorted() && heard.len() >= 3, "{heard:?}");
    assert!(
        heard.len() as u128 <= intervals + 1,
        "{heard:?} in {intervals} intervals"
    );
    // Another task, another signal: neither waits for the other.
    assert_eq!(signals_until_fence(&bob, &ada).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_word_is_heard_even_of_those_who_go() {
    let server = Server::start("sqlite::memory:").await;
    let ada = joined(&server, json!({})).await;
    let bob = joined(&server, json!({})).await;
    ada.call("typing:start", json!({})).await;
    ada.call("typing:stop", json!({})).await;
    drop(ada);
    assert_eq!(next(&bob).await.args[0]["isTyping"], true);
    assert_eq!(next(&bob).await.args[0]["isTyping"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_different_signals_at_once_are_refused() {
    let server = Server::start("sqlite::memory:").await;
    let ada = joined(&server, json!({})).await;
    let asked: Vec<_> = (0..200)
        .map(|task| ada.ask("task:editing", &[json!({"taskId": task})]))
        .collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.unwrap());
    }
    assert_eq!(answers[63]["ok"], true);
    let refused = answers.iter().find(|answer| answer["ok"] == false);
    let refused = refused.expect("200 are too many");
    assert_eq!(
        (&refused["code"], &refused["retryable"]),
        (&json!("rate_limited"), &json!(true))
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        ada.call("task:editing", json!({"taskId": "new"})).await["ok"],
        true
    );
}

/// Far more than fits into a connection, in batches that the others keep up with.
const BATCHES: i32 = 80;
const BATCH: i32 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_misses_signals_and_no_event() {
    let server = Server::start_with("sqlite::memory:", &UNLIMITED).await;
    let slow = joined(&server, json!({"presence": true})).await;
    let ada = joined(&server, json!({})).await;
    let bob = joined(&server, json!({})).await;
    slow.set_reading(false);
    // Short, so that it is not bytes that keep signals out.
    let text = "x".repeat(800);
    for batch in 0..BATCHES {
        for number in 0..BATCH {
            let change = json!({"text": text, "number": batch * BATCH + number});
            let change = json!({"projectId": "p", "taskId": "t", "updates": change});
            ada.emit("task:update", &[change]);
        }
        ada.take(BATCH.try_into().unwrap()).await;
        ada.emit("typing", &[json!({"taskId": batch})]);
        assert_eq!(next(&bob).await.args[0]["taskId"], batch);
    }
    assert_eq!(bob.call("leave:project", json!("p")).await["ok"], true);
    slow.set_reading(true);
    for seq in 1..=BATCHES * BATCH {
        assert_eq!(slow.next().await.seq(), i64::from(seq));
    }
    // Nobody will say again that bob has left. What was typed before comes before.
    let (mut heard, mut last) = (0, Value::Null);
    loop {
        let signal = slow.next_signal().await;
        match signal.name.as_str() {
            "presence:leave" => break,
            "typing" => (heard, last) = (heard + 1, signal.args[0]["taskId"].clone()),
            _ => {}
        }
    }
    assert_ne!(last, json!(BATCHES - 1), "{heard} came through");
    assert!(!slow.is_closed());
}
