//! What each command of the program does.

mod api_keys;
mod dialect;
mod learn;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::auth::issue::IssueError;
use crate::cli::{self, Command};
use crate::compatibility::{FactsError, PlayError};
use crate::config::Config;
use crate::dialect_files::LoadError;
use crate::limits::descriptors;
use crate::server::serve;
use crate::state::{AppState, StartError};
use crate::store::{Store, StoreError};
use crate::telemetry::TelemetryError;
use crate::{healthcheck, telemetry};

/// Exit code after a second signal: 128 + SIGINT, as shells report it.
const INTERRUPTED: i32 = 130;

/// SIGXFSZ, on Linux and macOS.
const FILE_TOO_LARGE: i32 = 25;

/// Connections that may wait to be accepted. The operating system may allow fewer. Those for which there is no place try
/// again a second later, and all clients come back at once after a restart.
const BACKLOG: u32 = 4096;

/// Why the program ended before its time. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Settings that do not go together.
    #[error("{0}")]
    Config(String),
    /// Logging cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; choose another with HOST and PORT")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The server does not answer.
    #[error("not healthy")]
    Unhealthy(#[source] io::Error),
    /// What was asked for cannot be done.
    #[error("{0}")]
    Refused(String),
    /// A file of facts cannot be played.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// A dialect cannot be loaded.
    #[error(transparent)]
    Dialect(#[from] LoadError),
    /// A dialect cannot be tried.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// No token can be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The operating system refuses something else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs a command to its end.
///
/// # Errors
///
/// See [`CommandError`].
pub fn run(command: &Command, config: &Config) -> Result<(), CommandError> {
    config.validate().map_err(CommandError::Config)?;
    match command {
        Command::Serve => with_logs(config, serve_forever(config.clone())),
        Command::Migrate => with_logs(config, migrate(config)),
        Command::Healthcheck => healthcheck::run(config).map_err(CommandError::Unhealthy),
        Command::ApiKey(command) => api_keys::run(command, config),
        Command::Learn(args) => learn::run(args, config),
        Command::Dialect(command) => dialect::run(command),
        Command::Token(token) => api_keys::print_token(token, config),
    }
}

/// Runs something that logs on standard output.
fn with_logs(
    config: &Config,
    run: impl Future<Output = Result<(), CommandError>>,
) -> Result<(), CommandError> {
    let _flush = telemetry::start(config)?;
    descriptors::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run)
}

async fn migrate(config: &Config) -> Result<(), CommandError> {
    let store = Store::open(&config.database_url, config.database_connections).await?;
    store.migrate().await?;
    store.close().await;
    tracing::info!(store = store.name(), "the database is up to date");
    Ok(())
}

async fn serve_forever(config: Config) -> Result<(), CommandError> {
    let shutdown = signals()?;
    cli::warn_of_ignored_variables();
    config.warn_of_idle_settings();
    let address = SocketAddr::new(config.host, config.port);
    let app = AppState::start(config).await?;
    let listener = listen(address).map_err(|source| CommandError::Listen { address, source })?;
    serve(app, listener, shutdown).await?;
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Resolves at the first SIGTERM or SIGINT. The second ends the process at once.
fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A file that may not grow is an error of whoever writes to it, such as the database, and not the end of the process.
    let _taken_for_good = signal(SignalKind::from_raw(FILE_TOO_LARGE))?;
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        #[expect(
            clippy::disallowed_methods,
            reason = "must outlive everything that shutdown waits for"
        )]
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            tracing::warn!("second signal; ending at once");
            telemetry::flush();
            std::process::exit(INTERRUPTED);
        });
    })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
