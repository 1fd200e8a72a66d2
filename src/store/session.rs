//! A pooled connection that knows whether it can be trusted.
//!
//! Any call may be dropped half-way (the writer puts a timeout around each), and drivers keep books on
//! transactions that go wrong when the database ends one by itself. So transactions are begun and ended
//! in plain SQL, and a connection that was left in the middle of something is cleaned or closed, never
//! handed on as it is.

use sqlx::Database;
use sqlx::pool::PoolConnection;

use super::StoreError;

/// A connection taken from a pool for one read or one transaction.
pub(super) struct Session<DB: Database> {
    conn: PoolConnection<DB>,
    /// False while a statement runs and after one that failed or was cancelled.
    sound: bool,
    /// Whether a transaction is open.
    pub(super) open: bool,
    /// Whether a connection that is unsound or has an open transaction is closed when it is dropped;
    /// otherwise the pool itself cleans it when it comes back.
    close: bool,
}

impl<DB: Database> Session<DB> {
    pub(super) fn new(conn: PoolConnection<DB>, close: bool) -> Self {
        Self {
            conn,
            sound: true,
            open: false,
            close,
        }
    }

    /// Gives the connection out for one step; [`Session::finish`] must see how it ended.
    pub(super) fn start(&mut self) -> Result<&mut DB::Connection, StoreError> {
        if !self.sound {
            return Err(StoreError::Failed(
                "an earlier statement of this transaction failed or was cancelled".into(),
            ));
        }
        self.sound = false;
        Ok(&mut self.conn)
    }

    /// Takes the connection back after a step.
    pub(super) fn finish<T, E>(&mut self, result: Result<T, E>) -> Result<T, E> {
        self.sound = result.is_ok();
        result
    }
}

impl<DB: Database> Drop for Session<DB> {
    fn drop(&mut self) {
        if self.close && (self.open || !self.sound) {
            self.conn.close_on_drop();
        }
    }
}

impl<DB: Database> std::fmt::Debug for Session<DB> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("sound", &self.sound)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
