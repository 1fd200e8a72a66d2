//! The queues: commands of one project, and publications on one channel, always go through the same one, and what has gathered in a queue
//! is committed as one transaction.
//!
//! While one commit is in flight the next batch gathers: load makes batches grow by itself, and an idle
//! server commits a single command at once. Queues are bounded; one that is full refuses with
//! `unavailable`, and so does a database that cannot be reached. Nothing is retried that may have had an
//! effect.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::Caller;
use super::batch::{BatchError, Committer};
use crate::clock::Clock;
use crate::contract::{CommandRequest, ErrorCode, Publication, Reply};
use crate::domain::{ChannelName, Command, Epoch, Identity, ProjectId};
use crate::hub::Hub;
use crate::lifecycle::Lifecycle;
use crate::store::Store;

/// Bytes of packets that may wait for the database in all queues together.
const QUEUED_BYTES: usize = 256 * 1024 * 1024;
/// Bytes of packets in one transaction; a single command may have more.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

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
}

impl Work {
    /// The channel whose log it goes to.
    pub(super) fn channel(&self) -> ChannelName {
        match self {
            Self::Command { command, .. } => command.project.channel(),
            Self::Publish { channel, .. } => channel.clone(),
        }
    }

    /// The keys under which it may have been done before.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let (key, publications): (_, &[_]) = match self {
            Self::Command { key, .. } => (key.as_ref(), &[]),
            Self::Publish { publications, .. } => (None, publications),
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
    bytes: usize,
    _share: OwnedSemaphorePermit,
    reply: oneshot::Sender<Reply>,
}

/// Takes commands and promises answers.
#[derive(Debug)]
pub struct Writer {
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
        let queues = (0..options.writers.max(1))
            .map(|_| {
                let (queue, jobs) = mpsc::channel(options.queue);
                let worker = Worker {
                    committer: Committer::new(store.clone(), epoch.clone(), Clock, options),
                    hub: Arc::clone(hub),
                    pending: Arc::clone(&pending),
                    max_batch: options.max_batch.max(1),
                };
                lifecycle.spawn_service(worker.run(jobs));
                queue
            })
            .collect();
        Self {
            queues,
            room: Arc::new(Semaphore::new(QUEUED_BYTES)),
            pending,
        }
    }

    /// The queue that serves a channel.
    #[must_use]
    pub fn queue_of(&self, channel: &ChannelName) -> usize {
        let mut hasher = DefaultHasher::new();
        channel.hash(&mut hasher);
        let queues = self.queues.len() as u64;
        usize::try_from(hasher.finish() % queues).unwrap_or(0)
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
        let queue = self.queue_of(&project.channel());
        let key = request.key.as_deref();
        let key = key.map(|key| (caller.scoped_key(key), request.fingerprint));
        let command = Box::new(request.into_command(project));
        self.take(
            queue,
            Work::Command { command, key },
            bytes,
            caller,
            identity,
        )
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
        let queue = self.queue_of(&channel);
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
        self.take(queue, work, bytes, caller, identity)
    }

    fn take(
        &self,
        queue: usize,
        work: Work,
        bytes: usize,
        caller: &Caller,
        identity: Option<Arc<Identity>>,
    ) -> Result<oneshot::Receiver<Reply>, Reply> {
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

    /// Resolves when everything that was taken has been answered.
    pub async fn idle(&self) {
        loop {
            let idle = self.pending.idle.notified();
            if self.pending.jobs.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
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
    max_batch: usize,
}

impl Worker {
    async fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(self.max_batch);
        while queue.recv_many(&mut jobs, self.max_batch).await > 0 {
            let taken = jobs.len();
            let settled = AssertUnwindSafe(self.settle(std::mem::take(&mut jobs)));
            if settled.catch_unwind().await.is_err() {
                // Those who asked learn it from their dropped receivers; the queue goes on for all others.
                tracing::error!("a batch caused a panic; its commands are refused");
            }
            self.pending.done(taken);
        }
    }

    /// Answers every job. If the database refuses a batch for the sake of one row, the batch is halved until
    /// the bad row stands alone.
    async fn settle(&self, jobs: Vec<Job>) {
        let mut batches = by_size(jobs, |job| job.bytes);
        while let Some(mut jobs) = batches.pop() {
            match self.committer.commit(&jobs).await {
                Ok(committed) => {
                    for (channel, events) in &committed.events {
                        self.hub.publish(channel, events);
                    }
                    for (job, reply) in jobs.into_iter().zip(committed.replies) {
                        answer(job, reply);
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
    }
}

/// Parts that are not too large for one transaction, the first one last.
fn by_size<T>(jobs: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for job in jobs {
        let more = size(&job);
        if bytes + more > BATCH_BYTES && bytes > 0 {
            parts.insert(0, Vec::new());
            bytes = 0;
        }
        bytes += more;
        parts[0].push(job);
    }
    parts
}

fn answer(job: Job, reply: Reply) {
    if job.reply.send(reply).is_err() {
        tracing::debug!(channel = %job.work.channel(), "the asker has gone; its command is done all the same");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_the_order_and_their_limit() {
        let half = BATCH_BYTES / 2;
        let jobs = vec![half, half, 1, 2 * BATCH_BYTES, half, half + 1];
        let mut parts = by_size(jobs, |&bytes| bytes);
        parts.reverse();
        let expected = [
            vec![half, half],
            vec![1],
            vec![2 * BATCH_BYTES],
            vec![half],
            vec![half + 1],
        ];
        assert_eq!(parts, expected);
        assert_eq!(by_size(vec![1, 2, 3], |&bytes| bytes), [vec![1, 2, 3]]);
    }
}
