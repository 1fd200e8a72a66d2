//! The statement on Postgres: one CTE, prepared once per connection for each combination of the parts that it has.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::{Backend, Compared, FOUND, Head, MADE, found, made};
use crate::domain::ChannelNo;
use crate::store::connection::DbConnection;
use crate::store::row::{BACKENDS, CHANNELS, Row};
use crate::store::rows::{Column, from_arrays, names};
use crate::store::{Batch, CommitError, StoreError, answer, entity, event};

/// Pause between two looks at whether a backend has ended.
pub(super) const END_PAUSE: Duration = Duration::from_millis(20);
/// The error code of a violated uniqueness.
const NOT_UNIQUE: &str = "23505";

/// What a statement has besides the comparison of heads, a bit for each part.
#[derive(Debug, Clone, Copy)]
struct Parts(usize);

static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let texts = (0..Parts::COUNT).map(|parts| Parts(parts).text());
    texts.collect()
});

impl Parts {
    const WRITES: usize = 1;
    const MADE: usize = 2;
    const KEYS: usize = 4;
    const EVENTS: usize = 8;
    const ENTITIES: usize = 16;
    const ANSWERS: usize = 32;
    const COUNT: usize = 64;

    fn new(heads: &[Head], keys: &[(ChannelNo, String)], batch: &Batch) -> Self {
        let parts = [
            (Self::WRITES, !batch.is_empty()),
            (Self::MADE, heads.iter().any(|head| !head.is_stored)),
            (Self::KEYS, !keys.is_empty()),
            (Self::EVENTS, !batch.events.is_empty()),
            (Self::ENTITIES, !batch.entities.is_empty()),
            (Self::ANSWERS, !batch.answers.is_empty()),
        ];
        let parts = parts.into_iter().filter(|(_, has)| *has);
        Self(parts.map(|(part, _)| part).sum())
    }

    fn has(self, part: usize) -> bool {
        self.0 & part != 0
    }

    fn text(self) -> String {
        let mut given = Given { next: 1 };
        let mut sql = self.comparison(&mut given);
        if self.has(Self::WRITES) {
            sql += ", heads AS (
                 UPDATE channels SET seq = given.head FROM given
                 WHERE channels.no = given.no AND given.head > given.seq AND (SELECT fits FROM fits)
             )";
        }
        if self.has(Self::EVENTS) {
            sql += &given.insert("events", &event::COLUMNS, "");
        }
        if self.has(Self::ENTITIES) {
            sql += &given.insert("entities", &entity::COLUMNS, entity::OVERWRITE);
        }
        if self.has(Self::ANSWERS) {
            sql += &given.insert("answers", &answer::COLUMNS, "");
        }
        if self.has(Self::WRITES) && self.has(Self::MADE) {
            sql += ", channels_written AS (
                 INSERT INTO channels (no, name, seq)
                 SELECT no, name, seq FROM made WHERE seq > 0 AND (SELECT fits FROM fits) ORDER BY name
             )";
        }
        sql += " SELECT no, false AS fits FROM moved UNION ALL SELECT 0, fits FROM fits";
        sql
    }

    /// What finds out whether everything is as expected.
    fn comparison(self, given: &mut Given) -> String {
        let lock = if self.has(Self::WRITES) {
            "FOR UPDATE"
        } else {
            ""
        };
        let mut sql = format!(
            "WITH given AS MATERIALIZED ({}),
             locked AS MATERIALIZED (
                 SELECT no, seq FROM channels WHERE no = ANY($1) ORDER BY name {lock}
             ),
             moved AS MATERIALIZED (SELECT no, seq FROM given EXCEPT SELECT no, seq FROM locked)",
            given.rows(&FOUND)
        );
        let mut conditions = vec!["NOT EXISTS (SELECT FROM moved)".to_owned()];
        if self.has(Self::MADE) {
            let made = given.rows(&MADE);
            sql.extend([", made AS MATERIALIZED (", made.as_str(), ")"]);
            let taken = "NOT EXISTS (SELECT FROM channels JOIN made USING (name))";
            conditions.push(taken.to_owned());
        }
        if self.has(Self::KEYS) {
            let asked = given.rows(&answer::KEY);
            conditions.push(format!(
                "NOT EXISTS (SELECT FROM answers JOIN ({asked}) AS asked USING (channel_no, key))"
            ));
        }
        let conditions = conditions.join(" AND ");
        sql.extend([
            ", fits AS MATERIALIZED (SELECT ",
            conditions.as_str(),
            " AS fits)",
        ]);
        sql
    }
}

/// Counts the parameters, in the order in which they are bound.
struct Given {
    next: usize,
}

impl Given {
    fn rows(&mut self, columns: &[Column]) -> String {
        let rows = from_arrays(columns, self.next);
        self.next += columns.len();
        rows
    }

    fn insert(&mut self, table: &str, columns: &[Column], end: &str) -> String {
        let (names, rows) = (names(columns), self.rows(columns));
        format!(
            ", {table}_written AS (
                 INSERT INTO {table} ({names}) {rows} WHERE (SELECT fits FROM fits) {end}
             )"
        )
    }
}

pub(super) async fn commit(
    db: &mut DbConnection,
    heads: &[Head],
    keys: &[(ChannelNo, String)],
    batch: &Batch,
) -> Result<Compared, CommitError> {
    let parts = Parts::new(heads, keys, batch);
    let statement = db.statement(AssertSqlSafe(TEXTS[parts.0].as_str()));
    let mut statement = statement.bind_rows(&found(heads));
    if parts.has(Parts::MADE) {
        statement = statement.bind_rows(&made(heads));
    }
    if parts.has(Parts::KEYS) {
        statement = statement.bind_rows(&answer::key_rows(keys));
    }
    if parts.has(Parts::EVENTS) {
        statement = statement.bind_rows(&event::rows(&batch.events));
    }
    if parts.has(Parts::ENTITIES) {
        statement = statement.bind_rows(&entity::rows(&batch.entities));
    }
    if parts.has(Parts::ANSWERS) {
        statement = statement.bind_rows(&answer::rows(&batch.answers, batch.now));
    }
    let compared = statement.all(compared).await;
    match compared {
        Ok(rows) if rows.contains(&(ChannelNo(0), true)) => Ok(Compared::Same),
        Ok(rows) => {
            let numbers = rows.into_iter().map(|(no, _)| no);
            let moved = numbers.filter(|no| *no != ChannelNo(0)).collect();
            Ok(Compared::Moved(moved))
        }
        Err(error) => failed(db, error),
    }
}

/// Sorts a failure. What the server refuses is not in the database; without an answer nobody knows.
fn failed(db: &mut DbConnection, error: StoreError) -> Result<Compared, CommitError> {
    let Some((code, severity)) = said(&error) else {
        return Err(CommitError::Unknown(error));
    };
    if severity != PgSeverity::Error {
        return Err(CommitError::Unknown(error));
    }
    let is_collision = code == NOT_UNIQUE;
    db.recover();
    if is_collision {
        return Ok(Compared::Moved(Vec::new()));
    }
    Err(CommitError::NotCommitted(error))
}

fn said(error: &StoreError) -> Option<(&str, PgSeverity)> {
    let said = error.database()?.try_downcast_ref::<PgDatabaseError>()?;
    Some((said.code(), said.severity()))
}

fn compared(row: &Row) -> Result<(ChannelNo, bool), StoreError> {
    let no = ChannelNo(row.get(CHANNELS, "no")?);
    Ok((no, row.get(CHANNELS, "fits")?))
}

pub(super) fn backend(row: &Row) -> Result<Backend, StoreError> {
    Ok(Backend {
        pid: row.get(BACKENDS, "pid")?,
        started_at: row.get(BACKENDS, "started_at")?,
    })
}
