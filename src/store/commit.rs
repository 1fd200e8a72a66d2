//! A commit in one statement: it compares the heads of its channels with those that the writer knows, and writes
//! everything or nothing. One statement is a transaction of its own: on Postgres one round trip, on `SQLite` one hop to the
//! connection's thread.
//!
//! On Postgres other instances write as well. The statement locks the rows of its channels in the order of their names, as
//! [`Tx::channels_lock`](super::Tx::channels_lock) does. A row that it waited for is read anew, while all else is seen as it
//! was when the statement began. So only the locked rows tell whether a head has moved. What others have stored under an
//! idempotency key meanwhile without moving a head, the answer to a refused command, violates the key's uniqueness, which
//! ends the statement.

mod postgres;
mod sqlite;

use std::time::Instant;

use super::connection::DbConnection;
use super::postgres::TRUSTED_IDLE;
use super::row;
use super::rows::{Column, Rows, Type};
use super::{Batch, Channel, CommitError, Store, StoreError};
use crate::domain::{ChannelNo, Seq};

pub(super) use sqlite::SETUP;

/// Channels that the commit finds and those that it makes.
const FOUND: [Column; 3] = [
    ("no", Type::Number),
    ("seq", Type::Number),
    ("head", Type::Number),
];
const MADE: [Column; 3] = [
    ("no", Type::Number),
    ("name", Type::Text),
    ("seq", Type::Number),
];

/// A channel as a commit expects it, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Head {
    /// The channel as it is known.
    pub channel: Channel,
    /// Whether it is in the database. One that is not gets a row with its first event.
    pub is_stored: bool,
    /// The seq of its last event afterwards.
    pub next: Seq,
}

/// What became of a commit that compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// Everything was as expected, and all of it is written.
    Same,
    /// Nothing is written: others have moved the heads of these channels. If there are none, one of the keys has an answer,
    /// or a channel was made by others.
    Moved(Vec<ChannelNo>),
}

/// The connection on which one queue commits. It is kept from commit to commit.
#[derive(Debug)]
pub struct CommitConnection {
    pub(super) store: Store,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    conn: DbConnection,
    backend: Backend,
    used_at: Instant,
}

/// A process of Postgres that serves a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    pid: i32,
    started_at: String,
}

impl Store {
    /// A connection for commits, which is opened when it is needed.
    #[must_use]
    pub fn commit_connection(&self) -> CommitConnection {
        CommitConnection {
            store: self.clone(),
            held: None,
        }
    }

    /// Makes sure that nothing more comes of what was sent over a connection that broke, and waits for what is under way.
    /// Without this a statement that is still in the network could commit after it was not found.
    ///
    /// # Errors
    ///
    /// Fails when the database does. The backend may then still be there.
    pub async fn end_backend(&self, backend: &Backend) -> Result<(), StoreError> {
        loop {
            let mut db = self.writer().await?;
            let end = db.statement(
                "SELECT pg_terminate_backend(pid) AS was_there FROM pg_stat_activity
                 WHERE pid = $1 AND backend_start::text = $2",
            );
            let end = end.bind(backend.pid).bind(backend.started_at.as_str());
            if end.first(|_| Ok(())).await?.is_none() {
                return Ok(());
            }
            drop(db);
            tokio::time::sleep(postgres::END_PAUSE).await;
        }
    }
}

impl CommitConnection {
    /// The backend that serves the connection; nothing on `SQLite`, where what was sent before is done before.
    #[must_use]
    pub fn backend(&self) -> Option<Backend> {
        self.held.as_ref().map(|held| held.backend.clone())
    }

    /// Makes sure that there is a connection: what fails here was not sent.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn ready(&mut self) -> Result<(), StoreError> {
        match self.store {
            Store::Sqlite(_) => Ok(()),
            Store::Postgres(_) => self.kept().await.map(drop),
        }
    }

    /// Writes everything that the batch holds, except cascades, if the channels are as expected and none of the keys has an
    /// answer. With an empty batch it only compares.
    ///
    /// # Errors
    ///
    /// [`CommitError::NotCommitted`] if the database refused it; [`CommitError::Unknown`] if there was no answer.
    pub async fn commit(
        &mut self,
        heads: &[Head],
        keys: &[(ChannelNo, String)],
        batch: &Batch,
    ) -> Result<Compared, CommitError> {
        match self.store {
            Store::Sqlite(_) => {
                let mut conn = self.writer().await.map_err(CommitError::NotCommitted)?;
                sqlite::commit(&mut conn, heads, keys, batch).await
            }
            Store::Postgres(_) => {
                let conn = self.kept().await.map_err(CommitError::NotCommitted)?;
                postgres::commit(conn, heads, keys, batch).await
            }
        }
    }

    /// Gives up a connection that broke.
    pub fn discard(&mut self) {
        self.held = None;
    }

    /// The kept connection, opened anew if it was lost.
    pub(super) async fn kept(&mut self) -> Result<&mut DbConnection, StoreError> {
        if let Some(held) = &mut self.held {
            let is_idle = held.used_at.elapsed() > TRUSTED_IDLE;
            if !held.conn.is_clean() || is_idle && held.conn.run("SELECT 1").await.is_err() {
                self.held = None;
            }
        }
        let mut held = match self.held.take() {
            Some(held) => held,
            None => self.open().await?,
        };
        held.used_at = Instant::now();
        Ok(&mut self.held.insert(held).conn)
    }

    async fn open(&self) -> Result<Held, StoreError> {
        let mut conn = match &self.store {
            Store::Sqlite(_) => self.writer().await?,
            Store::Postgres(db) => db.connect().await?,
        };
        let statement = conn.statement(
            "SELECT pid, backend_start::text AS started_at FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        );
        let backend = statement.first(postgres::backend).await?;
        let backend = backend.ok_or_else(|| row::BACKENDS.inconsistent("pid"))?;
        Ok(Held {
            conn,
            backend,
            used_at: Instant::now(),
        })
    }

    /// `SQLite`'s writing connection, which others use as well.
    pub(super) async fn writer(&self) -> Result<DbConnection, StoreError> {
        if let Store::Sqlite(db) = &self.store {
            db.check()?;
        }
        self.store.writer().await
    }
}

fn found(heads: &[Head]) -> Rows<'_, { FOUND.len() }> {
    let found = heads.iter().filter(|head| head.is_stored);
    let rows = found.map(|head| {
        let channel = &head.channel;
        [channel.no.0.into(), channel.seq.into(), head.next.into()]
    });
    Rows::new(&FOUND, rows)
}

fn made(heads: &[Head]) -> Rows<'_, { MADE.len() }> {
    let made = heads.iter().filter(|head| !head.is_stored);
    let rows = made.map(|head| {
        let channel = &head.channel;
        let name = channel.name.as_str().into();
        [channel.no.0.into(), name, head.next.into()]
    });
    Rows::new(&MADE, rows)
}
