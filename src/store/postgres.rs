//! Postgres: for production, and the place where several instances meet.

pub(super) mod answer;
pub(super) mod api_key;
pub(super) mod cascade;
pub(super) mod channel;
pub(super) mod entity;
pub(super) mod event;
pub(super) mod list;
pub(super) mod member;
pub(super) mod meta;
pub(super) mod order;

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use super::error::migrate_error;
use super::session::Session;
use super::writes::Writes;
use super::{CommitError, StoreError};
use crate::domain::{ChannelNo, Epoch};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection must have been idle before it is tried out first: under load this costs nothing.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Begins a transaction. If this process is paused or cut off in the middle of one, the server ends it
/// after a while: the channels it has locked are free again for other instances.
pub(super) const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '5s'; \
     SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// A Postgres database.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
    pub(super) writes: Writes,
}

/// A transaction with a connection of its own.
#[derive(Debug)]
pub struct Tx {
    pub(super) session: Session<sqlx::Postgres>,
    pub(super) written: bool,
    /// Channels that it has made.
    pub(super) made: Vec<ChannelNo>,
}

impl Postgres {
    pub(super) async fn open(
        shown: &str,
        options: &PgConnectOptions,
        max_connections: u32,
    ) -> Result<Self, StoreError> {
        let cannot_open = |source| StoreError::Open {
            database: shown.to_owned(),
            source,
        };
        // The pool would try again and again and then only say that it took too long.
        let conn = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect())
            .await
            .map_err(|late| cannot_open(late.into()))?
            .map_err(|error| cannot_open(error.into()))?;
        conn.close()
            .await
            .map_err(|error| cannot_open(error.into()))?;
        let pool = PgPoolOptions::new()
            .max_connections(max_connections.max(2))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|conn, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED_IDLE {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.clone());
        let writes = Writes::default();
        Ok(Self { pool, writes })
    }

    /// Beside servers that may be running on it. If it is new, they find it up to date.
    pub(super) async fn open_beside(
        shown: &str,
        options: &PgConnectOptions,
    ) -> Result<Self, StoreError> {
        let db = Self::open(shown, options, 2).await?;
        if db.migration().await?.is_none() {
            db.migrate(&Epoch::generate()).await?;
        }
        Ok(db)
    }

    /// On a connection of its own: a migrator that fails keeps its lock until the connection is closed.
    pub(super) async fn migrate(&self, epoch: &Epoch) -> Result<(), StoreError> {
        let mut conn = self.pool.connect_options().connect().await?;
        let result = migrate(&mut conn, epoch).await;
        let closed = conn.close().await;
        result.and(closed.map_err(StoreError::from))
    }

    /// The newest migration that was applied; `None` if the database is new.
    pub(super) async fn migration(&self) -> Result<Option<i64>, StoreError> {
        let mut session = self.reader().await?;
        let result = meta::migration(session.start()?).await;
        session.finish(result)
    }

    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        let mut session = self.writer().await?;
        session.open = true;
        let begun = session.start()?.execute(BEGIN).await;
        session.finish(begun)?;
        Ok(Tx {
            session,
            written: false,
            made: Vec::new(),
        })
    }

    pub(super) async fn writer(&self) -> Result<Session<sqlx::Postgres>, StoreError> {
        self.reader().await
    }

    pub(super) async fn reader(&self) -> Result<Session<sqlx::Postgres>, StoreError> {
        Ok(Session::new(self.pool.acquire().await?, true))
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Tx {
    pub(super) async fn commit(mut self) -> Result<(), CommitError> {
        // A transaction in which a statement failed must not get here: Postgres would answer its COMMIT
        // with a silent rollback.
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

async fn migrate(conn: &mut PgConnection, epoch: &Epoch) -> Result<(), StoreError> {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    // What `run` calls; that one's future cannot be sent to another thread.
    MIGRATIONS
        .run_direct(None, &mut *conn, false)
        .await
        .map_err(|error| migrate_error(error, newest.unwrap_or(0)))?;
    meta::epoch_insert(conn, epoch).await
}
