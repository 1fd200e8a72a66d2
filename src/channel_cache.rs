//! Keeps which channel has which number: that never changes, so what was read once is kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::domain::{ChannelNo, Target};
use crate::store::{Store, StoreError};

/// The number of channels that are kept; a name has at most 263 bytes.
const MAX_KEPT: usize = 65_536;
/// Reads at a time. Those who come back at the same moment ask for the same few: most find what they need once it is
/// their turn.
const READS: usize = 2;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChannelCache {
    store: Store,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Guards the channels that have been read.
    targets: Mutex<HashMap<ChannelNo, Target>>,
    turns: Semaphore,
    /// When a read failed last.
    failed: Mutex<Option<Instant>>,
}

impl ChannelCache {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            shared: Arc::new(Shared {
                targets: Mutex::default(),
                turns: Semaphore::new(READS),
                failed: Mutex::default(),
            }),
        }
    }

    /// Those of these channels that exist.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn targets(
        &self,
        numbers: &[ChannelNo],
    ) -> Result<HashMap<ChannelNo, Target>, StoreError> {
        if let Some(targets) = self.known(numbers) {
            return Ok(targets);
        }
        let asked_at = Instant::now();
        let _turn = self.shared.turns.acquire().await;
        if let Some(targets) = self.known(numbers) {
            return Ok(targets);
        }
        if self
            .shared
            .failed
            .lock()
            .is_some_and(|failed_at| failed_at > asked_at)
        {
            // Those who wait meanwhile fail together, not one after the other.
            let late = "the channels could not be read a moment ago";
            return Err(StoreError::Unavailable(late.into()));
        }
        let read = self.store.targets(numbers).await;
        if read.is_err() {
            *self.shared.failed.lock() = Some(Instant::now());
        }
        let read = read?;
        let read: HashMap<_, _> = read.into_iter().collect();
        let mut kept = self.shared.targets.lock();
        if kept.len() + read.len() > MAX_KEPT {
            kept.clear();
        }
        kept.extend(read.iter().map(|(no, target)| (*no, target.clone())));
        Ok(read)
    }

    /// The channels, if all of them are known.
    fn known(&self, numbers: &[ChannelNo]) -> Option<HashMap<ChannelNo, Target>> {
        let kept = self.shared.targets.lock();
        let target = |no: &ChannelNo| Some((*no, kept.get(no)?.clone()));
        numbers.iter().map(target).collect()
    }
}
