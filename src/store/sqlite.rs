//! SQLite: one file, one process, one writing connection; readers never wait for the writer (WAL).
//!
//! `synchronous=FULL`: a commit that returned survives a power cut. A lock keeps a second process from opening the same
//! database, because seqs are also remembered in memory.

pub(super) mod answer;
pub(super) mod api_key;
pub(super) mod cascade;
pub(super) mod channel;
pub(super) mod entity;
pub(super) mod event;
pub(super) mod list;
mod lock;
pub(super) mod member;
pub(super) mod meta;
pub(super) mod order;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use self::lock::Lock;
use super::error::migrate_error;
use super::session::Session;
use super::writes::Writes;
use super::{CommitError, StoreError};
use crate::domain::{ChannelNo, Epoch};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another program, such as a backup, that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection that others are using.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_READERS: u32 = 8;

/// An SQLite database.
#[derive(Debug, Clone)]
pub struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    pub(super) writes: Writes,
    /// Locked as long as the database is open; nothing for one in memory. The last field: it is dropped after the
    /// connections.
    lock: Option<Arc<Lock>>,
}

/// A transaction on the writing connection.
#[derive(Debug)]
pub struct Tx {
    pub(super) session: Session<sqlx::Sqlite>,
    pub(super) written: bool,
    /// Channels that it has made.
    pub(super) made: Vec<ChannelNo>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path, max_connections: u32) -> Result<Self, StoreError> {
        // The file's own name, so that two paths to it find the same lock.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let lock = Lock::take(&path)?;
        let db = Self::connect(&path, max_connections, Some(Arc::new(lock))).await?;
        db.check()?;
        Ok(db)
    }

    /// The same database beside a server that may have it open, whose memory knows nothing of what is changed here.
    pub(super) async fn open_beside(path: &Path) -> Result<Self, StoreError> {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut db = Self::connect(&path, 1, None).await?;
        if db.migration().await?.is_none() {
            // It is new. A server that is about to migrate it has the lock.
            let lock = Lock::take(&path)?;
            let migrated = db.migrate(&Epoch::generate()).await;
            Self::release(&lock);
            db.lock = Some(Arc::new(lock));
            migrated?;
        }
        Ok(db)
    }

    async fn connect(
        path: &Path,
        max_connections: u32,
        lock: Option<Arc<Lock>>,
    ) -> Result<Self, StoreError> {
        let options = options()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| cannot_open(path, error))?;
        let readers = pool(max_connections.clamp(1, MAX_READERS))
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(|error| cannot_open(path, error))?;
        Ok(Self {
            writer,
            readers,
            lock,
            writes: Writes::default(),
        })
    }

    /// A database that lives and dies with its only connection.
    pub(super) async fn open_memory() -> Result<Self, StoreError> {
        let options = options().filename(":memory:").in_memory(true);
        let writer = pool(1)
            .connect_with(options)
            .await
            .map_err(|error| cannot_open(Path::new(":memory:"), error))?;
        Ok(Self {
            readers: writer.clone(),
            writer,
            lock: None,
            writes: Writes::default(),
        })
    }

    pub(super) async fn migrate(&self, epoch: &Epoch) -> Result<(), StoreError> {
        let mut session = self.writer().await?;
        // What `run` calls; that one's future cannot be sent to another thread.
        let result = MIGRATIONS
            .run_direct(None, session.start()?, false)
            .await
            .map_err(|error| migrate_error(error, newest_migration()));
        session.finish(result)?;
        let result = meta::epoch_insert(session.start()?, epoch).await;
        session.finish(result)
    }

    /// The newest migration that was applied; `None` if the database is new.
    pub(super) async fn migration(&self) -> Result<Option<i64>, StoreError> {
        let mut session = self.reader().await?;
        let result = meta::migration(session.start()?).await;
        session.finish(result)
    }

    /// Makes sure that what is written goes to the file that has the database's name.
    fn check(&self) -> Result<(), StoreError> {
        self.lock.as_ref().map_or(Ok(()), |lock| lock.check())
    }

    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        self.check()?;
        let mut session = self.writer().await?;
        // IMMEDIATE: whoever else writes to the file is waited for here, not in the middle.
        let begun = sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut *session.start()?)
            .await;
        session.finish(begun)?;
        session.open = true;
        Ok(Tx {
            session,
            written: false,
            made: Vec::new(),
        })
    }

    pub(super) async fn writer(&self) -> Result<Session<sqlx::Sqlite>, StoreError> {
        Ok(Session::new(self.writer.acquire().await?, false))
    }

    pub(super) async fn reader(&self) -> Result<Session<sqlx::Sqlite>, StoreError> {
        Ok(Session::new(self.readers.acquire().await?, false))
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Some(lock) = &self.lock {
            Self::release(lock);
        }
    }

    fn release(lock: &Lock) {
        if let Err(error) = lock.release() {
            tracing::warn!(%error, "the lock of the database file could not be given back");
        }
    }
}

impl Tx {
    pub(super) async fn commit(mut self) -> Result<(), CommitError> {
        let conn = self.session.start().map_err(CommitError::NotCommitted)?;
        let committed = sqlx::query("COMMIT").execute(conn).await;
        self.session
            .finish(committed)
            .map_err(CommitError::after_commit)?;
        self.session.open = false;
        Ok(())
    }

    pub(super) async fn rollback(mut self) -> Result<(), StoreError> {
        let ended = sqlx::query("ROLLBACK").execute(self.session.start()?).await;
        self.session.finish(ended)?;
        self.session.open = false;
        Ok(())
    }
}

/// The newest migration that this program knows.
pub(super) fn newest_migration() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().unwrap_or(0)
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
}

/// A pool whose connections stay: the one in memory *is* the database, and others have nothing to gain.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|conn, _| {
            Box::pin(async move {
                // Ends what a dropped transaction left open; usually there is nothing to end.
                let ended = sqlx::query("ROLLBACK").execute(conn).await;
                Ok(!matches!(ended, Err(sqlx::Error::WorkerCrashed)))
            })
        })
}

fn cannot_open(path: &Path, source: impl Into<super::Source>) -> StoreError {
    StoreError::Open {
        database: format!("sqlite://{}", path.display()),
        source: source.into(),
    }
}

/// Many rows as one parameter, for `json_each`.
fn json(rows: &impl serde::Serialize) -> String {
    serde_json::to_string(rows).expect("rows of texts and numbers are JSON")
}
