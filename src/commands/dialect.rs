//! Dialect files from the command line: what they say, and whether they serve a frontend.

use std::io::{self, Write as _};
use std::path::Path;

use super::CommandError;
use crate::cli::DialectCommand;
use crate::compatibility::{Facts, try_dialect};
use crate::contract::dialect::{CustomEvents, Dialect};
use crate::dialect_files;

/// Does something with a dialect file. No server needs to run.
pub(super) fn run(command: &DialectCommand) -> Result<(), CommandError> {
    match command {
        DialectCommand::Check { file } => check(file),
        DialectCommand::Try { file, facts, json } => try_file(file, facts, *json),
    }
}

fn check(file: &str) -> Result<(), CommandError> {
    let dialect = dialect_files::load(file, &CustomEvents::default())?;
    let mut out = io::stdout().lock();
    for line in summary(&dialect) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What a dialect says, in a few lines.
fn summary(dialect: &Dialect) -> Vec<String> {
    let mut lines = vec![match dialect.about.as_str() {
        "" => dialect.name.clone(),
        about => format!("{}: {about}", dialect.name),
    }];
    let matching = &dialect.matching;
    let places = [
        ("in the namespaces", &matching.namespaces),
        ("at the paths", &matching.paths),
        ("from the origins", &matching.origins),
    ];
    let places = places.into_iter().filter(|(_, list)| !list.is_empty());
    let places: Vec<_> = places
        .map(|(what, list)| format!("{what} {}", list.join(", ")))
        .collect();
    lines.push(match places.as_slice() {
        [] => "spoken by all connections for which no other dialect is meant".to_owned(),
        places => format!("spoken {}", places.join("; ")),
    });
    if let Some(room) = &dialect.default_room {
        let joins = if dialect.rooms.joins_default {
            ", in which every client is"
        } else {
            ""
        };
        let only = if dialect.rooms.has_only_default {
            ", whatever project a message names"
        } else {
            ""
        };
        lines.push(format!("default project {}{joins}{only}", room.0.as_str()));
    }
    if dialect.rooms.hears_projects {
        lines.push("every client hears of the projects that it can see".to_owned());
    }
    let kinds: Vec<_> = dialect.kinds().map(|kind| kind.to_string()).collect();
    if !kinds.is_empty() {
        lines.push(format!("kinds {}", kinds.join(", ")));
    }
    let (on, tell) = dialect.rules();
    lines.push(format!(
        "{on} rules for what clients send (those of default.toml included), {tell} for what they hear, {} greetings",
        dialect.greetings.len()
    ));
    lines
}

fn try_file(file: &str, facts: &Path, json: bool) -> Result<(), CommandError> {
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
