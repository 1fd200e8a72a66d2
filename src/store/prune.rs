//! Removing a channel's oldest events, a step at a time.
//!
//! A step is a short transaction: the events go first, and the channel's row, for which writers wait, is touched
//! last. What is gone and what the channel says is gone change together, so a reader sees both or neither.

use super::read::in_time;
use super::tx::in_tx;
use super::{CommitError, Store, StoreError, Tx};
use super::{postgres, sqlite};
use crate::domain::{ChannelNo, Seq, Timestamp};

/// How much one step removes at most; a single event may have more bytes.
#[derive(Debug, Clone, Copy)]
pub struct PruneLimits {
    /// Events.
    pub events: i64,
    /// Bytes of their payloads.
    pub bytes: i64,
}

/// What one step has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events that were removed.
    pub events: u64,
    /// Whether there may be more to remove.
    pub more: bool,
}

/// An event that may be past its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expiring {
    pub(super) seq: Seq,
    pub(super) created_at: Timestamp,
    pub(super) bytes: i64,
}

impl Store {
    /// Removes the oldest events of a channel, as far as they were made before a time. Those that were made later
    /// stay, and all behind them, whatever their clocks said.
    ///
    /// # Errors
    ///
    /// Fails when the database does; whether events were removed is then not known.
    pub async fn events_prune(
        &self,
        no: ChannelNo,
        before: Timestamp,
        limits: PruneLimits,
    ) -> Result<Pruned, StoreError> {
        in_time(async {
            let mut tx = self.begin().await?;
            let pruned = tx.events_prune(no, before, limits).await?;
            if pruned.events == 0 {
                tx.rollback().await?;
            } else {
                tx.commit().await.map_err(CommitError::into_inner)?;
            }
            Ok(pruned)
        })
        .await
    }
}

impl Tx {
    async fn events_prune(
        &mut self,
        no: ChannelNo,
        before: Timestamp,
        limits: PruneLimits,
    ) -> Result<Pruned, StoreError> {
        let oldest = in_tx!(self, event::oldest(no, limits.events))?;
        let expired = expired(&oldest, before, limits.bytes);
        let (Some(first), Some(last)) = (expired.first(), expired.last()) else {
            return Ok(Pruned::default());
        };
        let events = in_tx!(self, event::remove(no, first.seq, last.seq))?;
        in_tx!(self, channel::set_pruned(no, last.seq))?;
        let more = match oldest.get(expired.len()) {
            Some(next) => next.created_at < before,
            None => i64::try_from(oldest.len()) == Ok(limits.events),
        };
        Ok(Pruned { events, more })
    }
}

/// Those at the beginning that are past their time, as far as they fit.
fn expired(oldest: &[Expiring], before: Timestamp, max_bytes: i64) -> &[Expiring] {
    let mut bytes = 0_i64;
    let expired = oldest.iter().take_while(|event| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(event.bytes.max(1));
        event.created_at < before && (first || bytes <= max_bytes)
    });
    &oldest[..expired.count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(ages: &[i64], max_bytes: i64) -> usize {
        let oldest: Vec<_> = (1..)
            .zip(ages)
            .map(|(seq, at)| Expiring {
                seq,
                created_at: Timestamp::from_millis(*at),
                bytes: 100,
            })
            .collect();
        expired(&oldest, Timestamp::from_millis(10), max_bytes).len()
    }

    #[test]
    fn only_what_is_old_and_first_goes() {
        assert_eq!(gone(&[], 1000), 0);
        assert_eq!(gone(&[1, 2, 3], 1000), 3);
        assert_eq!(gone(&[1, 9, 10, 2], 1000), 2, "clocks differ");
        assert_eq!(gone(&[10, 1], 1000), 0);
        assert_eq!(gone(&[3, 2, 1], 200), 2);
        assert_eq!(gone(&[3, 2, 1], 1), 1, "there is always one");
    }
}
