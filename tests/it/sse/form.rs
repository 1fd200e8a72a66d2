//! What a stream looks like, to the byte.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{create, unlimited};
use crate::support::client::Client;
use crate::support::sse::{EventStream, post, publish};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_where_it_stands_and_tells_what_happens() {
    let server = unlimited().await;
    let path = "/api/events?channels=ai:jobs:status,project:p";
    let mut stream = EventStream::open(&server.address, path, None).await;
    for header in [
        "content-type: text/event-stream; charset=utf-8",
        "cache-control: no-cache, no-transform",
        "x-accel-buffering: no",
        "transfer-encoding: chunked",
    ] {
        assert!(
            stream.head.contains(&format!("{header}\r\n")),
            "{}",
            stream.head
        );
    }
    let first = stream.id_after("").await;
    assert_eq!(stream.retry(), Some(2000));
    publish(
        &server.address,
        "ai:jobs:status",
        "job.done",
        &json!({"job": 7}),
    )
    .await;
    let told = stream.next().await;
    assert_eq!(told.name, "message");
    assert_ne!(told.id, first);
    let said = &told.json();
    assert_eq!(told.channel(), "ai:jobs:status");
    assert_eq!(said["type"], "job.done");
    assert_eq!(said["message"], json!({"job": 7}));
    assert!(
        said["id"].is_string() && said["actor"].is_string(),
        "{said}"
    );
    let at: jiff::Timestamp = said["timestamp"].as_str().unwrap().parse().unwrap();
    assert!(at.as_second() > 1_700_000_000);

    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let seq = create(&client, "p", "Sow").await;
    let told = stream.next().await;
    assert_eq!((told.channel().as_str(), told.seq()), ("project:p", seq));
    assert_eq!(told.json()["type"], "task:created");
    assert_eq!(told.json()["message"], client.next().await.args[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_can_be_named_by_their_type() {
    let server = unlimited().await;
    let path = "/api/events?channel=project:a,b&channel=c&named=1&eventStyle=dash";
    let mut stream = EventStream::open(&server.address, path, None).await;
    let client = Client::connect(&server.address).await;
    create(&client, "a,b", "Sow").await;
    let told = stream.next().await;
    assert_eq!(told.name, "task-created");
    assert_eq!(told.json()["type"], "task-created");
    assert_eq!(told.channel(), "project:a,b");
    publish(&server.address, "c", "job.done", &json!({})).await;
    assert_eq!(
        stream.next().await.name,
        "job.done",
        "others keep their names"
    );
}

/// Whatever breaks lines in what was sent, the same JSON comes out.
#[tokio::test(flavor = "multi_thread")]
async fn data_comes_as_it_was_sent() {
    let server = unlimited().await;
    let mut stream = EventStream::open(&server.address, "/api/events?channels=c", None).await;
    for data in [
        "{ \"b\":1.50,\"a\" : \"\\u00e9\\n\", \"n\":12345678901234567890123 }",
        "{\n  \"a\": [\n\n    1\n  ]\n}",
        "\"data: x\\r\\nid: y\\n\\n\"",
        "\"é\u{2028}🦀\"",
        "7",
        "null",
    ] {
        let body = format!("{{\"channel\":\"c\",\"type\":\"t\",\"data\":{data}}}");
        assert_eq!(post(&server.address, &body).await.0, 201, "{body}");
        let told = stream.next().await;
        assert!(
            told.data.ends_with(&format!("\"message\":{data}}}")),
            "{}",
            told.data
        );
    }
    let body = "{\"channel\":\"c\",\"type\":\"t\",\"data\":[1,\r\n2,\r3]}";
    assert_eq!(post(&server.address, body).await.0, 201);
    let told = stream.next().await;
    assert!(
        told.data.ends_with("\"message\":[1,\n2,\n3]}"),
        "{}",
        told.data
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_wanted_is_told_and_silence_tells_where_it_stands() {
    let server = unlimited().await;
    let path = "/api/events?channels=c,project:p&types=good,task:updated";
    let mut stream = EventStream::open(&server.address, path, None).await;
    let first = stream.id_after("").await;
    publish(&server.address, "c", "good", &json!({})).await;
    let good = stream.next().await;
    assert_eq!(good.seq(), 1);
    assert_ne!(good.id, first);
    for _ in 0..3 {
        publish(&server.address, "c", "bad", &json!({})).await;
    }
    let started = Instant::now();
    assert_eq!(stream.comment().await, "keep-alive");
    let took = started.elapsed();
    assert!(
        took > Duration::from_secs(12) && took < Duration::from_secs(20),
        "{took:?}"
    );
    let moved = stream.id_after(&good.id).await;
    assert_ne!(moved, good.id);
    // Who comes back with it is not told what it did not want, and goes on with its filter.
    drop(stream);
    publish(&server.address, "c", "bad", &json!({})).await;
    publish(&server.address, "c", "good", &json!({"last": true})).await;
    let mut stream = EventStream::open(&server.address, path, Some(&moved)).await;
    assert_eq!(stream.next().await.seq(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_are_told_to_those_who_ask_for_them() {
    let server = unlimited().await;
    let ask = |more: &str| format!("/api/events?channels=project:p{more}");
    let mut with = EventStream::open(&server.address, &ask("&signals=1"), None).await;
    let mut without = EventStream::open(&server.address, &ask(""), None).await;
    let id = with.id_after("").await;
    let client = Client::connect(&server.address).await;
    let joined = client.join("p").await;
    assert_eq!(
        joined["presenceCount"], 1,
        "who only listens is not seen: {joined}"
    );
    let typing = json!({"projectId": "p", "isTyping": true});
    assert_eq!(client.call("typing", typing).await["ok"], true);
    let mut told = with.next().await;
    while told.json()["type"] != "typing" {
        told = with.next().await;
    }
    let said: Value = told.json();
    assert_eq!(said["message"]["isTyping"], true, "{said}");
    assert_eq!(
        (&said["seq"], told.id),
        (&Value::Null, id),
        "it moves nobody on"
    );
    create(&client, "p", "Sow").await;
    assert_eq!(without.next().await.seq(), 1);
}
