//! Housekeeping: what is past its time is removed, in small steps that let writers and readers go first.
//!
//! Several instances may do this at once; they take turns. A project's state is never touched, only its history.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::config::{Config, Retention};
use crate::domain::{ChannelNo, Timestamp};
use crate::shutdown::Lifecycle;
use crate::store::{Channel, KeptChannel, PruneLimits, Store, StoreError};
use crate::telemetry::causes;

/// How often answers that are past their time are removed.
const ANSWER_SWEEP: Duration = Duration::from_mins(1);
/// Answers removed in one statement.
const ANSWER_SWEEP_ROWS: i64 = 1000;
/// How long answers to commands with an idempotency key are kept.
pub(crate) const ANSWER_LIFETIME: Duration = Duration::from_hours(24);

/// How often old events are looked for at most…
const EVENT_SWEEP_MIN: Duration = Duration::from_secs(10);
/// … and at least; between the two ten times within their lifetime.
const EVENT_SWEEP_MAX: Duration = Duration::from_mins(10);
/// Channels looked at in one query.
const CHANNELS: i64 = 500;
/// What goes in one transaction: on SQLite commands wait for so long.
const STEP: PruneLimits = PruneLimits {
    events: 500,
    bytes: 4 * 1024 * 1024,
};
/// After a step comes a pause that is so many times as long.
const REST: u32 = 4;

/// Removes old answers and events for as long as the server runs.
pub(crate) fn start(store: &Store, config: &Config, lifecycle: &Lifecycle) {
    lifecycle.spawn_service(sweep_answers(store.clone()));
    let (projects, others) = (config.event_retention, config.channel_retention);
    if let Some(interval) = interval(projects, others) {
        lifecycle.spawn_service(sweep_events(store.clone(), projects, others, interval));
    }
}

async fn sweep_answers(store: Store) {
    let mut sweep = tokio::time::interval(ANSWER_SWEEP);
    loop {
        sweep.tick().await;
        if let Err(error) = forget_answers(&store).await {
            tracing::warn!(
                error = %causes(&error),
                "cannot remove old answers"
            );
        }
    }
}

async fn forget_answers(store: &Store) -> Result<(), StoreError> {
    let before = ago(ANSWER_LIFETIME);
    loop {
        let started = Instant::now();
        if store.answers_prune(before, ANSWER_SWEEP_ROWS).await? == 0 {
            return Ok(());
        }
        rest(started).await;
    }
}

async fn sweep_events(store: Store, projects: Retention, others: Retention, interval: Duration) {
    loop {
        match Sweep::now(projects, others).run(&store).await {
            Ok(Swept { events: 0, .. }) => tracing::debug!("no old events"),
            Ok(Swept { events, channels }) => {
                tracing::info!(events, channels, "removed old events");
            }
            Err(error) => tracing::warn!(
                error = %causes(&error),
                "cannot remove old events"
            ),
        }
        tokio::time::sleep(jittered(interval)).await;
    }
}

/// How often to look; never if everything is kept.
fn interval(projects: Retention, others: Retention) -> Option<Duration> {
    let lifetimes = [projects, others].into_iter().filter_map(Retention::limit);
    Some((lifetimes.min()? / 10).clamp(EVENT_SWEEP_MIN, EVENT_SWEEP_MAX))
}

/// Up to a quarter more or less, so that instances which were started together do not stay together.
fn jittered(interval: Duration) -> Duration {
    let chance = u32::try_from(RandomState::new().hash_one(()) % 512).unwrap_or(0);
    interval * 3 / 4 + interval * chance / 1024
}

fn ago(time: Duration) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(Clock.now().as_millis().saturating_sub(millis))
}

/// One removal of all events that are past their time.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// Of projects, those that were made before; `None` keeps them.
    pub projects: Option<Timestamp>,
    /// Likewise of all other channels.
    pub others: Option<Timestamp>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// So many events…
    pub events: u64,
    /// … of so many channels.
    pub channels: u64,
}

impl Sweep {
    /// What these settings mean now.
    #[must_use]
    pub fn now(projects: Retention, others: Retention) -> Self {
        Self {
            projects: projects.limit().map(ago),
            others: others.limit().map(ago),
        }
    }

    /// Removes them. A channel that makes trouble is left for the next time.
    ///
    /// # Errors
    ///
    /// Fails when the database is away.
    pub async fn run(&self, store: &Store) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let mut after = ChannelNo(0);
        let mut in_trouble = false;
        loop {
            let started = Instant::now();
            let page = store.channels_page(after, CHANNELS).await?;
            let Some(last) = page.last() else {
                return Ok(swept);
            };
            after = last.channel.no;
            rest(started).await;
            for kept in page {
                let Some(before) = self.expired(&kept) else {
                    continue;
                };
                match prune(store, &kept.channel, before).await {
                    Ok(events) => {
                        swept.events += events;
                        swept.channels += u64::from(events > 0);
                        in_trouble = false;
                    }
                    Err(error) if in_trouble && error.is_unavailable() => return Err(error),
                    Err(error) => {
                        tracing::warn!(channel = %kept.channel.name, error = %causes(&error),
                            "cannot remove old events of a channel");
                        in_trouble = true;
                    }
                }
            }
        }
    }

    /// Before which time a channel's events go, if any of them does.
    fn expired(&self, kept: &KeptChannel) -> Option<Timestamp> {
        let before = if kept.channel.name.is_project() {
            self.projects
        } else {
            self.others
        };
        before.filter(|before| kept.since.is_some_and(|since| since < *before))
    }
}

async fn prune(store: &Store, channel: &Channel, before: Timestamp) -> Result<u64, StoreError> {
    let mut events = 0;
    loop {
        let started = Instant::now();
        let pruned = store.events_prune(channel.no, before, STEP).await?;
        rest(started).await;
        events += pruned.events;
        if !pruned.more {
            return Ok(events);
        }
    }
}

/// Lets others do their work.
async fn rest(started: Instant) {
    tokio::time::sleep(started.elapsed() * REST).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_more_often_for_what_is_kept_shortly() {
        let kept = |minutes| Retention::For(Duration::from_mins(minutes));
        assert_eq!(interval(kept(1), Retention::Forever), Some(EVENT_SWEEP_MIN));
        assert_eq!(interval(kept(50), kept(20)), Some(Duration::from_mins(2)));
        assert_eq!(
            interval(kept(10_000), Retention::Forever),
            Some(EVENT_SWEEP_MAX)
        );
        assert_eq!(interval(Retention::Forever, Retention::Forever), None);
        for _ in 0..100 {
            let time = jittered(EVENT_SWEEP_MAX);
            assert!(time >= EVENT_SWEEP_MAX * 3 / 4 && time <= EVENT_SWEEP_MAX * 5 / 4);
        }
    }
}
