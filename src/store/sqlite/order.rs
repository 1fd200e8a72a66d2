//! The order of cards. Every statement finds its rows through `entities_order` or `entities_column`.

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::domain::{Column, EntityId, OrderEntry, Rank};
use crate::store::StoreError;
use crate::store::order::{Others, Side};
use crate::store::row;

/// The other live tasks of a project.
macro_rules! others {
    () => {
        "SELECT id, id_numeric, rank, status, sprint_id FROM entities
         WHERE project_id = ?1 AND id <> ?2 AND kind = 'task' AND deleted_at IS NULL AND rank IS NOT NULL"
    };
}

/// The place of a task, of the card itself too.
pub(crate) async fn entry(
    conn: &mut SqliteConnection,
    others: Others<'_>,
    id: &EntityId,
) -> Result<Option<OrderEntry>, StoreError> {
    let row = sqlx::query(
        "SELECT id, id_numeric, rank, status, sprint_id FROM entities
         WHERE project_id = ?1 AND kind = 'task' AND id = ?2 AND deleted_at IS NULL AND rank IS NOT NULL",
    )
    .bind(others.project.as_str())
    .bind(id.as_str())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(row::order_entry).transpose()
}

pub(crate) async fn at(
    conn: &mut SqliteConnection,
    others: Others<'_>,
    rank: &Rank,
) -> Result<Option<OrderEntry>, StoreError> {
    let row = sqlx::query(concat!(others!(), " AND rank = ?3 ORDER BY id LIMIT 1"))
        .bind(others.project.as_str())
        .bind(others.card.as_str())
        .bind(rank.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(row::order_entry).transpose()
}

pub(crate) async fn next(
    conn: &mut SqliteConnection,
    others: Others<'_>,
    anchor: &OrderEntry,
    side: Side,
) -> Result<Option<OrderEntry>, StoreError> {
    let row = sqlx::query(match side {
        Side::After => concat!(
            others!(),
            " AND (rank, id) > (?3, ?4) ORDER BY rank, id LIMIT 1"
        ),
        Side::Before => concat!(
            others!(),
            " AND (rank, id) < (?3, ?4) ORDER BY rank DESC, id DESC LIMIT 1"
        ),
    })
    .bind(others.project.as_str())
    .bind(others.card.as_str())
    .bind(anchor.rank.as_str())
    .bind(anchor.id.as_str())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(row::order_entry).transpose()
}

pub(crate) async fn last(
    conn: &mut SqliteConnection,
    others: Others<'_>,
) -> Result<Option<OrderEntry>, StoreError> {
    let row = sqlx::query(concat!(others!(), " ORDER BY rank DESC, id DESC LIMIT 1"))
        .bind(others.project.as_str())
        .bind(others.card.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(row::order_entry).transpose()
}

pub(crate) async fn nth(
    conn: &mut SqliteConnection,
    others: Others<'_>,
    column: &Column,
    index: usize,
) -> Result<Option<OrderEntry>, StoreError> {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    of_column(conn, others, column, "rank, id", index).await
}

pub(crate) async fn last_of_column(
    conn: &mut SqliteConnection,
    others: Others<'_>,
    column: &Column,
) -> Result<Option<OrderEntry>, StoreError> {
    of_column(conn, others, column, "rank DESC, id DESC", 0).await
}

async fn of_column(
    conn: &mut SqliteConnection,
    others: Others<'_>,
    column: &Column,
    order: &str,
    index: i64,
) -> Result<Option<OrderEntry>, StoreError> {
    let sql = format!(
        "{} AND status IS ?3 AND sprint_id IS ?4 ORDER BY {order} LIMIT 1 OFFSET ?5",
        others!()
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
