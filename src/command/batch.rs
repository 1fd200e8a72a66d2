//! One transaction for many commands: begin, stage, write, commit; and what to do when the database does not
//! play along. A batch whose commit got no answer is looked for until its outcome is known.

use std::sync::Arc;

use super::stage::{Drafted, Stage};
use super::writer::{Job, WriterOptions};
use crate::clock::Clock;
use crate::contract::{ErrorCode, Reply};
use crate::domain::{Cascade, ChannelName, Epoch, Event};
use crate::store::{CommitError, Store, StoreError, Tx};
use crate::telemetry::causes;

/// How often a batch is repeated that the database asked to repeat.
const RETRIES: usize = 5;
/// Pause between two looks at a database that may hold an unanswered commit.
const PROBE_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// What a batch led to.
#[derive(Debug)]
pub(super) struct Committed {
    /// One reply per job, in their order. The jobs at the end for which the transaction had no room have none.
    pub(super) replies: Vec<Reply>,
    /// The events of each channel.
    pub(super) events: Vec<(ChannelName, Arc<[Arc<Event>]>)>,
    /// The number of rows that were written.
    pub(super) rows: usize,
    /// Cascades that began.
    pub(super) cascades: Vec<Cascade>,
}

/// Why a batch was not committed.
#[derive(Debug)]
pub(super) enum BatchError {
    /// The database refuses the data of some row.
    Refused,
    /// The database cannot be reached. Nothing was changed.
    Unavailable,
    /// The connection broke during the commit, and the outcome could not be found out in time.
    Unknown,
    /// The database holds what it should not.
    Internal,
}

impl BatchError {
    /// What those hear whose commands were in the batch.
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Refused => Reply::refused(
                ErrorCode::ValidationFailed,
                "the database does not accept a value in this command",
            ),
            Self::Unavailable => Reply::refused(
                ErrorCode::Unavailable,
                "the database cannot be reached; nothing was changed, try again in a moment",
            ),
            Self::Unknown => Reply::refused(
                ErrorCode::Unavailable,
                "the database went away during the commit and the outcome is not known; \
                 repeat the command with the same idempotency key",
            ),
            Self::Internal => Reply::internal(),
        }
    }
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        if error.is_refused() {
            tracing::warn!(
                error = %causes(&error),
                "the database refuses a batch"
            );
            Self::Refused
        } else if error.is_unavailable() || error.is_retry() {
            tracing::warn!(
                error = %causes(&error),
                "the database is unavailable"
            );
            Self::Unavailable
        } else {
            tracing::error!(error = %causes(&error), "the store failed");
            Self::Internal
        }
    }
}

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
    async fn prepare(&self, jobs: &[Job]) -> Result<(Option<Tx>, Drafted), StoreError> {
        let mut tx = self.store.begin().await?;
        let now = self.clock.now();
        let mut stage = Stage::load(&mut tx, jobs, &self.epoch, now).await?;
        let mut replies = Vec::with_capacity(jobs.len());
        for job in &jobs[..stage.jobs()] {
            stage.load_more(&mut tx, job, &self.options).await?;
            replies.push(stage.apply(job, &self.options));
            if stage.is_full() {
                break;
            }
        }
        let drafted = stage.draft(replies);
        if drafted.batch.is_empty() {
            if let Err(error) = tx.rollback().await {
                tracing::debug!(
                    error = %causes(&error),
                    "a transaction without effect broke"
                );
            }
            return Ok((None, drafted));
        }
        tx.write(&drafted.batch).await?;
        Ok((Some(tx), drafted))
    }

    async fn finish(&self, tx: Tx, drafted: Drafted) -> Result<Committed, CommitError> {
        let timed = tokio::time::timeout(self.options.timeout, tx.commit()).await;
        let error = match timed {
            Ok(Ok(())) => return Ok(drafted.committed),
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
        match tokio::time::timeout(self.options.timeout, self.outcome(&drafted)).await {
            Ok(true) => Ok(drafted.committed),
            Ok(false) => Err(CommitError::NotCommitted(error)),
            Err(_) => Err(CommitError::Unknown(error)),
        }
    }

    /// Whether a commit whose answer was lost has happened. Asks until the database answers.
    async fn outcome(&self, drafted: &Drafted) -> bool {
        loop {
            match self.probe(drafted).await {
                Ok(found) => return found,
                Err(error) => tracing::debug!(error = %causes(&error), "not yet"),
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    async fn probe(&self, drafted: &Drafted) -> Result<bool, StoreError> {
        // Whoever still holds the lock may be the lost transaction itself: wait for it.
        let mut tx = self.store.begin().await?;
        tx.channels_lock(&drafted.channels).await?;
        if let Some((event, _)) = drafted.batch.events.first() {
            drop(tx);
            return Ok(self.store.event_id(event.channel_no, event.seq).await? == Some(event.id));
        }
        let keys: Vec<_> = drafted
            .batch
            .answers
            .iter()
            .map(|answer| (answer.channel_no, answer.key.clone()))
            .collect();
        Ok(!tx.answers_get(&keys).await?.is_empty())
    }
}
