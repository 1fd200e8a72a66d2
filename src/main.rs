//! The `boardcast` program: reads the command line and leaves the rest to the library.

use std::error::Error;
use std::process::ExitCode;

use boardcast::cli::{Cli, Command};
use boardcast::run;

fn main() -> ExitCode {
    let cli = Cli::read();
    match run(&cli.command.unwrap_or(Command::Serve), &cli.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boardcast: {}", with_sources(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and what led to it, for the person at the terminal.
fn with_sources(error: &dyn Error) -> String {
    let sources = std::iter::successors(error.source(), |&source| source.source());
    sources.fold(error.to_string(), |text, source| {
        format!("{text}: {source}")
    })
}
