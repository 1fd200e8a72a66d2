//! Stored answers of commands that carried an idempotency key.

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::{ChannelNo, Timestamp};
use crate::store::row;
use crate::store::{StoreError, StoredAnswer};

#[derive(Serialize)]
struct AnswerRow<'a> {
    channel_no: i64,
    key: &'a str,
    fingerprint: i64,
    reply: &'a str,
}

pub(crate) async fn get(
    conn: &mut SqliteConnection,
    keys: &[(ChannelNo, String)],
) -> Result<Vec<StoredAnswer>, StoreError> {
    let keys: Vec<_> = keys.iter().map(|(no, key)| (no.0, key)).collect();
    let rows = sqlx::query(
        "SELECT channel_no, key, fingerprint, reply FROM answers
         WHERE (channel_no, key) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    )
    .bind(super::json(&keys))
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::answer)
}

/// The first answer stays: it is the one that was given.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    answers: &[StoredAnswer],
    now: Option<Timestamp>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = answers
        .iter()
        .map(|answer| AnswerRow {
            channel_no: answer.channel_no.0,
            key: &answer.key,
            fingerprint: answer.fingerprint,
            reply: &answer.reply,
        })
        .collect();
    sqlx::query(
        "INSERT INTO answers (channel_no, key, fingerprint, reply, created_at)
         SELECT value ->> 'channel_no', value ->> 'key', value ->> 'fingerprint', value ->> 'reply', ?2
         FROM json_each(?1)
         WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(super::json(&rows))
    .bind(now.map_or(0, Timestamp::as_millis))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn prune(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM answers WHERE rowid IN (
             SELECT rowid FROM answers WHERE created_at < ?1 ORDER BY created_at LIMIT ?2
         )",
    )
    .bind(before.as_millis())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
