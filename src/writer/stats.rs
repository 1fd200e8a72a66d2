//! What `/health` and the log tell of the writer: slow commits, and cascades under way.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use super::job::Job;
use super::outcome::{BatchError, Committed};
use crate::domain::{CascadeKey, ChannelName};

/// For how long the slowest commit is remembered, at least; at most twice as long.
const REMEMBERED: Duration = Duration::from_mins(5);
/// At most one line in so long.
const LOG_PAUSE: Duration = Duration::from_secs(1);
/// Channels and names of commands in a line.
const NAMED: usize = 5;

/// The writer's part of `/health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WriterReport {
    /// Transactions that took longer than `SLOW_COMMIT`, since the start.
    pub slow_commits: u64,
    /// The longest transaction of the last five to ten minutes, in milliseconds.
    pub slowest_commit_ms: u64,
    /// The bytes of channels and entities that are kept for the next commit.
    pub cached_bytes: usize,
    /// Cascades that this instance carries on.
    pub cascades: usize,
    /// The number of tasks that these still have to change.
    pub cascade_tasks: usize,
}

/// Counts slow commits and the tasks that cascades still have to change.
#[derive(Debug)]
pub(super) struct WriterStats {
    threshold: Duration,
    slow: AtomicU64,
    cached_bytes: AtomicUsize,
    recent: Mutex<Recent>,
    cascades: Mutex<HashMap<CascadeKey, usize>>,
}

#[derive(Debug)]
struct Recent {
    since: Instant,
    slowest: Duration,
    slowest_before: Duration,
    logged: Option<Instant>,
}

impl Recent {
    /// Forgets what is too old.
    fn turn(&mut self, now: Instant) {
        let age = now.duration_since(self.since);
        if age >= REMEMBERED {
            let is_old = age >= REMEMBERED * 2;
            self.slowest_before = if is_old { Duration::ZERO } else { self.slowest };
            self.slowest = Duration::ZERO;
            self.since = now;
        }
    }

    fn may_log(&mut self, now: Instant) -> bool {
        let may = self
            .logged
            .is_none_or(|logged| now.duration_since(logged) >= LOG_PAUSE);
        if may {
            self.logged = Some(now);
        }
        may
    }
}

impl WriterStats {
    pub(super) fn new(threshold: Duration) -> Self {
        Self {
            threshold,
            slow: AtomicU64::new(0),
            cached_bytes: AtomicUsize::new(0),
            recent: Mutex::new(Recent {
                since: Instant::now(),
                slowest: Duration::ZERO,
                slowest_before: Duration::ZERO,
                logged: None,
            }),
            cascades: Mutex::default(),
        }
    }

    pub(super) fn report(&self) -> WriterReport {
        let slowest = {
            let mut recent = self.recent.lock();
            recent.turn(Instant::now());
            recent.slowest.max(recent.slowest_before)
        };
        let (cascades, cascade_tasks) = {
            let cascades = self.cascades.lock();
            (cascades.len(), cascades.values().sum())
        };
        WriterReport {
            slow_commits: self.slow.load(Ordering::Relaxed),
            slowest_commit_ms: millis(slowest),
            cached_bytes: self.cached_bytes.load(Ordering::Relaxed),
            cascades,
            cascade_tasks,
        }
    }

    /// Notes that the cache of a queue has grown or shrunk.
    pub(super) fn cached(&self, before: usize, after: usize) {
        self.cached_bytes.fetch_add(after, Ordering::Relaxed);
        self.cached_bytes.fetch_sub(before, Ordering::Relaxed);
    }

    /// Notes how long a transaction took, whatever became of it.
    pub(super) fn committed(
        &self,
        took: Duration,
        jobs: &[Job],
        outcome: &Result<Committed, BatchError>,
    ) {
        let may_log = {
            let now = Instant::now();
            let mut recent = self.recent.lock();
            recent.turn(now);
            recent.slowest = recent.slowest.max(took);
            took >= self.threshold && recent.may_log(now)
        };
        if took < self.threshold {
            return;
        }
        let slow = self.slow.fetch_add(1, Ordering::Relaxed) + 1;
        if may_log {
            let channels: BTreeSet<_> = jobs.iter().map(|job| shown(&job.work.channel())).collect();
            let names: BTreeSet<_> = jobs.iter().map(|job| job.work.name()).collect();
            tracing::warn!(
                channels = %listed(&channels),
                commands = %listed(&names),
                jobs = jobs.len(),
                rows = outcome.as_ref().map_or(0, |committed| committed.rows),
                committed = outcome.is_ok(),
                duration_ms = millis(took),
                slow_commits = slow,
                "a transaction took long"
            );
        }
    }

    /// Notes how many tasks of a cascade are left.
    pub(super) fn cascade(&self, key: &CascadeKey, left: usize) {
        let mut cascades = self.cascades.lock();
        if left > 0 {
            cascades.insert(key.clone(), left);
        } else {
            cascades.remove(key);
        }
    }
}

/// A project's channel, or the family of another one, whose name may be a secret.
fn shown(channel: &ChannelName) -> String {
    let name = channel.as_str();
    match name.split_once(':') {
        Some((family, _)) if !channel.is_project() => format!("{family}:…"),
        None if !channel.is_project() => "…".to_owned(),
        _ => name.to_owned(),
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    let first: Vec<_> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = if names.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_commits_are_counted_and_the_slowest_is_forgotten_after_a_while() {
        let stats = WriterStats::new(Duration::from_secs(1));
        for millis in [5, 1500, 1000] {
            let outcome = Err(BatchError::Unavailable);
            stats.committed(Duration::from_millis(millis), &[], &outcome);
        }
        let report = stats.report();
        assert_eq!((report.slow_commits, report.slowest_commit_ms), (2, 1500));
        let mut recent = stats.recent.lock();
        let now = Instant::now();
        recent.turn(now + REMEMBERED);
        assert_eq!(recent.slowest_before, Duration::from_millis(1500));
        recent.turn(now + REMEMBERED * 2);
        assert_eq!(recent.slowest_before, Duration::ZERO);
    }

    #[test]
    fn names_of_channels_other_than_projects_are_not_logged() {
        let name = |text: &str| ChannelName::restore(text.to_owned());
        assert_eq!(shown(&name("project:a")), "project:a");
        assert_eq!(shown(&name("session:secret")), "session:…");
        assert_eq!(shown(&name("secret")), "…");
    }
}
