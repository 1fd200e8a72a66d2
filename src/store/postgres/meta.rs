//! What the database is.

use sqlx::PgConnection;

use crate::domain::Epoch;
use crate::store::StoreError;
use crate::store::row::{Columns as _, META};

/// Keeps what is there already: a database of an older version has an epoch, and gets a key.
pub(crate) async fn epoch_insert(conn: &mut PgConnection, epoch: &Epoch) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO meta (epoch, cursor_key) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(epoch.as_str())
        .bind(epoch.reveal_key())
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE meta SET cursor_key = $1 WHERE cursor_key IS NULL")
        .bind(epoch.reveal_key())
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn epoch(conn: &mut PgConnection) -> Result<Epoch, StoreError> {
    let row = sqlx::query("SELECT epoch, cursor_key FROM meta")
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| META.inconsistent("epoch"))?;
    let key = row.text(META, "cursor_key")?;
    Epoch::restore(row.text(META, "epoch")?, &key).ok_or_else(|| META.inconsistent("cursor_key"))
}

pub(crate) async fn ping(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT 1").execute(conn).await?;
    Ok(())
}

/// Writes what is there already, and takes the locks that a commit takes.
pub(crate) async fn rewrite(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("LOCK TABLE channels, events, entities, answers IN ROW EXCLUSIVE MODE")
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE meta SET epoch = epoch")
        .execute(conn)
        .await?;
    Ok(())
}

/// The newest migration that was applied; `None` if there was never any.
pub(crate) async fn migration(conn: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    let table = sqlx::query("SELECT 1 WHERE to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_optional(&mut *conn)
        .await?;
    if table.is_none() {
        return Ok(None);
    }
    let row = sqlx::query("SELECT max(version) AS version FROM _sqlx_migrations")
        .fetch_one(conn)
        .await?;
    row.integer_or_null(META, "version")
}
