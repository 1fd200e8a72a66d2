//! What those hear who name no channel: `new EventSource('/api/events')`.

use std::time::Duration;

use serde_json::json;

use super::{create, required};
use crate::membership::enter;
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::sse::{EventStream, Message, publish, publish_as};
use crate::support::tokens;

const PATH: &str = "/api/events";

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_channels_hears_the_usual_ones_as_they_were_published() {
    let server = Server::start("sqlite::memory:").await;
    for path in [PATH, "/api/events?channels="] {
        let mut stream = EventStream::open(&server.address, path, None).await;
        stream.id_after("").await;
        for channel in [
            "ui:activity",
            "ai:jobs:status",
            "sse:progress:scraper",
            "memory:new-items",
        ] {
            for said in [
                json!({"jobId": "job_123"}),
                json!([1, "two"]),
                json!("a text"),
            ] {
                publish(&server.address, "elsewhere", "message", &said).await;
                let seq = publish(&server.address, channel, "message", &said).await;
                let told = stream.next().await.json();
                assert_eq!(
                    (&told["channel"], &told["seq"], &told["type"]),
                    (&json!(channel), &json!(seq), &json!("message"))
                );
                assert_eq!(told["message"], said);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_channels_hears_those_of_the_setting_and_goes_on_after_a_cut() {
    let settings = [("EVENT_CHANNELS", "news,project:p")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let mut stream = EventStream::open(&server.address, PATH, None).await;
    stream.id_after("").await;
    publish(&server.address, "ui:activity", "message", &json!({})).await;
    publish(&server.address, "news", "flash", &json!(1)).await;
    let told = stream.next().await;
    assert_eq!(told.channel(), "news");
    drop(stream);
    let client = Client::connect(&server.address).await;
    create(&client, "p", "Sow").await;
    publish(&server.address, "news", "flash", &json!(2)).await;
    let mut stream = EventStream::open(&server.address, PATH, Some(&told.id)).await;
    let mut heard: Vec<_> = stream.take(2).await;
    heard.sort_by_key(Message::channel);
    assert_eq!(heard[0].json()["message"], 2);
    assert_eq!(heard[1].json()["message"]["title"], "Sow");
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_that_may_not_be_heard_are_left_out_of_a_stream_without_channels() {
    let settings = [("EVENT_CHANNELS", "user:bob,project:nowhere,session:s")];
    let server = required(&settings).await;
    let refused = EventStream::try_open(&server.address, PATH, None).await;
    let head = refused.expect("it is answered").head;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    let path = format!("{PATH}?token={}", tokens::of("ann"));
    let mut stream = EventStream::open(&server.address, &path, None).await;
    let begin = stream.id_after("").await;
    let publish = async |type_name: &str| {
        let token = tokens::of("bob");
        publish_as(&server.address, &token, "session:s", type_name).await;
    };
    publish("one").await;
    assert_eq!(stream.next().await.json()["type"], "one");
    drop(stream);
    let mut stream = EventStream::open(&server.address, &path, Some(&begin)).await;
    assert_eq!(stream.next().await.json()["type"], "one");
}

/// There may be something to be heard later, and a browser that is refused never comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_channels_of_which_none_may_be_heard_stays_open_and_hears_what_comes_to_be_allowed()
 {
    let server = required(&[
        ("CLIENT_PROJECT_IDS", "true"),
        ("EVENT_CHANNELS", "project:p"),
    ])
    .await;
    let path = format!("{PATH}?token={}", tokens::of("ann"));
    let mut stream = EventStream::open(&server.address, &path, None).await;
    let last = stream.id_after("").await;
    let more = tokio::time::timeout(Duration::from_millis(200), stream.try_next()).await;
    assert!(more.is_err(), "it stays open");
    drop(stream);
    let ann = enter(&server.address, "ann").await;
    ann.call("project:create", json!({"id": "p", "name": "P"}))
        .await;
    let mut stream = EventStream::open(&server.address, &path, Some(&last)).await;
    let seq = create(&ann, "p", "Sow").await;
    loop {
        let told = stream.next().await;
        assert_eq!(told.name, "message", "nothing was lost: {told:?}");
        if told.seq() == seq {
            break;
        }
    }
}
