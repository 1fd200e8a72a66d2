//! Memory that many share: how much all of them may use together, and how much each of them uses.
//!
//! A per-connection or per-channel limit bounds nothing as long as the number of connections or channels is not bounded.
//! So everything that a client can make grow is counted here as well, with one atomic addition when it grows and one when
//! it shrinks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Bytes that every holder may use even if nothing is left: about what a connection costs anyway.
pub const FLOOR: usize = 16 * 1024;
/// The part of what is left that one holder may use.
const FAIR_PART: usize = 8;

/// An amount of memory for many holders together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    /// Above this many bytes [`MemoryBudget::pressed`] resolves.
    high: usize,
    used: AtomicUsize,
    pressed: Notify,
}

impl MemoryBudget {
    /// Creates a budget of `max` bytes. [`MemoryBudget::pressed`] resolves when more than `high` bytes are used.
    #[must_use]
    pub fn new(max: usize, high: usize) -> Self {
        Self(Arc::new(Inner {
            max,
            high,
            used: AtomicUsize::new(0),
            pressed: Notify::new(),
        }))
    }

    /// The bytes that may be used.
    #[must_use]
    pub fn max(&self) -> usize {
        self.0.max
    }

    /// The bytes that are used.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether more is used than may be.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.used() > self.0.max
    }

    /// The most bytes that one holder may use now: an eighth of what nobody uses, and never less than [`FLOOR`]. So a few
    /// holders may use much, many holders may use little each, and something is left for the next one.
    #[must_use]
    pub fn fair_share(&self) -> usize {
        let left = self.0.max.saturating_sub(self.used());
        FLOOR.max(left / FAIR_PART)
    }

    /// Resolves when more than the high mark is used. There is one task that waits for it.
    pub async fn pressed(&self) {
        self.0.pressed.notified().await;
    }

    /// Creates a holder that uses nothing yet.
    #[must_use]
    pub fn holder(&self) -> Held {
        Held {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

/// What one holder uses of a [`MemoryBudget`]; given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    budget: MemoryBudget,
    bytes: usize,
}

impl Held {
    /// The bytes that this holder uses.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The budget of which it is a part.
    #[must_use]
    pub fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Uses more, whether or not it is left.
    pub fn add(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.bytes += bytes;
        let inner = &self.budget.0;
        let used = inner.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > inner.high {
            inner.pressed.notify_one();
        }
    }

    /// Gives a part back; more than is used counts as all of it.
    pub fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        if bytes > 0 {
            self.bytes -= bytes;
            self.budget.0.used.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Uses this many bytes from now on.
    pub fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.add(bytes - self.bytes);
        } else {
            self.give_back(self.bytes - bytes);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_holders_use_is_summed_up_and_given_back() {
        let budget = MemoryBudget::new(1000, 1000);
        let (mut first, mut second) = (budget.holder(), budget.holder());
        first.add(600);
        second.set(700);
        assert!(budget.is_exceeded());
        second.set(300);
        assert_eq!((budget.used(), second.bytes()), (900, 300));
        first.give_back(9999);
        assert_eq!(budget.used(), 300);
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_fair_share_of_many_holders_leaves_something_for_the_next() {
        const ENOUGH: usize = 64 * FLOOR;
        const HOLDERS: usize = 1000;
        let budget = MemoryBudget::new(16_384 * FLOOR, usize::MAX);
        let mut holders = Vec::new();
        for _ in 0..HOLDERS {
            let mut holder = budget.holder();
            holder.set(budget.fair_share().min(ENOUGH));
            holders.push(holder);
        }
        assert_eq!(holders[200].bytes(), ENOUGH, "as long as there is plenty");
        assert!(budget.used() < budget.max() + HOLDERS * FLOOR);
        assert_eq!(budget.fair_share(), FLOOR);
    }

    #[test]
    fn pressure_is_told_above_the_high_mark_only() {
        let budget = MemoryBudget::new(1000, 800);
        let mut holder = budget.holder();
        holder.add(800);
        assert!(budget.pressed().now_or_never().is_none());
        holder.add(1);
        assert!(budget.pressed().now_or_never().is_some());
        assert!(budget.pressed().now_or_never().is_none());
    }
}
