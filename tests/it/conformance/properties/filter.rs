//! A client that wants to hear of nothing that happens gets a cursor now and then.

use serde_json::json;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::scene::{PROJECT, SESSION, make_event_of, open};
use crate::support::sse::{publish, publish_many};

const UNWANTED: usize = 1_300;
/// Fewer than there are unwanted events: a client that has no newer cursor is told of a reset.
const REPLAY_LIMIT: &str = "1000";

pub(crate) async fn filtered_subscription_gets_a_cursor_now_and_then(door: Door) {
    let server = open(&[("REPLAY_LIMIT", REPLAY_LIMIT)]).await;
    let options = Options::to(&[SESSION]).types(&["wanted"]);
    let mut client = Client::connect(door, &server.address, &options).await;
    publish(&server.address, SESSION, "wanted", &json!({})).await;
    assert_eq!(client.event().await.seq, 1);
    let first = client.cursor();
    publish_many(&server.address, SESSION, 0..UNWANTED).await;
    let moved = client.moves_on_from(&first).await;
    drop(client);
    let last = publish(&server.address, SESSION, "wanted", &json!({})).await;
    let options = options.cursor(&moved);
    let mut client = Client::connect(door, &server.address, &options).await;
    let heard = client.event().await;
    assert_eq!((heard.kind.as_str(), heard.seq), ("wanted", last));
    drop(client);
    // Of a project's events by their kinds.
    let wanted = ["comment:created", "subtask:created"];
    let options = Options::to(&[PROJECT]).types(&wanted);
    let mut client = Client::connect(door, &server.address, &options).await;
    for _ in 0..2 {
        let mut seqs = Vec::new();
        for kind in ["task", "comment", "subtask"] {
            seqs.push(make_event_of(&server.address, PROJECT, kind).await);
        }
        for (seq, wanted) in seqs[1..].iter().zip(wanted) {
            let heard = client.event().await;
            assert_eq!((heard.kind.as_str(), heard.seq), (wanted, *seq), "{door:?}");
        }
    }
}
