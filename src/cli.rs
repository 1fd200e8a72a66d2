//! The command line.

use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand};

use crate::auth::api_key::{KeyName, Scope};
use crate::config::{Config, lifetime};

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
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve (the default).
    Serve,
    /// Bring the database up to date and end.
    Migrate,
    /// Ask the server on this machine for its health; ends with 0 if it answers.
    Healthcheck,
    /// Make, list and revoke API keys, with which programs connect. Works while the server runs.
    #[command(subcommand, name = "apikey")]
    ApiKey(ApiKeyCommand),
    /// Make a token for development, signed with `AUTH_SECRET`, and print it.
    Token(TokenArgs),
}

/// What can be done with API keys.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key and print it, this once.
    Create(NewApiKey),
    /// List all keys, without their secrets.
    List,
    /// Make a key worthless.
    Revoke {
        /// The key's name.
        #[arg(long, value_name = "NAME")]
        name: KeyName,
    },
}

/// An API key to be made.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct NewApiKey {
    /// Its name: lower-case letters, digits and hyphens. No two keys ever have the same.
    #[arg(long, value_name = "NAME")]
    pub name: KeyName,
    /// A role in a project, such as `demo:member`, or in all, such as `*:viewer`. May be given several times.
    #[arg(long = "scope", required = true, value_name = "PROJECT:ROLE")]
    pub scopes: Vec<Scope>,
    /// How long it counts, such as 90d; without it for ever.
    #[arg(long, value_parser = lifetime, value_name = "DURATION")]
    pub expires_in: Option<Duration>,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TokenArgs {
    /// The user's id.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// A role in a project, such as `demo:admin`. May be given several times. Needs `AUTH_PROJECTS_CLAIM`.
    #[arg(long = "project", value_name = "PROJECT:ROLE")]
    pub projects: Vec<Scope>,
    /// How long it counts.
    #[arg(long, default_value = "1h", value_parser = lifetime, value_name = "DURATION")]
    pub expires_in: Duration,
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
