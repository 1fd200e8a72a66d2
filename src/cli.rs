//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::auth::api_key::{KeyName, Scope};
use crate::config::{Config, Secret, lifetime};

/// A Socket.IO-compatible project collaboration server: durable, ordered, live.
///
/// Settings are flags or environment variables; a flag wins. An empty variable counts as one that is not set.
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
#[derive(Debug, Clone, Subcommand)]
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
    /// Show what a running server has learned of what clients send, or propose a dialect file.
    Learn(LearnArgs),
    /// Check a dialect file, and try whether it serves a frontend.
    #[command(subcommand)]
    Dialect(DialectCommand),
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

/// What can be done with dialect files.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DialectCommand {
    /// Say what a dialect file says, or what is wrong with it.
    Check {
        /// The file, or the name of a dialect that comes with the program.
        #[arg(value_name = "FILE")]
        file: String,
    },
    /// Play what a frontend sends against a server in this process, and print what is understood and what it hears of what
    /// it listens for. Ends with 1 if something is missing.
    Try {
        /// The dialect's file, or the name of one that comes with the program.
        #[arg(value_name = "FILE")]
        file: String,
        /// What the frontend sends and listens for, as JSON; `dialects/README.md` describes the format.
        #[arg(value_name = "FACTS")]
        facts: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
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

/// What is to be shown of what a server has learned.
#[derive(Debug, Clone, Args)]
pub struct LearnArgs {
    /// Where the server is.
    #[arg(long, default_value = "http://127.0.0.1:8002", value_name = "URL")]
    pub url: String,
    /// The server's `ADMIN_TOKEN`, if it is not in the environment.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<Secret>,
    /// As JSON, as `/admin/learned` answers.
    #[arg(long)]
    pub json: bool,
    /// Propose a dialect file.
    #[arg(long)]
    pub propose: bool,
    /// What the pages listen to: a folder with their source, a file of it, or a JSON file that lists events and what is read
    /// of them. May be given several times.
    #[arg(long, requires = "propose", value_name = "FILE|FOLDER")]
    pub listens: Vec<PathBuf>,
    /// What was learned before, as `--json` prints it, in place of asking a server.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
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

/// Variables of other servers that say the same as one of ours.
const OTHER_NAMES: [(&str, &str); 2] = [("PORT", "WS_PORT"), ("CORS_ORIGINS", "FRONTEND_URL")];

impl Cli {
    /// Reads the command line, or ends the process with help or with what is wrong.
    #[must_use]
    pub fn read() -> Self {
        let matches = Self::command().mut_args(from_environment);
        let read = matches
            .try_get_matches()
            .and_then(|matches| Self::from_arg_matches(&matches));
        read.unwrap_or_else(|error| without_secrets(error).exit())
    }
}

/// Takes an argument's value from its variable, or from the one of another server, if that is not empty: Compose makes an
/// empty variable of `${NAME:-}`.
fn from_environment(arg: Arg) -> Arg {
    let Some(own) = arg.get_env() else {
        return arg;
    };
    if variable(own).is_some() {
        return arg;
    }
    let mut others = OTHER_NAMES.iter().filter(|(name, _)| own == *name);
    match others.find(|(_, other)| variable(other.as_ref()).is_some()) {
        Some((_, other)) => arg.env(other),
        // What is not there at all stays in the help.
        None if std::env::var_os(own).is_none() => arg,
        None => arg.env(None),
    }
}

/// The value of a variable that is set and not empty.
fn variable(name: &OsStr) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Warns of variables of other servers that have no effect here.
pub(crate) fn warn_of_ignored_variables() {
    for (name, other) in OTHER_NAMES {
        let (own_value, other_value) = (variable(name.as_ref()), variable(other.as_ref()));
        if own_value.is_some() && other_value.is_some() && own_value != other_value {
            tracing::warn!("{other} has no effect, because {name} is set");
        }
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
