//! The command line.

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
