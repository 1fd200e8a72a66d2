//! Removing a channel's oldest events, a step at a time.
//!
//! A step is a short transaction: the events go first, and the channel's row, for which writers wait, is touched
//! last. What is gone and what the channel says is gone change together, so a reader sees both or neither.

use sqlx::AssertSqlSafe;

use super::row::{CHANNELS, EVENTS, Row};
use super::{CommitError, Store, StoreError, Tx, in_time};
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
struct Expiring {
    seq: Seq,
    created_at: Timestamp,
    bytes: i64,
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
        let oldest = self.events_oldest(no, limits.events).await?;
        let expired = expired(&oldest, before, limits.bytes);
        let (Some(first), Some(last)) = (expired.first(), expired.last()) else {
            return Ok(Pruned::default());
        };
        let delete = self
            .conn
            .statement("DELETE FROM events WHERE channel_no = $1 AND seq BETWEEN $2 AND $3");
        let delete = delete.bind(no.0).bind(first.seq).bind(last.seq);
        let events = delete.execute().await?;
        self.set_pruned(no, last.seq).await?;
        let more = match oldest.get(expired.len()) {
            Some(next) => next.created_at < before,
            None => i64::try_from(oldest.len()) == Ok(limits.events),
        };
        Ok(Pruned { events, more })
    }

    /// The first events that a channel still has, locked against others who would remove them.
    async fn events_oldest(
        &mut self,
        no: ChannelNo,
        max_events: i64,
    ) -> Result<Vec<Expiring>, StoreError> {
        // On Postgres several instances may do this at once. The one that removes a channel's first event has locked that
        // row; the others wait here, before they have locked anything else, and then get the first event that is left.
        let lock = self.conn.dialect("", "FOR UPDATE");
        let sql = format!(
            "SELECT seq FROM events
             WHERE channel_no = $1 AND seq > (SELECT pruned_seq FROM channels WHERE no = $1)
             ORDER BY seq LIMIT 1 {lock}"
        );
        let first = self.conn.statement(AssertSqlSafe(sql)).bind(no.0);
        if first.first(|_| Ok(())).await?.is_none() {
            return Ok(Vec::new());
        }
        let oldest = self.conn.statement(
            "SELECT seq, created_at, CAST(octet_length(payload) AS bigint) AS bytes FROM events
             WHERE channel_no = $1 AND seq > (SELECT pruned_seq FROM channels WHERE no = $1)
             ORDER BY seq LIMIT $2",
        );
        oldest.bind(no.0).bind(max_events).all(expiring).await
    }

    /// Notes how far a channel is pruned: last before the commit, because writers to the channel wait from here on.
    async fn set_pruned(&mut self, no: ChannelNo, seq: Seq) -> Result<(), StoreError> {
        let update = self
            .conn
            .statement("UPDATE channels SET pruned_seq = $2 WHERE no = $1 AND pruned_seq < $2");
        if update.bind(no.0).bind(seq).execute().await? == 1 {
            return Ok(());
        }
        Err(self.conn.fail(CHANNELS.inconsistent("pruned_seq")))
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

fn expiring(row: &Row) -> Result<Expiring, StoreError> {
    Ok(Expiring {
        seq: row.get(EVENTS, "seq")?,
        created_at: Timestamp::from_millis(row.get(EVENTS, "created_at")?),
        bytes: row.get(EVENTS, "bytes")?,
    })
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
