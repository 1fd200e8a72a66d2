//! The queues: commands of one project, and publications on one channel, always go through the same one, and what has gathered in a queue
//! is committed as one transaction.
//!
//! While one commit is in flight the next batch gathers: load makes batches grow by itself, and an idle
//! server commits a single command at once. In a queue those who ask take turns ([`Lines`]), and a transaction has an upper
//! bound of what it does, so nobody waits for all that somebody else has asked for. Queues are bounded; one that is full refuses with
//! `unavailable`, and so does a database that cannot be reached. Nothing is retried that may have had an
//! effect.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::Caller;
use super::batch::{BatchError, Committed, Committer};
use super::cascades::Runner;
use super::fair::Lines;
use super::watch::{Watch, WriterReport};
use crate::clock::Clock;
use crate::contract::{CommandRequest, ErrorCode, Publication, Reply};
use crate::domain::{Cascade, CascadeKey, ChannelName, Command, Epoch, Identity, ProjectId};
use crate::hub::Hub;
use crate::lifecycle::Lifecycle;
use crate::store::Store;

/// Bytes of packets that may wait for the database in all queues together.
const QUEUED_BYTES: usize = 256 * 1024 * 1024;
/// Bytes of packets in one transaction; a single command may have more.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Cascades that begin while the one who carries them on is busy; it finds the others in the database.
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
    /// A transaction that takes longer is told of in the log.
    pub slow_commit: Duration,
    /// Whether what is changed must exist already.
    pub strict: bool,
    /// Whether users choose the ids of projects that they create.
    pub chosen_ids: bool,
}

/// What is to be committed.
#[derive(Debug)]
pub(super) enum Work {
    /// A change of a project.
    Command {
        command: Box<Command>,
        /// The scoped idempotency key and the command's fingerprint.
        key: Option<StoredKey>,
    },
    /// What is published on a channel: all of it, or nothing.
    Publish {
        channel: ChannelName,
        /// Each perhaps with its scoped key.
        publications: Vec<(Publication, Option<StoredKey>)>,
    },
    /// The next tasks of a cascade.
    Step(CascadeKey),
}

impl Work {
    /// The channel whose log it goes to.
    pub(super) fn channel(&self) -> ChannelName {
        match self {
            Self::Command { command, .. } => command.project.channel(),
            Self::Publish { channel, .. } => channel.clone(),
            Self::Step(key) => key.project.channel(),
        }
    }

    /// Whether something must be loaded for it alone.
    pub(super) fn needs_more(&self) -> bool {
        match self {
            Self::Command { command, .. } => command.needs_more(),
            Self::Publish { .. } => false,
            Self::Step(_) => true,
        }
    }

    /// What it is called in the log.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Command { command, .. } => command.name(),
            Self::Publish { .. } => "publish".to_owned(),
            Self::Step(key) => format!("step of {}", key.reference.field()),
        }
    }

    /// The keys under which it may have been done before.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let (key, publications): (_, &[_]) = match self {
            Self::Command { key, .. } => (key.as_ref(), &[]),
            Self::Publish { publications, .. } => (None, publications),
            Self::Step(_) => (None, &[]),
        };
        let keys = publications.iter().filter_map(|(_, key)| key.as_ref());
        key.into_iter().chain(keys).map(|(key, _)| key.as_str())
    }
}

/// A scoped idempotency key, and what tells the same request from another one under it.
pub(super) type StoredKey = (String, i64);

/// Work on its way to the store.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) caller: Caller,
    /// Whose rights it is judged by; without one everything is allowed.
    pub(super) identity: Option<Arc<Identity>>,
    /// The size of its packet, and its share of what may wait at all.
    pub(super) bytes: usize,
    _share: OwnedSemaphorePermit,
    reply: oneshot::Sender<Reply>,
}

/// Takes commands and promises answers.
#[derive(Debug)]
pub struct Writer {
    intake: Arc<Intake>,
    watch: Arc<Watch>,
}

/// The way into the queues.
#[derive(Debug)]
pub(super) struct Intake {
    queues: Vec<mpsc::Sender<Job>>,
    /// Bytes that may still be taken.
    room: Arc<Semaphore>,
    pending: Arc<Pending>,
}

/// Counts what was taken and not answered yet.
#[derive(Debug, Default)]
struct Pending {
    jobs: AtomicUsize,
    idle: Notify,
}

impl Pending {
    fn done(&self, jobs: usize) {
        if self.jobs.fetch_sub(jobs, Ordering::AcqRel) == jobs {
            self.idle.notify_waiters();
        }
    }
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
        let pending = Arc::new(Pending::default());
        let watch = Arc::new(Watch::new(options.slow_commit));
        let (begun, cascades) = mpsc::channel(BEGUN_CASCADES);
        let queues = (0..options.writers.max(1))
            .map(|_| {
                let (queue, jobs) = mpsc::channel(options.queue);
                let worker = Worker {
                    committer: Committer::new(store.clone(), epoch.clone(), Clock, options),
                    hub: Arc::clone(hub),
                    pending: Arc::clone(&pending),
                    watch: Arc::clone(&watch),
                    begun: begun.clone(),
                    max_batch: options.max_batch.max(1),
                    max_waiting: options.queue,
                };
                lifecycle.spawn_service(worker.run(jobs));
                queue
            })
            .collect();
        let intake = Arc::new(Intake {
            queues,
            room: Arc::new(Semaphore::new(QUEUED_BYTES)),
            pending,
        });
        let runner = Runner::new(store, &intake, &watch, lifecycle);
        lifecycle.spawn_service(runner.run(cascades));
        Self { intake, watch }
    }

    /// How it went.
    #[must_use]
    pub fn report(&self) -> WriterReport {
        self.watch.report()
    }

    /// The queue that serves a channel.
    #[must_use]
    pub fn queue_of(&self, channel: &ChannelName) -> usize {
        self.intake.queue_of(channel)
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
        let key = key.map(|key| (caller.scoped_key(key), request.fingerprint));
        let command = Box::new(request.into_command(project));
        let work = Work::Command { command, key };
        self.intake.take(work, bytes, caller, identity)
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
        self.intake.take(work, bytes, caller, identity)
    }

    /// Resolves when everything that was taken has been answered.
    pub async fn idle(&self) {
        let pending = &self.intake.pending;
        loop {
            let idle = pending.idle.notified();
            if pending.jobs.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Intake {
    fn queue_of(&self, channel: &ChannelName) -> usize {
        let mut hasher = DefaultHasher::new();
        channel.hash(&mut hasher);
        let queues = self.queues.len() as u64;
        usize::try_from(hasher.finish() % queues).unwrap_or(0)
    }

    /// Takes work; the answer comes through the receiver after the commit.
    pub(super) fn take(
        &self,
        work: Work,
        bytes: usize,
        caller: &Caller,
        identity: Option<Arc<Identity>>,
    ) -> Result<oneshot::Receiver<Reply>, Reply> {
        let queue = self.queue_of(&work.channel());
        let share = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| Arc::clone(&self.room).try_acquire_many_owned(bytes).ok())
            .ok_or_else(overloaded)?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            work,
            caller: caller.clone(),
            identity,
            bytes,
            _share: share,
            reply,
        };
        self.pending.jobs.fetch_add(1, Ordering::AcqRel);
        self.queues[queue].try_send(job).map_err(|_| {
            self.pending.done(1);
            overloaded()
        })?;
        Ok(answer)
    }
}

fn overloaded() -> Reply {
    Reply::refused(
        ErrorCode::Unavailable,
        "the server has more to do than it can take; try again in a moment",
    )
}

struct Worker {
    committer: Committer,
    hub: Arc<Hub>,
    pending: Arc<Pending>,
    watch: Arc<Watch>,
    begun: mpsc::Sender<Cascade>,
    max_batch: usize,
    max_waiting: usize,
}

impl Worker {
    async fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut lines = Lines::new();
        loop {
            if lines.is_empty() {
                let Some(job) = queue.recv().await else {
                    return;
                };
                lines.push(job);
            }
            while lines.len() < self.max_waiting
                && let Ok(job) = queue.try_recv()
            {
                lines.push(job);
            }
            let jobs = lines.take(self.max_batch, BATCH_BYTES);
            let taken = jobs.len();
            let settled = AssertUnwindSafe(self.settle(jobs)).catch_unwind().await;
            let left = settled.unwrap_or_else(|_| {
                // Those who asked learn it from their dropped receivers; the queue goes on for all others.
                tracing::error!("a batch caused a panic; its commands are refused");
                Vec::new()
            });
            self.pending.done(taken - left.len());
            lines.put_back(left);
        }
    }

    /// Answers the jobs, but for those at the end for which the transaction had no room. If the database refuses a batch
    /// for the sake of one row, the batch is halved until the bad row stands alone.
    async fn settle(&self, jobs: Vec<Job>) -> Vec<Job> {
        let mut batches = vec![jobs];
        while let Some(mut jobs) = batches.pop() {
            let started = Instant::now();
            let outcome = self.committer.commit(&jobs).await;
            self.watch.committed(started.elapsed(), &jobs, &outcome);
            match outcome {
                Ok(committed) => {
                    let left = jobs.split_off(committed.replies.len());
                    self.publish(jobs, committed);
                    if !left.is_empty() {
                        batches.push(left);
                        return batches.into_iter().rev().flatten().collect();
                    }
                }
                Err(BatchError::Refused) if jobs.len() > 1 => {
                    let second = jobs.split_off(jobs.len() / 2);
                    batches.push(second);
                    batches.push(jobs);
                }
                Err(error) => {
                    let reply = error.reply();
                    for job in jobs {
                        answer(job, reply.clone());
                    }
                }
            }
        }
        Vec::new()
    }

    fn publish(&self, jobs: Vec<Job>, committed: Committed) {
        for (channel, events) in &committed.events {
            self.hub.publish(channel, events);
        }
        for cascade in committed.cascades {
            // If there is no room, the row is found later.
            if self.begun.try_send(cascade).is_err() {
                tracing::debug!("many cascades begin at once; this one has to wait");
            }
        }
        for (job, reply) in jobs.into_iter().zip(committed.replies) {
            answer(job, reply);
        }
    }
}

fn answer(job: Job, reply: Reply) {
    if job.reply.send(reply).is_err() {
        tracing::debug!(channel = %job.work.channel(), "the asker has gone; its command is done all the same");
    }
}
