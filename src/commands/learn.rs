//! `boardcast learn`: shows what a server has learned, and proposes a dialect. What is asked for goes to standard output,
//! explanations to standard error.

mod source;
mod table;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use super::CommandError;
use crate::cli::LearnArgs;
use crate::config::Config;
use crate::learn::{Learned, Listens, propose};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the longest answer, and of the longest file of what was learned.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Runs the command.
pub(super) fn run(args: &LearnArgs, config: &Config) -> Result<(), CommandError> {
    let text = match &args.from {
        Some(file) => read(file)?,
        None => ask(args, config)?,
    };
    if args.json && !args.propose {
        return print(text.trim_end());
    }
    let learned: Learned = serde_json::from_str(&text).map_err(|error| {
        CommandError::Refused(format!(
            "this is not what `/admin/learned` answers: {error}"
        ))
    })?;
    if !args.propose {
        return print(table::of(&learned).trim_end());
    }
    let listens = listens(&args.listens)?;
    if learned.events.is_empty()
        && listens
            .as_ref()
            .is_none_or(|listens| listens.events.is_empty())
    {
        let message = "nothing was learned yet: start the server with --learn, use the frontend for a while, and ask again";
        return Err(CommandError::Refused(message.to_owned()));
    }
    print(propose(&learned, listens.as_ref()).trim_end())
}

fn print(text: &str) -> Result<(), CommandError> {
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// What pages listen to, as the files and folders say; `None` if there are none.
fn listens(paths: &[std::path::PathBuf]) -> Result<Option<Listens>, CommandError> {
    if paths.is_empty() {
        return Ok(None);
    }
    let mut all = Listens::default();
    for path in paths {
        let refused = |why: String| CommandError::Refused(format!("{} {why}", path.display()));
        if path.is_dir() {
            let scanned = source::scan_folder(path)?;
            let mut explanation = io::stderr().lock();
            writeln!(explanation, "{}: {scanned}", path.display())?;
            all.extend(scanned.listens);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            all.extend(Listens::from_facts(&read(path)?).map_err(refused)?);
        } else {
            all.extend(crate::learn::scan(&read(path)?));
        }
    }
    Ok(Some(all))
}

fn read(path: &Path) -> Result<String, CommandError> {
    let refused =
        |why: String| CommandError::Refused(format!("cannot read {}: {why}", path.display()));
    let bytes = fs::metadata(path)
        .map_err(|error| refused(error.to_string()))?
        .len();
    if bytes > MAX_BYTES {
        return Err(refused(format!("it is larger than {MAX_BYTES} bytes")));
    }
    fs::read_to_string(path).map_err(|error| refused(error.to_string()))
}

/// What the server answers.
fn ask(args: &LearnArgs, config: &Config) -> Result<String, CommandError> {
    let token = args.token.as_ref().or(config.admin_token.as_ref());
    let Some(token) = token else {
        let message = "the server tells this to operators alone: give its token with --token or as ADMIN_TOKEN";
        return Err(CommandError::Refused(message.to_owned()));
    };
    let url = format!("{}/admin/learned", args.url.trim_end_matches('/'));
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("boardcast/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let refused = |why: String| CommandError::Refused(format!("{url} cannot be asked: {why}"));
    let request = agent
        .get(&url)
        .header("Authorization", format!("Bearer {}", token.reveal()));
    let answer = request.call().map_err(|error| refused(error.to_string()))?;
    let status = answer.status();
    let body = answer
        .into_body()
        .with_config()
        .limit(MAX_BYTES)
        .read_to_string();
    let body = body.map_err(|error| refused(error.to_string()))?;
    if status.is_success() {
        return Ok(body);
    }
    let said: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let why = said["error"].as_str().unwrap_or("without a reason");
    Err(refused(format!("{status}: {why}")))
}
