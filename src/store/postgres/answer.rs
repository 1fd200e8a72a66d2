//! Stored answers of commands that carried an idempotency key.

use sqlx::PgConnection;

use crate::domain::{ChannelNo, Timestamp};
use crate::store::row;
use crate::store::{StoreError, StoredAnswer};

pub(crate) async fn get(
    conn: &mut PgConnection,
    keys: &[(ChannelNo, String)],
) -> Result<Vec<StoredAnswer>, StoreError> {
    let (numbers, keys): (Vec<_>, Vec<_>) =
        keys.iter().map(|(no, key)| (no.0, key.as_str())).unzip();
    let rows = sqlx::query(
        "SELECT channel_no, key, fingerprint, reply FROM answers
         WHERE (channel_no, key) IN (SELECT * FROM UNNEST($1::bigint[], $2::text[]))",
    )
    .bind(numbers)
    .bind(keys)
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::answer)
}

/// The first answer stays: it is the one that was given.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    answers: &[StoredAnswer],
    now: Option<Timestamp>,
) -> Result<(), StoreError> {
    let column = |of: fn(&StoredAnswer) -> &str| answers.iter().map(of).collect::<Vec<_>>();
    let number = |of: fn(&StoredAnswer) -> i64| answers.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO answers (channel_no, key, fingerprint, reply, created_at)
         SELECT *, $5::bigint FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::text[])
         ON CONFLICT DO NOTHING",
    )
    .bind(number(|answer| answer.channel_no.0))
    .bind(column(|answer| &answer.key))
    .bind(number(|answer| answer.fingerprint))
    .bind(column(|answer| &answer.reply))
    .bind(now.map_or(0, Timestamp::as_millis))
    .execute(conn)
    .await?;
    Ok(())
}

/// Several instances may do this at once: what another one is removing is passed over.
pub(crate) async fn prune(
    conn: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM answers WHERE (channel_no, key) IN (
             SELECT channel_no, key FROM answers WHERE created_at < $1
             ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )",
    )
    .bind(before.as_millis())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
