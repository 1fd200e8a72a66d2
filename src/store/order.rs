//! A card's neighbours: a few rows, found through an index, however many cards there are.

mod plans;

use sqlx::AssertSqlSafe;

use super::connection::{DbConnection, Statement};
use super::row::ENTITIES;
use super::{StoreError, Tx, row};
use crate::domain::{
    Column, EntityId, Neighbours, OrderEntry, Place, PlaceKey, PlaceQuery, ProjectId, Rank, Wanted,
};

/// Longest column and sprint that are in `entities_column` on Postgres, in bytes.
pub(super) const INDEXED_BYTES: usize = 255;
/// Longest rank that is in an index on Postgres, in bytes.
const INDEXED_RANK: usize = 512;

const TASK: &str = "SELECT id, id_numeric, rank, lane, sprint_id, place_key FROM entities
     WHERE project_id = $1 AND kind = 'task' AND id = $2 AND deleted_at IS NULL AND rank IS NOT NULL";
/// The other live tasks of a project.
const OTHERS: &str = "SELECT id, id_numeric, rank, lane, sprint_id, place_key FROM entities
     WHERE project_id = $1 AND id <> $2 AND kind = 'task' AND deleted_at IS NULL";
pub(super) const RANKED: &str = "rank IS NOT NULL";
pub(super) const SHORT: &str = "octet_length(rank) <= 512";
pub(super) const LONG: &str = "octet_length(rank) > 512";
const RANKS: &str = "rank, id";
const RANKS_BACKWARDS: &str = "rank DESC, id DESC";
const FORWARDS: &str = "ORDER BY rank, id LIMIT 1";
const BACKWARDS: &str = "ORDER BY rank DESC, id DESC LIMIT 1";

/// A direction in the order of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// The tasks of a project among which a card's place is looked for, without the card.
#[derive(Debug, Clone, Copy)]
struct Others<'a> {
    project: &'a ProjectId,
    card: &'a EntityId,
}

impl Tx {
    /// What must be known of a project's order to find a card's place.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn neighbours(&mut self, query: &PlaceQuery) -> Result<Neighbours, StoreError> {
        let others = Others {
            project: &query.project,
            card: &query.card,
        };
        match &query.wanted {
            Wanted::Rank(rank) => {
                let taken = self.task_at(others, rank).await?;
                self.beside(others, taken, Side::After).await
            }
            Wanted::Place(Place::After(id), _) => {
                let anchor = self.task(others, id).await?;
                self.beside_or_last(others, anchor, Side::After).await
            }
            Wanted::Place(Place::Before(id), _) => {
                let anchor = self.task(others, id).await?;
                self.beside_or_last(others, anchor, Side::Before).await
            }
            Wanted::Place(Place::Between(after, before), _) => {
                let low = self.task(others, after).await?;
                let high = self.task(others, before).await?;
                let mut neighbours = match low {
                    Some(low) => self.beside(others, Some(low), Side::After).await?,
                    None => {
                        self.beside_or_last(others, high.clone(), Side::Before)
                            .await?
                    }
                };
                neighbours.entries.extend(high);
                Ok(neighbours)
            }
            Wanted::Place(Place::Index(index) | Place::Position(index), column) => {
                self.at_index(others, column, *index).await
            }
            Wanted::Place(Place::Own(key), column) => {
                if let Some(low) = self.by_key(others, column, key, Side::Before).await? {
                    return self.beside(others, Some(low), Side::After).await;
                }
                let high = self.by_key(others, column, key, Side::After).await?;
                self.beside(others, high, Side::Before).await
            }
        }
    }

    async fn at_index(
        &mut self,
        others: Others<'_>,
        column: &Column,
        index: usize,
    ) -> Result<Neighbours, StoreError> {
        let Some(skipped) = index.checked_sub(1) else {
            let first = self.of_column(others, column, RANKS, 0).await?;
            return self.beside_or_last(others, first, Side::Before).await;
        };
        let previous = match self.of_column(others, column, RANKS, skipped).await? {
            Some(previous) => Some(previous),
            // The column is not that long. As an index that is too high means its end, it may be taken for longer.
            None => self.of_column(others, column, RANKS_BACKWARDS, 0).await?,
        };
        let skipped = if previous.is_some() { skipped } else { 0 };
        let neighbours = self.beside_or_last(others, previous, Side::After).await?;
        Ok(Neighbours {
            skipped,
            ..neighbours
        })
    }

    /// A task and its neighbour on one side; without the task, the last one of the project.
    async fn beside_or_last(
        &mut self,
        others: Others<'_>,
        anchor: Option<OrderEntry>,
        side: Side,
    ) -> Result<Neighbours, StoreError> {
        if anchor.is_some() {
            return self.beside(others, anchor, side).await;
        }
        let last = self.last(others).await?;
        Ok(Neighbours {
            entries: last.into_iter().collect(),
            skipped: 0,
        })
    }

    async fn beside(
        &mut self,
        others: Others<'_>,
        anchor: Option<OrderEntry>,
        side: Side,
    ) -> Result<Neighbours, StoreError> {
        let Some(anchor) = anchor else {
            return Ok(Neighbours::default());
        };
        let next = self.next(others, &anchor, side).await?;
        Ok(Neighbours {
            entries: std::iter::once(anchor).chain(next).collect(),
            skipped: 0,
        })
    }
    /// The place of a task, of the card itself too.
    async fn task(
        &mut self,
        others: Others<'_>,
        id: &EntityId,
    ) -> Result<Option<OrderEntry>, StoreError> {
        let statement = self.conn.statement(TASK);
        let statement = statement.bind(others.project.as_str()).bind(id.as_str());
        statement.first(row::order_entry).await
    }

    /// The first task that has this rank.
    async fn task_at(
        &mut self,
        others: Others<'_>,
        rank: &Rank,
    ) -> Result<Option<OrderEntry>, StoreError> {
        let is_short = rank.as_str().len() <= INDEXED_RANK;
        let length = self
            .conn
            .dialect(RANKED, if is_short { SHORT } else { LONG });
        let sql = format!("{OTHERS} AND {length} AND rank = $3 ORDER BY id LIMIT 1");
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement.bind(others.project.as_str());
        let statement = statement.bind(others.card.as_str()).bind(rank.as_str());
        statement.first(row::order_entry).await
    }

    /// The neighbour of a task on one side.
    async fn next(
        &mut self,
        others: Others<'_>,
        anchor: &OrderEntry,
        side: Side,
    ) -> Result<Option<OrderEntry>, StoreError> {
        let sql = beyond(&self.conn, side);
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement
            .bind(others.project.as_str())
            .bind(others.card.as_str())
            .bind(anchor.rank.as_str())
            .bind(anchor.id.as_str());
        statement.first(row::order_entry).await
    }

    /// The last task of the project.
    async fn last(&mut self, others: Others<'_>) -> Result<Option<OrderEntry>, StoreError> {
        let sql = outermost(&self.conn, &format!("true {BACKWARDS}"), BACKWARDS);
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement.bind(others.project.as_str());
        let statement = statement.bind(others.card.as_str());
        statement.first(row::order_entry).await
    }

    /// The task at an index of its column, counted in this order.
    async fn of_column(
        &mut self,
        others: Others<'_>,
        column: &Column,
        order: &str,
        index: usize,
    ) -> Result<Option<OrderEntry>, StoreError> {
        let ranks = self.ranks(others).await?;
        let sql = of_column(&self.conn, column, ranks, order);
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = bind_column(statement, others, column);
        let statement = statement.bind(i64::try_from(index).unwrap_or(i64::MAX));
        statement.first(row::order_entry).await
    }

    /// The task of a column whose own position is nearest to this one: not beyond it, or beyond it.
    async fn by_key(
        &mut self,
        others: Others<'_>,
        column: &Column,
        key: &PlaceKey,
        side: Side,
    ) -> Result<Option<OrderEntry>, StoreError> {
        let ranks = self.ranks(others).await?;
        let sql = by_key(&self.conn, column, ranks, side);
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = bind_column(statement, others, column).bind(key.as_str());
        statement.first(row::order_entry).await
    }

    /// The condition that tasks have ranks, as the indexes of columns have it. Postgres has no index of the order if some ranks
    /// are very long; then the tasks of the column are sorted.
    async fn ranks(&mut self, others: Others<'_>) -> Result<&'static str, StoreError> {
        let is_for_all = self.conn.dialect(true, false) || self.has_long_ranks(others).await?;
        Ok(if is_for_all { RANKED } else { SHORT })
    }

    async fn has_long_ranks(&mut self, others: Others<'_>) -> Result<bool, StoreError> {
        let sql = format!("SELECT EXISTS ({OTHERS} AND {LONG}) AS rank");
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement.bind(others.project.as_str());
        let found = statement
            .bind(others.card.as_str())
            .first(|row| row.get(ENTITIES, "rank"));
        Ok(found.await? == Some(true))
    }
}

/// Selects the neighbour of a task on one side.
fn beyond(db: &DbConnection, side: Side) -> String {
    let (than, order) = match side {
        Side::After => (">", FORWARDS),
        Side::Before => ("<", BACKWARDS),
    };
    let condition = format!("(rank, id) {than} ($3, $4) {order}");
    outermost(db, &condition, order)
}

/// Selects the task at an index of its column. Those before it are passed over in the index, without a look at the tasks
/// themselves.
fn of_column(db: &DbConnection, column: &Column, ranks: &str, order: &str) -> String {
    format!(
        "SELECT id, id_numeric, rank, lane, sprint_id, place_key FROM entities
         WHERE project_id = $1 AND kind = 'task' AND id = ({} ORDER BY {}{order} LIMIT 1 OFFSET $5)",
        in_column("id", column, ranks),
        first_order(db, order),
    )
}

/// Selects the task of a column whose own position is nearest to one.
fn by_key(db: &DbConnection, column: &Column, ranks: &str, side: Side) -> String {
    let (than, order) = match side {
        Side::Before => ("<=", "place_key DESC, rank DESC, id DESC"),
        Side::After => (">", "place_key, rank, id"),
    };
    let condition = format!("{ranks} AND place_key {than} $5");
    let columns = "id, id_numeric, rank, lane, sprint_id, place_key";
    format!(
        "{} ORDER BY {}{order} LIMIT 1",
        in_column(columns, column, &condition),
        first_order(db, order)
    )
}

/// The first task in an order. Postgres has the few very long ranks in an index of their own, where they are read one by one.
fn outermost(db: &DbConnection, condition: &str, order: &str) -> String {
    let part = |length| {
        format!(
            "SELECT * FROM ({OTHERS} AND {length} AND {condition}) AS {}",
            "part"
        )
    };
    db.dialect(
        format!("{OTHERS} AND {RANKED} AND {condition}"),
        format!(
            "SELECT * FROM ({} UNION ALL {}) AS found {order}",
            part(SHORT),
            part(LONG)
        ),
    )
}

/// Selects the other tasks of a column that meet a condition, which begins with `$5`.
fn in_column(columns: &str, column: &Column, condition: &str) -> String {
    format!(
        "SELECT {columns} FROM entities
         WHERE project_id = $1 AND id <> $2 AND kind = 'task' AND deleted_at IS NULL AND {condition}
             AND {} AND {}",
        is("lane", column.lane.as_deref(), 3),
        is("sprint_id", column.sprint.as_deref(), 4)
    )
}

/// What the order of a column begins with. It is the same for all of the column's tasks, but Postgres takes no index for an
/// order whose beginning is null without being told.
fn first_order(db: &DbConnection, order: &str) -> &'static str {
    if order.contains("DESC") {
        db.dialect("", "lane DESC, sprint_id DESC, ")
    } else {
        db.dialect("", "lane, sprint_id, ")
    }
}

fn bind_column<'c>(statement: Statement<'c>, others: Others<'_>, column: &Column) -> Statement<'c> {
    statement
        .bind(others.project.as_str())
        .bind(others.card.as_str())
        .bind(column.lane.as_deref())
        .bind(column.sprint.as_deref())
}

/// A condition that an index can serve, which `IS NOT DISTINCT FROM` is not.
fn is(column: &str, value: Option<&str>, parameter: u8) -> String {
    let indexed = format!("octet_length(coalesce({column}, '')) <= {INDEXED_BYTES}");
    match value {
        Some(text) if text.len() > INDEXED_BYTES => format!("{column} = ${parameter}"),
        Some(_) => format!("{column} = ${parameter} AND {indexed}"),
        // The parameter must have a type; it is null.
        None => format!("{column} IS NULL AND CAST(${parameter} AS text) IS NULL AND {indexed}"),
    }
}
