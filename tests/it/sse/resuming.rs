//! Who was cut off goes on where it was.

use std::collections::HashMap;

use serde_json::json;

use super::{create, unlimited};
use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::sse::{EventStream, Message, publish, publish_many};

/// Channels and seqs.
fn places(messages: &[Message]) -> Vec<(String, i64)> {
    let place = |message: &Message| (message.channel(), message.seq());
    messages.iter().map(place).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_id_is_where_a_client_can_go_on() {
    let server = unlimited().await;
    let path = "/api/events?channels=a,project:p,agent:*";
    let mut stream = EventStream::open(&server.address, path, None).await;
    let mut ids = vec![stream.id_after("").await];
    let client = Client::connect(&server.address).await;
    for number in 0..10 {
        publish(&server.address, "a", "tick", &json!({"number": number})).await;
        create(&client, "p", "Sow").await;
        publish(
            &server.address,
            "agent:x",
            "tick",
            &json!({"number": number}),
        )
        .await;
    }
    let messages = stream.take(30).await;
    ids.extend(messages.iter().map(|message| message.id.clone()));
    for (seen, id) in ids.iter().enumerate() {
        let rest = &messages[seen..];
        // By header, by query, and by the query that another one was made with.
        let in_query = |key: &str| format!("{path}&{key}={}", id.replace(',', "%2C"));
        let stale = format!("{path}&since={}", ids[0]);
        for (path, header) in [
            (path.to_owned(), Some(id.as_str())),
            (stale, Some(id)),
            (in_query("since"), None),
            (in_query("cursor"), None),
            (in_query("lastEventId"), None),
        ] {
            let mut again = EventStream::open(&server.address, &path, header).await;
            let told = again.take(rest.len()).await;
            let by_channel = |messages: &[Message]| {
                let mut by_channel: HashMap<String, Vec<String>> = HashMap::new();
                for message in messages {
                    let listed = by_channel.entry(message.channel()).or_default();
                    listed.push(message.data.clone());
                }
                by_channel
            };
            assert_eq!(
                by_channel(&told),
                by_channel(rest),
                "after {seen}: {path} {header:?}"
            );
            if let Some(last) = rest.last() {
                let end = told.last().unwrap();
                assert_eq!(end.id, last.id, "the end is the same");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_cut_before_its_first_event_misses_nothing() {
    let server = unlimited().await;
    let path = "/api/events?channels=quiet";
    let mut stream = EventStream::open(&server.address, path, None).await;
    let id = stream.id_after("").await;
    drop(stream);
    publish(&server.address, "quiet", "tick", &json!({})).await;
    let mut stream = EventStream::open(&server.address, path, Some(&id)).await;
    assert_eq!(stream.next().await.seq(), 1);
}

const EVENTS: usize = 2_000;

const BOTH: &str = "/api/events?channels=a,b";

#[tokio::test(flavor = "multi_thread")]
async fn cut_at_any_byte_nothing_is_missed_and_nothing_repeated() {
    let server = unlimited().await;
    let mut chance = Chance::from_seed();
    let mut stream = EventStream::open(&server.address, BOTH, None).await;
    let begin = stream.id_after("").await;
    let writing = tokio::spawn(write(server.address.clone()));
    let readers: Vec<_> = (0..8)
        .map(|_| tokio::spawn(read(server.address.clone(), begin.clone(), chance.fork())))
        .collect();
    for reader in readers {
        let (seen, cuts) = reader.await.unwrap();
        assert!(cuts > 20, "{cuts} cuts");
        for channel in ["a", "b"] {
            let seqs = seen.iter().filter(|(name, _)| name == channel);
            let seqs: Vec<_> = seqs.map(|(_, seq)| *seq).collect();
            let all: Vec<_> = (1..=i64::try_from(EVENTS / 2).unwrap()).collect();
            assert_eq!(seqs, all);
        }
    }
    writing.await.unwrap();
}

async fn write(address: String) {
    for begin in (0..EVENTS / 2).step_by(10) {
        publish_many(&address, "a", begin..begin + 10).await;
        publish_many(&address, "b", begin..begin + 10).await;
    }
}

/// Reads all events, while it is cut again and again after any number of bytes; how often.
async fn read(
    address: String,
    mut last: String,
    mut chance: Chance,
) -> (Vec<(String, i64)>, usize) {
    let (mut seen, mut cuts) = (Vec::new(), 0);
    while seen.len() < EVENTS {
        let mut stream = EventStream::open(&address, BOTH, Some(&last)).await;
        stream.cut_after(chance.below(20_000));
        while seen.len() < EVENTS
            && let Some(message) = stream.try_next().await
        {
            seen.push((message.channel(), message.seq()));
        }
        // A browser knows what came before the cut.
        stream.last_id().clone_into(&mut last);
        cuts += 1;
    }
    (seen, cuts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_is_a_cut_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::on_file(folder.path()).await;
    let path = "/api/events?channels=a,b";
    let mut stream = EventStream::open(&server.address, path, None).await;
    publish(&server.address, "a", "tick", &json!({})).await;
    let first = stream.next().await;
    server.kill().await;
    assert_eq!(stream.try_next().await, None);
    server.restart().await;
    publish(&server.address, "b", "tick", &json!({})).await;
    publish(&server.address, "a", "tick", &json!({})).await;
    let mut stream = EventStream::open(&server.address, path, Some(&first.id)).await;
    let mut told = places(&stream.take(2).await);
    told.sort();
    assert_eq!(told, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
}
