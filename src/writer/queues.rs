//! The queues: work for one channel always goes through the same one. They are bounded in jobs and, all together, in
//! bytes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::Caller;
use super::job::{Job, Work};
use crate::contract::{ErrorCode, Reply};
use crate::domain::{ChannelName, Identity};

/// Bytes of requests that may wait for the database in all queues together.
const QUEUED_BYTES: usize = 256 * 1024 * 1024;

/// The senders of all queues.
#[derive(Debug)]
pub(super) struct JobQueues {
    queues: Vec<mpsc::Sender<Job>>,
    /// Bytes that may still be taken.
    room: Arc<Semaphore>,
    pending: Arc<Pending>,
}

/// The number of jobs that were taken and are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    jobs: AtomicUsize,
    idle: Notify,
}

impl Pending {
    pub(super) fn done(&self, jobs: usize) {
        if self.jobs.fetch_sub(jobs, Ordering::AcqRel) == jobs {
            self.idle.notify_waiters();
        }
    }
}

impl JobQueues {
    /// Creates queues that hold `length` jobs each, and starts a worker for each of them.
    pub(super) fn start(
        queues: usize,
        length: usize,
        start_worker: impl Fn(mpsc::Receiver<Job>, Arc<Pending>),
    ) -> Self {
        let pending = Arc::new(Pending::default());
        let queue = |_| {
            let (queue, jobs) = mpsc::channel(length);
            start_worker(jobs, Arc::clone(&pending));
            queue
        };
        Self {
            queues: (0..queues).map(queue).collect(),
            room: Arc::new(Semaphore::new(QUEUED_BYTES)),
            pending,
        }
    }

    pub(super) fn queue_of(&self, channel: &ChannelName) -> usize {
        let mut hasher = DefaultHasher::new();
        // What is published on a channel of a family goes to the family's channel as well: two queues would collide there.
        let family = channel.of_all();
        family.as_ref().unwrap_or(channel).hash(&mut hasher);
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
        let channel = work.channel();
        let queue = self.queue_of(&channel);
        let share = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| Arc::clone(&self.room).try_acquire_many_owned(bytes).ok())
            .ok_or_else(overloaded)?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            channel,
            other_channel: work.other_channel(),
            needs_more: work.needs_more(),
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

    /// Jobs that were taken and are not answered yet.
    pub(super) fn waiting(&self) -> usize {
        self.pending.jobs.load(Ordering::Relaxed)
    }

    /// Resolves when everything that was taken has been answered.
    pub(super) async fn idle(&self) {
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
