//! Channels.

use sqlx::{Executor as _, PgConnection};

use crate::domain::{ChannelName, ChannelNo, Seq, Target};
use crate::store::row::{self, CHANNELS, heads_moved, sorted};
use crate::store::{Channel, KeptChannel, Locked, StoreError};

/// Locks the channels in the order of their names, and makes those that are missing.
///
/// Usually all are there and one statement does it. If not, the locks just taken are given back before
/// rows are made: whoever waits for a row that another transaction is making must not hold a lock for
/// which that one may wait.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    names: &[ChannelName],
) -> Result<Locked, StoreError> {
    let names = sorted(names);
    let found = lock_existing(conn, &names).await?;
    if found.len() == names.len() {
        return Ok(Locked::found(found));
    }
    conn.execute("ROLLBACK").await?;
    conn.execute(super::BEGIN).await?;
    let made = sqlx::query(
        "INSERT INTO channels (name) SELECT name FROM UNNEST($1::text[]) AS wanted (name)
         WHERE NOT EXISTS (SELECT FROM channels WHERE channels.name = wanted.name)
         ORDER BY name COLLATE \"C\"
         ON CONFLICT DO NOTHING RETURNING no",
    )
    .bind(&names)
    .fetch_all(&mut *conn)
    .await?;
    let found = lock_existing(conn, &names).await?;
    if found.len() < names.len() {
        return Err(CHANNELS.inconsistent("name"));
    }
    Ok(Locked {
        channels: found,
        made: row::all(&made, row::channel_no)?,
    })
}

/// Removes rows that this transaction made and does not need.
pub(crate) async fn unmake(
    conn: &mut PgConnection,
    numbers: &[ChannelNo],
) -> Result<(), StoreError> {
    let numbers: Vec<_> = numbers.iter().map(|no| no.0).collect();
    sqlx::query("DELETE FROM channels WHERE no = ANY($1)")
        .bind(numbers)
        .execute(conn)
        .await?;
    Ok(())
}

async fn lock_existing(
    conn: &mut PgConnection,
    names: &[&str],
) -> Result<Vec<Channel>, StoreError> {
    let rows = sqlx::query(
        "SELECT no, name, seq, pruned_seq FROM channels WHERE name = ANY($1) ORDER BY name FOR UPDATE",
    )
    .bind(names)
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::channel)
}

pub(crate) async fn get(
    conn: &mut PgConnection,
    names: &[ChannelName],
) -> Result<Vec<Channel>, StoreError> {
    let rows = sqlx::query(
        "SELECT no, name, seq, pruned_seq FROM channels WHERE name = ANY($1) ORDER BY name",
    )
    .bind(sorted(names))
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::channel)
}

/// Whether a project's id is a number is known from what lies in the project. The names are those of `ProjectId::channel`.
pub(crate) async fn targets(
    conn: &mut PgConnection,
    numbers: &[ChannelNo],
) -> Result<Vec<(ChannelNo, Target)>, StoreError> {
    let numbers: Vec<_> = numbers.iter().map(|no| no.0).collect();
    let rows = sqlx::query(
        "SELECT no, name, COALESCE((
             SELECT project_id_numeric FROM entities
             WHERE substr(name, 1, 8) = 'project:' AND project_id = substr(name, 9) LIMIT 1
         ), false) AS project_id_numeric
         FROM channels WHERE no = ANY($1)",
    )
    .bind(numbers)
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::target)
}

pub(crate) async fn page(
    conn: &mut PgConnection,
    after: ChannelNo,
    max_channels: i64,
) -> Result<Vec<KeptChannel>, StoreError> {
    let rows = sqlx::query(
        "SELECT no, name, seq, pruned_seq, (
             SELECT created_at FROM events
             WHERE events.channel_no = channels.no AND events.seq > channels.pruned_seq
             ORDER BY events.seq LIMIT 1
         ) AS kept_since
         FROM channels WHERE no > $1 ORDER BY no LIMIT $2",
    )
    .bind(after.0)
    .bind(max_channels)
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::kept)
}

/// The last thing before the commit: from here on whoever appends to the channel has to wait.
pub(crate) async fn set_pruned(
    conn: &mut PgConnection,
    no: ChannelNo,
    seq: Seq,
) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE channels SET pruned_seq = $2 WHERE no = $1 AND pruned_seq < $2")
        .bind(no.0)
        .bind(seq)
        .execute(conn)
        .await?;
    row::pruned_moved(done.rows_affected())
}

pub(crate) async fn set_heads(
    conn: &mut PgConnection,
    heads: &[(ChannelNo, Seq)],
) -> Result<(), StoreError> {
    let (numbers, seqs): (Vec<_>, Vec<_>) = heads.iter().map(|(no, seq)| (no.0, *seq)).unzip();
    let done = sqlx::query(
        "UPDATE channels SET seq = head.seq
         FROM UNNEST($1::bigint[], $2::bigint[]) AS head (no, seq)
         WHERE channels.no = head.no AND channels.seq < head.seq",
    )
    .bind(numbers)
    .bind(seqs)
    .execute(conn)
    .await?;
    heads_moved(heads, done.rows_affected())
}
