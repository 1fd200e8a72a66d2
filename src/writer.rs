//! Commits commands, publications and steps of cascades in transactions of many ([`Writer`]).
//!
//! All work for one channel goes through one queue. While one commit is in flight the next batch gathers: load makes
//! batches grow by itself, and an idle server commits a single command at once. In a queue actors take turns
//! (`FairQueue`), and a transaction's work has an upper bound, so nobody waits for all that
//! somebody else has asked for. Queues are bounded; a full one refuses with `unavailable`, and so does a database that
//! cannot be reached. Nothing is retried that may have had an effect.

mod batch;
mod cache;
mod caller;
mod cascades;
mod channel_state;
mod committer;
mod fair_queue;
mod job;
mod outcome;
mod queues;
mod stats;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use caller::Caller;
pub use stats::WriterReport;

use crate::clock::Clock;
use crate::contract::{CommandRequest, Publication, Reply};
use crate::domain::{ChannelName, Epoch, Identity, ProjectId};
use crate::hub::Hub;
use crate::shutdown::Lifecycle;
use crate::store::Store;
use cascades::CascadeRunner;
use committer::Committer;
use job::Work;
use queues::JobQueues;
use stats::WriterStats;
use worker::Worker;

/// Cascades that begin while the runner is busy; it finds the others in the database.
const BEGUN_CASCADES: usize = 256;

/// How the writer works.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// Commands that may wait in one queue.
    pub queue: usize,
    /// Most commands in one transaction; 1 commits them one by one.
    pub max_batch: usize,
    /// Queues, each with a transaction of its own in flight.
    pub writers: usize,
    /// How long a transaction may take, and how long a broken commit's outcome is looked for.
    pub timeout: Duration,
    /// The bytes that channels and entities may use which are kept for the next commit, in all queues together.
    pub cache_bytes: usize,
    /// A transaction that takes longer is told of in the log.
    pub slow_commit: Duration,
    /// Whether users choose the ids of projects that they create.
    pub chosen_ids: bool,
}

/// Takes commands and promises answers.
#[derive(Debug)]
pub struct Writer {
    queues: Arc<JobQueues>,
    stats: Arc<WriterStats>,
}

impl Writer {
    /// Starts the queues.
    #[must_use]
    pub fn start(
        store: &Store,
        epoch: &Epoch,
        hub: &Arc<Hub>,
        lifecycle: &Lifecycle,
        options: WriterOptions,
    ) -> Self {
        let stats = Arc::new(WriterStats::new(options.slow_commit));
        let (begun, cascades) = mpsc::channel(BEGUN_CASCADES);
        let queues = JobQueues::start(options.writers.max(1), options.queue, |jobs, pending| {
            let worker = Worker {
                committer: Committer::new(store.clone(), epoch.clone(), Clock, options),
                hub: Arc::clone(hub),
                pending,
                stats: Arc::clone(&stats),
                begun: begun.clone(),
                max_batch: options.max_batch.max(1),
                max_waiting: options.queue,
            };
            lifecycle.spawn_service(worker.run(jobs));
        });
        let queues = Arc::new(queues);
        let runner = CascadeRunner::new(store, &queues, &stats, lifecycle);
        lifecycle.spawn_service(runner.run(cascades));
        Self { queues, stats }
    }

    /// Returns the writer's part of `/health`.
    #[must_use]
    pub fn report(&self) -> WriterReport {
        self.stats.report()
    }

    /// The queue that serves a channel.
    #[must_use]
    pub fn queue_of(&self, channel: &ChannelName) -> usize {
        self.queues.queue_of(channel)
    }

    /// Takes a command; the answer comes through the receiver after the commit.
    ///
    /// # Errors
    ///
    /// The reply `unavailable` when the project's queue is full or the server is shutting down.
    pub fn submit(
        &self,
        request: CommandRequest,
        project: ProjectId,
        caller: &Caller,
        identity: Option<Arc<Identity>>,
    ) -> Result<oneshot::Receiver<Reply>, Reply> {
        let bytes = request.bytes;
        let key = request.key.as_deref();
        let key = key.map(|key| (caller.scoped_key(key), request.fingerprint()));
        let command = Box::new(request.into_command(project));
        let work = Work::Command { command, key };
        self.queues.take(work, bytes, caller, identity)
    }

    /// Takes what is to be published on one channel. All of it is committed together, except for what has been
    /// published under its key before; the answer is that to the last one, and counts them if there are several.
    ///
    /// # Errors
    ///
    /// As [`Writer::submit`].
    pub fn publish(
        &self,
        channel: ChannelName,
        publications: Vec<Publication>,
        caller: &Caller,
        identity: Option<Arc<Identity>>,
    ) -> Result<oneshot::Receiver<Reply>, Reply> {
        let bytes = publications.iter().map(Publication::bytes).sum();
        let publications = publications.into_iter().map(|publication| {
            let key = publication.key.as_deref();
            let key = key.map(|key| (caller.scoped_key(key), publication.fingerprint()));
            (publication, key)
        });
        let publications = publications.collect();
        let work = Work::Publish {
            channel,
            publications,
        };
        self.queues.take(work, bytes, caller, identity)
    }

    /// How much was taken and is not answered yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queues.waiting()
    }

    /// Resolves when everything that was taken has been answered.
    pub async fn idle(&self) {
        self.queues.idle().await;
    }
}
