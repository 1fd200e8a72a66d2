//! The statement on `SQLite`: a row that is inserted into a view, whose trigger writes everything. The view and the trigger
//! belong to the connection that writes. There is no other way to several statements with one message to the connection's
//! thread and one back.

use std::sync::LazyLock;

use sqlx::sqlite::SqliteError;

use super::{Compared, FOUND, Head, MADE, found, made};
use crate::domain::ChannelNo;
use crate::store::connection::DbConnection;
use crate::store::row::CHANNELS;
use crate::store::rows::{Column, from_json, names};
use crate::store::{Batch, CommitError, StoreError, answer, entity, event};

/// What tells a collision from other errors.
const COLLIDED: &str = "collided";

/// Makes the view and its trigger.
pub(in crate::store) static SETUP: LazyLock<String> = LazyLock::new(|| {
    let insert = |name: &str, columns: &[Column], end: &str| {
        let rows = from_json(columns, &format!("NEW.{name}"));
        format!("INSERT INTO {name} ({}) {rows} {end};", names(columns))
    };
    format!(
        "CREATE TEMP VIEW commits AS
             SELECT NULL AS found, NULL AS made, NULL AS keys, NULL AS events, NULL AS entities, NULL AS answers;
         CREATE TEMP TRIGGER commits_insert INSTEAD OF INSERT ON commits BEGIN
             SELECT RAISE(ABORT, '{COLLIDED}') WHERE EXISTS ({found} AND NOT EXISTS (
                 SELECT 1 FROM channels WHERE channels.no = value ->> 0 AND channels.seq = value ->> 1
             )) OR EXISTS (SELECT 1 FROM ({made}) AS made JOIN channels USING (name))
             OR EXISTS (SELECT 1 FROM ({keys}) AS asked JOIN answers USING (channel_no, key));
             UPDATE channels SET seq = given.head FROM ({found}) AS given
             WHERE channels.no = given.no AND given.head > given.seq;
             INSERT INTO channels (no, name, seq) SELECT no, name, seq FROM ({made}) AS made WHERE seq > 0;
             {events} {entities} {answers}
         END",
        found = from_json(&FOUND, "NEW.found"),
        made = from_json(&MADE, "NEW.made"),
        keys = from_json(&answer::KEY, "NEW.keys"),
        events = insert("events", &event::COLUMNS, ""),
        entities = insert("entities", &entity::COLUMNS, entity::OVERWRITE),
        answers = insert("answers", &answer::COLUMNS, ""),
    )
});

/// The comparison alone.
static COMPARE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT no FROM ({}) AS given WHERE NOT EXISTS (
             SELECT 1 FROM channels WHERE channels.no = given.no AND channels.seq = given.seq
         )
         UNION ALL SELECT 0 FROM ({}) AS made JOIN channels USING (name)
         UNION ALL SELECT 0 FROM ({}) AS asked JOIN answers USING (channel_no, key)",
        from_json(&FOUND, "$1"),
        from_json(&MADE, "$2"),
        from_json(&answer::KEY, "$3")
    )
});

pub(super) async fn commit(
    db: &mut DbConnection,
    heads: &[Head],
    keys: &[(ChannelNo, String)],
    batch: &Batch,
) -> Result<Compared, CommitError> {
    if batch.is_empty() {
        return compare(db, heads, keys)
            .await
            .map_err(CommitError::NotCommitted);
    }
    let statement = db.statement("INSERT INTO commits VALUES ($1, $2, $3, $4, $5, $6)");
    let statement = statement
        .bind_rows(&found(heads))
        .bind_rows(&made(heads))
        .bind_rows(&answer::key_rows(keys))
        .bind_rows(&event::rows(&batch.events))
        .bind_rows(&entity::rows(&batch.entities))
        .bind_rows(&answer::rows(&batch.answers, batch.now));
    match statement.execute().await {
        Ok(_) => Ok(Compared::Same),
        Err(error) => failed(db, error),
    }
}

async fn compare(
    db: &mut DbConnection,
    heads: &[Head],
    keys: &[(ChannelNo, String)],
) -> Result<Compared, StoreError> {
    let statement = db.statement(COMPARE.as_str());
    let statement = statement.bind_rows(&found(heads)).bind_rows(&made(heads));
    let statement = statement.bind_rows(&answer::key_rows(keys));
    let moved = statement.all(|row| Ok(ChannelNo(row.get(CHANNELS, "no")?)));
    let moved = moved.await?;
    if moved.is_empty() {
        return Ok(Compared::Same);
    }
    let moved = moved.into_iter().filter(|no| *no != ChannelNo(0));
    Ok(Compared::Moved(moved.collect()))
}

/// Sorts a failure. Only one of the file system can have come after the commit.
fn failed(db: &mut DbConnection, error: StoreError) -> Result<Compared, CommitError> {
    const IO: i32 = 10;
    let Some((code, is_collision)) = said(&error) else {
        return Err(CommitError::Unknown(error));
    };
    if code & 0xff == IO {
        return Err(CommitError::Unknown(error));
    }
    if is_collision {
        db.recover();
        return Ok(Compared::Moved(Vec::new()));
    }
    Err(CommitError::NotCommitted(error))
}

/// The code of an error, and whether it is the trigger's own, or that of an answer that is there already.
fn said(error: &StoreError) -> Option<(i32, bool)> {
    /// Of a primary key, and of another column.
    const NOT_UNIQUE: [i32; 2] = [1555, 2067];
    let said = error.database()?;
    said.try_downcast_ref::<SqliteError>()?;
    let code = said.code()?.parse().ok()?;
    Some((
        code,
        said.message() == COLLIDED || NOT_UNIQUE.contains(&code),
    ))
}
