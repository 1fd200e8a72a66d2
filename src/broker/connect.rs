//! Makes connections to Redis, again and again if need be.

use std::io::{self, ErrorKind};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};
use tokio::time::Instant;

use super::RedisUrl;

/// How long Redis may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How often the pulse is published.
pub(super) const PULSE: Duration = Duration::from_millis(250);
/// Without a pulse for so long, the broker counts as down.
pub(super) const SILENCE: Duration = Duration::from_secs(1);
/// Without a pulse for so long, a connection is given up.
pub(super) const DEAD: Duration = Duration::from_secs(4);
/// Pauses between attempts: short, because a restart is short, and because an attempt costs little.
const PAUSE: Duration = Duration::from_millis(250);

/// Makes the connections for one task. Says in the log when Redis goes and when it comes back, not in between.
#[derive(Debug)]
pub(super) struct Connector {
    client: Client,
    purpose: &'static str,
    works: Option<bool>,
    last_attempt: Option<Instant>,
}

impl Connector {
    pub(super) fn new(url: &RedisUrl, purpose: &'static str) -> Self {
        Self {
            client: url.client().clone(),
            purpose,
            works: None,
            last_attempt: None,
        }
    }

    /// Whether it is too early to try again.
    pub(super) fn must_wait(&self) -> Option<Duration> {
        let waited = self.last_attempt?.elapsed();
        PAUSE.checked_sub(waited)
    }

    /// A connection to publish on, or `None` if there is none to be had now.
    pub(super) async fn speaking(&mut self) -> Option<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        self.last_attempt = Some(Instant::now());
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let connected = timely(connecting).await;
        self.made(connected)
    }

    /// A connection to listen on, or `None` if there is none to be had now.
    pub(super) async fn listening(&mut self) -> Option<PubSub> {
        self.last_attempt = Some(Instant::now());
        let connected = timely(self.client.get_async_pubsub()).await;
        self.made(connected)
    }

    fn made<T>(&mut self, connected: RedisResult<T>) -> Option<T> {
        match connected {
            Ok(connection) => Some(connection),
            Err(error) => {
                self.lost(&error);
                None
            }
        }
    }

    /// Notes that a connection does what it is for: having made it says little.
    pub(super) fn works(&mut self) {
        if self.works.replace(true) != Some(true) {
            tracing::info!(broker.purpose = self.purpose, "connected to redis");
        }
    }

    /// Notes that there is no connection.
    pub(super) fn lost(&mut self, error: &dyn std::fmt::Display) {
        if self.works.replace(false) != Some(false) {
            tracing::warn!(broker.purpose = self.purpose, error = %error, "redis cannot be reached; trying again");
        }
    }
}

/// An answer, or an error if there is none in time.
pub(super) async fn timely<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(PATIENCE, answer)
        .await
        .map_err(|_| broken(ErrorKind::TimedOut))
        .flatten()
}

/// What is wrong with a connection, where the crate does not say it.
pub(super) fn broken(kind: ErrorKind) -> RedisError {
    io::Error::from(kind).into()
}
