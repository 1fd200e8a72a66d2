//! Traffic over 50 projects and three instances, while parts of the cluster are killed and paused.

use std::time::Duration;

use tokio::task::block_in_place;
use tokio::time::Instant;

use super::run::{Load, Outcome, Run};

/// How late an event may be on another instance while Redis is away.
const LATE: Duration = Duration::from_secs(2);
/// How long things are away.
const AWAY: u64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_are_the_same_everywhere() {
    let run = Run::start(Load::Total(10_000)).await;
    let outcome = run.check().await;
    assert_eq!(outcome.acked().count(), 10_000);
    assert_eq!(outcome.refused(), 0);
    assert_eq!(outcome.lost(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_twice() {
    let run = Run::start(Load::Steady).await;
    let mut outages = Vec::new();
    for _ in 0..2 {
        run.flow(3).await;
        let begun = Instant::now();
        block_in_place(|| run.cluster.redis.kill9());
        run.cluster.broker_becomes("unavailable").await;
        tokio::time::sleep_until(begun + Duration::from_secs(AWAY)).await;
        block_in_place(|| run.cluster.redis.restart());
        run.cluster.broker_becomes("available").await;
        outages.push((begun, Instant::now()));
    }
    run.flow(3).await;
    let outcome = run.finish().await;
    nobody_noticed(&outcome);
    for (begun, ended) in outages {
        was_never_late(&outcome, begun, ended);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_paused() {
    let run = Run::start(Load::Steady).await;
    run.flow(3).await;
    let begun = Instant::now();
    run.cluster.redis.pause();
    run.cluster.broker_becomes("unavailable").await;
    tokio::time::sleep_until(begun + Duration::from_secs(AWAY)).await;
    run.cluster.redis.resume();
    run.cluster.broker_becomes("available").await;
    let ended = Instant::now();
    run.flow(5).await;
    let outcome = run.finish().await;
    nobody_noticed(&outcome);
    was_never_late(&outcome, begun, ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_paused() {
    let mut run = Run::start(Load::Steady).await;
    let victim = run.chance.below(3);
    run.flow(3).await;
    run.cluster.instances[victim].signal("STOP");
    run.flow(AWAY).await;
    run.cluster.instances[victim].signal("CONT");
    run.flow(10).await;
    let outcome = run.finish().await;
    // It was away: what was sent to it then was answered after it came back.
    let longest = outcome.acked().map(|acked| acked.took).max().unwrap();
    assert!(longest > Duration::from_secs(AWAY - 1), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_killed_and_restarted() {
    let mut run = Run::start(Load::Steady).await;
    for _ in 0..2 {
        let victim = run.chance.below(3);
        run.flow(3).await;
        run.cluster.instances[victim].kill().await;
        run.flow(4).await;
        run.cluster.instances[victim].restart().await;
        run.flow(4).await;
    }
    let outcome = run.finish().await;
    let (members, publishers) = outcome.lost();
    assert!(members > 0, "no member was on a killed instance");
    assert!(publishers > 0, "nobody published through a killed instance");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_restarted() {
    let run = Run::start(Load::Steady).await;
    run.flow(3).await;
    block_in_place(|| run.cluster.postgres.kill9());
    run.flow(5).await;
    block_in_place(|| run.cluster.postgres.restart());
    run.flow(10).await;
    let outcome = run.finish().await;
    assert!(outcome.refused() > 0, "the database was never away");
    assert_eq!(outcome.lost(), (0, 0), "live connections stay up");
}

/// Without Redis no command fails and no connection ends.
fn nobody_noticed(outcome: &Outcome) {
    assert_eq!(outcome.refused(), 0);
    assert_eq!(outcome.lost(), (0, 0));
}

/// What was sent a moment before is in it: Redis may have lost it on its way.
fn was_never_late(outcome: &Outcome, begun: Instant, ended: Instant) {
    let (latest, arrivals) = outcome.latest(begun - Duration::from_secs(1), ended);
    eprintln!("latest of {arrivals} arrivals during an outage of Redis: {latest:?}");
    assert!(
        arrivals > 1000,
        "{arrivals} arrivals: no traffic to speak of"
    );
    assert!(latest <= LATE, "{latest:?}");
}
