//! Who sends too much is slowed down; a message that is refused for it is counted once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::message::Said;
use crate::conformance::scene::{PROJECT, logged, open, update};

const SIGNALS: u64 = 40;
const COMMANDS: u64 = 60;

pub(crate) async fn rate_limited_message_is_counted_once(door: Door) {
    let server = open(&[("SIGNAL_RATE", "1/10")]).await;
    let options = Options::to(&[PROJECT]).user("ann");
    let mut client = Client::connect(door, &server.address, &options).await;
    for number in 0..SIGNALS {
        let typing = json!({"projectId": "p", "taskId": number.to_string()});
        client.ask("typing:start", typing).await;
    }
    let (mut answers, mut refused) = (0, 0_u64);
    while answers < SIGNALS {
        let message = client.next().await.expect("it goes on");
        if let Said::Answer(_, answer) = message.said {
            answers += 1;
            refused += u64::from(answer["code"] == "rate_limited");
        }
    }
    assert!(refused > 20, "{door:?}: {refused}");
    let health = server.health().await;
    assert_eq!(health["limits"]["refused"]["signals"], refused, "{door:?}");
    client.leave().await;
    let ended = logged(&server, "the end", |line| line["duration_ms"].is_u64()).await;
    assert_eq!(ended["rate_limited"], refused, "{door:?}: {ended}");
}

pub(crate) async fn commands_beyond_the_rate_are_held_back_and_none_is_lost(door: Door) {
    let server = open(&[("COMMAND_RATE", "50/10")]).await;
    let options = Options::to(&[PROJECT]).user("ann");
    let mut client = Client::connect(door, &server.address, &options).await;
    let started = Instant::now();
    for number in 0..COMMANDS {
        let (name, change) = update(number);
        client.ask(&name, change).await;
    }
    let mut answers = 0;
    while answers < COMMANDS {
        let message = client.next().await.expect("it goes on");
        if let Said::Answer(_, answer) = message.said {
            answers += 1;
            assert_eq!(answer["ok"], true, "{door:?}: {answer}");
        }
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(500), "{door:?}: {took:?}");
    let limits = server.health().await["limits"].clone();
    assert_eq!(limits["refused"]["commands"], 0, "{door:?}");
    assert!(
        limits["held_back"].as_u64().unwrap() > 10,
        "{door:?}: {limits}"
    );
}
