//! Keys with which programs show who they are.

use sqlx::PgConnection;

use crate::domain::Timestamp;
use crate::store::row;
use crate::store::{ApiKey, StoreError};

pub(crate) async fn insert(conn: &mut PgConnection, key: &ApiKey) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO api_keys (name, hash, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(&key.name)
    .bind(&key.hash)
    .bind(row::scopes_text(&key.scopes))
    .bind(key.created_at.as_millis())
    .bind(key.expires_at.map(Timestamp::as_millis))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn get(conn: &mut PgConnection, name: &str) -> Result<Option<ApiKey>, StoreError> {
    let found = sqlx::query("SELECT * FROM api_keys WHERE name = $1")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(row::api_key).transpose()
}

pub(crate) async fn all(conn: &mut PgConnection) -> Result<Vec<ApiKey>, StoreError> {
    let rows = sqlx::query("SELECT * FROM api_keys ORDER BY name")
        .fetch_all(conn)
        .await?;
    row::all(&rows, row::api_key)
}

pub(crate) async fn in_force(
    conn: &mut PgConnection,
    names: &[String],
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT name FROM api_keys
         WHERE name = ANY($1)
             AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(names)
    .bind(now.as_millis())
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::api_key_name)
}

pub(crate) async fn revoke(
    conn: &mut PgConnection,
    name: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done =
        sqlx::query("UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE name = $1")
            .bind(name)
            .bind(now.as_millis())
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn used(
    conn: &mut PgConnection,
    name: &str,
    now: Timestamp,
    noted: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE api_keys SET last_used_at = $2
         WHERE name = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
    )
    .bind(name)
    .bind(now.as_millis())
    .bind(noted.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}
