//! Whether the database takes writes: what the last commits came to, and a write that is tried when there were none for a
//! while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::StoreError;

/// How long a commit proves that the database takes writes; and how often at most a write is tried.
const FRESH: Duration = Duration::from_secs(5);
/// How long a write may be on its way before the database counts as one that takes none.
const LATE: Duration = Duration::from_secs(3);
/// How long damage that a commit met counts, although what is tried may not touch the damaged place.
const DAMAGE: Duration = Duration::from_secs(10);
const SILENT: &str = "the database does not answer to writes";

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Writes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Guards what is known.
    known: Mutex<Known>,
    /// A write that was tried has ended.
    tried: Notify,
}

#[derive(Debug, Default)]
struct Known {
    succeeded_at: Option<Instant>,
    fault: Option<Fault>,
    /// A commit failed, maybe for its own sake.
    is_doubted: bool,
    /// When a write was tried last, and whether it is still on its way.
    tried_at: Option<Instant>,
    is_trying: bool,
}

#[derive(Debug, Clone, Copy)]
struct Fault {
    reason: &'static str,
    at: Instant,
    is_damage: bool,
}

impl Writes {
    /// A commit succeeded.
    pub fn committed(&self) {
        let mut known = self.0.known.lock();
        known.succeeded_at = Some(Instant::now());
        known.is_doubted = false;
        let fault = known.fault.take();
        drop(known);
        healed(fault);
    }

    /// A commit failed. One that took too long, or collided, may have been too much by itself: a write that is tried tells.
    pub fn failed(&self, error: Option<&StoreError>) {
        let damage = error.filter(|error| {
            matches!(
                error,
                StoreError::Failed(_) | StoreError::Inconsistent { .. }
            )
        });
        let mut known = self.0.known.lock();
        known.is_doubted = true;
        if let Some(damage) = damage {
            known.fault = Some(Fault {
                reason: damage.reason(),
                at: Instant::now(),
                is_damage: true,
            });
        }
    }

    /// Whether it is time to try a write; whoever is told so must call [`Writes::tried`].
    #[must_use]
    pub fn begin_try(&self) -> bool {
        let mut known = self.0.known.lock();
        let is_recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() < FRESH);
        let is_known = is_recent(known.succeeded_at) && known.fault.is_none() && !known.is_doubted;
        if is_known || known.is_trying || is_recent(known.tried_at) {
            return false;
        }
        known.is_trying = true;
        known.tried_at = Some(Instant::now());
        true
    }

    /// Whether a write that is tried is on its way.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        self.0.known.lock().is_trying
    }

    /// How the write that was tried has ended.
    pub fn tried(&self, ended: Result<(), &StoreError>) {
        let mut known = self.0.known.lock();
        known.is_trying = false;
        let before = known.fault;
        match ended {
            Ok(()) => {
                let is_lasting = |fault: &Fault| fault.is_damage && fault.at.elapsed() < DAMAGE;
                known.succeeded_at = Some(Instant::now());
                known.is_doubted = false;
                known.fault = before.filter(is_lasting);
            }
            Err(error) => {
                known.fault = Some(Fault {
                    reason: error.reason(),
                    at: Instant::now(),
                    is_damage: false,
                });
            }
        }
        let after = known.fault;
        drop(known);
        self.0.tried.notify_waiters();
        match (ended, before, after) {
            (Err(error), None, _) => {
                let error = crate::telemetry::causes(error);
                tracing::error!(%error, "the database takes no writes");
            }
            (Ok(()), fault, None) => healed(fault),
            _ => {}
        }
    }

    /// Waits until no write is on its way, but no longer than `patience`.
    pub async fn settled(&self, patience: Duration) {
        let settled = async {
            loop {
                let mut tried = std::pin::pin!(self.0.tried.notified());
                tried.as_mut().enable();
                if !self.0.known.lock().is_trying {
                    return;
                }
                tried.await;
            }
        };
        // Whoever has no patience left takes what is known.
        let _in_time = tokio::time::timeout(patience, settled).await;
    }

    /// What is known.
    ///
    /// # Errors
    ///
    /// Why the database takes no writes.
    pub fn verdict(&self) -> Result<(), &'static str> {
        let known = self.0.known.lock();
        if let Some(fault) = known.fault {
            return Err(fault.reason);
        }
        let is_late = known.is_trying && known.tried_at.is_some_and(|at| at.elapsed() > LATE);
        if is_late { Err(SILENT) } else { Ok(()) }
    }
}

fn healed(fault: Option<Fault>) {
    if fault.is_some() {
        tracing::info!("the database takes writes again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage() -> StoreError {
        StoreError::Failed("malformed".into())
    }

    #[test]
    fn a_commit_that_succeeds_makes_trying_needless() {
        let writes = Writes::default();
        assert!(writes.begin_try(), "nothing is known");
        assert!(!writes.begin_try(), "one is on its way");
        writes.tried(Ok(()));
        let writes = Writes::default();
        writes.committed();
        assert!(!writes.begin_try());
        assert_eq!(writes.verdict(), Ok(()));
    }

    #[test]
    fn a_commit_that_takes_too_long_only_casts_doubt() {
        let writes = Writes::default();
        writes.committed();
        writes.failed(None);
        assert_eq!(
            writes.verdict(),
            Ok(()),
            "it may have been too much by itself"
        );
        assert!(writes.begin_try());
        writes.tried(Err(&StoreError::Unavailable("full".into())));
        assert!(writes.verdict().is_err());
        assert!(!writes.begin_try(), "not more often than every few seconds");
        writes.committed();
        assert_eq!(writes.verdict(), Ok(()));
    }

    #[test]
    fn damage_counts_for_a_while_although_another_write_succeeds() {
        let writes = Writes::default();
        writes.failed(Some(&damage()));
        assert!(writes.begin_try());
        writes.tried(Ok(()));
        assert!(writes.verdict().is_err());
        writes.committed();
        assert_eq!(writes.verdict(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_waits_for_the_write_that_is_tried() {
        let writes = Writes::default();
        writes.settled(Duration::from_secs(1)).await;
        assert!(writes.begin_try());
        let asking = writes.settled(Duration::from_mins(1));
        let ending = async {
            tokio::task::yield_now().await;
            writes.tried(Err(&damage()));
        };
        tokio::join!(asking, ending);
        assert!(writes.verdict().is_err());
    }
}
