//! Channels that are not named one by one: by what their names begin with, or in each message.

use serde_json::{Value, json};

use super::backend::Backend;
use super::{all_listen, count, log, nothing_waits};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::sse::EventStream;

const SETTINGS: [(&str, &str); 2] = [
    ("INGRESS_CHANNELS", "agent:*,ai:jobs:*,ui:activity"),
    ("INGRESS_ENVELOPE_CHANNELS", "events"),
];

async fn start(instances: usize) -> Cluster {
    let cluster = Cluster::start_with(instances, &SETTINGS).await;
    all_listen(&cluster).await;
    cluster
}

/// Waits until so many events are in the log of a channel; their payloads.
async fn logged(cluster: &Cluster, channel: &str, events: usize) -> Vec<Value> {
    let url = &cluster.database_url;
    eventually(&format!("{events} events of {channel}"), async || {
        log::read(url, channel).await.len() >= events
    })
    .await;
    nothing_waits(&cluster.instances).await;
    let logged = log::read(url, channel).await.into_iter();
    logged
        .map(|(_, payload, _)| serde_json::from_str(&payload).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_of_a_pattern_are_logged_once_each_and_in_order() {
    const CHANNELS: usize = 20;
    const MESSAGES: usize = 25;
    let cluster = start(3).await;
    let client = Client::connect(cluster.address(1)).await;
    let answer = client
        .call("subscribe", json!({"channels": ["agent:*"]}))
        .await;
    assert_eq!(answer["ok"], true, "{answer}");
    let mut backend = Backend::start(&cluster.redis);
    for number in 0..MESSAGES {
        for channel in 0..CHANNELS {
            let message = format!("'{}'", json!({"n": number}));
            backend.say(&format!("agent:{channel}"), &message).await;
        }
        backend.say("ai:jobs:status", &number.to_string()).await;
    }
    backend.finish().await;
    for channel in 0..CHANNELS {
        let expected: Vec<_> = (0..MESSAGES).map(|number| json!({"n": number})).collect();
        let found = logged(&cluster, &format!("agent:{channel}"), MESSAGES).await;
        assert_eq!(found, expected, "agent:{channel}");
    }
    let expected: Vec<_> = (0..MESSAGES).map(|number| json!(number)).collect();
    assert_eq!(logged(&cluster, "ai:jobs:status", MESSAGES).await, expected);
    let heard = client.take(CHANNELS * MESSAGES).await;
    assert!(heard.iter().all(|event| event.args[0]["type"] == "message"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_a_mere_match_of_a_pattern_is_refused_and_counted() {
    let cluster = start(1).await;
    let mut backend = Backend::start(&cluster.redis);
    for channel in ["'agent:two words'", "agent:*", "agent:a"] {
        backend.say(channel, "42").await;
    }
    backend.finish().await;
    assert_eq!(logged(&cluster, "agent:a", 1).await, [json!(42)]);
    let health = cluster.instances[0].health().await;
    assert_eq!(count(&health, "refused"), 2, "{health}");
    assert_eq!(
        health["ingress"]["channels"],
        json!(["agent:*", "ai:jobs:*", "ui:activity"])
    );
    assert_eq!(health["ingress"]["envelope_channels"], json!(["events"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_redis_channel_reach_the_channels_that_they_name() {
    let cluster = start(2).await;
    let path = "/api/events?channels=session:s,ui:activity,project:p";
    let mut stream = EventStream::open(cluster.address(0), path, None).await;
    stream.id_after("").await;
    let client = Client::connect(cluster.address(1)).await;
    client.join("p").await;
    let said = [
        json!({"channel": "session:s", "type": "ai_complete", "data": {"text": "done"}}),
        json!({"channel": "ui:activity", "type": "seen", "data": [1, "two"]}),
        json!({"channel": "project:p", "type": "task:comment_added", "data": {"text": "Nice"}}),
        json!({"channel": "session:s", "type": "last"}),
    ];
    let mut backend = Backend::start(&cluster.redis);
    for refused in ["'{\"type\":\"no_channel\"}'", "text"] {
        backend.say("events", refused).await;
    }
    for message in &said {
        // The same message on a channel itself takes the same number since the last mark.
        backend.say("ui:activity", "beside").await;
        backend.say("events", &format!("'{message}'")).await;
    }
    backend.finish().await;
    let mut heard = Vec::new();
    while heard.len() < 2 * said.len() {
        let told = stream.next().await.json();
        heard.push((
            told["channel"].clone(),
            told["type"].clone(),
            told["message"].clone(),
        ));
    }
    for message in &said {
        let data = message.get("data").cloned().unwrap_or_else(|| json!({}));
        let told = (message["channel"].clone(), message["type"].clone(), data);
        assert!(heard.contains(&told), "{message} in {heard:?}");
    }
    // It has no seq of its own under this name.
    assert_eq!(client.next_signal().await.name, "task:comment_added");
    nothing_waits(&cluster.instances).await;
    for server in &cluster.instances {
        let health = server.health().await;
        assert_eq!(count(&health, "refused"), 2, "{health}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_message_is_obeyed() {
    let cluster = start(2).await;
    let mut backend = Backend::start(&cluster.redis);
    let message = json!({"channel": "c", "type": "t", "data": 1, "idempotencyKey": "once"});
    for _ in 0..3 {
        backend.say("events", &format!("'{message}'")).await;
    }
    let message = json!({"channel": "c", "type": "t", "data": 2});
    backend.say("events", &format!("'{message}'")).await;
    backend.finish().await;
    assert_eq!(logged(&cluster, "c", 2).await, [json!(1), json!(2)]);
}
