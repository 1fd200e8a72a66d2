//! Keeps what all feeds remember within one amount of memory: the coldest feeds give up their oldest events first.
//!
//! Nothing gets lost, because the log has every event. Above a high mark a task asks the feeds that have heard nothing
//! for longest to forget, until a low mark is reached. A feed that finds the limit exceeded all the same forgets at once
//! as much as is too much, so the sum does not depend on how quickly that task gets its turn.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use super::Hub;
use super::relay::Message;
use crate::memory::{Held, MemoryBudget};

/// Pause between two rounds, in which the feeds that were asked forget.
const PAUSE: Duration = Duration::from_millis(10);

/// Creates the memory for events. Feeds are asked to shrink when less than an eighth of it is left.
pub(super) fn budget(max: usize) -> MemoryBudget {
    MemoryBudget::new(max, max - max / 8)
}

/// How much of the memory is to be used after a round.
fn low_mark(memory: &MemoryBudget) -> usize {
    memory.max() - memory.max() / 4
}

/// What a feed keeps, for others to see.
#[derive(Debug, Default)]
pub(super) struct Usage {
    bytes: AtomicUsize,
    /// When it heard of an event last, in milliseconds since the first feed.
    heard_at: AtomicU64,
}

/// What a feed keeps, as the feed itself counts it.
#[derive(Debug)]
pub(super) struct Footprint {
    held: Held,
    usage: Arc<Usage>,
}

impl Footprint {
    pub(super) fn new(memory: &MemoryBudget, usage: &Arc<Usage>) -> Self {
        Self {
            held: memory.holder(),
            usage: Arc::clone(usage),
        }
    }

    /// Notes that the feed has heard of events.
    pub(super) fn touch(&self) {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        let now = u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.usage.heard_at.store(now, Ordering::Relaxed);
    }

    /// Notes how many bytes the feed keeps.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes != self.held.bytes() {
            self.held.set(bytes);
            self.usage.bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// How many bytes all feeds keep too many.
    pub(super) fn excess(&self) -> usize {
        let memory = self.held.budget();
        memory.used().saturating_sub(memory.max())
    }
}

/// Asks the coldest feeds to forget whenever all together keep much.
pub(super) async fn watch(hub: Weak<Hub>, memory: MemoryBudget) {
    loop {
        memory.pressed().await;
        let Some(hub) = hub.upgrade() else { return };
        hub.shrink_coldest();
        drop(hub);
        tokio::time::sleep(PAUSE).await;
    }
}

impl Hub {
    fn shrink_coldest(&self) {
        let mut excess = self.memory.used().saturating_sub(low_mark(&self.memory));
        let mut feeds: Vec<_> = self
            .feeds
            .lock()
            .values()
            .map(|handle| {
                let usage = &handle.usage;
                let heard_at = usage.heard_at.load(Ordering::Relaxed);
                let bytes = usage.bytes.load(Ordering::Relaxed);
                (heard_at, bytes, handle.inlet.clone())
            })
            .filter(|(_, bytes, _)| *bytes > 0)
            .collect();
        feeds.sort_unstable_by_key(|(heard_at, ..)| *heard_at);
        for (_, bytes, inlet) in feeds {
            if excess == 0 {
                break;
            }
            let bytes = bytes.min(excess);
            excess -= bytes;
            inlet.put(Message::GiveUp(bytes));
        }
    }
}
