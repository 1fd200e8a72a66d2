//! Postgres: for production, and the place where several instances meet.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use super::StoreError;
use super::connection::{DbConnection, Pooled};
use super::error::migrate_error;
use super::migrations;
use super::writes::Writes;

/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection must have been idle before it is tried out first: under load this costs nothing.
pub(super) const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Begins a transaction. If this process is paused or cut off in the middle of one, the server ends it
/// after a while: the channels it has locked are free again for other instances.
///
/// The statements of a commit are planned once per connection and not for each commit, which costs Postgres as much as
/// carrying them out. Such a plan may be as old as an empty table, for which reading all of it is best: so it must not.
pub(super) const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '5s'; \
     SET LOCAL idle_in_transaction_session_timeout = '10s'; \
     SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off";

/// The same for a connection that only commits, and for as long as it lives.
const COMMITS: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s'; \
     SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off";

/// A Postgres database.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
    pub(super) writes: Writes,
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

    /// On a connection of its own: a migrator that fails keeps its lock until the connection is closed.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let mut conn = self.pool.connect_options().connect().await?;
        // What `run` calls; that one's future cannot be sent to another thread.
        let migrated = migrations::POSTGRES
            .run_direct(None, &mut conn, false)
            .await;
        let migrated = migrated
            .map_err(|error| migrate_error(error, migrations::newest(&migrations::POSTGRES)));
        let closed = conn.close().await;
        migrated.and(closed.map_err(StoreError::from))
    }

    pub(super) async fn acquire(&self) -> Result<DbConnection, StoreError> {
        let conn = self.pool.acquire().await?;
        Ok(DbConnection::new(Pooled::Postgres(conn)))
    }

    /// Opens a connection that is not the pool's, for commits.
    pub(super) async fn connect(&self) -> Result<DbConnection, StoreError> {
        let options = self.pool.connect_options();
        if self.pool.is_closed() {
            return Err(sqlx::Error::PoolClosed.into());
        }
        let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
        let conn = connected.map_err(|late| StoreError::Unavailable(late.into()))??;
        let mut conn = DbConnection::new(Pooled::PostgresCommits(conn));
        conn.run(COMMITS).await?;
        Ok(conn)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
