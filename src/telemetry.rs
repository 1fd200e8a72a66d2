//! Structured logs on standard output.

use std::error::Error;
use std::fmt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use crate::config::{Config, LogFormat};

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
}

/// Starts logging.
///
/// # Errors
///
/// Fails when the level is none.
pub fn start(config: &Config) -> Result<(), TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = EnvFilter::try_new(&config.log_level).map_err(TelemetryError::Level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    match config.log_format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stdout()))
            .finish()
            .try_init(),
    }
    .map_err(TelemetryError::Twice)
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
