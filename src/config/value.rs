//! What the values of settings look like.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::{BackendSource, ChannelName, Family};

/// Bytes of the name of a channel whose messages name others: it is a part of their idempotency keys.
const MAX_ENVELOPE_BYTES: usize = 48;
/// Longest time for which events are kept and not for ever.
const MAX_RETENTION: Duration = Duration::from_hours(3650 * 24);

/// An address by itself, or a network.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| Some(text.parse::<IpAddr>().ok()?.into()));
    network.ok_or_else(|| "an address such as 10.1.2.3, or a network such as 10.0.0.0/8".to_owned())
}

/// A channel that can be heard.
pub(super) fn channel(text: &str) -> Result<ChannelName, String> {
    let channel = ChannelName::parse(text.trim());
    channel.map_err(|error| format!("the name of a channel {error}"))
}

/// A channel on which backends publish, or what its name begins with and a `*`.
pub(super) fn ingress_channel(text: &str) -> Result<BackendSource, String> {
    let text = text.trim();
    if let Some(prefix) = text.strip_suffix('*') {
        return ingress_pattern(prefix);
    }
    let channel = channel(text)?;
    if channel.is_of_all() {
        return Err("nobody publishes on the list of projects".to_owned());
    }
    if channel.is_project() {
        return Err(
            "a project's channel tells of changes of the project, which are made by commands"
                .to_owned(),
        );
    }
    Ok(BackendSource::Channel(channel))
}

fn ingress_pattern(prefix: &str) -> Result<BackendSource, String> {
    if prefix.is_empty() {
        return Err("a pattern begins with a name, such as agent:*".to_owned());
    }
    // To Redis they mean something else.
    if prefix.contains(['*', '?', '[', ']', '\\']) {
        return Err("a pattern has one *, at its end, and none of ? [ ] \\".to_owned());
    }
    // Whatever stands for the star.
    channel(&format!("{prefix}x"))?;
    if prefix.starts_with("project:") {
        return Err(
            "a project's channel tells of changes of the project, which are made by commands"
                .to_owned(),
        );
    }
    Ok(BackendSource::Prefix(prefix.into()))
}

/// A channel of Redis whose messages name the channel that they are for.
pub(super) fn envelope_channel(text: &str) -> Result<BackendSource, String> {
    let channel = channel(text)?;
    if channel.as_str().len() > MAX_ENVELOPE_BYTES {
        return Err(format!(
            "must not be longer than {MAX_ENVELOPE_BYTES} bytes"
        ));
    }
    Ok(BackendSource::Envelope(channel))
}

/// A path for plain WebSockets, without a slash at its end.
pub(super) fn websocket_path(text: &str) -> Result<String, String> {
    const SOCKET_IO: &str = "socket.io";
    const TAKEN: [&str; 5] = ["api", "admin", "health", "ready", "live"];
    let path = text.trim().trim_matches('/');
    let is_fine = |char: char| char.is_ascii_alphanumeric() || "-._~/".contains(char);
    if !path.chars().all(is_fine) || path.contains("//") {
        return Err(
            "a path has letters, digits and - . _ ~, such as /ws or /realtime/ws".to_owned(),
        );
    }
    let first = path.split('/').next().unwrap_or_default();
    // Servers of Socket.IO use the variable for its path, which dialects set here.
    if TAKEN.contains(&first) {
        return Err(format!("what is below /{first} is the server's own"));
    }
    let path = if first == SOCKET_IO { first } else { path };
    Ok(format!("/{path}"))
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
    fn websockets_have_paths_of_their_own() {
        for (text, path) in [
            ("/ws", "/ws"),
            ("realtime/ws/", "/realtime/ws"),
            ("/", "/"),
            ("/socket.io/", "/socket.io"),
        ] {
            assert_eq!(websocket_path(text).as_deref(), Ok(path));
        }
        for wrong in ["/api/ws", "/health", "/a b", "/{id}", "/a//b"] {
            assert!(websocket_path(wrong).is_err(), "{wrong}");
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
    fn backends_publish_on_channels_by_name_or_by_what_their_names_begin_with() {
        let channel = ingress_channel(" ai:jobs:status ").unwrap();
        let named = ChannelName::restore("ai:jobs:status");
        assert_eq!(channel, BackendSource::Channel(named));
        for pattern in ["agent:*", "ai:jobs:*", "ai*"] {
            let source = ingress_channel(pattern).unwrap();
            assert_eq!(source.pattern().as_deref(), Some(pattern));
        }
        for wrong in [
            "",
            "a b",
            "*",
            "a*b",
            "a*b*",
            "a?*",
            "a[b]*",
            "a\\*",
            "a b*",
            "project:p",
            "project:*",
            "projects",
        ] {
            assert!(ingress_channel(wrong).is_err(), "{wrong}");
        }
        assert!(envelope_channel("events").is_ok());
        for wrong in ["", "events:*", &"x".repeat(49)] {
            assert!(envelope_channel(wrong).is_err(), "{wrong}");
        }
    }
}
