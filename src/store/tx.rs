//! The writer's transaction.

use std::collections::HashSet;
use std::sync::Arc;

use super::{
    Batch, Channel, CommitError, EntityKey, Loaded, Locked, Store, StoreError, StoredAnswer,
};
use super::{postgres, sqlite};
use crate::domain::{ChannelName, ChannelNo, Entity, EntityId, ProjectId};

/// A transaction of the writer. Dropped without [`Tx::commit`], it leaves nothing behind.
///
/// After a call that failed or was dropped half-way, every other call fails too.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(sqlite::Tx),
    /// On Postgres.
    Postgres(postgres::Tx),
}

/// Calls the same function of either database's module, unless nothing is asked for.
macro_rules! in_tx {
    ($tx:expr, $noun:ident::$function:ident($($argument:expr),*)) => {
        match $tx {
            Tx::Sqlite(tx) => {
                let result = sqlite::$noun::$function(tx.session.start()?, $($argument),*).await;
                tx.session.finish(result)
            }
            Tx::Postgres(tx) => {
                let result = postgres::$noun::$function(tx.session.start()?, $($argument),*).await;
                tx.session.finish(result)
            }
        }
    };
}

pub(super) use in_tx;

impl Store {
    /// Begins a transaction of the writer.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite(db) => db.begin().await.map(Tx::Sqlite),
            Self::Postgres(db) => db.begin().await.map(Tx::Postgres),
        }
    }
}

impl Tx {
    /// Locks channels until the end of the transaction and makes those that are missing. One that was made and gets
    /// neither an event nor an answer leaves no row behind.
    ///
    /// This is the first thing a transaction does: rows are made before any lock is held and locks are
    /// taken in the order of the names, so that two instances cannot wait for each other.
    ///
    /// # Errors
    ///
    /// Fails when the database does, and when something was written before.
    pub async fn channels_lock(
        &mut self,
        names: &[ChannelName],
    ) -> Result<Vec<Channel>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        if self.has_written() {
            return Err(StoreError::Failed(
                "channels are locked before anything is written".into(),
            ));
        }
        let locked: Locked = in_tx!(self, channel::lock(names))?;
        match self {
            Self::Sqlite(tx) => tx.made = locked.made,
            Self::Postgres(tx) => tx.made = locked.made,
        }
        Ok(locked.channels)
    }

    /// The entities that exist among these, tombstones included, in no order.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entities_get(&mut self, keys: &[EntityKey]) -> Result<Vec<Entity>, StoreError> {
        Ok(self.entities_load(keys).await?.entities)
    }

    /// The same, and how large they are.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entities_load(&mut self, keys: &[EntityKey]) -> Result<Loaded, StoreError> {
        if keys.is_empty() {
            return Ok(Loaded::default());
        }
        in_tx!(self, entity::get(keys))
    }

    /// An owner of a project other than this member.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn other_owner(
        &mut self,
        project: &ProjectId,
        member: &EntityId,
    ) -> Result<Option<Entity>, StoreError> {
        in_tx!(self, member::other_owner(project, member))
    }

    /// Writes entities before the rest of the batch, so that what is read next sees them.
    ///
    /// # Errors
    ///
    /// As [`Tx::write`].
    pub async fn entities_put(&mut self, entities: &[Arc<Entity>]) -> Result<(), StoreError> {
        if entities.is_empty() {
            return Ok(());
        }
        self.set_written();
        in_tx!(self, entity::upsert(entities))
    }

    /// The answers that are stored under these keys, in no order.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn answers_get(
        &mut self,
        keys: &[(ChannelNo, String)],
    ) -> Result<Vec<StoredAnswer>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        in_tx!(self, answer::get(keys))
    }

    /// Writes everything that the batch holds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if the database does not take one of the rows, and
    /// [`StoreError::Inconsistent`] if a head does not move forward; otherwise fails when the database does.
    pub async fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.set_written();
        if !batch.events.is_empty() {
            in_tx!(self, event::insert(&batch.events))?;
        }
        self.entities_put(&batch.entities).await?;
        self.cascades_put(&batch.cascades, batch.now).await?;
        if !batch.heads.is_empty() {
            in_tx!(self, channel::set_heads(&batch.heads))?;
        }
        if !batch.answers.is_empty() {
            in_tx!(self, answer::insert(&batch.answers, batch.now))?;
        }
        let unused = self.take_unused(batch);
        if !unused.is_empty() {
            in_tx!(self, channel::unmake(&unused))?;
        }
        Ok(())
    }

    /// The channels that were made for nothing.
    fn take_unused(&mut self, batch: &Batch) -> Vec<ChannelNo> {
        let mut made = match self {
            Self::Sqlite(tx) => std::mem::take(&mut tx.made),
            Self::Postgres(tx) => std::mem::take(&mut tx.made),
        };
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
    pub async fn commit(self) -> Result<(), CommitError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    /// Ends a transaction in which nothing was written. Dropping it would cost a Postgres connection, which
    /// is closed when it is left in the middle of something.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::Postgres(tx) => tx.rollback().await,
        }
    }

    fn has_written(&self) -> bool {
        match self {
            Self::Sqlite(tx) => tx.written,
            Self::Postgres(tx) => tx.written,
        }
    }

    pub(super) fn set_written(&mut self) {
        match self {
            Self::Sqlite(tx) => tx.written = true,
            Self::Postgres(tx) => tx.written = true,
        }
    }
}
