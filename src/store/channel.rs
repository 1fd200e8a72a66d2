//! Channels.

use sqlx::AssertSqlSafe;

use super::connection::DbConnection;
use super::row::{self, CHANNELS};
use super::rows::{Column, Rows, Type};
use super::{Channel, KeptChannel, Store, StoreError, Tx, in_time, postgres};
use crate::domain::{ChannelName, ChannelNo, Seq, Target};

const HEAD: [Column; 2] = [("no", Type::Number), ("seq", Type::Number)];

impl Tx {
    /// Locks channels until the end of the transaction and makes those that are missing. One that was made and gets
    /// neither an event nor an answer leaves no row behind.
    ///
    /// This is the first thing a transaction does: rows are made before any lock is held and locks are
    /// taken in the order of the names, so that two instances cannot wait for each other.
    ///
    /// # Errors
    ///
    /// Fails when the database does, and when something was written before.
    pub async fn channels_lock(
        &mut self,
        names: &[ChannelName],
    ) -> Result<Vec<Channel>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        if self.has_written {
            return Err(StoreError::Failed(
                "channels are locked before anything is written".into(),
            ));
        }
        let names = sorted(names);
        let found = select_locked(&mut self.conn, &names).await?;
        if found.len() == names.len() {
            return Ok(found);
        }
        self.made = make_missing(&mut self.conn, &names).await?;
        let found = select_locked(&mut self.conn, &names).await?;
        if found.len() < names.len() {
            return Err(self.conn.fail(CHANNELS.inconsistent("name")));
        }
        Ok(found)
    }

    /// Moves the heads, each forwards.
    pub(super) async fn heads_set(&mut self, heads: &[(ChannelNo, Seq)]) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE channels SET seq = head.seq FROM ({}) AS head
             WHERE channels.no = head.no AND channels.seq < head.seq",
            self.conn.select(&HEAD)
        );
        let rows = heads.iter().map(|(no, seq)| [no.0.into(), (*seq).into()]);
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let moved = statement
            .bind_rows(&Rows::new(&HEAD, rows))
            .execute()
            .await?;
        if usize::try_from(moved) == Ok(heads.len()) {
            return Ok(());
        }
        Err(self.conn.fail(CHANNELS.inconsistent("seq")))
    }

    /// Removes rows that this transaction made and does not need.
    pub(super) async fn channels_unmake(
        &mut self,
        numbers: Vec<ChannelNo>,
    ) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM channels WHERE no {}", self.conn.in_list());
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement.bind_list(numbers.into_iter().map(|no| no.0).collect());
        statement.execute().await.map(drop)
    }
}

impl Store {
    /// A channel; `None` before its first event.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn channel_get(&self, name: &ChannelName) -> Result<Option<Channel>, StoreError> {
        let channels = self.channel_heads(std::slice::from_ref(name)).await?;
        Ok(channels.into_iter().next())
    }

    /// Those of these channels that exist, by name.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn channel_heads(&self, names: &[ChannelName]) -> Result<Vec<Channel>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        in_time(async {
            let mut db = self.reader().await?;
            select(&mut db, &sorted(names), "").await
        })
        .await
    }

    /// The channels that have these numbers, as far as there are any.
    ///
    /// Whether a project's id is a number is known from what lies in the project. The names are those of
    /// `ProjectId::channel`.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn targets(
        &self,
        numbers: &[ChannelNo],
    ) -> Result<Vec<(ChannelNo, Target)>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        in_time(async {
            let mut db = self.reader().await?;
            let sql = format!(
                "SELECT no, name, COALESCE((
                     SELECT project_id_numeric FROM entities
                     WHERE substr(name, 1, 8) = 'project:' AND project_id = substr(name, 9) LIMIT 1
                 ), false) AS project_id_numeric
                 FROM channels WHERE no {}",
                db.in_list()
            );
            let statement = db.statement(AssertSqlSafe(sql));
            let statement = statement.bind_list(numbers.iter().map(|no| no.0).collect());
            statement.all(row::target).await
        })
        .await
    }

    /// The channels after a number, in order, and since when each has events.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn channels_page(
        &self,
        after: ChannelNo,
        max_channels: i64,
    ) -> Result<Vec<KeptChannel>, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let statement = db.statement(
                "SELECT no, name, seq, pruned_seq, (
                     SELECT created_at FROM events
                     WHERE events.channel_no = channels.no AND events.seq > channels.pruned_seq
                     ORDER BY events.seq LIMIT 1
                 ) AS kept_since
                 FROM channels WHERE no > $1 ORDER BY no LIMIT $2",
            );
            let statement = statement.bind(after.0).bind(max_channels);
            statement.all(row::kept).await
        })
        .await
    }
}

/// Reads the channels and, on Postgres, locks their rows in the order of the names. On SQLite there is one writer.
async fn select_locked(db: &mut DbConnection, names: &[&str]) -> Result<Vec<Channel>, StoreError> {
    let lock = db.dialect("", "FOR UPDATE");
    select(db, names, lock).await
}

async fn select(
    db: &mut DbConnection,
    names: &[&str],
    lock: &str,
) -> Result<Vec<Channel>, StoreError> {
    let sql = format!(
        "SELECT no, name, seq, pruned_seq FROM channels WHERE name {} ORDER BY name {lock}",
        db.in_list()
    );
    let statement = db.statement(AssertSqlSafe(sql));
    statement.bind_list(names.to_vec()).all(row::channel).await
}

/// Makes the channels that are missing, and returns their numbers.
///
/// On Postgres the locks just taken are released first: this transaction may wait for a row that another one is making, and
/// that one may wait for these locks.
async fn make_missing(db: &mut DbConnection, names: &[&str]) -> Result<Vec<ChannelNo>, StoreError> {
    let (renews, insert) = db.dialect(
        (
            false,
            "INSERT INTO channels (name) SELECT value FROM json_each($1) WHERE true
             ON CONFLICT DO NOTHING RETURNING no",
        ),
        (
            true,
            "INSERT INTO channels (name) SELECT name FROM UNNEST($1::text[]) AS wanted (name)
             WHERE NOT EXISTS (SELECT FROM channels WHERE channels.name = wanted.name)
             ORDER BY name COLLATE \"C\"
             ON CONFLICT DO NOTHING RETURNING no",
        ),
    );
    if renews {
        db.run("ROLLBACK").await?;
        db.run(postgres::BEGIN).await?;
    }
    let statement = db.statement(insert).bind_list(names.to_vec());
    statement.all(row::channel_no).await
}

/// The names in order, each once, so that every instance takes locks in the same order.
fn sorted(names: &[ChannelName]) -> Vec<&str> {
    let mut names: Vec<_> = names.iter().map(ChannelName::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}
