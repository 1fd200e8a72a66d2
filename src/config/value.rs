//! What the values of settings look like.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::{ChannelName, Family};

/// Longest time for which events are kept and not for ever.
const MAX_RETENTION: Duration = Duration::from_hours(3650 * 24);

/// An address by itself, or a network.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| Some(text.parse::<IpAddr>().ok()?.into()));
    network.ok_or_else(|| "an address such as 10.1.2.3, or a network such as 10.0.0.0/8".to_owned())
}

/// A channel on which backends publish.
pub(super) fn ingress_channel(text: &str) -> Result<ChannelName, String> {
    let channel = ChannelName::parse(text.trim());
    let channel = channel.map_err(|error| format!("the name of a channel {error}"))?;
    if channel.is_of_all() {
        return Err("a channel is named in full: patterns are not understood".to_owned());
    }
    if channel.is_project() {
        return Err(
            "a project's channel tells of changes of the project, which are made by commands"
                .to_owned(),
        );
    }
    Ok(channel)
}

/// A channel on which a worker listens: a free name, because a family such as `session:` has clients of its own.
pub(super) fn worker_channel(text: &str) -> Result<ChannelName, String> {
    let channel = ChannelName::parse(text.trim());
    let channel = channel.map_err(|error| format!("the name of a channel {error}"))?;
    match channel.family() {
        Family::Free => Ok(channel),
        _ => Err("a worker has a channel of its own, such as ai:worker".to_owned()),
    }
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// For so long.
    For(Duration),
    /// Nothing is removed.
    Forever,
}

impl Retention {
    /// How long, unless for ever.
    #[must_use]
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::For(time) => Some(time),
            Self::Forever => None,
        }
    }
}

pub(super) fn retention(text: &str) -> Result<Retention, String> {
    if text == "forever" {
        return Ok(Retention::Forever);
    }
    let kept = time(text)?;
    if kept < Duration::from_mins(1) || kept > MAX_RETENTION {
        return Err("events are kept for at least 1m and at most 3650d, or forever".to_owned());
    }
    Ok(Retention::For(kept))
}

/// A duration that is more than nothing.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = pause(text)?;
    if duration.is_zero() {
        return Err("a duration must be more than nothing".to_owned());
    }
    Ok(duration)
}

/// A duration that may be nothing.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    let duration = time(text)?;
    if duration > Duration::from_hours(24) {
        return Err("a duration must be at most 24h".to_owned());
    }
    Ok(duration)
}

/// How long a token or an API key counts.
pub(crate) fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = time(text)?;
    if lifetime < Duration::from_secs(1) || lifetime > MAX_RETENTION {
        return Err("must be at least 1s and at most 3650d".to_owned());
    }
    Ok(lifetime)
}

/// A whole number with its unit.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let help = || {
        "a duration is a whole number with its unit, such as 500ms, 25s, 2m, 12h or 30d".to_owned()
    };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(help)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| help())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(help()),
    };
    Ok(Duration::from_millis(
        number.checked_mul(millis).ok_or_else(help)?,
    ))
}

pub(super) fn bytes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|bytes| (1024..=64 * 1024 * 1024).contains(bytes))
        .ok_or_else(|| "a number of bytes from 1024 to 67108864".to_owned())
}

/// Bytes of a message that is not only a command.
pub(super) fn large_bytes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|bytes| (1024..=100 * 1024 * 1024).contains(bytes))
        .ok_or_else(|| "a number of bytes from 1024 to 104857600".to_owned())
}

/// Memory for all clients together.
pub(super) fn memory(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|bytes| (64 * 1024..=1024 * 1024 * 1024 * 1024).contains(bytes))
        .ok_or_else(|| "a number of bytes from 65536 to 1099511627776".to_owned())
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=1_000_000).contains(count))
        .ok_or_else(|| "a whole number from 1 to 1000000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(pause("0s"), Ok(Duration::ZERO));
        assert_eq!(
            retention("30d"),
            Ok(Retention::For(Duration::from_hours(720)))
        );
        assert_eq!(retention("forever"), Ok(Retention::Forever));
        for wrong in ["0d", "30", "59s", "9999d", "for ever"] {
            assert!(retention(wrong).is_err(), "{wrong}");
        }
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
    fn networks_may_be_single_addresses() {
        assert_eq!(network(" 10.0.0.0/8"), Ok("10.0.0.0/8".parse().unwrap()));
        assert_eq!(network("10.1.2.3"), Ok("10.1.2.3/32".parse().unwrap()));
        assert_eq!(network("fd00::1"), Ok("fd00::1/128".parse().unwrap()));
        for wrong in ["", "10.0.0", "10.0.0.0/33", "proxy"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn backends_publish_on_channels_that_are_named_in_full() {
        let channel = ingress_channel(" ai:jobs:status ").unwrap();
        assert_eq!(channel.as_str(), "ai:jobs:status");
        for wrong in ["", "a b", "ui:*", "agent:*", "project:p"] {
            assert!(ingress_channel(wrong).is_err(), "{wrong}");
        }
    }
}
