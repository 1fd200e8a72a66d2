//! Three instances that all hear the same.

use std::time::Duration;

use serde_json::json;

use super::backend::{Backend, Backends, step};
use super::{CHANNELS, all_listen, count, log, nothing_waits, start};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::server::Server;

const AT_ONCE: Duration = Duration::ZERO;

async fn subscriber(address: &str) -> Client {
    let client = Client::connect(address).await;
    let answer = client
        .call("subscribe", json!({"channels": CHANNELS}))
        .await;
    assert_eq!(answer["ok"], true, "{answer}");
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_are_logged_once_and_reach_everyone() {
    let cluster = start(3).await;
    let mut subscribers = Vec::new();
    for instance in 0..3 {
        subscribers.push(subscriber(cluster.address(instance)).await);
    }
    let mut backends = Backends::new(4);
    backends.say(&cluster.redis, 250, AT_ONCE).await;
    log::has_all(&cluster.database_url, &cluster.instances, &backends).await;

    for client in subscribers {
        let mut next = vec![0; backends.said.len()];
        for event in client.take(backends.total()).await {
            assert_eq!(event.name, "event");
            let message = &event.args[0];
            let publisher = message["data"]["publisher"].as_u64().unwrap();
            let publisher = usize::try_from(publisher).unwrap();
            assert_eq!(message["data"], step(publisher, next[publisher]));
            assert_eq!(message["type"], "step");
            assert_eq!(message["channel"], Backends::channel_of(publisher));
            next[publisher] += 1;
        }
        assert_eq!(next, backends.said);
    }

    let (mut published, mut settled) = (0, 0);
    for server in &cluster.instances {
        let health = server.health().await;
        assert_eq!(count(&health, "received"), 1000, "{health}");
        assert_eq!(health["status"], "healthy");
        published += count(&health, "published");
        settled += count(&health, "published") + count(&health, "duplicates");
    }
    assert_eq!((published, settled), (1000, 3000));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_equal_are_not_the_same() {
    let cluster = start(3).await;
    let mut backend = Backend::start(&cluster.redis);
    for _ in 0..100 {
        backend.say(CHANNELS[0], "again").await;
    }
    backend.finish().await;
    let url = &cluster.database_url;
    eventually("all of them are logged", async || {
        log::read(url, CHANNELS[0]).await.len() >= 100
    })
    .await;
    nothing_waits(&cluster.instances).await;
    let logged = log::read(url, CHANNELS[0]).await;
    let again = ("message", r#""again""#, "ingress");
    let again = (again.0.to_owned(), again.1.to_owned(), again.2.to_owned());
    assert_eq!(logged, vec![again; 100]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_that_share_a_redis_log_everything_once_each() {
    let redis = tokio::task::block_in_place(Redis::start);
    let (redis_url, channels) = (redis.url(), CHANNELS.join(","));
    let settings = [
        ("REDIS_URL", redis_url.as_str()),
        ("INGRESS_CHANNELS", channels.as_str()),
    ];
    let mut deployments = Vec::new();
    for _ in 0..2 {
        let database = Postgres::shared().create_database().await;
        let servers = [
            Server::start_with(&database, &settings).await,
            Server::start_with(&database, &settings).await,
        ];
        deployments.push((database, servers));
    }
    for (_, servers) in &deployments {
        for server in servers {
            super::listens(server).await;
        }
    }
    let mut backends = Backends::new(2);
    backends.say(&redis, 100, AT_ONCE).await;
    for (database, servers) in &deployments {
        log::has_all(database, servers, &backends).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_die_and_come_back_change_nothing() {
    let mut cluster = start(3).await;
    let client = subscriber(cluster.address(2)).await;
    let mut backends = Backends::new(4);
    let saying = async {
        let redis = &cluster.redis;
        backends.say(redis, 400, Duration::from_millis(20)).await;
    };
    let dying = async {
        for victim in [0, 1] {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cluster.instances[victim].kill().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            cluster.instances[victim].restart().await;
            super::listens(&cluster.instances[victim]).await;
        }
    };
    tokio::join!(saying, dying);
    log::has_all(&cluster.database_url, &cluster.instances, &backends).await;
    let told = client.take(backends.total()).await;
    assert!(told.iter().all(|event| event.name == "event"));
    // Those who came back have heard the end of it, and do their part.
    all_listen(&cluster).await;
    backends.say(&cluster.redis, 10, AT_ONCE).await;
    log::has_all(&cluster.database_url, &cluster.instances, &backends).await;
}
