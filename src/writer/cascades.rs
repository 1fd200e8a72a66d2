//! Carries cascades on: a step, a pause as long as the step took, the next cascade's step. So commands have at least half
//! of the writer, and whoever has many cascades delays only cascades.
//!
//! A cascade's row says that it is under way. An instance carries on those that began here, and those on which nobody has
//! worked for a while: their instance was killed. If two work on one, each step changes other tasks, because a step is a
//! transaction under the lock of the project's channel and takes those that still refer to the subject.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Caller;
use super::job::{LEFT, Work};
use super::queues::JobQueues;
use super::stats::WriterStats;
use crate::clock::Clock;
use crate::domain::{Cascade, CascadeKey, ConnectionId, PrivateId, Timestamp};
use crate::shutdown::Lifecycle;
use crate::store::Store;
use crate::telemetry::causes;

/// How often cascades are looked for that nobody works on.
const LOOK: Duration = Duration::from_secs(2);
/// After so long without a step nobody works on a cascade.
const ABANDONED: Duration = Duration::from_secs(5);
/// Cascades that are taken over at once.
const TAKEN_OVER: i64 = 256;
/// Pause after a step that failed.
const FAILED: Duration = Duration::from_millis(500);
/// Longest pause after one that did not.
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// The name of the line in which steps wait. No user has one like it.
const LINE: &str = "\0cascades";

/// Carries cascades on for as long as the server takes work.
pub(super) struct CascadeRunner {
    store: Store,
    queues: Arc<JobQueues>,
    stats: Arc<WriterStats>,
    lifecycle: Lifecycle,
    caller: Caller,
    /// What is under way here, by whose turn it is.
    turns: VecDeque<CascadeKey>,
    looked: Option<Instant>,
}

impl CascadeRunner {
    pub(super) fn new(
        store: &Store,
        queues: &Arc<JobQueues>,
        stats: &Arc<WriterStats>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let connection = ConnectionId::generate();
        Self {
            store: store.clone(),
            queues: Arc::clone(queues),
            stats: Arc::clone(stats),
            lifecycle: lifecycle.clone(),
            caller: Caller::new(connection, PrivateId::generate().client(), Some(LINE)),
            turns: VecDeque::new(),
            looked: None,
        }
    }

    pub(super) async fn run(mut self, mut begun: mpsc::Receiver<Cascade>) {
        let lifecycle = self.lifecycle.clone();
        tokio::select! {
            () = lifecycle.draining() => {}
            () = async {
                loop {
                    self.look_around().await;
                    while let Ok(cascade) = begun.try_recv() {
                        self.take(&cascade);
                    }
                    if let Some(key) = self.turns.pop_front() {
                        self.step(key).await;
                    } else if let Ok(Some(cascade)) = tokio::time::timeout(LOOK, begun.recv()).await {
                        self.take(&cascade);
                    }
                }
            } => {}
        }
    }

    fn take(&mut self, cascade: &Cascade) {
        if !self.turns.contains(&cascade.key) {
            self.stats.cascade(&cascade.key, cascade.left);
            self.turns.push_back(cascade.key.clone());
        }
    }

    /// Takes over what nobody works on; at the start, everything: it may have been this instance's before.
    async fn look_around(&mut self) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        let now = Clock.now();
        let since = match self.looked {
            None => now,
            Some(_) => before(now, ABANDONED),
        };
        match self.store.cascades_waiting(since, TAKEN_OVER).await {
            Ok(cascades) => {
                self.looked = Some(Instant::now());
                for cascade in &cascades {
                    self.take(cascade);
                }
            }
            Err(error) => {
                self.looked = self.looked.map(|_| Instant::now());
                tracing::debug!(error = %causes(&error), "cannot look for cascades");
                tokio::time::sleep(FAILED).await;
            }
        }
    }

    async fn step(&mut self, key: CascadeKey) {
        let started = Instant::now();
        let left = match self
            .queues
            .take(Work::Step(key.clone()), 0, &self.caller, None)
        {
            Ok(answer) => answer.await.ok().and_then(|reply| {
                let left = reply.get(LEFT)?.as_u64()?;
                usize::try_from(left).ok()
            }),
            Err(_) => None,
        };
        let Some(left) = left else {
            // The row is still there, and is found again once it is abandoned: a step that fails each time must not
            // hold up the others.
            tokio::time::sleep(FAILED).await;
            return;
        };
        self.stats.cascade(&key, left);
        if left > 0 {
            self.turns.push_back(key);
        }
        tokio::time::sleep(started.elapsed().min(MAX_PAUSE)).await;
    }
}

fn before(now: Timestamp, time: Duration) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(millis))
}
