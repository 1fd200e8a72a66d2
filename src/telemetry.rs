//! Structured logs on standard output: short lines without secrets, no more of a kind than somebody reads, written by a
//! thread of its own.

mod clean;
mod line;
mod output;
mod pace;

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry};

use crate::config::{Config, LogFormat};
pub(crate) use clean::ShownPath;
use line::Style;
use output::Output;
use pace::Paces;

/// How long the program waits at its end for whoever reads its log.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The log of this process, once there is one.
static LOG: OnceLock<Log> = OnceLock::new();

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is none.
    #[error(
        "LOG_LEVEL must be error, warn, info, debug, trace, or directives such as info,boardcast=debug"
    )]
    Level(#[source] tracing_subscriber::filter::ParseError),
    /// Something else logs already.
    #[error("logging is set up already")]
    Twice(#[source] TryInitError),
    /// There is no thread that could write it.
    #[error("the log cannot be written")]
    Output(#[source] io::Error),
}

/// Writes the log. Cheap to clone.
#[derive(Debug, Clone)]
struct Log {
    output: Output,
    paces: &'static Paces,
    style: Style,
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(suppressed) = self.paces.take(event) {
            self.output
                .line(self.style.line(event, suppressed).as_bytes());
        }
    }
}

/// What `/health` says of the log.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "LogReport")]
pub struct Report {
    /// Lines that were left out because there were many of their kind.
    suppressed: u64,
    /// Lines that were lost because nobody read them.
    dropped: u64,
}

/// What was not logged since the start.
#[must_use]
pub fn report() -> Report {
    let report = |log: &Log| Report {
        suppressed: log.paces.suppressed(),
        dropped: log.output.dropped(),
    };
    LOG.get().map(report).unwrap_or_default()
}

/// Waits until the log is written, but for a second at most: nobody may be reading.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.output.flush(LAST_LINES);
    }
}

/// Flushes the log when it is dropped, also while a panic unwinds.
#[derive(Debug)]
#[must_use]
pub struct FlushAtEnd(());

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush();
    }
}

/// Starts logging.
///
/// # Errors
///
/// Fails when the level is none, or the process logs already.
pub fn start(config: &Config) -> Result<FlushAtEnd, TelemetryError> {
    static PACES: OnceLock<Paces> = OnceLock::new();
    let filter = EnvFilter::try_new(&config.log_level).map_err(TelemetryError::Level)?;
    let stdout = io::stdout();
    let has_colors = config.log_format == LogFormat::Text && stdout.is_terminal();
    // Not through `Stdout`, whose lock others would wait for while this one is being written to.
    let sink = stdout.as_fd().try_clone_to_owned().map(File::from);
    let output = sink
        .and_then(Output::start)
        .map_err(TelemetryError::Output)?;
    let log = Log {
        output,
        paces: PACES.get_or_init(Paces::new),
        style: Style {
            format: config.log_format,
            has_colors,
        },
    };
    let subscriber = Registry::default().with(filter).with(log.clone());
    subscriber.try_init().map_err(TelemetryError::Twice)?;
    LOG.get_or_init(|| log);
    log_panics();
    Ok(FlushAtEnd(()))
}

/// Panics are logged like all else: standard error is written by the thread that panics, which waits if nobody reads it.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            place,
            thread = std::thread::current().name(),
            backtrace = %std::backtrace::Backtrace::capture(),
            reason = panic.payload_as_str(),
            "panic"
        );
    }));
}

/// An error and what led to it, on one line.
#[must_use]
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        write!(f, "{error}")?;
        let mut sources = std::iter::successors(error.source(), |&source| source.source());
        sources.try_for_each(|source| write!(f, ": {source}"))
    })
}
