//! One queue's worker: takes a batch of waiting jobs, commits it, hands its events to the hub and answers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::committer::Committer;
use super::fair_queue::FairQueue;
use super::job::Job;
use super::outcome::{BatchError, Committed};
use super::queues::Pending;
use super::stats::WriterStats;
use crate::domain::Cascade;
use crate::hub::Hub;

/// Bytes of requests in one transaction; a single command may have more.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Commits what one queue holds, batch by batch.
pub(super) struct Worker {
    pub(super) committer: Committer,
    pub(super) hub: Arc<Hub>,
    pub(super) pending: Arc<Pending>,
    pub(super) stats: Arc<WriterStats>,
    pub(super) begun: mpsc::Sender<Cascade>,
    pub(super) max_batch: usize,
    pub(super) max_waiting: usize,
}

impl Worker {
    /// Works until the queue is closed.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut waiting = FairQueue::new();
        loop {
            if waiting.is_empty() {
                let Some(job) = queue.recv().await else {
                    return;
                };
                waiting.push(job);
            }
            while waiting.len() < self.max_waiting
                && let Ok(job) = queue.try_recv()
            {
                waiting.push(job);
            }
            let jobs = waiting.take(self.max_batch, BATCH_BYTES);
            let taken = jobs.len();
            let settled = AssertUnwindSafe(self.settle(jobs)).catch_unwind().await;
            let left = settled.unwrap_or_else(|_| {
                // Those who asked learn it from their dropped receivers; the queue goes on for all others.
                tracing::error!("a batch caused a panic; its commands are refused");
                self.committer.forget();
                Vec::new()
            });
            self.pending.done(taken - left.len());
            waiting.put_back(left);
        }
    }

    /// Answers the jobs, but for those at the end for which the transaction had no room. If the database refuses a batch
    /// for the sake of one row, the batch is halved until the bad row stands alone.
    async fn settle(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let mut batches = vec![jobs];
        while let Some(mut jobs) = batches.pop() {
            let started = Instant::now();
            let cached = self.committer.cached_bytes();
            let outcome = self.committer.commit(&jobs).await;
            self.stats.cached(cached, self.committer.cached_bytes());
            self.stats.committed(started.elapsed(), &jobs, &outcome);
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
                        job.answer(reply.clone());
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
            job.answer(reply);
        }
    }
}
