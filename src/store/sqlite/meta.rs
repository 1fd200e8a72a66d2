//! What the database is.

use sqlx::SqliteConnection;

use crate::domain::Epoch;
use crate::store::StoreError;
use crate::store::row::{Columns as _, META};

pub(crate) async fn epoch_insert(
    conn: &mut SqliteConnection,
    epoch: &Epoch,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO meta (singleton, epoch) VALUES (1, ?1) ON CONFLICT DO NOTHING")
        .bind(epoch.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn epoch(conn: &mut SqliteConnection) -> Result<Epoch, StoreError> {
    let row = sqlx::query("SELECT epoch FROM meta")
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| META.inconsistent("epoch"))?;
    Ok(Epoch::restore(row.text(META, "epoch")?))
}

pub(crate) async fn ping(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT 1").execute(conn).await?;
    Ok(())
}
