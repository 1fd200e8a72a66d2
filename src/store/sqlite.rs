//! SQLite: one file, one process, one writing connection; readers never wait for the writer (WAL).
//!
//! `synchronous=FULL`: a commit that returned survives a power cut. A lock keeps a second process from opening the same
//! database, because seqs are also remembered in memory.

mod lock;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use self::lock::Lock;
use self::writer::WriterConnection;
pub(super) use self::writer::WriterGuard;
use super::StoreError;
use super::connection::{DbConnection, Pooled};
use super::error::migrate_error;
use super::migrations;
use super::writes::Writes;

/// How long a statement waits for another program, such as a backup, that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection that others are using.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_READERS: u32 = 8;

/// Begins a transaction. IMMEDIATE waits for other writers to the file here, and not at the first statement that writes.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// An SQLite database.
#[derive(Debug, Clone)]
pub struct Sqlite {
    writer: WriterConnection,
    /// Nothing for a database in memory, which its only connection reads and writes.
    readers: Option<SqlitePool>,
    pub(super) writes: Writes,
    /// Locked as long as the database is open; nothing for one in memory. The last field: it is dropped after the
    /// connections.
    lock: Option<Arc<Lock>>,
}

impl Sqlite {
    pub(super) async fn open(
        path: &Path,
        max_connections: u32,
        setup: &'static str,
    ) -> Result<Self, StoreError> {
        // The file's own name, so that two paths to it find the same lock.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let lock = Lock::take(&path)?;
        let db = Self::connect(&path, max_connections, Some(Arc::new(lock)), setup).await?;
        db.check()?;
        Ok(db)
    }

    /// The same database beside a server that may have it open, whose memory knows nothing of what is changed here.
    pub(super) async fn open_beside(path: &Path, setup: &'static str) -> Result<Self, StoreError> {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Self::connect(&path, 1, None, setup).await
    }

    /// Takes the lock of a database that was opened beside a server.
    pub(super) fn take_lock(&mut self) -> Result<(), StoreError> {
        self.lock = Some(Arc::new(Lock::take(self.writer.filename())?));
        Ok(())
    }

    /// Gives the lock back, if there is one.
    pub(super) fn release_lock(&self) {
        if let Some(lock) = &self.lock
            && let Err(error) = lock.release()
        {
            tracing::warn!(%error, "the lock of the database file could not be given back");
        }
    }

    async fn connect(
        path: &Path,
        max_connections: u32,
        lock: Option<Arc<Lock>>,
        setup: &'static str,
    ) -> Result<Self, StoreError> {
        let options = options()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let writer = WriterConnection::open(options.clone(), setup)
            .await
            .map_err(|error| cannot_open(path, error))?;
        let readers = pool(max_connections.clamp(1, MAX_READERS))
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(|error| cannot_open(path, error))?;
        Ok(Self {
            writer,
            readers: Some(readers),
            lock,
            writes: Writes::default(),
        })
    }

    /// A database that lives and dies with its only connection.
    pub(super) async fn open_memory(setup: &'static str) -> Result<Self, StoreError> {
        let options = options().filename(":memory:").in_memory(true);
        let writer = WriterConnection::open(options, setup)
            .await
            .map_err(|error| cannot_open(Path::new(":memory:"), error))?;
        Ok(Self {
            readers: None,
            writer,
            lock: None,
            writes: Writes::default(),
        })
    }

    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.acquire().await?;
        // What `run` calls; that one's future cannot be sent to another thread.
        let migrated = migrations::SQLITE
            .run_direct(None, writer.conn(), false)
            .await;
        migrated.map_err(|error| migrate_error(error, migrations::newest(&migrations::SQLITE)))
    }

    /// Makes sure that what is written goes to the file that has the database's name.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.lock.as_ref().map_or(Ok(()), |lock| lock.check())
    }

    pub(super) async fn writer(&self) -> Result<DbConnection, StoreError> {
        let writer = self.writer.acquire().await?;
        Ok(DbConnection::new(Pooled::SqliteWriter(writer)))
    }

    pub(super) async fn reader(&self) -> Result<DbConnection, StoreError> {
        let Some(readers) = &self.readers else {
            return self.writer().await;
        };
        Ok(DbConnection::new(Pooled::Sqlite(readers.acquire().await?)))
    }

    /// Whether there are connections besides the writing one.
    pub(super) fn has_readers(&self) -> bool {
        self.lock.is_some()
    }

    pub(super) async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writer.close().await;
        self.release_lock();
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
}

/// A pool whose connections stay: they have nothing to gain from being opened anew.
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
