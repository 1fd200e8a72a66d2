//! Commits one batch in one transaction: load, apply, write, commit, and repeat what the database asks to repeat. A commit
//! that got no answer is looked for until its outcome is known.

use super::WriterOptions;
use super::batch::{PendingBatch, PreparedBatch};
use super::job::Job;
use super::outcome::{BatchError, Committed};
use crate::clock::Clock;
use crate::domain::Epoch;
use crate::store::{CommitError, Store, StoreError, Tx};
use crate::telemetry::causes;

/// How often a batch is repeated that the database asked to repeat.
const RETRIES: usize = 5;
/// Pause between two looks at a database that may hold an unanswered commit.
const PROBE_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Commits batches.
#[derive(Debug)]
pub(super) struct Committer {
    store: Store,
    epoch: Epoch,
    clock: Clock,
    options: WriterOptions,
}

impl Committer {
    pub(super) fn new(store: Store, epoch: Epoch, clock: Clock, options: WriterOptions) -> Self {
        Self {
            store,
            epoch,
            clock,
            options,
        }
    }

    /// Commits a batch, or as much of its beginning as one transaction has room for.
    pub(super) async fn commit(&self, jobs: &[Job]) -> Result<Committed, BatchError> {
        let committed = self.try_commit(jobs).await;
        if let Err(BatchError::Unavailable | BatchError::Unknown) = committed {
            self.store.writes().failed(None);
        }
        committed
    }

    async fn try_commit(&self, jobs: &[Job]) -> Result<Committed, BatchError> {
        let mut tries = 0;
        loop {
            let prepared = tokio::time::timeout(self.options.timeout, self.prepare(jobs)).await;
            match prepared {
                Err(_) => return Err(BatchError::Unavailable),
                Ok(Err(error)) if error.is_retry() && tries < RETRIES => tries += 1,
                Ok(Err(error)) => return Err(self.failed(error)),
                Ok(Ok((None, draft))) => return Ok(draft.committed),
                Ok(Ok((Some(tx), draft))) => match self.finish(tx, draft).await {
                    Err(CommitError::NotCommitted(error))
                        if error.is_retry() && tries < RETRIES =>
                    {
                        tries += 1;
                    }
                    Err(CommitError::NotCommitted(error)) => return Err(self.failed(error)),
                    Err(CommitError::Unknown(_)) => return Err(BatchError::Unknown),
                    Ok(committed) => {
                        self.store.writes().committed();
                        return Ok(committed);
                    }
                },
            }
        }
    }

    fn failed(&self, error: StoreError) -> BatchError {
        if !error.is_refused() {
            self.store.writes().failed(Some(&error));
        }
        error.into()
    }

    /// Everything up to the commit. Without a transaction: there is nothing to commit.
    async fn prepare(&self, jobs: &[Job]) -> Result<(Option<Tx>, PreparedBatch), StoreError> {
        let mut tx = self.store.begin().await?;
        let now = self.clock.now();
        let mut pending = PendingBatch::load(&mut tx, jobs, &self.epoch, now).await?;
        let mut replies = Vec::with_capacity(jobs.len());
        for job in &jobs[..pending.jobs()] {
            pending.load_more(&mut tx, job, &self.options).await?;
            replies.push(pending.apply(job, &self.options));
            if pending.is_full() {
                break;
            }
        }
        let prepared = pending.draft(replies);
        if prepared.batch.is_empty() {
            if let Err(error) = tx.rollback().await {
                tracing::debug!(
                    error = %causes(&error),
                    "a transaction without effect broke"
                );
            }
            return Ok((None, prepared));
        }
        tx.write(&prepared.batch).await?;
        Ok((Some(tx), prepared))
    }

    async fn finish(&self, tx: Tx, prepared: PreparedBatch) -> Result<Committed, CommitError> {
        let timed = tokio::time::timeout(self.options.timeout, tx.commit()).await;
        let error = match timed {
            Ok(Ok(())) => return Ok(prepared.committed),
            Ok(Err(CommitError::NotCommitted(error))) => {
                return Err(CommitError::NotCommitted(error));
            }
            Ok(Err(CommitError::Unknown(error))) => error,
            Err(_) => StoreError::Unavailable("no answer in time".into()),
        };
        tracing::warn!(
            error = %causes(&error),
            "the connection broke during a commit; looking for its outcome"
        );
        match tokio::time::timeout(self.options.timeout, self.outcome(&prepared)).await {
            Ok(true) => Ok(prepared.committed),
            Ok(false) => Err(CommitError::NotCommitted(error)),
            Err(_) => Err(CommitError::Unknown(error)),
        }
    }

    /// Whether a commit whose answer was lost has happened. Asks until the database answers.
    async fn outcome(&self, prepared: &PreparedBatch) -> bool {
        loop {
            match self.probe(prepared).await {
                Ok(found) => return found,
                Err(error) => tracing::debug!(error = %causes(&error), "not yet"),
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    async fn probe(&self, prepared: &PreparedBatch) -> Result<bool, StoreError> {
        // Whoever still holds the lock may be the lost transaction itself: wait for it.
        let mut tx = self.store.begin().await?;
        tx.channels_lock(&prepared.channels).await?;
        if let Some((event, _)) = prepared.batch.events.first() {
            drop(tx);
            return Ok(self.store.event_id(event.channel_no, event.seq).await? == Some(event.id));
        }
        let keys: Vec<_> = prepared
            .batch
            .answers
            .iter()
            .map(|answer| (answer.channel_no, answer.key.clone()))
            .collect();
        Ok(!tx.answers_get(&keys).await?.is_empty())
    }
}
