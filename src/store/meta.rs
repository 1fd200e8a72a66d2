//! What the database is.

use super::row::META;
use super::{CommitError, Store, StoreError, in_time};
use crate::domain::Epoch;

impl Store {
    /// Tells this database from any other.
    ///
    /// # Errors
    ///
    /// Fails when the database does, and when it was never migrated.
    pub async fn epoch(&self) -> Result<Epoch, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let statement = db.statement("SELECT epoch, cursor_key FROM meta");
            let epoch = statement.first(|row| {
                let key: String = row.get(META, "cursor_key")?;
                Epoch::restore(row.get(META, "epoch")?, &key)
                    .ok_or_else(|| META.inconsistent("cursor_key"))
            });
            epoch.await?.ok_or_else(|| META.inconsistent("epoch"))
        })
        .await
    }

    /// Makes sure that the database answers.
    ///
    /// # Errors
    ///
    /// Fails when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            db.statement("SELECT 1").execute().await.map(drop)
        })
        .await
    }

    /// Writes as commits do, and leaves nothing behind: a row gets the value that it has.
    ///
    /// # Errors
    ///
    /// Fails when the database takes no writes.
    pub async fn try_write(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // SQLite leaves out what changes nothing. On Postgres the locks are those that a commit takes.
        let steps = tx.conn.dialect(
            [
                "UPDATE meta SET epoch = epoch || '.'",
                "UPDATE meta SET epoch = substr(epoch, 1, length(epoch) - 1)",
            ],
            [
                "LOCK TABLE channels, events, entities, answers IN ROW EXCLUSIVE MODE",
                "UPDATE meta SET epoch = epoch",
            ],
        );
        for step in steps {
            tx.conn.statement(step).execute().await?;
        }
        tx.commit().await.map_err(CommitError::into_inner)
    }

    /// Keeps what is there already: a database of an older version has an epoch, and gets a key.
    pub(super) async fn epoch_insert(&self, epoch: &Epoch) -> Result<(), StoreError> {
        let mut db = self.writer().await?;
        let insert = db.dialect(
            "INSERT INTO meta (singleton, epoch, cursor_key) VALUES (1, $1, $2) ON CONFLICT DO NOTHING",
            "INSERT INTO meta (epoch, cursor_key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        );
        let insert = db.statement(insert).bind(epoch.as_str());
        insert.bind(epoch.reveal_key()).execute().await?;
        let update = db.statement("UPDATE meta SET cursor_key = $1 WHERE cursor_key IS NULL");
        update.bind(epoch.reveal_key()).execute().await.map(drop)
    }

    /// The newest migration that was applied; `None` if the database is new.
    pub(super) async fn migration(&self) -> Result<Option<i64>, StoreError> {
        let mut db = self.reader().await?;
        let table = db.dialect(
            "SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'",
            "SELECT 1 WHERE to_regclass('_sqlx_migrations') IS NOT NULL",
        );
        if db.statement(table).first(|_| Ok(())).await?.is_none() {
            return Ok(None);
        }
        let newest = db.statement("SELECT max(version) AS version FROM _sqlx_migrations");
        let newest = newest.first(|row| row.get(META, "version")).await?;
        Ok(newest.flatten())
    }
}
