//! Every setting, as a flag and as an environment variable; `--help` is made from this.

mod auth;
mod client_files;
mod github;
mod limits;
mod notices;
mod origin;
mod secret;
mod value;

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::broker::RedisUrl;
use crate::contract::EventStyle;
use crate::contract::dialect::CustomEvents;
use crate::domain::{BackendSource, ChannelName};
use crate::store::DatabaseUrl;

pub use auth::AuthConfig;
pub use client_files::{ClientFile, ClientFiles};
pub use github::{GithubConfig, RepositoryChannel};
pub use limits::{LimitsConfig, Rate, RateError, TypeRates, TypeRatesError, UserConnectionsFull};
pub use notices::NoticesConfig;
use origin::origin;
pub use origin::{Origin, is_own};
pub use secret::Secret;
pub(crate) use secret::is_same;
pub use value::Retention;
pub(crate) use value::lifetime;
use value::{
    bytes, channel, count, duration, envelope_channel, ingress_channel, large_bytes, pause,
    retention, websocket_path, worker_channel,
};

/// Channels on which backends may be heard.
const MAX_INGRESS_CHANNELS: usize = 100;
/// The value of `INGRESS_CHANNELS` that stands for no channel.
const NO_CHANNELS: &str = "none";
/// Where backends are heard, and what `GET /api/events` tells of, if nothing else is set.
const USUAL_CHANNELS: [&str; 4] = [
    "ui:activity",
    "ai:jobs:status",
    "sse:progress:scraper",
    "memory:new-items",
];

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
    /// Without it there is one instance. On SQLite there is one with it, too, which hears what backends publish.
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

    /// Redis channels whose messages become events on the channels of the same names, separated by commas: what backends
    /// publish there reaches every subscriber, once. A name that ends in * stands for all that begin so, such as agent:*.
    /// Without it, and with `REDIS_URL`: ui:activity, ai:jobs:status, sse:progress:scraper and memory:new-items; `none` is none.
    #[arg(
        long, env = "INGRESS_CHANNELS", value_delimiter = ',', value_parser = ingress_channel,
        value_name = "CHANNELS", global = true
    )]
    pub ingress_channels: Vec<BackendSource>,

    /// Redis channels whose messages are `{channel, type, data}`, separated by commas: each becomes an event on the channel
    /// that it names. Whoever may publish there may publish on every channel.
    #[arg(
        long, env = "INGRESS_ENVELOPE_CHANNELS", value_delimiter = ',', value_parser = envelope_channel,
        value_name = "CHANNELS", global = true
    )]
    pub ingress_envelope_channels: Vec<BackendSource>,

    /// Channels that `GET /api/events` tells of if it names none, separated by commas; who may not hear one of them hears the
    /// others. Without it those of `INGRESS_CHANNELS`, and ui:activity, ai:jobs:status, sse:progress:scraper and
    /// memory:new-items.
    #[arg(
        long, env = "EVENT_CHANNELS", value_delimiter = ',', value_parser = channel,
        value_name = "CHANNELS", global = true
    )]
    pub event_channels: Vec<ChannelName>,

    /// Publish the server's figures in Redis, once a second, on the channel `metrics:websocket`, and keep the latest under the
    /// key of that name.
    #[arg(long, env = "ENABLE_METRICS", global = true)]
    pub enable_metrics: bool,

    /// Channel on which a worker hears what clients of plain `WebSockets` send that means nothing to the server. Without it that
    /// goes to the others of a session, and nowhere without one.
    #[arg(
        long, env = "WORKER_CHANNEL", value_parser = worker_channel, value_name = "CHANNEL", global = true
    )]
    pub worker_channel: Option<ChannelName>,

    /// Which clients are told who comes and goes in the projects that they join.
    #[arg(
        long, env = "PRESENCE", value_enum, default_value_t = PresenceEvents::Asked,
        value_name = "CLIENTS", global = true
    )]
    pub presence: PresenceEvents,

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

    /// Origins whose pages may connect, separated by commas, besides the server's own; `*` allows every origin. A `*` may
    /// also stand for what is left of a host's first dot, or for a port: `https://*.example.com`, `http://localhost:*`.
    /// `FRONTEND_URL` is taken if this is not set.
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

    /// Path at which plain `WebSocket` connections with flat messages are served as well as at /ws.
    #[arg(
        long = "ws-path", env = "WS_PATH", default_value = "/ws", value_parser = websocket_path,
        value_name = "PATH", global = true
    )]
    pub websocket_path: String,

    /// How often plain `WebSocket` connections are checked.
    #[arg(
        long, env = "WEBSOCKET_PING_INTERVAL", default_value = "30s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub websocket_ping_interval: Duration,

    /// What plain WebSockets are told without asking.
    #[command(flatten)]
    pub notices: NoticesConfig,

    /// How long the greeting on `/ws` waits for a first message, if the address shows nothing: who begins with a `handshake`
    /// is answered with `welcome` alone. 0s greets at once.
    #[arg(
        long, env = "GREETING_DELAY", default_value = "250ms", value_parser = pause,
        value_name = "DURATION", global = true
    )]
    pub greeting_delay: Duration,

    /// How long a client may take to join the namespace after connecting, or to show who it is.
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

    /// Bytes that one message on a plain `WebSocket` may have if it is published or passed on, up to 104857600. Without it that is
    /// `MAX_PAYLOAD`. `RECEIVE_MEMORY` must be at least as large, and `SEND_MEMORY` four times as large.
    #[arg(
        long, env = "WEBSOCKET_MAX_MESSAGE", value_parser = large_bytes, value_name = "BYTES", global = true
    )]
    pub websocket_max_message: Option<usize>,

    /// Commands that may wait for the database in one queue; more are refused as unavailable.
    #[arg(
        long, env = "COMMAND_QUEUE", default_value_t = 32_768, value_parser = count,
        value_name = "NUMBER", global = true
    )]
    pub command_queue: usize,

    /// Most commands in one transaction.
    #[arg(long, env = "MAX_BATCH", default_value_t = 512, value_parser = count, value_name = "NUMBER", global = true)]
    pub max_batch: usize,

    /// A transaction of commands that takes longer is told of in the log and in `/health`.
    #[arg(
        long, env = "SLOW_COMMIT", default_value = "1s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub slow_commit: Duration,

    /// How long a client may take nothing of what waits for it before its connection is closed.
    #[arg(
        long, env = "SLOW_READER_TIMEOUT", default_value = "60s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub slow_reader_timeout: Duration,

    /// How long a shutdown spreads the ends of its connections, so that clients do not come to the other instances
    /// all at once; 0s ends them together.
    #[arg(
        long, env = "DRAIN_TIME", default_value = "0s", value_parser = pause,
        value_name = "DURATION", global = true
    )]
    pub drain_time: Duration,

    /// New connections per second; more wait for their turn. Without it they are not counted.
    #[arg(
        long, env = "CONNECT_RATE", value_name = "NUMBER", global = true,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub connect_rate: Option<u32>,

    /// How long the events of projects are kept, such as 12h, 30d or `forever`; their state is kept for ever.
    #[arg(
        long, env = "EVENT_RETENTION", default_value = "30d", value_parser = retention,
        value_name = "DURATION", global = true
    )]
    pub event_retention: Retention,

    /// How long the events of channels other than projects are kept.
    #[arg(
        long, env = "CHANNEL_RETENTION", default_value = "24h", value_parser = retention,
        value_name = "DURATION", global = true
    )]
    pub channel_retention: Retention,

    /// Events of a project that a client may have missed and still gets one by one; after more it gets the project's
    /// state instead.
    #[arg(
        long, env = "REPLAY_LIMIT", default_value_t = 10_000, value_parser = count,
        value_name = "NUMBER", global = true
    )]
    pub replay_limit: usize,

    /// How long a shutdown may take.
    #[arg(
        long, env = "SHUTDOWN_TIMEOUT", default_value = "10s", value_parser = duration,
        value_name = "DURATION", global = true
    )]
    pub shutdown_timeout: Duration,

    /// Refuse changes to what does not exist, instead of making it.
    #[arg(long, env = "STRICT", global = true)]
    pub strict: bool,

    /// Write down what clients send, by name and shape and without values, for `boardcast learn`. Events that are not known
    /// go to everyone in the room, as a relay would have it, unless `CUSTOM_EVENTS` says otherwise.
    #[arg(long, env = "LEARN", global = true)]
    pub learn: bool,

    /// How outgoing events are spelled: `colon` (task:updated), `dash`, `snake` or `camel`.
    #[arg(
        long,
        env = "EVENT_STYLE",
        default_value = "colon",
        value_name = "STYLE",
        global = true
    )]
    pub event_style: EventStyle,

    /// Dialects that frontends speak, separated by commas: names of those that come with the program, or files. See
    /// `dialects/README.md`.
    #[arg(
        long = "dialect",
        env = "DIALECTS",
        value_delimiter = ',',
        value_name = "NAME|FILE",
        global = true
    )]
    pub dialects: Vec<String>,

    /// Events that the server does not know and passes on to the room, such as `cursor:*=signal,*=log`: `log` keeps them and
    /// tells them to everyone, `signal` tells the others who are there, `refuse` refuses.
    #[arg(
        long,
        env = "CUSTOM_EVENTS",
        default_value = "",
        value_name = "PATTERNS",
        global = true
    )]
    pub custom_events: CustomEvents,

    /// Whether the events of Socket.IO carry a cursor as their second argument. `auto` leaves it out for the clients that
    /// it is known to break, such as those in Python and Dart.
    #[arg(
        long,
        env = "EVENT_CURSOR",
        default_value = "auto",
        value_name = "WHEN",
        global = true
    )]
    pub event_cursor: EventCursor,

    /// Folder with the browser build of socket.io-client (`dist` of its npm package), which pages then load from
    /// `/socket.io/socket.io.js`. Without it there is none.
    #[arg(
        long, env = "SOCKETIO_CLIENT_DIR", value_parser = ClientFiles::read, value_name = "FOLDER", global = true
    )]
    pub socketio_client_dir: Option<ClientFiles>,

    /// How clients show who they are.
    #[command(flatten)]
    pub auth: AuthConfig,

    /// How much clients may do.
    #[command(flatten)]
    pub limits: LimitsConfig,

    /// What GitHub may tell.
    #[command(flatten)]
    pub github: GithubConfig,

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

/// Which Socket.IO clients get the cursor after an event as its second argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventCursor {
    /// Those that it does not break.
    Auto,
    /// All that do not choose otherwise.
    Always,
    /// Those that ask for it.
    Never,
}

/// Which clients are told who comes and goes in the projects that they join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PresenceEvents {
    /// Those that ask for it, or say who they are when they join.
    Asked,
    /// All that do not choose otherwise.
    Always,
    /// None.
    Never,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object per line.
    Json,
}

impl Config {
    /// How long a client may say nothing: by then it has missed a ping.
    #[must_use]
    pub fn max_silence(&self) -> Duration {
        self.ping_interval + self.ping_timeout
    }

    /// For how long a client may be kept from sending a pong.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        self.ping_timeout / 2
    }

    /// What `GET /api/events` tells of if it names no channel: no more than one connection may hear.
    #[must_use]
    pub fn channels_of_events(&self) -> Vec<ChannelName> {
        if !self.event_channels.is_empty() {
            return self.event_channels.clone();
        }
        let sources = self.ingress_sources();
        let heard = sources.iter().filter_map(|source| {
            let pattern = source.pattern();
            // Of patterns there are only those channels that tell of a whole family.
            ChannelName::parse(pattern.as_deref().unwrap_or(source.begin())).ok()
        });
        let usual = USUAL_CHANNELS.map(ChannelName::restore);
        let mut channels: Vec<ChannelName> = Vec::new();
        for channel in heard.chain(usual) {
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        channels.truncate(self.limits.max_rooms);
        channels
    }

    /// Warns of settings that have no effect, because others are not set.
    pub(crate) fn warn_of_idle_settings(&self) {
        if self.enable_metrics && self.redis_url.is_none() {
            tracing::warn!(
                "ENABLE_METRICS has no effect without REDIS_URL: that is where the figures are published"
            );
        }
    }

    /// Where backends are heard.
    #[must_use]
    pub fn backend_sources(&self) -> Vec<BackendSource> {
        let mut sources = self.ingress_sources();
        sources.extend_from_slice(&self.ingress_envelope_channels);
        sources
    }

    /// Those whose messages do not say which channel they are for.
    fn ingress_sources(&self) -> Vec<BackendSource> {
        match &self.ingress_channels[..] {
            [] if self.redis_url.is_some() => {
                let ours = self.own_topics();
                let usual = USUAL_CHANNELS.into_iter();
                let usual = usual.filter(|name| !name.starts_with(&ours));
                let usual = usual.map(|name| BackendSource::Channel(ChannelName::restore(name)));
                usual.collect()
            }
            [BackendSource::Channel(name)] if name.as_str() == NO_CHANNELS => Vec::new(),
            listed => listed.to_vec(),
        }
    }

    /// What the names of the server's own topics in Redis begin with.
    fn own_topics(&self) -> String {
        format!("{}:", self.redis_prefix)
    }

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
        self.validate_large_messages()?;
        self.validate_ingress()?;
        let most = self.limits.max_rooms;
        if self.event_channels.len() > most {
            return Err(format!(
                "EVENT_CHANNELS may name at most {most} channels, as many as one connection may hear (MAX_ROOMS)"
            ));
        }
        self.github.validate()?;
        // A commit that got no answer is looked for in the log.
        let kept = self.event_retention.limit();
        if kept.is_some_and(|kept| kept / 3 < self.database_timeout) {
            return Err("EVENT_RETENTION must be at least three times DATABASE_TIMEOUT".to_owned());
        }
        if self.auth.auth_cookie.is_some() && self.cors_origins.contains(&Origin::Any) {
            return Err(
                "AUTH_COOKIE needs CORS_ORIGINS to name the pages that may connect: any other page could do so in the \
                 name of its visitors"
                    .to_owned(),
            );
        }
        if self.cors_origins.contains(&Origin::Any) && self.cors_origins.len() > 1 {
            return Err("CORS_ORIGINS is either * or a list of origins, not both".to_owned());
        }
        Ok(())
    }

    /// Bytes that a message on a plain `WebSocket` may have, whatever it is.
    #[must_use]
    pub fn max_websocket_message(&self) -> usize {
        let large = self.websocket_max_message.unwrap_or_default();
        self.max_message.max(large)
    }

    /// Bytes that may be published or passed on by one message on a plain `WebSocket`.
    #[must_use]
    pub fn max_websocket_publication(&self) -> usize {
        let large = self.websocket_max_message.unwrap_or_default();
        self.max_payload.max(large)
    }

    /// A large message must fit into what all clients may have sent, and what it becomes into what waits for them.
    fn validate_large_messages(&self) -> Result<(), String> {
        let large = self.websocket_max_message.unwrap_or_default();
        for (name, memory, needed) in [
            ("RECEIVE_MEMORY", self.limits.receive_memory, large),
            ("SEND_MEMORY", self.limits.send_memory, 4 * large),
        ] {
            if memory < needed {
                return Err(format!(
                    "WEBSOCKET_MAX_MESSAGE of {large} bytes needs a {name} of at least {needed}, and it is {memory}"
                ));
            }
        }
        Ok(())
    }

    fn validate_ingress(&self) -> Result<(), String> {
        let sources = self.backend_sources();
        if !sources.is_empty() && self.redis_url.is_none() {
            return Err(
                "INGRESS_CHANNELS and INGRESS_ENVELOPE_CHANNELS need REDIS_URL: that is where backends publish"
                    .to_owned(),
            );
        }
        if sources.len() > MAX_INGRESS_CHANNELS {
            return Err(format!(
                "INGRESS_CHANNELS and INGRESS_ENVELOPE_CHANNELS may name at most {MAX_INGRESS_CHANNELS} channels and patterns"
            ));
        }
        let ours = self.own_topics();
        for (number, source) in sources.iter().enumerate() {
            let begin = source.begin();
            if begin.starts_with(&ours) || source.covers(&ours) {
                return Err(format!(
                    "INGRESS_CHANNELS names {source}: what begins with REDIS_PREFIX is the server's own"
                ));
            }
            let mut before = sources[..number].iter();
            if let Some(other) = before.find(|other| other.overlaps(source)) {
                return Err(format!(
                    "INGRESS_CHANNELS and INGRESS_ENVELOPE_CHANNELS name {other} and {source}, so that messages would be heard \
                     twice; name one of them"
                ));
            }
        }
        Ok(())
    }
}
