//! The `boardcast` program: reads the command line and leaves the rest to the library.

use std::process::ExitCode;

use boardcast::cli::{Cli, Command};
use boardcast::run;
use boardcast::telemetry::causes;

/// Also `SQLite`'s, because the C library's functions are replaced.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    match run(&cli.command.unwrap_or(Command::Serve), &cli.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boardcast: {}", causes(&error));
            ExitCode::FAILURE
        }
    }
}
