//! The writer's transaction.

use std::collections::HashSet;

use super::connection::DbConnection;
use super::{Batch, CommitError, Store, StoreError, postgres, sqlite};
use crate::domain::ChannelNo;

/// A transaction of the writer. Dropped without [`Tx::commit`], it leaves nothing behind.
///
/// After a call that failed or was dropped half-way, every other call fails too.
#[derive(Debug)]
pub struct Tx {
    pub(super) conn: DbConnection,
    pub(super) has_written: bool,
    /// Channels that it has made.
    pub(super) made: Vec<ChannelNo>,
}

impl Store {
    /// Begins a transaction of the writer.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let begin = match self {
            Self::Sqlite(db) => {
                db.check()?;
                sqlite::BEGIN
            }
            Self::Postgres(_) => postgres::BEGIN,
        };
        let mut conn = self.writer().await?;
        conn.in_transaction = true;
        conn.run(begin).await?;
        Ok(Tx {
            conn,
            has_written: false,
            made: Vec::new(),
        })
    }
}

impl Tx {
    /// Writes everything that the batch holds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if the database does not take one of the rows, and
    /// [`StoreError::Inconsistent`] if a head does not move forward; otherwise fails when the database does.
    pub async fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.has_written = true;
        if !batch.events.is_empty() {
            self.events_insert(&batch.events).await?;
        }
        self.entities_put(&batch.entities).await?;
        self.cascades_put(&batch.cascades, batch.now).await?;
        if !batch.heads.is_empty() {
            self.heads_set(&batch.heads).await?;
        }
        if !batch.answers.is_empty() {
            self.answers_insert(&batch.answers, batch.now).await?;
        }
        let unused = self.take_unused(batch);
        if !unused.is_empty() {
            self.channels_unmake(unused).await?;
        }
        Ok(())
    }

    /// The channels that were made for nothing.
    fn take_unused(&mut self, batch: &Batch) -> Vec<ChannelNo> {
        let mut made = std::mem::take(&mut self.made);
        if !made.is_empty() {
            let used = batch.heads.iter().map(|(no, _)| *no);
            let answered = batch.answers.iter().map(|answer| answer.channel_no);
            let used: HashSet<_> = used.chain(answered).collect();
            made.retain(|no| !used.contains(no));
        }
        made
    }

    /// Makes everything durable. Without an error, it is.
    ///
    /// # Errors
    ///
    /// See [`CommitError`].
    pub async fn commit(mut self) -> Result<(), CommitError> {
        // A transaction in which a statement failed must not get further: Postgres would answer its COMMIT with a silent
        // rollback.
        self.conn.check().map_err(CommitError::NotCommitted)?;
        let committed = self.conn.run("COMMIT").await;
        committed.map_err(CommitError::after_commit)?;
        self.conn.in_transaction = false;
        Ok(())
    }

    /// Ends a transaction in which nothing was written. Dropping it would cost a Postgres connection, which
    /// is closed when it is left in the middle of something.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn rollback(mut self) -> Result<(), StoreError> {
        self.conn.check()?;
        self.conn.run("ROLLBACK").await?;
        self.conn.in_transaction = false;
        Ok(())
    }
}
