//! The command line.

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};

use crate::config::Config;

/// A Socket.IO-compatible project collaboration server: durable, ordered, live.
///
/// Settings are flags or environment variables; a flag wins.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The settings.
    #[command(flatten)]
    pub config: Config,
}

/// What the program can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve (the default).
    Serve,
    /// Bring the database up to date and end.
    Migrate,
    /// Ask the server on this machine for its health; ends with 0 if it answers.
    Healthcheck,
}

impl Cli {
    /// Reads the command line, or ends the process with help or with what is wrong.
    #[must_use]
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| without_secrets(error).exit())
    }
}

/// A setting that may hold a password is not shown when it is wrong.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let secret = |argument: String| {
        let secrets = [
            "--database-url",
            "--redis-url",
            "--admin-token",
            "--auth-secret",
        ];
        secrets.iter().any(|name| argument.contains(name))
    };
    if argument.is_some_and(secret) {
        let hidden = ContextValue::String("(not shown)".to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    error
}
