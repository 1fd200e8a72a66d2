//! What can go wrong with a database, sorted by what the caller can do about it.
//!
//! `Display` says nothing that comes from the database; its own words are in the source, for the log.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// What a database or a driver said.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or is overloaded: the same again may work later.
    #[error("the database is unavailable")]
    Unavailable(#[source] Source),
    /// The database refused the data: the same again will be refused again.
    #[error("the database refused the data")]
    Refused(#[source] Source),
    /// The transaction collided with another one: the same again at once will probably work.
    #[error("the transaction collided with another one")]
    Retry(#[source] Source),
    /// Anything else: a bug, a damaged database, a missing permission.
    #[error("the database failed")]
    Failed(#[source] Source),
    /// A row that this program cannot have written.
    #[error("a row of {table} breaks an invariant in {column}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The database has been migrated by a newer version of this program.
    #[error(
        "the database has migration {version}, which this version of boardcast does not know: \
         start the version that made it, or a newer one, or restore the backup made before the upgrade"
    )]
    NewerDatabase {
        /// The first migration that is not known.
        version: i64,
    },
    /// The database has not been migrated by this version yet, and a server of an older one may be running on it.
    #[error(
        "the database has migration {version} only, and this version of boardcast has newer ones: \
         start the server of this version, or run `boardcast migrate`, and try again"
    )]
    OlderDatabase {
        /// The newest migration that was applied.
        version: i64,
    },
    /// A database in memory belongs to one process alone.
    #[error(
        "sqlite::memory: is a database of the server's own: name a file or a postgres:// URL in DATABASE_URL"
    )]
    InMemory,
    /// A migration that was applied is not the one that this program has under the same number.
    #[error(
        "migration {version} of the database is another one than boardcast's: \
         it does not belong to boardcast, or to an unreleased version of it"
    )]
    ForeignMigration {
        /// The migration.
        version: i64,
    },
    /// The database could not be migrated.
    #[error("the database cannot be migrated")]
    Migrate(#[source] Source),
    /// Another process has this SQLite file open.
    #[error(
        "{} is in use by another process: stop it, or use postgres for more than one instance",
        path.display()
    )]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The database could not be opened when the program started.
    #[error("the database {database} cannot be opened")]
    Open {
        /// The database, without its password.
        database: String,
        /// What went wrong.
        #[source]
        source: Source,
    },
}

impl StoreError {
    /// Whether the same may work later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether the data itself was refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What the driver said.
    fn driver(&self) -> Option<&Source> {
        match self {
            Self::Unavailable(source)
            | Self::Refused(source)
            | Self::Retry(source)
            | Self::Failed(source) => Some(source),
            _ => None,
        }
    }

    /// The error with which the database itself answered.
    pub(super) fn database(&self) -> Option<&(dyn DatabaseError + 'static)> {
        let error = self.driver()?.downcast_ref::<sqlx::Error>()?;
        error.as_database_error()
    }

    /// What is wrong with the database, in words that are not its own.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        const SILENT: &str = "the database cannot be reached";
        if self.driver().is_none() {
            return "the database is not as it should be";
        }
        let Some(database) = self.database() else {
            return SILENT;
        };
        if database.try_downcast_ref::<SqliteError>().is_some() {
            let code = database.code().and_then(|code| code.parse::<i32>().ok());
            return match code.map(|code| code & 0xff) {
                Some(5 | 6) => "the database is locked",
                Some(8) => "the database is read-only",
                Some(10) => "the disk fails, or takes nothing more",
                Some(11 | 26) => "the database is damaged",
                Some(13) => "the disk is full",
                _ => "the database fails",
            };
        }
        match database.code().as_deref() {
            Some("25006") => "the database is read-only",
            Some("55P03" | "57014") => "the database is locked",
            Some("53100") => "the disk is full",
            Some(code) if code.starts_with("XX00") => "the database is damaged",
            Some(code) if code.starts_with("42") => "the database is not as it should be",
            Some(code) if code.starts_with("57P") => SILENT,
            _ => "the database fails",
        }
    }

    /// Whether the same transaction should be tried again at once.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Retry(_))
    }
}

/// A failure that several have to bear.
impl From<Arc<StoreError>> for StoreError {
    fn from(shared: Arc<StoreError>) -> Self {
        if shared.is_unavailable() {
            Self::Unavailable(shared.into())
        } else {
            Self::Failed(shared.into())
        }
    }
}

/// Why a commit did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing of the transaction is in the database.
    #[error("the transaction was not committed")]
    NotCommitted(#[source] StoreError),
    /// The connection broke at the wrong moment: the transaction may be in the database, or not.
    #[error("nobody knows whether the transaction was committed")]
    Unknown(#[source] StoreError),
}

impl CommitError {
    /// Sorts the failure of a `COMMIT` that was sent.
    pub(super) fn after_commit(error: sqlx::Error) -> Self {
        let rolled_back = is_sqlite_busy_or_full(&error);
        match StoreError::from(error) {
            refused @ (StoreError::Refused(_) | StoreError::Retry(_)) => {
                Self::NotCommitted(refused)
            }
            other if rolled_back => Self::NotCommitted(other),
            other => Self::Unknown(other),
        }
    }

    /// What went wrong.
    #[must_use]
    pub fn into_inner(self) -> StoreError {
        match self {
            Self::NotCommitted(error) | Self::Unknown(error) => error,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let class = match &error {
            sqlx::Error::Database(database) => {
                if let Some(postgres) = database.try_downcast_ref::<PgDatabaseError>() {
                    postgres_class(postgres.code())
                } else if database.try_downcast_ref::<SqliteError>().is_some() {
                    sqlite_class(database.code().and_then(|code| code.parse().ok()))
                } else {
                    Self::Failed
                }
            }
            // A protocol error is what a server that died in the middle of an answer looks like.
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable,
            sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => Self::Refused,
            _ => Self::Failed,
        };
        class(error.into())
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn postgres_class(code: &str) -> fn(Source) -> StoreError {
    match (code, code.get(..2).unwrap_or_default()) {
        ("40001" | "40P01", _) => StoreError::Retry,
        // Besides connections, resources, shutdown and I/O: a login that no longer works, a server that
        // became a standby, a lock or a statement that took too long, a transaction that idled too long.
        (_, "08" | "28" | "53" | "57" | "58") | ("25006" | "25P03" | "55P03" | "40003", _) => {
            StoreError::Unavailable
        }
        (_, "21" | "22" | "23" | "44" | "54" | "P0") => StoreError::Refused,
        _ => StoreError::Failed,
    }
}

/// <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
fn sqlite_class(code: Option<i32>) -> fn(Source) -> StoreError {
    match code.map(|code| code & 0xff) {
        // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
        Some(5..=10 | 13..=15) => StoreError::Unavailable,
        // TOOBIG, CONSTRAINT (RAISE in a trigger is one as well), MISMATCH
        Some(18..=20) => StoreError::Refused,
        _ => StoreError::Failed,
    }
}

/// The failures of a commit on SQLite after which the log holds none of it for sure.
fn is_sqlite_busy_or_full(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        error.try_downcast_ref::<SqliteError>().is_some()
            && matches!(error.code().as_deref(), Some("5" | "13"))
    })
}

/// Sorts what a migrator says; `newest` is the newest migration that this program knows.
pub(super) fn migrate_error(error: MigrateError, newest: i64) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) if version > newest => {
            StoreError::NewerDatabase { version }
        }
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            StoreError::ForeignMigration { version }
        }
        MigrateError::Execute(error) => match StoreError::from(error) {
            StoreError::Failed(source) => StoreError::Migrate(source),
            sorted => sorted,
        },
        other => StoreError::Migrate(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_by_what_the_caller_can_do() {
        let postgres = |code| postgres_class(code)("".into());
        for code in [
            "08006", "57P01", "57P03", "53300", "25006", "55P03", "28P01",
        ] {
            assert!(postgres(code).is_unavailable(), "{code}");
        }
        for code in ["23505", "22P05", "P0001", "44000", "54000"] {
            assert!(postgres(code).is_refused(), "{code}");
        }
        for code in ["40001", "40P01"] {
            assert!(postgres(code).is_retry(), "{code}");
        }
        assert!(matches!(postgres("42P01"), StoreError::Failed(_)));

        let sqlite = |code| sqlite_class(Some(code))("".into());
        for code in [5, 13, 10, 778, 517] {
            assert!(sqlite(code).is_unavailable(), "{code}");
        }
        for code in [18, 19, 20, 1811, 2067] {
            assert!(sqlite(code).is_refused(), "{code}");
        }
        assert!(matches!(sqlite(11), StoreError::Failed(_)));
    }
}
