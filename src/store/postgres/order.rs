//! The order of cards. Every statement finds its rows through `entities_order` or `entities_column`. These have no ranks
//! that are very long; cards with such a rank are in `entities_long_ranks`, and are read one by one.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::domain::{Column, EntityId, OrderEntry, Rank};
use crate::store::StoreError;
use crate::store::order::{Others, Side};
use crate::store::row;

/// Longest status and sprint that are in `entities_column`, in bytes.
const INDEXED_BYTES: usize = 128;
/// Longest rank that is in an index, in bytes.
const INDEXED_RANK: usize = 512;

/// The other live tasks of a project.
const OTHERS: &str = "SELECT id, id_numeric, rank, status, sprint_id FROM entities
     WHERE project_id = $1 AND id <> $2 AND kind = 'task' AND deleted_at IS NULL";
const SHORT: &str = "octet_length(rank) <= 512";
const LONG: &str = "octet_length(rank) > 512";
const FORWARDS: &str = "ORDER BY rank, id LIMIT 1";
const BACKWARDS: &str = "ORDER BY rank DESC, id DESC LIMIT 1";

/// The place of a task, of the card itself too.
pub(crate) async fn entry(
    conn: &mut PgConnection,
    others: Others<'_>,
    id: &EntityId,
) -> Result<Option<OrderEntry>, StoreError> {
    let row = sqlx::query(
        "SELECT id, id_numeric, rank, status, sprint_id FROM entities
         WHERE project_id = $1 AND kind = 'task' AND id = $2 AND deleted_at IS NULL AND rank IS NOT NULL",
    )
    .bind(others.project.as_str())
    .bind(id.as_str())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(row::order_entry).transpose()
}

pub(crate) async fn at(
    conn: &mut PgConnection,
    others: Others<'_>,
    rank: &Rank,
) -> Result<Option<OrderEntry>, StoreError> {
    let length = if rank.as_str().len() <= INDEXED_RANK {
        SHORT
    } else {
        LONG
    };
    let sql = format!("{OTHERS} AND {length} AND rank = $3 ORDER BY id LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(others.project.as_str())
        .bind(others.card.as_str())
        .bind(rank.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(row::order_entry).transpose()
}

pub(crate) async fn next(
    conn: &mut PgConnection,
    others: Others<'_>,
    anchor: &OrderEntry,
    side: Side,
) -> Result<Option<OrderEntry>, StoreError> {
    let (than, order) = match side {
        Side::After => (">", FORWARDS),
        Side::Before => ("<", BACKWARDS),
    };
    let part = |length| format!("({OTHERS} AND {length} AND (rank, id) {than} ($3, $4) {order})");
    let sql = format!("{} UNION ALL {}", part(SHORT), part(LONG));
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(others.project.as_str())
        .bind(others.card.as_str())
        .bind(anchor.rank.as_str())
        .bind(anchor.id.as_str())
        .fetch_all(conn)
        .await?;
    outermost(&rows, side)
}

pub(crate) async fn last(
    conn: &mut PgConnection,
    others: Others<'_>,
) -> Result<Option<OrderEntry>, StoreError> {
    let part = |length| format!("({OTHERS} AND {length} {BACKWARDS})");
    let sql = format!("{} UNION ALL {}", part(SHORT), part(LONG));
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(others.project.as_str())
        .bind(others.card.as_str())
        .fetch_all(conn)
        .await?;
    outermost(&rows, Side::Before)
}

/// Of the entries found, the first one that comes in this direction.
fn outermost(rows: &[PgRow], side: Side) -> Result<Option<OrderEntry>, StoreError> {
    let entries = row::all(rows, row::order_entry)?.into_iter();
    let place = |entry: &OrderEntry| (entry.rank.clone(), entry.id.clone());
    Ok(match side {
        Side::After => entries.min_by_key(place),
        Side::Before => entries.max_by_key(place),
    })
}

pub(crate) async fn nth(
    conn: &mut PgConnection,
    others: Others<'_>,
    column: &Column,
    index: usize,
) -> Result<Option<OrderEntry>, StoreError> {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    of_column(conn, others, column, FORWARDS, index).await
}

pub(crate) async fn last_of_column(
    conn: &mut PgConnection,
    others: Others<'_>,
    column: &Column,
) -> Result<Option<OrderEntry>, StoreError> {
    of_column(conn, others, column, BACKWARDS, 0).await
}

async fn of_column(
    conn: &mut PgConnection,
    others: Others<'_>,
    column: &Column,
    order: &str,
    index: i64,
) -> Result<Option<OrderEntry>, StoreError> {
    let sql = format!("SELECT EXISTS ({OTHERS} AND {LONG})");
    let has_long: bool = sqlx::query(AssertSqlSafe(sql))
        .bind(others.project.as_str())
        .bind(others.card.as_str())
        .fetch_one(&mut *conn)
        .await?
        .try_get(0)?;
    // With a condition on all ranks no index would have the order; without one all are sorted.
    let length = if has_long { "rank IS NOT NULL" } else { SHORT };
    let sql = format!(
        "{OTHERS} AND {length} AND {} AND {} {order} OFFSET $5",
        is("status", column.status.as_deref(), 3),
        is("sprint_id", column.sprint.as_deref(), 4)
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(others.project.as_str())
        .bind(others.card.as_str())
        .bind(column.status.as_deref())
        .bind(column.sprint.as_deref())
        .bind(index)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(row::order_entry).transpose()
}

/// A condition that an index can serve, which `IS NOT DISTINCT FROM` is not.
fn is(column: &str, value: Option<&str>, parameter: u8) -> String {
    let indexed = format!("octet_length(coalesce({column}, '')) <= {INDEXED_BYTES}");
    match value {
        Some(text) if text.len() > INDEXED_BYTES => format!("{column} = ${parameter}"),
        Some(_) => format!("{column} = ${parameter} AND {indexed}"),
        // The parameter must have a type; it is null.
        None => format!("{column} IS NULL AND ${parameter}::text IS NULL AND {indexed}"),
    }
}
