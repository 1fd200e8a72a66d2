//! The one connection that writes. It is handed from caller to caller as it is: a pool would clean it each time, which
//! costs a hop to the connection's thread and back.

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::ACQUIRE_TIMEOUT;

/// Whose turn it is to write, in the order in which they asked. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct WriterConnection {
    options: Arc<SqliteConnectOptions>,
    /// Makes what a commit in one statement needs, on a connection that is new.
    setup: &'static str,
    slot: Arc<Mutex<Slot>>,
}

#[derive(Debug)]
struct Slot {
    /// Nothing once it is closed.
    conn: Option<SqliteConnection>,
    /// Whether nobody left in the middle of something.
    is_clean: bool,
}

/// The connection, for as long as it is this caller's turn.
#[derive(Debug)]
pub(in crate::store) struct WriterGuard(OwnedMutexGuard<Slot>);

impl WriterConnection {
    pub(super) async fn open(
        options: SqliteConnectOptions,
        setup: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let slot = Slot {
            conn: Some(connect(&options, setup).await?),
            is_clean: true,
        };
        Ok(Self {
            options: Arc::new(options),
            setup,
            slot: Arc::new(Mutex::new(slot)),
        })
    }

    pub(super) fn filename(&self) -> &Path {
        self.options.get_filename()
    }

    /// Waits for its turn.
    pub(super) async fn acquire(&self) -> Result<WriterGuard, sqlx::Error> {
        let slot = Arc::clone(&self.slot).lock_owned();
        let mut slot = tokio::time::timeout(ACQUIRE_TIMEOUT, slot)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?;
        let Slot { conn, is_clean } = &mut *slot;
        let Some(conn) = conn else {
            return Err(sqlx::Error::PoolClosed);
        };
        if !*is_clean {
            // Often there is nothing to end: a dropped read leaves nothing open.
            let ended = sqlx::query("ROLLBACK").execute(&mut *conn).await;
            if matches!(ended, Err(sqlx::Error::WorkerCrashed)) {
                *conn = connect(&self.options, self.setup).await?;
            }
            *is_clean = true;
        }
        Ok(WriterGuard(slot))
    }

    /// Waits for whoever writes, and closes the connection.
    pub(super) async fn close(&self) {
        if let Some(conn) = self.slot.lock().await.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::debug!(%error, "the writing connection did not close");
        }
    }
}

impl WriterGuard {
    pub(in crate::store) fn conn(&mut self) -> &mut SqliteConnection {
        let conn = self.0.conn.as_mut();
        conn.expect("it is closed by nobody else while this guard holds the lock")
    }

    /// Notes that the connection was left in the middle of something; the next caller cleans it.
    pub(in crate::store) fn leave_unclean(&mut self) {
        self.0.is_clean = false;
    }
}

async fn connect(
    options: &SqliteConnectOptions,
    setup: &'static str,
) -> Result<SqliteConnection, sqlx::Error> {
    let mut conn = options.connect().await?;
    conn.execute(setup).await?;
    Ok(conn)
}
