//! API keys and tokens from the command line. What is asked for goes to standard output and nothing else does, so that
//! it can be used in scripts; explanations go to standard error.

use std::io::{self, Write as _};

use super::CommandError;
use crate::auth::api_key::{self, KeyName, Scope};
use crate::auth::issue;
use crate::cli::{ApiKeyCommand, NewApiKey, TokenArgs};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{Grants, Timestamp};
use crate::store::{ApiKey, Store};

/// The columns of the list.
const HEADINGS: [&str; 6] = [
    "NAME",
    "SCOPES",
    "CREATED",
    "EXPIRES",
    "LAST USED",
    "REVOKED",
];

/// Does something with API keys, whether a server runs on the database or not.
pub(super) fn run(command: &ApiKeyCommand, config: &Config) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = Store::open_beside(&config.database_url).await?;
        let done = match command {
            ApiKeyCommand::Create(new) => create(&store, new, config).await,
            ApiKeyCommand::List => list(&store).await,
            ApiKeyCommand::Revoke { name } => revoke(&store, name).await,
        };
        store.close().await;
        done
    })
}

async fn create(store: &Store, new: &NewApiKey, config: &Config) -> Result<(), CommandError> {
    let now = Clock.now();
    let expires_at = new.expires_in.map(|lifetime| {
        let lifetime = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(now.as_millis().saturating_add(lifetime))
    });
    let made = api_key::make(&new.name, grants(&new.scopes)?, now, expires_at);
    if !store.api_key_insert(&made.key).await? {
        return Err(CommandError::Refused(format!(
            "there is, or was, an API key named {}; names are given once, for they are authors",
            new.name
        )));
    }
    let mut explanation = io::stderr().lock();
    writeln!(
        explanation,
        "The API key {} is in {}. This is the only time that it is shown:",
        new.name, config.database_url
    )?;
    writeln!(io::stdout(), "{}", made.text)?;
    Ok(())
}

async fn list(store: &Store) -> Result<(), CommandError> {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(store.api_keys().await?.iter().map(row));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    });
    let mut out = io::stdout().lock();
    for row in rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn row(key: &ApiKey) -> [String; 6] {
    let time = |at: Option<Timestamp>, never: &str| {
        at.map_or_else(|| never.to_owned(), |at| at.to_string())
    };
    let scopes = key.scopes.iter();
    // A project's id may be anything: it must not look like another line, or move the cursor.
    let scopes = scopes.map(|(project, role)| format!("{}:{role}", project.escape_debug()));
    [
        key.name.clone(),
        scopes.collect::<Vec<_>>().join(","),
        key.created_at.to_string(),
        time(key.expires_at, "never"),
        time(key.last_used_at, "never"),
        time(key.revoked_at, "-"),
    ]
}

async fn revoke(store: &Store, name: &KeyName) -> Result<(), CommandError> {
    if store.api_key_revoke(&name.to_string(), Clock.now()).await? {
        writeln!(io::stderr(), "The API key {name} is revoked.")?;
        return Ok(());
    }
    Err(CommandError::Refused(format!(
        "there is no API key named {name}"
    )))
}

/// Prints a token for development.
pub(super) fn print_token(args: &TokenArgs, config: &Config) -> Result<(), CommandError> {
    let roles = grants(&args.projects)?;
    let token = issue::token(
        &config.auth,
        &args.user,
        &roles,
        args.expires_in,
        Clock.now(),
    )?;
    writeln!(io::stdout(), "{token}")?;
    Ok(())
}

fn grants(scopes: &[Scope]) -> Result<Grants, CommandError> {
    api_key::grants(scopes)
        .map_err(|project| CommandError::Refused(format!("the project {project} is named twice")))
}
