//! Commits one batch. What it touches comes from the cache, and is loaded without a lock as far as it is not there; the
//! commands are applied in memory; then one statement compares the heads of the channels and writes everything, or nothing
//! because another instance has moved one of them. That one is loaded anew and the batch is repeated. If that happens again,
//! or if a command must look around in the database, the batch takes a transaction that locks its channels first.
//!
//! A commit that got no answer is looked for until its outcome is known.

use std::collections::HashSet;

use super::WriterOptions;
use super::batch::{PendingBatch, PreparedBatch, Source};
use super::cache::Cache;
use super::job::Job;
use super::outcome::{BatchError, Committed};
use crate::clock::Clock;
use crate::domain::{ChannelName, Epoch};
use crate::store::{Backend, CommitConnection, CommitError, Compared, Store, StoreError, Tx};
use crate::telemetry::causes;

/// How often a batch is repeated that the database asked to repeat.
const RETRIES: usize = 5;
/// After so many collisions a batch locks its channels first.
const COLLISIONS: usize = 2;
/// After a batch that had to lock because of collisions so many more lock first: others are writing to the same channels.
const LOCKED_BATCHES: usize = 16;
/// Pause between two looks at a database that may hold an unanswered commit.
const PROBE_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Commits batches of one queue.
#[derive(Debug)]
pub(super) struct Committer {
    store: Store,
    conn: CommitConnection,
    cache: Cache,
    epoch: Epoch,
    clock: Clock,
    options: WriterOptions,
    /// Batches that lock their channels first.
    locked_batches: usize,
}

/// What became of one try.
enum Tried {
    Committed(Committed),
    /// Others have committed on the same channels, or under the same key.
    Collided,
    /// The batch begins with a job for which the database must be asked in a transaction.
    NeedsLock,
}

impl Committer {
    pub(super) fn new(store: Store, epoch: Epoch, clock: Clock, options: WriterOptions) -> Self {
        Self {
            conn: store.commit_connection(),
            cache: Cache::new(options.cache_bytes / options.writers.max(1)),
            store,
            epoch,
            clock,
            options,
            locked_batches: 0,
        }
    }

    /// Forgets what was left in the middle of something.
    pub(super) fn forget(&mut self) {
        self.cache.clear();
        self.conn.discard();
    }

    /// The bytes of channels and entities that are kept.
    pub(super) fn cached_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// Commits a batch, or as much of its beginning as one transaction has room for.
    pub(super) async fn commit(&mut self, jobs: &[Job]) -> Result<Committed, BatchError> {
        let committed = self.try_commit(jobs).await;
        if committed.is_err() {
            self.forget_channels(jobs);
        }
        self.cache.trim();
        if let Err(BatchError::Unavailable | BatchError::Unknown) = committed {
            self.store.writes().failed(None);
        }
        committed
    }

    async fn try_commit(&mut self, jobs: &[Job]) -> Result<Committed, BatchError> {
        let is_contended = self.locked_batches > 0;
        self.locked_batches = self.locked_batches.saturating_sub(1);
        let mut must_lock = is_contended || jobs.first().is_some_and(|job| job.needs_more);
        let (mut retries, mut collisions) = (0, 0);
        loop {
            let tried = if must_lock {
                self.locked(jobs).await
            } else {
                self.at_once(jobs, collisions > 0).await
            };
            match tried {
                Ok(Tried::Committed(committed)) => return Ok(committed),
                Ok(Tried::NeedsLock) => must_lock = true,
                Ok(Tried::Collided) => {
                    collisions += 1;
                    if collisions >= COLLISIONS {
                        must_lock = true;
                        self.locked_batches = LOCKED_BATCHES;
                    }
                }
                Err(CommitError::Unknown(_)) => return Err(BatchError::Unknown),
                Err(CommitError::NotCommitted(error)) if error.is_retry() && retries < RETRIES => {
                    self.forget_channels(jobs);
                    retries += 1;
                }
                Err(CommitError::NotCommitted(error)) => return Err(self.failed(error)),
            }
        }
    }

    fn failed(&self, error: StoreError) -> BatchError {
        if !error.is_refused() {
            self.store.writes().failed(Some(&error));
        }
        error.into()
    }

    /// Commits in one statement what the cache and a read without a lock have led to.
    async fn at_once(&mut self, jobs: &[Job], with_answers: bool) -> Result<Tried, CommitError> {
        let Some(prepared) = self.prepare_at_once(jobs, with_answers).await? else {
            return Ok(Tried::NeedsLock);
        };
        in_time(&self.options, self.conn.ready()).await?;
        let commit = self
            .conn
            .commit(&prepared.heads, &prepared.keys, &prepared.batch);
        let compared = match tokio::time::timeout(self.options.timeout, commit).await {
            Ok(Err(CommitError::Unknown(error))) => Err(error),
            Ok(compared) => Ok(compared?),
            Err(_) => Err(StoreError::Unavailable("no answer in time".into())),
        };
        match compared {
            Ok(Compared::Same) => Ok(self.committed(prepared)),
            Ok(Compared::Moved(numbers)) => {
                for head in &prepared.heads {
                    if numbers.is_empty() || numbers.contains(&head.channel.no) {
                        self.cache.forget(&head.channel.name);
                    }
                }
                Ok(Tried::Collided)
            }
            Err(error) => self.lost(prepared, error).await,
        }
    }

    /// Everything up to the commit. Nothing if that needs a transaction.
    async fn prepare_at_once(
        &mut self,
        jobs: &[Job],
        with_answers: bool,
    ) -> Result<Option<PreparedBatch>, CommitError> {
        let source = Source::Cached(&mut self.conn);
        let now = (&self.epoch, self.clock.now());
        let load = PendingBatch::load(source, &mut self.cache, jobs, now, with_answers);
        let mut pending = in_time(&self.options, load).await?;
        let mut replies = Vec::with_capacity(jobs.len());
        for job in &jobs[..pending.jobs()] {
            if pending.needs_more(job) {
                if replies.is_empty() {
                    return Ok(None);
                }
                break;
            }
            replies.push(pending.apply(job, &self.options));
            if pending.is_full() {
                break;
            }
        }
        let prepared = pending.draft(jobs, replies);
        Ok(Some(prepared).filter(|prepared| prepared.batch.cascades.is_empty()))
    }

    /// Commits in a transaction that locks its channels first.
    async fn locked(&mut self, jobs: &[Job]) -> Result<Tried, CommitError> {
        let prepare = Self::prepare(
            &self.store,
            &mut self.cache,
            jobs,
            (&self.epoch, self.clock),
            &self.options,
        );
        let (tx, prepared) = in_time(&self.options, prepare).await?;
        let Some(tx) = tx else {
            return Ok(self.committed(prepared));
        };
        let error = match tokio::time::timeout(self.options.timeout, tx.commit()).await {
            Ok(Err(CommitError::Unknown(error))) => error,
            Ok(committed) => {
                committed?;
                return Ok(self.committed(prepared));
            }
            Err(_) => StoreError::Unavailable("no answer in time".into()),
        };
        self.lost(prepared, error).await
    }

    /// Everything up to the commit. Without a transaction: there is nothing to commit.
    async fn prepare(
        store: &Store,
        cache: &mut Cache,
        jobs: &[Job],
        (epoch, clock): (&Epoch, Clock),
        options: &WriterOptions,
    ) -> Result<(Option<Tx>, PreparedBatch), StoreError> {
        let mut tx = store.begin().await?;
        let source = Source::Locked(&mut tx);
        let mut pending =
            PendingBatch::load(source, cache, jobs, (epoch, clock.now()), true).await?;
        let mut replies = Vec::with_capacity(jobs.len());
        for job in &jobs[..pending.jobs()] {
            pending.load_more(&mut tx, job, options).await?;
            replies.push(pending.apply(job, options));
            if pending.is_full() {
                break;
            }
        }
        let prepared = pending.draft(jobs, replies);
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

    fn committed(&mut self, prepared: PreparedBatch) -> Tried {
        if !prepared.batch.is_empty() {
            self.store.writes().committed();
        }
        self.cache.committed(&prepared.heads, &prepared.changed);
        Tried::Committed(prepared.committed)
    }

    fn forget_channels(&mut self, jobs: &[Job]) {
        let names: HashSet<&ChannelName> = jobs
            .iter()
            .flat_map(|job| std::iter::once(&job.channel).chain(&job.other_channel))
            .collect();
        for name in names {
            self.cache.forget(name);
        }
    }

    /// Finds out what became of a commit whose answer was lost.
    async fn lost(
        &mut self,
        prepared: PreparedBatch,
        error: StoreError,
    ) -> Result<Tried, CommitError> {
        if prepared.batch.is_empty() {
            return Err(CommitError::NotCommitted(error));
        }
        tracing::warn!(
            error = %causes(&error),
            "the connection broke during a commit; looking for its outcome"
        );
        let backend = self.conn.backend();
        self.conn.discard();
        let outcome = self.outcome(backend.as_ref(), &prepared);
        match tokio::time::timeout(self.options.timeout, outcome).await {
            Ok(true) => Ok(self.committed(prepared)),
            Ok(false) => Err(CommitError::NotCommitted(error)),
            Err(_) => Err(CommitError::Unknown(error)),
        }
    }

    /// Whether a commit whose answer was lost has happened. Asks until the database answers.
    async fn outcome(&self, backend: Option<&Backend>, prepared: &PreparedBatch) -> bool {
        loop {
            match self.probe(backend, prepared).await {
                Ok(found) => return found,
                Err(error) => tracing::debug!(error = %causes(&error), "not yet"),
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    async fn probe(
        &self,
        backend: Option<&Backend>,
        prepared: &PreparedBatch,
    ) -> Result<bool, StoreError> {
        if let Some(backend) = backend {
            self.store.end_backend(backend).await?;
        }
        // Whoever still holds the lock may be the lost transaction itself: wait for it.
        let mut tx = self.store.begin().await?;
        let heads = prepared.heads.iter();
        let channels: Vec<_> = heads.map(|head| head.channel.name.clone()).collect();
        tx.channels_lock(&channels).await?;
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

/// Ends what takes longer than a transaction may.
async fn in_time<T>(
    options: &WriterOptions,
    load: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, CommitError> {
    let loaded = match tokio::time::timeout(options.timeout, load).await {
        Ok(loaded) => loaded,
        Err(late) => Err(StoreError::Unavailable(late.into())),
    };
    loaded.map_err(CommitError::NotCommitted)
}
