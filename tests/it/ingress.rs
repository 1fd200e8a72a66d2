//! What backends publish with `redis-cli` is in the log once and in order, whichever instances hear it and whatever
//! happens to them, to Redis and to the database meanwhile; and every subscriber is told of it.

mod backend;
mod formats;
mod log;
mod outages;
mod patterns;
mod single;
mod together;

use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::server::Server;

/// The channels of most tests.
const CHANNELS: [&str; 2] = ["ui:activity", "ai:jobs:status"];

/// Instances that listen on [`CHANNELS`].
async fn start(instances: usize) -> Cluster {
    let channels = CHANNELS.join(",");
    let settings = [("INGRESS_CHANNELS", channels.as_str())];
    let cluster = Cluster::start_with(instances, &settings).await;
    all_listen(&cluster).await;
    cluster
}

/// Waits until whatever is published is heard by all instances.
async fn all_listen(cluster: &Cluster) {
    for server in &cluster.instances {
        listens(server).await;
    }
}

async fn listens(server: &Server) {
    server
        .health_becomes("backends are heard", |health| {
            health["ingress"]["status"] == "available"
        })
        .await;
}

/// Waits until what the instances have heard is in the log.
async fn nothing_waits(instances: &[Server]) {
    for server in instances {
        server
            .health_becomes("nothing waits", |health| count(health, "waiting") == 0)
            .await;
    }
}

/// Waits until an instance has heard so many messages since it started.
async fn has_heard(server: &Server, messages: usize) {
    server
        .health_becomes(&format!("{messages} messages are heard"), |health| {
            count(health, "received") >= messages
        })
        .await;
}

fn count(health: &Value, what: &str) -> usize {
    let count = health["ingress"][what].as_u64();
    usize::try_from(count.unwrap_or_else(|| panic!("{what} in {health}"))).unwrap()
}
