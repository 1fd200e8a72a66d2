//! Every setting, as a flag and as an environment variable; `--help` is made from this.

mod secret;

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::broker::RedisUrl;
use crate::contract::EventStyle;
use crate::store::DatabaseUrl;

pub use secret::Secret;

/// The settings of a server.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address to listen on.
    #[arg(
        long,
        env = "HOST",
        default_value = "0.0.0.0",
        value_name = "ADDRESS",
        global = true
    )]
    pub host: IpAddr,

    /// Port to listen on; 0 takes a free one.
    #[arg(
        long,
        env = "PORT",
        default_value_t = 8002,
        value_name = "PORT",
        global = true
    )]
    pub port: u16,

    /// Where data is kept: `sqlite://file.db`, `sqlite::memory:` or `postgres://user:password@host/name`.
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://boardcast.db",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    pub database_url: DatabaseUrl,

    /// Redis that carries events between instances: `redis://user:password@host:6379/0`, or `rediss://` for TLS.
    /// Without it there is one instance.
    #[arg(
        long,
        env = "REDIS_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    pub redis_url: Option<RedisUrl>,

    /// What the names of Redis channels begin with, so that several deployments can share one Redis.
    #[arg(
        long,
        env = "REDIS_PREFIX",
        default_value = "boardcast",
        value_name = "TEXT",
        global = true
    )]
    pub redis_prefix: String,

    /// How long somebody whose connection ended still counts as present: long enough to come back.
    #[arg(
        long, env = "PRESENCE_GRACE", default_value = "5s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub presence_grace: Duration,

    /// Token for requests below `/admin`, sent as `Authorization: Bearer <token>`. Without it they are refused.
    #[arg(
        long,
        env = "ADMIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        global = true
    )]
    pub admin_token: Option<Secret>,

    /// Connections to the database.
    #[arg(
        long, env = "DATABASE_CONNECTIONS", default_value_t = 10, value_name = "NUMBER", global = true,
        value_parser = clap::value_parser!(u32).range(3..=1000)
    )]
    pub database_connections: u32,

    /// How long the database may take for a transaction before its commands are refused as unavailable.
    #[arg(
        long, env = "DATABASE_TIMEOUT", default_value = "10s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub database_timeout: Duration,

    /// Origins that may connect from a browser, separated by commas; `*` allows every origin.
    #[arg(
        long, env = "CORS_ORIGINS", default_value = "*", value_delimiter = ',', value_parser = origin,
        value_name = "ORIGINS", global = true
    )]
    pub cors_origins: Vec<Origin>,

    /// How often connections are checked.
    #[arg(
        long, env = "PING_INTERVAL", default_value = "25s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub ping_interval: Duration,

    /// How long a client may take to answer a check.
    #[arg(
        long, env = "PING_TIMEOUT", default_value = "20s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub ping_timeout: Duration,

    /// How long a client may take to join the namespace after connecting.
    #[arg(
        long, env = "CONNECT_TIMEOUT", default_value = "20s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub connect_timeout: Duration,

    /// Bytes that one command may have; more is refused as `payload_too_large`.
    #[arg(
        long, env = "MAX_PAYLOAD", default_value_t = 256 * 1024, value_parser = bytes,
        value_name = "BYTES", global = true
    )]
    pub max_payload: usize,

    /// Bytes that one message or polling request may have; more ends the connection.
    #[arg(
        long, env = "MAX_MESSAGE", default_value_t = 4 * 1024 * 1024, value_parser = bytes,
        value_name = "BYTES", global = true
    )]
    pub max_message: usize,

    /// Commands that may wait for the database in one queue; more are refused as unavailable.
    #[arg(
        long, env = "COMMAND_QUEUE", default_value_t = 32_768, value_parser = count,
        value_name = "NUMBER", global = true
    )]
    pub command_queue: usize,

    /// Most commands in one transaction.
    #[arg(long, env = "MAX_BATCH", default_value_t = 512, value_parser = count, value_name = "NUMBER", global = true)]
    pub max_batch: usize,

    /// How long a client may take nothing of what waits for it before its connection is closed.
    #[arg(
        long, env = "SLOW_READER_TIMEOUT", default_value = "60s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub slow_reader_timeout: Duration,

    /// How long a shutdown may take.
    #[arg(
        long, env = "SHUTDOWN_TIMEOUT", default_value = "10s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub shutdown_timeout: Duration,

    /// Refuse changes to what does not exist, instead of making it.
    #[arg(long, env = "STRICT", global = true)]
    pub strict: bool,

    /// How outgoing events are spelled: `colon` (task:updated), `dash`, `snake` or `camel`.
    #[arg(
        long,
        env = "EVENT_STYLE",
        default_value = "colon",
        value_name = "STYLE",
        global = true
    )]
    pub event_style: EventStyle,

    /// What is logged: error, warn, info, debug, trace, or directives such as `info,boardcast=debug`.
    #[arg(
        long,
        env = "LOG_LEVEL",
        default_value = "info",
        value_name = "LEVEL",
        global = true
    )]
    pub log_level: String,

    /// How it is logged.
    #[arg(
        long,
        env = "LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT",
        global = true
    )]
    pub log_format: LogFormat,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object per line.
    Json,
}

/// An origin that may connect from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// All of them.
    Any,
    /// This one, such as `https://app.example.com`.
    Exactly(axum::http::HeaderValue),
}

fn origin(text: &str) -> Result<Origin, String> {
    let text = text.trim();
    if text == "*" {
        return Ok(Origin::Any);
    }
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .filter(|host| !host.is_empty() && !host.contains('/'));
    match (host, text.parse()) {
        (Some(_), Ok(value)) => Ok(Origin::Exactly(value)),
        _ => Err(
            "an origin is written as https://host or https://host:port, without a path".to_owned(),
        ),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let help = || "a duration is a whole number with its unit, such as 500ms, 25s or 2m".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(help)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| help())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60).ok_or_else(help)?),
        _ => return Err(help()),
    };
    if duration.is_zero() || duration > Duration::from_hours(24) {
        return Err("a duration must be more than nothing and at most 1440m".to_owned());
    }
    Ok(duration)
}

fn bytes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|bytes| (1024..=64 * 1024 * 1024).contains(bytes))
        .ok_or_else(|| "a number of bytes from 1024 to 67108864".to_owned())
}

fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=1_000_000).contains(count))
        .ok_or_else(|| "a whole number from 1 to 1000000".to_owned())
}

impl Config {
    /// Checks what only several settings together can get wrong.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do.
    pub fn validate(&self) -> Result<(), String> {
        if self.max_message < self.max_payload {
            return Err(format!(
                "MAX_MESSAGE ({}) must not be smaller than MAX_PAYLOAD ({})",
                self.max_message, self.max_payload
            ));
        }
        if self.redis_url.is_some() && self.database_url.is_embedded() {
            return Err(
                "REDIS_URL is for several instances, which share one database: they need Postgres, and DATABASE_URL \
                 names SQLite, which serves one process only"
                    .to_owned(),
            );
        }
        if self.cors_origins.contains(&Origin::Any) && self.cors_origins.len() > 1 {
            return Err("CORS_ORIGINS is either * or a list of origins, not both".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        for wrong in [
            "",
            "5",
            "s",
            "0s",
            "-1s",
            "1.5s",
            "99999m",
            "18446744073709551615m",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn origins_have_a_scheme_and_no_path() {
        assert_eq!(origin(" * "), Ok(Origin::Any));
        assert!(matches!(
            origin("https://a.example:8443"),
            Ok(Origin::Exactly(_))
        ));
        for wrong in ["a.example", "https://", "https://a/b", "ftp://a"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
