//! Messages that are too many.

use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::refused;
use crate::support::client::{self, Client};
use crate::support::server::Server;
use crate::support::tokens;

fn change(number: usize) -> [Value; 1] {
    [json!({"projectId": "p", "taskId": "t", "number": number})]
}

/// Sends so many changes at once; all answers, in the order of the questions.
async fn flood(client: &Client, count: usize) -> Vec<Value> {
    let asked: Vec<_> = (0..count)
        .map(|number| client.ask("task:update", &change(number)))
        .collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.expect("one answer each"));
    }
    answers
}

fn is_limited(answer: &Value) -> bool {
    answer["code"] == "rate_limited"
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_too_much_is_told_when_to_go_on() {
    let settings = [
        ("COMMAND_RATE", "2/10"),
        ("READ_RATE", "1/3"),
        ("SIGNAL_RATE", "1/2"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let answers = flood(&client, 30).await;
    let done = answers.iter().filter(|answer| answer["ok"] == true).count();
    assert!((10..15).contains(&done), "{answers:?}");
    assert_eq!(
        answers.iter().filter(|answer| is_limited(answer)).count(),
        30 - done
    );
    let last = answers.iter().rfind(|answer| is_limited(answer)).unwrap();
    assert_eq!(last["retryable"], true, "{last}");
    assert!(
        last["error"].as_str().unwrap().contains("changes"),
        "{last}"
    );
    let wait = last["retryAfterMs"].as_u64().unwrap();
    assert!((1..=500).contains(&wait), "{last}");
    // Whoever waits as long as was said, is served.
    tokio::time::sleep(Duration::from_millis(wait)).await;
    assert_eq!(
        client.call("task:update", change(99)[0].clone()).await["ok"],
        true
    );
    // What was refused has left no trace.
    let snapshot = client.call("project:snapshot", json!("p")).await;
    assert_eq!(snapshot["seq"], done + 1);
    // The others have budgets of their own: one of three reads is left. Signals, and what nobody knows, have another.
    assert!(is_limited(&flood_one(&client, "project:snapshot").await));
    let signals = [1, 2, 3, 4].map(|_| client.ask("typing", &[json!({"projectId": "p"})]));
    let mut limited = 0;
    for signal in signals {
        limited += usize::from(is_limited(&signal.await.unwrap()));
    }
    assert!((1..=2).contains(&limited), "{limited}");
    assert_eq!(refused(&server, "commands").await, 30 - done as u64);
    assert!(refused(&server, "reads").await >= 1);
    assert_eq!(refused(&server, "signals").await, limited as u64);
}

/// Asks for something until it is refused for being too much.
async fn flood_one(client: &Client, event: &str) -> Value {
    for _ in 0..9 {
        let answer = client.call(event, json!({})).await;
        if is_limited(&answer) {
            return answer;
        }
        assert_eq!(answer["code"], "validation_failed");
    }
    panic!("nobody is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_keep_the_order_of_the_questions() {
    let settings = [("COMMAND_RATE", "1000/5")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let mut stream = client::open(&server.address).await;
    stream.send(Message::text("40")).await.unwrap();
    client::next_text(&mut stream).await;
    for number in 0..200 {
        let packet = format!(r#"42{number}["task:update",{{"projectId":"p","taskId":"t"}}]"#);
        stream.feed(Message::text(packet)).await.unwrap();
    }
    stream.flush().await.unwrap();
    let mut limited = 0;
    for number in 0..200 {
        let answer = client::next_text(&mut stream).await;
        assert!(
            answer.starts_with(&format!("43{number}[")),
            "{number}: {answer}"
        );
        limited += usize::from(answer.contains("rate_limited"));
    }
    assert!(limited > 0 && limited < 200, "{limited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_of_a_user_share() {
    let settings = [
        ("COMMAND_RATE", "1/10"),
        ("USER_COMMAND_RATE", "1/15"),
        ("AUTH_SECRET", tokens::SECRET),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let of = |user| json!({"token": tokens::of(user)});
    let connect = async |auth| Client::connect_with(&server.address, &auth).await.unwrap();
    let done = async |client: &Client| {
        let answers = flood(client, 20).await;
        answers.iter().filter(|answer| answer["ok"] == true).count()
    };
    let first = connect(of("ann")).await;
    assert!((10..13).contains(&done(&first).await));
    let second = connect(of("ann")).await;
    assert!((5..9).contains(&done(&second).await));
    drop((first, second));
    // Coming anew gives no more.
    let third = connect(of("ann")).await;
    assert!(done(&third).await < 5);
    // Others have what is theirs, and so has everybody without a name.
    for auth in [of("bob"), json!({}), json!({})] {
        assert!((10..13).contains(&done(&connect(auth).await).await));
    }
    assert!(refused(&server, "user_commands").await > 10);
}

/// Else anybody could use up what somebody else may do.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_anybody_can_take_is_no_user() {
    let settings = [("COMMAND_RATE", "1/10"), ("USER_COMMAND_RATE", "1/10")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    for _ in 0..2 {
        let auth = json!({"userId": "ann"});
        let client = Client::connect_with(&server.address, &auth).await.unwrap();
        let answers = flood(&client, 20).await;
        let done = answers.iter().filter(|answer| answer["ok"] == true).count();
        assert!((10..13).contains(&done), "{done}");
    }
    assert_eq!(refused(&server, "user_commands").await, 0);
    assert_eq!(server.health().await["limits"]["users"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_without_an_ack_gets_an_error_event() {
    let server = Server::start_with("sqlite::memory:", &[("SIGNAL_RATE", "1/1")]).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    for _ in 0..2 {
        client.emit("typing", &[json!({"projectId": "p"})]);
    }
    let error = client.next().await;
    assert_eq!(error.name, "error");
    assert_eq!(error.args[0]["code"], "rate_limited");
    assert_eq!(error.args[0]["event"], "typing");
    assert!(error.args[0]["retryAfterMs"].is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_depth_are_limited_as_set() {
    let settings = [("MAX_ROOMS", "2"), ("MAX_DEPTH", "3")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let client = Client::connect(&server.address).await;
    client.join("a").await;
    client.join("b").await;
    client.join("a").await;
    let third = client.call("join:project", json!("c")).await;
    assert_eq!(third["code"], "validation_failed", "{third}");
    assert!(
        third["error"].as_str().unwrap().contains("2 projects"),
        "{third}"
    );
    let deep = |value: Value| json!({"projectId": "a", "taskId": "t", "deep": value});
    let answer = client.call("task:update", deep(json!([[1]]))).await;
    assert_eq!(answer["ok"], true, "{answer}");
    let answer = client.call("task:update", deep(json!([[[1]]]))).await;
    assert_eq!(answer["field"], "deep", "{answer}");
    // Nor does a cursor lead into more rooms.
    let other = Client::connect(&server.address).await;
    other.join("c").await;
    let cursor = |client: &Client| client.recovery()["offset"].as_str().unwrap().to_owned();
    let (own, foreign) = (cursor(&client), cursor(&other));
    let (_, positions) = foreign.split_once('.').unwrap();
    let forged = format!("{own},{positions}");
    let other = Client::connect_with(&server.address, &json!({"cursor": forged})).await;
    let told = other.unwrap().next_signal().await;
    assert_eq!(told.name, "session:reset", "{told:?}");
}
