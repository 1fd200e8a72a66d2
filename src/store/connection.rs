//! A pooled connection of either database, and the statements that run on it.
//!
//! Both databases read `$1` as a parameter, so most statements are written once; [`DbConnection::dialect`] picks the text
//! where they differ.
//!
//! Any call may be dropped half-way (the writer puts a timeout around each), and drivers keep books on transactions that go
//! wrong when the database ends one by itself. So transactions are begun and ended in plain SQL, and a connection that was
//! left in the middle of something is cleaned (SQLite) or closed (Postgres), never handed on as it is.

use std::fmt;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{
    AssertSqlSafe, Encode, Executor as _, PgConnection, Postgres, SqlSafeStr, Sqlite,
    SqliteConnection, Type,
};

use super::StoreError;
use super::row::Row;
use super::rows::{Column, Rows, from_arrays, from_json};
use super::sqlite::WriterGuard;

/// A connection taken from a pool for one read or one transaction.
pub(super) struct DbConnection {
    pooled: Pooled,
    /// False while a statement runs and after one that failed or was cancelled.
    is_sound: bool,
    /// Whether a transaction is open.
    pub(super) in_transaction: bool,
}

/// Which database the connection belongs to.
pub(super) enum Pooled {
    Sqlite(PoolConnection<Sqlite>),
    /// The one connection that writes to `SQLite`, for as long as it is this caller's turn.
    SqliteWriter(WriterGuard),
    Postgres(PoolConnection<Postgres>),
    /// A connection of its own, on which one queue commits.
    PostgresCommits(PgConnection),
}

/// A connection of either database.
enum Open<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Pooled {
    fn open(&mut self) -> Open<'_> {
        match self {
            Self::Sqlite(conn) => Open::Sqlite(conn),
            Self::SqliteWriter(writer) => Open::Sqlite(writer.conn()),
            Self::Postgres(conn) => Open::Postgres(conn),
            Self::PostgresCommits(conn) => Open::Postgres(conn),
        }
    }
}

impl DbConnection {
    pub(super) fn new(pooled: Pooled) -> Self {
        Self {
            pooled,
            is_sound: true,
            in_transaction: false,
        }
    }

    /// The first one on SQLite, the second one on Postgres.
    pub(super) fn dialect<T>(&self, sqlite: T, postgres: T) -> T {
        match self.pooled {
            Pooled::Sqlite(_) | Pooled::SqliteWriter(_) => sqlite,
            Pooled::Postgres(_) | Pooled::PostgresCommits(_) => postgres,
        }
    }

    /// The condition that a column is in the list which is bound first.
    pub(super) fn in_list(&self) -> &'static str {
        self.dialect("IN (SELECT value FROM json_each($1))", "= ANY($1)")
    }

    /// Makes every later call fail, as after a statement that failed, and returns the reason.
    pub(super) fn fail(&mut self, error: StoreError) -> StoreError {
        self.is_sound = false;
        error
    }

    /// Uses the connection again after a statement outside of a transaction that the database has refused.
    pub(super) fn recover(&mut self) {
        self.is_sound = !self.in_transaction;
    }

    /// Checks that no earlier statement failed or was cancelled.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.is_sound {
            return Ok(());
        }
        Err(StoreError::Failed(
            "an earlier statement of this transaction failed or was cancelled".into(),
        ))
    }

    /// Whether nothing was left half-way: somebody else can use it as it is.
    pub(super) fn is_clean(&self) -> bool {
        self.is_sound && !self.in_transaction
    }

    /// Runs SQL that begins or ends a transaction.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.is_sound = false;
        match self.pooled.open() {
            Open::Sqlite(conn) => conn.execute(sql).await.map(drop),
            Open::Postgres(conn) => conn.execute(sql).await.map(drop),
        }?;
        self.is_sound = true;
        Ok(())
    }

    /// A statement whose parameters are still to be bound.
    pub(super) fn statement(&mut self, sql: impl SqlSafeStr) -> Statement<'_> {
        let checked = self.check();
        let query = match self.pooled.open() {
            Open::Sqlite(conn) => Bound::Sqlite(conn, sqlx::query(sql)),
            Open::Postgres(conn) => Bound::Postgres(conn, sqlx::query(sql)),
        };
        Statement {
            query,
            checked,
            is_sound: &mut self.is_sound,
        }
    }

    /// Inserts rows. `on_conflict` is the end of the statement.
    pub(super) async fn insert<const N: usize>(
        &mut self,
        table: &str,
        rows: &Rows<'_, N>,
        on_conflict: &str,
    ) -> Result<(), StoreError> {
        let (names, select) = (rows.names(), self.select(rows.columns));
        let sql = format!("INSERT INTO {table} ({names}) {select} {on_conflict}");
        let statement = self.statement(AssertSqlSafe(sql)).bind_rows(rows);
        statement.execute().await.map(drop)
    }

    /// A query for the rows that are bound first.
    pub(super) fn select(&self, columns: &[Column]) -> String {
        self.dialect(from_json(columns, "$1"), from_arrays(columns, 1))
    }
}

impl Drop for DbConnection {
    fn drop(&mut self) {
        if self.is_clean() {
            return;
        }
        match &mut self.pooled {
            // The pool cleans a connection when it comes back; who has one of its own does not use it again.
            Pooled::Sqlite(_) | Pooled::PostgresCommits(_) => {}
            Pooled::SqliteWriter(writer) => writer.leave_unclean(),
            Pooled::Postgres(conn) => conn.close_on_drop(),
        }
    }
}

impl fmt::Debug for DbConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbConnection")
            .field("is_sound", &self.is_sound)
            .field("in_transaction", &self.in_transaction)
            .finish_non_exhaustive()
    }
}

/// A statement with the values that were bound to it.
///
/// If it fails or is dropped half-way, or a row cannot be read, the connection is not used again as it is.
#[must_use = "a statement does nothing until it is executed"]
pub(super) struct Statement<'c> {
    query: Bound<'c>,
    checked: Result<(), StoreError>,
    is_sound: &'c mut bool,
}

enum Bound<'c> {
    Sqlite(
        &'c mut SqliteConnection,
        Query<'static, Sqlite, SqliteArguments>,
    ),
    Postgres(&'c mut PgConnection, Query<'static, Postgres, PgArguments>),
}

impl<'c> Statement<'c> {
    /// Binds a value that both databases take.
    pub(super) fn bind<'v, T>(mut self, value: T) -> Self
    where
        T: Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres>,
    {
        self.query = match self.query {
            Bound::Sqlite(conn, query) => Bound::Sqlite(conn, query.bind(value)),
            Bound::Postgres(conn, query) => Bound::Postgres(conn, query.bind(value)),
        };
        self
    }

    /// Binds a list: JSON on SQLite, an array on Postgres.
    pub(super) fn bind_list<'v, T: Serialize>(mut self, list: Vec<T>) -> Self
    where
        Vec<T>: Encode<'v, Postgres> + Type<Postgres>,
    {
        self.query = match self.query {
            Bound::Sqlite(conn, query) => Bound::Sqlite(conn, query.bind(json(&list))),
            Bound::Postgres(conn, query) => Bound::Postgres(conn, query.bind(list)),
        };
        self
    }

    /// Binds rows: JSON on SQLite, an array for each column on Postgres.
    pub(super) fn bind_rows<const N: usize>(mut self, rows: &Rows<'_, N>) -> Self {
        self.query = match self.query {
            Bound::Sqlite(conn, query) => Bound::Sqlite(conn, query.bind(json(&rows.as_lists()))),
            Bound::Postgres(conn, query) => Bound::Postgres(conn, rows.bind_columns(query)),
        };
        self
    }

    /// Runs it, and returns the number of rows that it changed.
    pub(super) async fn execute(self) -> Result<u64, StoreError> {
        self.checked?;
        *self.is_sound = false;
        let affected = match self.query {
            Bound::Sqlite(conn, query) => query.execute(conn).await?.rows_affected(),
            Bound::Postgres(conn, query) => query.execute(conn).await?.rows_affected(),
        };
        *self.is_sound = true;
        Ok(affected)
    }

    /// Runs it, and reads every row.
    pub(super) async fn all<T>(
        self,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let (rows, is_sound) = self.fetch()?;
        let rows: Vec<Row> = rows.try_collect().await?;
        let read = rows.iter().map(read).collect::<Result<_, _>>()?;
        *is_sound = true;
        Ok(read)
    }

    /// Runs it, and reads its first row.
    pub(super) async fn first<T>(
        self,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(read).await?.into_iter().next())
    }

    /// Begins to run it. The flag is to be set once the rows have been read.
    pub(super) fn fetch(self) -> Result<(Fetched<'c>, &'c mut bool), StoreError> {
        self.checked?;
        *self.is_sound = false;
        let rows = match self.query {
            Bound::Sqlite(conn, query) => query.fetch(conn).map_ok(Row::Sqlite).boxed(),
            Bound::Postgres(conn, query) => query.fetch(conn).map_ok(Row::Postgres).boxed(),
        };
        Ok((rows, self.is_sound))
    }
}

/// Rows as they come in.
pub(super) type Fetched<'c> = BoxStream<'c, Result<Row, sqlx::Error>>;

fn json(values: &impl Serialize) -> String {
    serde_json::to_string(values).expect("lists of texts and numbers are JSON")
}
