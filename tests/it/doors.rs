//! One log behind all doors: a seeded random plan changes and publishes through every one of them, on two instances, while
//! listeners at every one of them are cut off and come back elsewhere. In the end each has seen every event once, in the
//! log's order, and byte for byte.
//!
//! `IT_SEED=<seed>` replays what was done.

mod listeners;
mod writers;

use std::collections::BTreeMap;

use crate::support::chance::Chance;
use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::server::UNLIMITED;
use listeners::{Door, Heard, Listener};
use writers::Writers;

const STEPS: usize = 400;
/// Events that carry no mark.
const PROJECTS_MADE: usize = 2;
/// What is listened to; of `agent:*` what is published on `agent:a` and `agent:b`.
const CHANNELS: [&str; 6] = [
    "project:p",
    "project:q",
    "session:s",
    "user:ann",
    "ui:activity",
    "agent:*",
];

#[tokio::test(flavor = "multi_thread")]
async fn one_log_behind_all_doors() {
    let mut settings = UNLIMITED.to_vec();
    settings.push(("INGRESS_CHANNELS", "ui:activity"));
    let cluster = Cluster::start_with(2, &settings).await;
    for server in &cluster.instances {
        let listens = |health: &serde_json::Value| health["ingress"]["status"] == "available";
        server.health_becomes("it hears backends", listens).await;
    }
    let mut chance = Chance::from_seed();
    let mut listeners = Vec::new();
    for door in Door::ALL {
        for instance in 0..2 {
            listeners.push(Listener::start(door, cluster.address(instance)).await);
        }
    }
    let mut writers = Writers::connect(&cluster).await;
    for _ in 0..STEPS {
        match chance.below(10) {
            0 => {
                let who = chance.below(listeners.len());
                let address = cluster.address(chance.below(2));
                listeners[who].cut_and_go_on(address).await;
            }
            _ => writers.write(&mut chance).await,
        }
    }
    let log = all_is_logged(&cluster, writers.marks()).await;
    for listener in &listeners {
        assert_heard(listener, &log).await;
    }
}

type Log = BTreeMap<String, Vec<Heard>>;

/// The log, once every mark is in it; each is there once, and no seq is missing.
async fn all_is_logged(cluster: &Cluster, marks: usize) -> Log {
    let mut log = Log::new();
    eventually("every mark is in the log", async || {
        for channel in CHANNELS {
            let events = listeners::whole_log(cluster.address(0), channel).await;
            log.insert(channel.to_owned(), events);
        }
        log.values().map(Vec::len).sum::<usize>() >= marks + PROJECTS_MADE
    })
    .await;
    for (channel, events) in &log {
        let seqs = events.iter().map(|heard| heard.seq);
        assert!(
            seqs.eq(1..=i64::try_from(events.len()).unwrap()),
            "{channel}"
        );
    }
    for mark in 1..=marks {
        let quoted = format!("\"mark-{mark}\"");
        let mut all = log.values().flatten().map(|heard| &heard.payload);
        assert!(all.any(|payload| payload.contains(&quoted)), "{quoted}");
        assert!(
            !all.any(|payload| payload.contains(&quoted)),
            "{quoted} twice"
        );
    }
    log
}

async fn assert_heard(listener: &Listener, log: &Log) {
    let door = listener.door;
    let count = |log: &Log| log.values().map(Vec::len).sum::<usize>();
    eventually(&format!("{door:?} has heard all"), async || {
        count(&listener.heard()) >= count(log)
    })
    .await;
    let heard = listener.heard();
    for (channel, expected) in log {
        let heard = heard.get(channel).map(Vec::as_slice).unwrap_or_default();
        let differs = heard.iter().zip(expected).position(|(a, b)| a != b);
        let differs = differs.map(|at| (&heard[at], &expected[at]));
        assert_eq!(differs, None, "{door:?} {channel}");
        assert_eq!(heard.len(), expected.len(), "{door:?} {channel}");
    }
}
