//! Messages that are too many.

use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::refused;
use crate::support::client::{self, Client};
use crate::support::polling::Polling;
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

/// Sends so many commands at once, all of which are done; that takes so long at least.
async fn takes(client: &Client, count: usize, least: Duration) {
    let started = Instant::now();
    let answers = flood(client, count).await;
    assert!(
        answers.iter().all(|answer| answer["ok"] == true),
        "{answers:?}"
    );
    assert!(started.elapsed() >= least, "{:?}", started.elapsed());
}

async fn held_back(server: &Server) -> u64 {
    let health = server.health().await;
    health["limits"]["held_back"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_too_much_is_slowed_down() {
    let settings = [("COMMAND_RATE", "50/10"), ("READ_RATE", "50/10")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let half_a_second = Duration::from_millis(500);
    takes(&client, 60, half_a_second).await;
    assert!(held_back(&server).await >= 20);
    // Reads have a budget of their own.
    let started = Instant::now();
    for _ in 0..36 {
        let snapshot = client.call("project:snapshot", json!("p")).await;
        assert_eq!(snapshot["seq"], 60);
    }
    assert!(started.elapsed() >= half_a_second);
    assert_eq!(refused(&server, "commands").await, 0);
    assert_eq!(refused(&server, "reads").await, 0);
}

/// What was sent before it stands in the way of its pong.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_slowed_down_stays_connected() {
    let settings = [
        ("COMMAND_RATE", "100/10"),
        ("PING_INTERVAL", "300ms"),
        ("PING_TIMEOUT", "300ms"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let client = Client::connect(&server.address).await;
    takes(&client, 200, Duration::from_millis(1800)).await;
    assert_eq!(
        client.call("project:snapshot", json!("p")).await["seq"],
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_piles_commands_up_is_refused() {
    let server = Server::start_with(
        "sqlite::memory:",
        &[("COMMAND_RATE", "1/10"), ("PING_TIMEOUT", "1s")],
    )
    .await;
    let polling = Polling::connect(&server.address).await;
    let packet = |number| format!(r#"42{number}["task:update",{{"projectId":"p","taskId":"t"}}]"#);
    let packets: Vec<_> = (0..100).map(packet).collect();
    assert_eq!(polling.post(&packets.join("\u{1e}")).await.0, 200);
    let (mut done, mut limited) = (0, Vec::new());
    while done + limited.len() < packets.len() {
        let (_, polled) = polling.poll().await;
        let answers = polled
            .split('\u{1e}')
            .filter(|packet| packet.starts_with("43"));
        for answer in answers {
            let (_, answer) = answer.split_once('[').expect("an answer");
            let answer: Value = serde_json::from_str(answer.strip_suffix(']').unwrap()).unwrap();
            if is_limited(&answer) {
                limited.push(answer);
            } else {
                assert_eq!(answer["ok"], true, "{answer}");
                done += 1;
            }
        }
    }
    // Ten at once, and as many as come back within a minute.
    assert!((70..75).contains(&done), "{done}");
    let last = limited.last().unwrap();
    assert_eq!(last["retryable"], true, "{last}");
    assert!(
        last["error"].as_str().unwrap().contains("changes"),
        "{last}"
    );
    let wait = last["retryAfterMs"].as_u64().unwrap();
    assert!((59_000..=61_000).contains(&wait), "{last}");
    // What was refused has left no trace.
    let other = Client::connect(&server.address).await;
    let snapshot = other.call("project:snapshot", json!("p")).await;
    assert_eq!(snapshot["seq"], done);
    assert_eq!(refused(&server, "commands").await, limited.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signals_too_much_is_refused() {
    let server = Server::start_with("sqlite::memory:", &[("SIGNAL_RATE", "1/2")]).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let signals = [1, 2, 3, 4].map(|_| client.ask("typing", &[json!({"projectId": "p"})]));
    let mut limited = 0;
    for signal in signals {
        limited += usize::from(is_limited(&signal.await.unwrap()));
    }
    assert!((1..=2).contains(&limited), "{limited}");
    assert_eq!(refused(&server, "signals").await, limited as u64);
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
    for number in 0..200 {
        let answer = client::next_text(&mut stream).await;
        assert!(
            answer.starts_with(&format!("43{number}[")),
            "{number}: {answer}"
        );
    }
    assert!(held_back(&server).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_of_a_user_share() {
    let settings = [
        ("USER_COMMAND_RATE", "50/15"),
        ("AUTH_SECRET", tokens::SECRET),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let of = |user| json!({"token": tokens::of(user)});
    let connect = async |auth| Client::connect_with(&server.address, &auth).await.unwrap();
    let (first, second) = (connect(of("ann")).await, connect(of("ann")).await);
    let both = async |count, least| {
        tokio::join!(takes(&first, count, least), takes(&second, count, least));
    };
    both(40, Duration::from_millis(400)).await;
    // Coming anew gives no more.
    let third = connect(of("ann")).await;
    takes(&third, 40, Duration::from_millis(300)).await;
    let before = held_back(&server).await;
    // Others have what is theirs, and so has everybody without a name.
    for auth in [of("bob"), json!({}), json!({})] {
        takes(&connect(auth).await, 15, Duration::ZERO).await;
    }
    assert_eq!(held_back(&server).await, before);
}

/// Else anybody could use up what somebody else may do.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_anybody_can_take_is_no_user() {
    let settings = [("USER_COMMAND_RATE", "1/10")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    for _ in 0..2 {
        let auth = json!({"userId": "ann"});
        let client = Client::connect_with(&server.address, &auth).await.unwrap();
        takes(&client, 20, Duration::ZERO).await;
    }
    assert_eq!(held_back(&server).await, 0);
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

/// As `checkRateLimit(clientId, 100, 60000)` does it: a hundred, and then none until the window has passed.
#[tokio::test(flavor = "multi_thread")]
async fn window_is_used_up_until_it_has_passed() {
    const WINDOW: Duration = Duration::from_secs(2);
    let server = Server::start_with("sqlite::memory:", &[("COMMAND_RATE", "100/2s")]).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let began = Instant::now();
    let answers = flood(&client, 110).await;
    let (taken, refused) = answers.split_at(100);
    assert!(taken.iter().all(|answer| answer["ok"] == true), "{taken:?}");
    assert!(began.elapsed() < WINDOW, "none is held back");
    for answer in refused {
        assert!(is_limited(answer), "{answer}");
        let retry_after = answer["retryAfterMs"].as_u64().unwrap();
        assert!(retry_after <= 2_001, "{answer}");
    }
    let retry_after = refused[9]["retryAfterMs"].as_u64().unwrap();
    tokio::time::sleep(Duration::from_millis(retry_after)).await;
    let answers = flood(&client, 101).await;
    assert_eq!(
        answers.iter().filter(|answer| is_limited(answer)).count(),
        1
    );
}
