//! No event that follows a removal reaches the one who was removed, wherever they are and whatever they do meanwhile.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{REVOKED, connect, enter, found, give, remove};
use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::tokens::{REQUIRED, of};

const ROUNDS: usize = 15;
/// Clients who only pass through, so that one of them is at the door at the moment of the removal.
const PASSERS: usize = 12;

/// Removed on one instance while they listen on the other, and join there in every way, in a stream of changes.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_after_a_removal_is_heard_on_another_instance() {
    let cluster = Cluster::start_with(2, &REQUIRED).await;
    let (here, there) = (cluster.address(0), cluster.address(1));
    let ann = enter(here, "ann").await;
    let project = found(&ann).await;
    let mut chance = Chance::from_seed();
    for round in 0..ROUNDS {
        give(&ann, &project, "bob", "member").await;
        let listening = connect(there, &of("bob")).await;
        listening.join(&project).await;
        let joining = connect(there, &of("bob")).await;
        let doors = [here, there].into_iter().cycle().take(PASSERS);
        let passers = join_all(doors.map(|door| enter(door, "bob"))).await;
        let writing = write(&ann, &project, 30);
        let removing = async {
            pause(&mut chance).await;
            remove(&ann, &project, "bob").await
        };
        let entering = join_in_every_way(&joining, &project);
        let passing = join_all(
            passers
                .iter()
                .map(|client| join_and_leave(client, &project)),
        );
        let ((), removed, answers, passed) = tokio::join!(writing, removing, entering, passing);
        let told = hear_until_revoked(&listening).await;
        let expected = (told[0]..removed).collect::<Vec<_>>();
        assert_eq!(
            told, expected,
            "round {round}: all before the removal, nothing after"
        );
        for answer in &answers {
            assert_knows_nothing_after(answer, removed);
        }
        let last = passed.into_iter().flatten().max();
        assert!(
            last < Some(removed),
            "round {round}: let in at {last:?}, removed at {removed}"
        );
        // It was in the room now and then; whether or not it was told to go, it heard nothing that came after.
        for seq in hear_all(&joining).await {
            assert!(seq < removed, "round {round}: {seq} came after {removed}");
        }
    }
}

async fn pause(chance: &mut Chance) {
    tokio::time::sleep(Duration::from_micros(chance.below(20_000) as u64)).await;
}

async fn write(ann: &Client, project: &str, tasks: usize) {
    for number in 0..tasks {
        let task = json!({"projectId": project, "title": number});
        ann.call("task:create", task).await;
    }
}

/// Joins, reads and leaves until it is refused; the answers.
async fn join_in_every_way(client: &Client, project: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    loop {
        for (command, payload) in [
            ("join:project", json!(project)),
            ("leave:project", json!(project)),
            (
                "join:project",
                json!({"projectId": project, "snapshot": true}),
            ),
            ("leave:project", json!(project)),
            (
                "join:project",
                json!({"projectId": project, "since": 1, "events": true}),
            ),
            ("join:project", json!(project)),
            ("project:snapshot", json!(project)),
            ("project:sync", json!({"projectId": project, "since": 1})),
        ] {
            let answer = client.call(command, payload).await;
            if answer["ok"] == false {
                assert_eq!(answer["code"], "not_found", "{answer}");
                return answers;
            }
            answers.push(answer);
        }
    }
}

/// Joins, reads and leaves until it is refused; where the log stood each time.
async fn join_and_leave(client: &Client, project: &str) -> Vec<i64> {
    let mut seqs = Vec::new();
    loop {
        for command in ["join:project", "project:snapshot"] {
            let seen = client.call(command, json!(project)).await;
            let Some(seq) = seen["seq"].as_i64() else {
                assert_eq!(seen["code"], "not_found", "{seen}");
                return seqs;
            };
            seqs.push(seq);
        }
        client.call("leave:project", json!(project)).await;
    }
}

/// The seqs that are heard until the client is told to go.
async fn hear_until_revoked(client: &Client) -> Vec<i64> {
    let mut seqs = Vec::new();
    loop {
        let heard = client.next().await;
        if heard.name == REVOKED {
            break;
        }
        seqs.push(heard.seq());
    }
    let more = client.try_next(Duration::from_millis(50)).await;
    assert_eq!(more, None, "nothing follows");
    seqs
}

/// The seqs of the events that have arrived or are about to.
async fn hear_all(client: &Client) -> Vec<i64> {
    let mut seqs = Vec::new();
    while let Some(heard) = client.try_next(Duration::from_millis(20)).await {
        if heard.name != REVOKED {
            seqs.push(heard.seq());
        }
    }
    seqs
}

/// Neither the state nor the events in an answer are of a time after the removal.
fn assert_knows_nothing_after(answer: &Value, removed: i64) {
    let carries_state = answer["snapshot"]["seq"].as_i64().or_else(|| {
        let is_state = answer["tasks"].is_array();
        is_state.then(|| answer["seq"].as_i64())?
    });
    assert!(
        carries_state.is_none_or(|seq| seq < removed),
        "{removed}: {answer}"
    );
    let events = answer["events"].as_array();
    for event in events.into_iter().flatten() {
        assert!(
            event["seq"].as_i64().unwrap() < removed,
            "{removed}: {event}"
        );
    }
}
