//! A client that reads nothing is ended, loses nothing when it comes back, and disturbs nobody.

use std::ops::Range;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::{Cause, Door};
use crate::conformance::message::Said;
use crate::conformance::scene::{SESSION, connections_become, open};
use crate::support::sse::publish;

/// So large that together they are more than lies between a server and a client.
const EVENTS: i64 = 120;
const TEXT: usize = 200_000;

const IMPATIENT: [(&str, &str); 2] = [
    ("SLOW_READER_TIMEOUT", "1s"),
    // Of a client on long-polling that asks for nothing: this and as much again.
    ("PING_INTERVAL", "1s"),
];

async fn hears(client: &mut Client, seqs: Range<i64>) {
    for seq in seqs {
        assert_eq!(client.event().await.seq, seq, "{:?}", client.door);
    }
}

pub(crate) async fn slow_reader_is_ended_and_loses_nothing(door: Door) {
    let server = open(&[&IMPATIENT[..], &[("PING_TIMEOUT", "4s")]].concat()).await;
    let options = Options::to(&[SESSION]);
    let mut slow = Client::connect(door, &server.address, &options).await;
    publish(&server.address, SESSION, "tick", &json!({})).await;
    hears(&mut slow, 1..2).await;
    let mut quick = Client::connect(Door::WebSocketFlat, &server.address, &options).await;
    let quick = tokio::spawn(async move {
        hears(&mut quick, 2..EVENTS + 2).await;
        quick
    });
    let text = json!({"text": "x".repeat(TEXT)});
    for _ in 0..EVENTS {
        publish(&server.address, SESSION, "tick", &text).await;
    }
    let in_time = timeout(Duration::from_secs(5), quick).await;
    let quick = in_time.expect("others are not held up").unwrap();
    connections_become(&server, 1).await;
    let mut heard = 1;
    while let Some(message) = slow.next().await {
        if let Said::Event(event) = message.said {
            heard += 1;
            assert_eq!(event.seq, heard, "{door:?}");
        }
    }
    assert!(heard <= EVENTS, "{door:?} was not slow");
    if !matches!(door, Door::WebSocketFlat | Door::WebSocketEnvelope) {
        door.assert_ended(&slow.end(), Cause::SlowReader);
    }
    let options = options.cursor(&slow.cursor());
    let mut back = Client::connect(door, &server.address, &options).await;
    hears(&mut back, heard + 1..EVENTS + 2).await;
    drop(quick);
}
