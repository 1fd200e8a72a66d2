//! A server in this process, with a database in memory, and the way by which a backend reaches it.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::auth::issue;
use crate::clock::Clock;
use crate::config::Config;
use crate::dialect_files::{self, LoadError};
use crate::server::serve;
use crate::state::{AppState, StartError};

/// How long tokens count: longer than any play.
const TOKEN_TIME: Duration = Duration::from_hours(1);
/// How long somebody who is gone counts as present. Short, because a play waits for it.
const PRESENCE_GRACE: &str = "100ms";

/// Why the server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The settings are wrong, such as the name of a style.
    #[error("{0}")]
    Config(String),
    /// The dialect cannot be loaded.
    #[error(transparent)]
    Dialect(#[from] LoadError),
    /// The server does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The operating system gives no port.
    #[error("the server for the play cannot listen")]
    Listen(#[from] io::Error),
}

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    config: Config,
    default_room: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinSet<io::Result<()>>,
}

/// The settings alone, as flags.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

impl Server {
    /// Starts a server that speaks a dialect.
    pub(super) async fn start(
        dialect: &str,
        event_style: Option<&str>,
        verifies_tokens: bool,
    ) -> Result<Self, ServerError> {
        let config = config(dialect, event_style, verifies_tokens)?;
        let default_room = dialect_files::load(dialect, &config.custom_events)?.default_room;
        let app = AppState::start(config.clone()).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let mut running = JoinSet::new();
        running.spawn(serve(app, listener, async {
            // A play that is given up stops the server as well.
            drop(stopped.await);
        }));
        Ok(Self {
            address,
            config,
            default_room: default_room.map(|room| room.0.as_str().to_owned()),
            stop: Some(stop),
            running,
        })
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The project that the dialect means where a message names none.
    pub(super) fn default_room(&self) -> Option<&str> {
        self.default_room.as_deref()
    }

    /// A token of a user; `None` if no tokens are verified.
    pub(super) fn token(&self, user: &str) -> Option<String> {
        let mut claims = Map::new();
        for (claim, value) in [
            ("id", user),
            ("userId", user),
            ("name", name_of(user)),
            ("email", "someone@example.org"),
            ("picture", "https://example.org/picture.png"),
        ] {
            claims.insert(claim.to_owned(), Value::from(value));
        }
        let made =
            issue::token_with_claims(&self.config.auth, user, claims, TOKEN_TIME, Clock.now());
        made.ok()
    }

    /// Ends it, as a signal would.
    pub(super) async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            stop.send(()).ok();
        }
        while self.running.join_next().await.is_some() {}
    }
}

/// What a user is called.
pub(super) fn name_of(user: &str) -> &'static str {
    if user.starts_with("ub-") {
        "Bob"
    } else {
        "Ann"
    }
}

/// Settings that depend on nothing but what is said here: neither on variables nor on the command line.
fn config(
    dialect: &str,
    event_style: Option<&str>,
    verifies_tokens: bool,
) -> Result<Config, ServerError> {
    let mut flags = vec![
        "--database-url=sqlite::memory:".to_owned(),
        format!("--presence-grace={PRESENCE_GRACE}"),
        "--shutdown-timeout=2s".to_owned(),
        format!("--dialect={dialect}"),
    ];
    if let Some(style) = event_style {
        flags.push(format!("--event-style={style}"));
    }
    if verifies_tokens {
        let mut secret = String::new();
        for _ in 0..2 {
            // A text takes what is written to it.
            let _written = write!(secret, "{}", Uuid::new_v4().simple());
        }
        flags.push(format!("--auth-secret={secret}"));
    }
    let failed = |error: clap::Error| ServerError::Config(error.to_string());
    let command = Flags::command().mut_args(|arg| arg.env(None::<&str>));
    let matches = command.try_get_matches_from(flags).map_err(failed)?;
    let config = Flags::from_arg_matches(&matches).map_err(failed)?.config;
    config.validate().map_err(ServerError::Config)?;
    Ok(config)
}
