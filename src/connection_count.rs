//! Counts connections, and those that are being served right now.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCount {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    busy: AtomicUsize,
    left: Notify,
    idle: Notify,
}

impl ConnectionCount {
    /// Counts one more, until the guard is dropped.
    #[must_use]
    pub fn open(&self) -> Connection {
        self.counts.open.fetch_add(1, Ordering::AcqRel);
        Connection(self.clone())
    }

    /// Counts one that has work to do, until the guard is dropped.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.counts.busy.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }

    /// Clients that are connected now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Resolves when no client is connected.
    pub async fn none(&self) {
        loop {
            let left = self.counts.left.notified();
            if self.counts.open.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }

    /// Resolves when no connection has work to do.
    pub async fn idle(&self) {
        loop {
            let idle = self.counts.idle.notified();
            if self.counts.busy.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub struct Connection(ConnectionCount);

impl Drop for Connection {
    fn drop(&mut self) {
        if self.0.counts.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.counts.left.notify_waiters();
        }
    }
}

/// A connection that has work to do.
#[derive(Debug)]
pub struct Busy(ConnectionCount);

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.counts.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.counts.idle.notify_waiters();
        }
    }
}
