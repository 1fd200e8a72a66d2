//! Which database: read from one URL, checked before anything is opened.
//!
//! A password in it is never shown, whatever prints the URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

const DEFAULT_FILE: &str = "boardcast.db";

/// Names the database: `sqlite:<file>`, `sqlite::memory:` or `postgres://user:password@host/database`.
#[derive(Clone)]
pub struct DatabaseUrl(Target);

/// What a [`DatabaseUrl`] stands for.
#[derive(Clone)]
pub(super) enum Target {
    /// An SQLite database that lives as long as the process.
    Memory,
    /// An SQLite database in this file.
    File(PathBuf),
    /// A Postgres server.
    Server {
        /// The URL without password and parameters.
        shown: String,
        /// How to connect.
        options: Box<PgConnectOptions>,
    },
}

/// Why a text is no [`DatabaseUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Another database, or no URL at all.
    #[error(
        "a database is given as sqlite:<file>, sqlite::memory:, \
         postgres://<user>:<password>@<host>/<database> or postgresql://…"
    )]
    Unknown,
    /// `sqlite:` without a file.
    #[error("sqlite: must be followed by the name of a file, or by :memory:")]
    NoFile,
    /// Parameters of SQLite that would change what the store relies on.
    #[error("a sqlite: URL takes no parameters, but has `{0}`")]
    Parameters(String),
    /// A Postgres URL that cannot be read.
    #[error("the postgres:// URL cannot be read: {0}")]
    Postgres(String),
}

impl DatabaseUrl {
    pub(super) fn target(&self) -> &Target {
        &self.0
    }

    /// Whether the database lives in this process.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        match self.0 {
            Target::Memory | Target::File(_) => true,
            Target::Server { .. } => false,
        }
    }

    /// A database in this file.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self(Target::File(path.to_owned()))
    }
}

/// `sqlite://boardcast.db`: a file in the working directory.
impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::file(Path::new(DEFAULT_FILE))
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(url: &str) -> Result<Self, DatabaseUrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(DatabaseUrlError::Unknown)?;
        match scheme {
            "sqlite" => sqlite(rest).map(Self),
            "postgres" | "postgresql" => postgres(url, rest).map(Self),
            _ => Err(DatabaseUrlError::Unknown),
        }
    }
}

fn sqlite(rest: &str) -> Result<Target, DatabaseUrlError> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    match (path, parameters) {
        (":memory:", "") | (_, "mode=memory") => Ok(Target::Memory),
        ("", _) => Err(DatabaseUrlError::NoFile),
        // Other tools need `mode=rwc` to create the file; here it says nothing new.
        (path, "" | "mode=rwc") => Ok(Target::File(path.into())),
        (_, parameters) => Err(DatabaseUrlError::Parameters(parameters.to_owned())),
    }
}

fn postgres(url: &str, rest: &str) -> Result<Target, DatabaseUrlError> {
    if !rest.starts_with("//") {
        return Err(DatabaseUrlError::Unknown);
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| DatabaseUrlError::Postgres(error.to_string()))?;
    Ok(Target::Server {
        shown: without_password(url),
        options: Box::new(options),
    })
}

/// The URL as far as it may be shown. Parameters are left away: a password may stand there too.
fn without_password(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return String::new();
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let (user, secret) = match user.split_once(':') {
                Some((user, _)) => (user, ":***"),
                None => (user, ""),
            };
            format!("{scheme}://{user}{secret}@{host}{path}")
        }
        None => format!("{scheme}://{authority}{path}"),
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Memory => f.write_str("sqlite::memory:"),
            Target::File(path) => write!(f, "sqlite://{}", path.display()),
            Target::Server { shown, .. } => f.write_str(shown),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        url.parse::<DatabaseUrl>().unwrap().to_string()
    }

    #[test]
    fn shows_everything_but_the_password() {
        for (url, expected) in [
            ("sqlite::memory:", "sqlite::memory:"),
            ("sqlite://:memory:", "sqlite::memory:"),
            ("sqlite:board.db", "sqlite://board.db"),
            (
                "sqlite:///data/board.db?mode=rwc",
                "sqlite:///data/board.db",
            ),
            (
                "postgres://u:s3cret@db:5433/board",
                "postgres://u:***@db:5433/board",
            ),
            ("postgresql://u@db/board", "postgresql://u@db/board"),
            (
                "postgres://u:s3cr%40t@db?password=s3cret",
                "postgres://u:***@db",
            ),
        ] {
            assert_eq!(shown(url), expected);
        }
        let url: DatabaseUrl = "postgres://u:s3cret@db/board".parse().unwrap();
        assert!(!format!("{url:?} {:?}", Some(&url)).contains("s3cret"));
        assert_eq!(DatabaseUrl::default().to_string(), "sqlite://boardcast.db");
    }

    #[test]
    fn says_what_is_accepted() {
        for url in [
            "",
            "board.db",
            "mysql://u:s3cret@db/board",
            "postgres:board",
        ] {
            let error = url.parse::<DatabaseUrl>().unwrap_err();
            assert_eq!(error, DatabaseUrlError::Unknown);
            assert!(error.to_string().contains("sqlite:<file>"));
        }
        assert_eq!(
            "sqlite://".parse::<DatabaseUrl>().unwrap_err(),
            DatabaseUrlError::NoFile
        );
        let error = "sqlite:board.db?mode=ro"
            .parse::<DatabaseUrl>()
            .unwrap_err();
        assert_eq!(error, DatabaseUrlError::Parameters("mode=ro".to_owned()));
        let error = "postgres://u:s3cret@db:port/board"
            .parse::<DatabaseUrl>()
            .unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
