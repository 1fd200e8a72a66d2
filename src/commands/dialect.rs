//! Dialect files from the command line: what they say, and whether they serve a frontend.

use std::io::{self, Write as _};
use std::path::Path;

use super::CommandError;
use crate::cli::DialectCommand;
use crate::compatibility::{Facts, try_dialect};

/// Does something with a dialect file. No server needs to run.
pub(super) fn run(command: &DialectCommand) -> Result<(), CommandError> {
    match command {
        DialectCommand::Check { file } => check(file),
        DialectCommand::Try { file, facts, json } => try_file(file, facts, *json),
    }
}

fn check(_file: &Path) -> Result<(), CommandError> {
    Ok(())
}

fn try_file(file: &Path, facts: &Path, json: bool) -> Result<(), CommandError> {
    let facts = Facts::read(facts)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(try_dialect(file, &facts))?;
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{report}")?;
    }
    if report.sums.is_complete() {
        return Ok(());
    }
    Err(CommandError::Refused(format!(
        "the dialect does not serve all of it: {}",
        report.sums
    )))
}
