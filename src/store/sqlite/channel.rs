//! Channels.

use sqlx::SqliteConnection;

use crate::domain::{ChannelName, ChannelNo, Seq, Target};
use crate::store::row::{self, heads_moved, sorted};
use crate::store::{Channel, KeptChannel, Locked, StoreError};

/// Makes the channels that are missing. Nothing is locked: there is one writer.
pub(crate) async fn lock(
    conn: &mut SqliteConnection,
    names: &[ChannelName],
) -> Result<Locked, StoreError> {
    let names = sorted(names);
    let found = select(conn, &names).await?;
    if found.len() == names.len() {
        return Ok(Locked::found(found));
    }
    let made = sqlx::query(
        "INSERT INTO channels (name) SELECT value FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING
         RETURNING no",
    )
    .bind(super::json(&names))
    .fetch_all(&mut *conn)
    .await?;
    Ok(Locked {
        channels: select(conn, &names).await?,
        made: row::all(&made, row::channel_no)?,
    })
}

/// Removes rows that this transaction made and does not need.
pub(crate) async fn unmake(
    conn: &mut SqliteConnection,
    numbers: &[ChannelNo],
) -> Result<(), StoreError> {
    let numbers: Vec<_> = numbers.iter().map(|no| no.0).collect();
    sqlx::query("DELETE FROM channels WHERE no IN (SELECT value FROM json_each(?1))")
        .bind(super::json(&numbers))
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn get(
    conn: &mut SqliteConnection,
    names: &[ChannelName],
) -> Result<Vec<Channel>, StoreError> {
    select(conn, &sorted(names)).await
}

async fn select(conn: &mut SqliteConnection, names: &[&str]) -> Result<Vec<Channel>, StoreError> {
    let rows = sqlx::query(
        "SELECT no, name, seq, pruned_seq FROM channels
         WHERE name IN (SELECT value FROM json_each(?1))
         ORDER BY name",
    )
    .bind(super::json(&names))
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::channel)
}

/// Whether a project's id is a number is known from what lies in the project. The names are those of `ProjectId::channel`.
pub(crate) async fn targets(
    conn: &mut SqliteConnection,
    numbers: &[ChannelNo],
) -> Result<Vec<(ChannelNo, Target)>, StoreError> {
    let numbers: Vec<_> = numbers.iter().map(|no| no.0).collect();
    let rows = sqlx::query(
        "SELECT no, name, COALESCE((
             SELECT project_id_numeric FROM entities
             WHERE substr(name, 1, 8) = 'project:' AND project_id = substr(name, 9) LIMIT 1
         ), false) AS project_id_numeric
         FROM channels WHERE no IN (SELECT value FROM json_each(?1))",
    )
    .bind(super::json(&numbers))
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::target)
}

pub(crate) async fn page(
    conn: &mut SqliteConnection,
    after: ChannelNo,
    max_channels: i64,
) -> Result<Vec<KeptChannel>, StoreError> {
    let rows = sqlx::query(
        "SELECT no, name, seq, pruned_seq, (
             SELECT created_at FROM events
             WHERE events.channel_no = channels.no AND events.seq > channels.pruned_seq
             ORDER BY events.seq LIMIT 1
         ) AS kept_since
         FROM channels WHERE no > ?1 ORDER BY no LIMIT ?2",
    )
    .bind(after.0)
    .bind(max_channels)
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::kept)
}

/// The last thing before the commit: from here on whoever appends to the channel has to wait.
pub(crate) async fn set_pruned(
    conn: &mut SqliteConnection,
    no: ChannelNo,
    seq: Seq,
) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE channels SET pruned_seq = ?2 WHERE no = ?1 AND pruned_seq < ?2")
        .bind(no.0)
        .bind(seq)
        .execute(conn)
        .await?;
    row::pruned_moved(done.rows_affected())
}

pub(crate) async fn set_heads(
    conn: &mut SqliteConnection,
    heads: &[(ChannelNo, Seq)],
) -> Result<(), StoreError> {
    let list: Vec<_> = heads.iter().map(|(no, seq)| (no.0, seq)).collect();
    let done = sqlx::query(
        "UPDATE channels SET seq = head.value ->> 1
         FROM json_each(?1) AS head
         WHERE channels.no = head.value ->> 0 AND channels.seq < head.value ->> 1",
    )
    .bind(super::json(&list))
    .execute(conn)
    .await?;
    heads_moved(heads, done.rows_affected())
}
