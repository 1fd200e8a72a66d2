//! Redis and the database go away and come back.

use std::time::Duration;

use tokio::task::block_in_place;

use super::backend::Backends;
use super::{all_listen, count, has_heard, log, nothing_waits, start};

const NOW_AND_THEN: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_delays_everything_and_loses_nothing() {
    let mut cluster = start(3).await;
    let mut backends = Backends::new(4);
    let saying = async {
        let redis = &cluster.redis;
        backends.say(redis, 300, NOW_AND_THEN).await;
    };
    let postgres = &cluster.postgres;
    let victim = &mut cluster.instances[1];
    let outage = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        block_in_place(|| postgres.kill9());
        tokio::time::sleep(Duration::from_secs(4)).await;
        block_in_place(|| postgres.restart());
        // Whoever comes now finds the others with messages that they still have to commit.
        victim.kill().await;
        victim.restart().await;
    };
    tokio::join!(saying, outage);
    log::has_all(&cluster.database_url, &cluster.instances, &backends).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_heard_before_redis_died_is_logged_before_what_comes_after() {
    let cluster = start(3).await;
    let mut backends = Backends::new(4);
    backends.say(&cluster.redis, 10, NOW_AND_THEN).await;
    block_in_place(|| cluster.postgres.kill9());
    backends.say(&cluster.redis, 50, Duration::ZERO).await;
    for server in &cluster.instances {
        has_heard(server, backends.total()).await;
    }
    block_in_place(|| cluster.redis.kill9());
    for server in &cluster.instances {
        server
            .health_becomes("backends are not heard", |health| {
                health["ingress"]["status"] == "unavailable" && health["status"] == "degraded"
            })
            .await;
    }
    block_in_place(|| cluster.redis.restart());
    all_listen(&cluster).await;
    backends.say(&cluster.redis, 50, Duration::ZERO).await;
    for server in &cluster.instances {
        has_heard(server, backends.total()).await;
        assert!(count(&server.health().await, "waiting") >= 4 * 100);
    }
    block_in_place(|| cluster.postgres.restart());
    log::has_all(&cluster.database_url, &cluster.instances, &backends).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_until_what_was_heard_is_logged() {
    let mut cluster = start(1).await;
    let mut backends = Backends::new(4);
    // Nobody else is there who could have anything older, but that is not certain yet.
    backends.say(&cluster.redis, 100, Duration::ZERO).await;
    let server = &mut cluster.instances[0];
    has_heard(server, backends.total()).await;
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0));
    log::has_all(&cluster.database_url, &[], &backends).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_restarts_while_backends_publish() {
    let cluster = start(3).await;
    let mut backends = Backends::new(4);
    let saying = async {
        // What is said while Redis is away is nobody's fault and nobody's message.
        backends.say(&cluster.redis, 300, NOW_AND_THEN).await;
    };
    let outage = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        block_in_place(|| cluster.redis.kill9());
        tokio::time::sleep(Duration::from_secs(1)).await;
        block_in_place(|| cluster.redis.restart());
    };
    tokio::join!(saying, outage);
    all_listen(&cluster).await;
    backends.say(&cluster.redis, 50, NOW_AND_THEN).await;
    nothing_waits(&cluster.instances).await;
    // The first ones were heard long before Redis died, and the last ones when everybody listened again.
    log::has_only(&cluster.database_url, &backends, |n| {
        !(20..300).contains(&n)
    })
    .await;
}
