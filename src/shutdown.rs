//! Background tasks and their end: every task is spawned here, so that shutdown can wait for it.

use std::future::Future;
use std::time::Duration;

use tokio_util::future::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Knows all tasks and tells them when to end. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// Tasks that come to an end by themselves once no new work is taken.
    work: TaskTracker,
    /// Tasks that would go on for ever.
    services: TaskTracker,
    retiring: CancellationToken,
    draining: CancellationToken,
    stopping: CancellationToken,
}

impl Lifecycle {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task that does some work and ends. [`Lifecycle::stop`] waits for it.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.work
            .spawn(task.with_cancellation_token_owned(self.stopping.clone()));
    }

    /// Starts a task that serves others for as long as there is work to do for them.
    pub fn spawn_service<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.services
            .spawn(task.with_cancellation_token_owned(self.stopping.clone()));
    }

    /// No new clients are let in from now on; those who are there are served on.
    pub fn stop_accepting(&self) {
        self.retiring.cancel();
    }

    /// Whether no new clients are let in.
    #[must_use]
    pub fn is_retiring(&self) -> bool {
        self.retiring.is_cancelled()
    }

    /// Resolves when no new clients are let in any more.
    pub async fn retiring(&self) {
        self.retiring.cancelled().await;
    }

    /// No new work is taken from now on; what was taken is finished.
    pub fn finish_work(&self) {
        self.stop_accepting();
        self.draining.cancel();
    }

    /// Whether no new work is taken.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Resolves when no new work is taken any more.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Waits for all work, ends what takes longer than `patience`, and then the services. Whether all work
    /// ended by itself.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.finish_work();
        self.work.close();
        self.services.close();
        let in_time = tokio::time::timeout(patience, self.work.wait())
            .await
            .is_ok();
        self.stopping.cancel();
        self.work.wait().await;
        self.services.wait().await;
        in_time
    }
}
