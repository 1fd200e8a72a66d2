//! Settings of how much clients may do. Those that are older stand with what they belong to.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

use super::value::{bytes, count, memory, network, time};

/// Most times per second, and at once.
const MAX_RATE: u64 = 1_000_000;
/// The longest time in which the times of a rate are counted.
const MAX_WINDOW: Duration = Duration::from_hours(24);

/// Most types that have a rate.
const MAX_TYPE_RATES: usize = 64;

/// How much clients may do.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitsConfig {
    /// Proxies that are believed in what they say of a client's address (`X-Forwarded-For`): addresses, or networks
    /// such as 10.0.0.0/8, separated by commas.
    #[arg(
        long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = network,
        value_name = "NETWORKS", global = true
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// Most connections of this instance. Without it they are not limited.
    #[arg(long, env = "MAX_CONNECTIONS", value_parser = count, value_name = "NUMBER", global = true)]
    pub max_connections: Option<usize>,

    /// Most connections of one address; IPv6 addresses count by their /64. Without it they are not limited.
    #[arg(long, env = "MAX_CONNECTIONS_PER_IP", value_parser = count, value_name = "NUMBER", global = true)]
    pub max_connections_per_ip: Option<usize>,

    /// Most connections of one user who has shown who they are. Without it they are not limited.
    #[arg(long, env = "MAX_CONNECTIONS_PER_USER", value_parser = count, value_name = "NUMBER", global = true)]
    pub max_connections_per_user: Option<usize>,

    /// What becomes of a new connection of a user who has as many as `MAX_CONNECTIONS_PER_USER`: `refuse` refuses it, and
    /// `replace` ends the oldest one of them.
    #[arg(
        long,
        env = "USER_CONNECTIONS_FULL",
        default_value = "refuse",
        value_name = "refuse|replace",
        global = true
    )]
    pub user_connections_full: UserConnectionsFull,

    /// New connections per second from one address, and how many at once: `5/50`; in a window: `100/60s`; or `none`.
    #[arg(
        long,
        env = "CONNECT_RATE_PER_IP",
        default_value = "none",
        value_name = "RATE",
        global = true
    )]
    pub connect_rate_per_ip: Rate,

    /// Changes per second over one connection, and how many at once; or `none`.
    #[arg(
        long,
        env = "COMMAND_RATE",
        default_value = "200/2000",
        value_name = "RATE",
        global = true
    )]
    pub command_rate: Rate,

    /// Joins, snapshots and the like per second over one connection, and how many at once; or `none`.
    #[arg(
        long,
        env = "READ_RATE",
        default_value = "50/500",
        value_name = "RATE",
        global = true
    )]
    pub read_rate: Rate,

    /// Signals per second over one connection, and how many at once; or `none`.
    #[arg(
        long,
        env = "SIGNAL_RATE",
        default_value = "100/1000",
        value_name = "RATE",
        global = true
    )]
    pub signal_rate: Rate,

    /// Changes per second over all connections of one user to this instance, and how many at once; or `none`.
    #[arg(
        long,
        env = "USER_COMMAND_RATE",
        default_value = "1000/10000",
        value_name = "RATE",
        global = true
    )]
    pub user_command_rate: Rate,

    /// Joins, snapshots and the like per second over all connections of one user; or `none`.
    #[arg(
        long,
        env = "USER_READ_RATE",
        default_value = "250/2500",
        value_name = "RATE",
        global = true
    )]
    pub user_read_rate: Rate,

    /// Signals per second over all connections of one user; or `none`.
    #[arg(
        long,
        env = "USER_SIGNAL_RATE",
        default_value = "500/5000",
        value_name = "RATE",
        global = true
    )]
    pub user_signal_rate: Rate,

    /// Messages of single types that a client may send: `agent_log=20/s,test_result=100/60s`, or `none`. A number by itself is
    /// per second.
    #[arg(
        long,
        env = "TYPE_RATES",
        default_value = "none",
        value_name = "RATES",
        global = true
    )]
    pub type_rates: TypeRates,

    /// Bytes of recent events that this instance keeps for all channels together. What does not fit is read from the log.
    #[arg(
        long, env = "EVENT_MEMORY", default_value_t = 64 * 1024 * 1024, value_parser = memory, value_name = "BYTES",
        global = true
    )]
    pub event_memory: usize,

    /// Bytes that may wait for all clients of this instance together. If more wait, the clients for which most waits are
    /// disconnected.
    #[arg(
        long, env = "SEND_MEMORY", default_value_t = 256 * 1024 * 1024, value_parser = memory, value_name = "BYTES",
        global = true
    )]
    pub send_memory: usize,

    /// Bytes of a page of a project's state: a state that is larger comes in pages, over Socket.IO and WebSocket.
    #[arg(
        long, env = "SNAPSHOT_PAGE_BYTES", default_value_t = 2 * 1024 * 1024, value_parser = bytes, value_name = "BYTES",
        global = true
    )]
    pub snapshot_page_bytes: usize,

    /// Bytes of clients' messages that may wait to be worked on, over all connections of this instance.
    #[arg(
        long, env = "RECEIVE_MEMORY", default_value_t = 64 * 1024 * 1024, value_parser = memory, value_name = "BYTES",
        global = true
    )]
    pub receive_memory: usize,

    /// Projects that one connection may join.
    #[arg(
        long, env = "MAX_ROOMS", default_value_t = 256, value_name = "NUMBER", global = true,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256)
    )]
    pub max_rooms: usize,

    /// Deepest nesting of a payload.
    #[arg(
        long, env = "MAX_DEPTH", default_value_t = 32, value_name = "NUMBER", global = true,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100)
    )]
    pub max_depth: usize,
}

/// What becomes of a connection of a user who has as many as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserConnectionsFull {
    /// It is refused.
    Refuse,
    /// It takes the place of the oldest one.
    Replace,
}

impl FromStr for UserConnectionsFull {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "replace" => Ok(Self::Replace),
            _ => Err("refuse or replace"),
        }
    }
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// As often as one likes.
    Unlimited,
    /// So often, one after the other.
    PerSecond {
        /// In the long run.
        times: u64,
        /// All at once, after a pause.
        burst: u64,
    },
    /// So often in a window that begins with the first time, and then not until it has passed.
    Window {
        /// In each window.
        times: u64,
        /// How long it is.
        window: Duration,
    },
}

/// A text that is no rate.
#[derive(Debug, thiserror::Error)]
#[error(
    "a rate is <per second>/<at once>, such as 200/2000, or <times>/<duration>, such as 100/60s, 100/1m or 5/s with the \
     units ms, s, m and h, or none; it is at most 1000000 per second, and over at most 24h"
)]
pub struct RateError;

impl Rate {
    /// Multiplies it by `factor`.
    pub(crate) const fn multiplied(self, factor: u64) -> Self {
        match self {
            Self::Unlimited => self,
            Self::PerSecond { times, burst } => Self::PerSecond {
                times: times * factor,
                burst: burst * factor,
            },
            Self::Window { times, window } => Self::Window {
                times: times * factor,
                window,
            },
        }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        if text == "none" {
            return Ok(Self::Unlimited);
        }
        let number = |text: &str| {
            let number = text.parse().ok();
            let number = number.filter(|number| (1..=MAX_RATE).contains(number));
            number.ok_or(RateError)
        };
        let (times, rest) = text.split_once('/').ok_or(RateError)?;
        let (times, rest) = (number(times.trim())?, rest.trim());
        if rest.bytes().all(|byte| byte.is_ascii_digit()) {
            let burst = number(rest)?;
            return Ok(Self::PerSecond { times, burst });
        }
        let window = window(rest).ok_or(RateError)?;
        let per_second = u128::from(times) * 1000 / window.as_millis().max(1);
        let is_meant = window <= MAX_WINDOW && per_second <= u128::from(MAX_RATE);
        let rate = Self::Window { times, window };
        is_meant.then_some(rate).ok_or(RateError)
    }
}

/// Rates of single types of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeRates(Vec<(String, Rate)>);

impl TypeRates {
    /// The types and their rates, in the order of the settings.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Rate)> {
        self.0.iter().map(|(name, rate)| (&**name, *rate))
    }
}

/// A text that names no rates of types.
#[derive(Debug, thiserror::Error)]
pub enum TypeRatesError {
    /// No type, or one that nobody can send.
    #[error(
        "{0:?} is not <type>=<rate>, such as agent_log=20/s; a type has 1 to 64 letters, digits and _ . : / -"
    )]
    Type(String),
    /// It is there already.
    #[error("{0} is there twice")]
    Twice(String),
    /// Too many.
    #[error("there are more than {MAX_TYPE_RATES} types")]
    TooMany,
    /// What stands behind the type.
    #[error("of {0}: {1}")]
    Rate(String, RateError),
}

impl FromStr for TypeRates {
    type Err = TypeRatesError;

    fn from_str(text: &str) -> Result<Self, TypeRatesError> {
        let mut rates: Vec<(String, Rate)> = Vec::new();
        if matches!(text.trim(), "" | "none") {
            return Ok(Self(rates));
        }
        let is_fine = |char: char| char.is_ascii_alphanumeric() || "_.:/-".contains(char);
        for part in text.split(',').map(str::trim) {
            let no_type = || TypeRatesError::Type(part.to_owned());
            let (name, rate) = part.split_once('=').ok_or_else(no_type)?;
            let (name, rate) = (name.trim(), rate.trim());
            if name.is_empty() || name.len() > 64 || !name.chars().all(is_fine) {
                return Err(no_type());
            }
            let per_second = rate.bytes().all(|byte| byte.is_ascii_digit());
            let unit = if per_second { "/s" } else { "" };
            let rate = format!("{rate}{unit}").parse();
            let rate = rate.map_err(|error| TypeRatesError::Rate(name.to_owned(), error))?;
            if rates.iter().any(|(known, _)| known == name) {
                return Err(TypeRatesError::Twice(name.to_owned()));
            }
            rates.push((name.to_owned(), rate));
        }
        if rates.len() > MAX_TYPE_RATES {
            return Err(TypeRatesError::TooMany);
        }
        Ok(Self(rates))
    }
}

/// A duration, or a unit by itself, such as `s`.
fn window(text: &str) -> Option<Duration> {
    let is_unit = text.starts_with(|char: char| char.is_ascii_alphabetic());
    let one = if is_unit { "1" } else { "" };
    let window = time(&format!("{one}{text}")).ok()?;
    (!window.is_zero()).then_some(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_types_are_read_or_what_is_wrong_is_named() {
        let rates: TypeRates = "a_b=5/s, task:update = 100/60s,c=7".parse().unwrap();
        let names: Vec<_> = rates.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a_b", "task:update", "c"]);
        assert_eq!(rates.iter().last().unwrap().1, "7/s".parse().unwrap());
        for none in ["", "none"] {
            assert_eq!(none.parse::<TypeRates>().unwrap(), TypeRates::default());
        }
        for (text, named) in [
            ("agent_log", "\"agent_log\""),
            ("=5/s", "\"=5/s\""),
            ("a b=5/s", "\"a b=5/s\""),
            ("a=5/s,", "\"\""),
            ("a=5/w", "of a: "),
            ("a=", "of a: "),
            ("a=5/s,a=6/s", "a is there twice"),
        ] {
            let error = text.parse::<TypeRates>().unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
