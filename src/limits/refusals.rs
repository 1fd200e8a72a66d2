//! Who was refused for the sake of which limit: counted each time, and logged now and then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::rate::{Bucket, Pace};
use crate::config::Rate;
use crate::contract::EventClass;

/// Lines in the log, of each limit.
const LOGGED: Rate = Rate::At {
    per_second: 1,
    burst: 5,
};

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `CORS_ORIGINS`.
    Origins,
    /// What the system lets the server open.
    TcpConnections,
    /// What belongs to `MAX_CONNECTIONS_PER_IP` below the sessions.
    TcpConnectionsPerIp,
    /// What belongs to `CONNECT_RATE_PER_IP` below the sessions.
    TcpConnectRatePerIp,
    /// `MAX_CONNECTIONS`.
    Connections,
    /// `MAX_CONNECTIONS_PER_IP`.
    ConnectionsPerIp,
    /// `MAX_CONNECTIONS_PER_USER`.
    ConnectionsPerUser,
    /// `CONNECT_RATE`.
    ConnectRate,
    /// `CONNECT_RATE_PER_IP`.
    ConnectRatePerIp,
    /// `COMMAND_RATE`.
    Commands,
    /// `READ_RATE`.
    Reads,
    /// `SIGNAL_RATE`.
    Signals,
    /// `USER_COMMAND_RATE`.
    UserCommands,
    /// `USER_READ_RATE`.
    UserReads,
    /// `USER_SIGNAL_RATE`.
    UserSignals,
    /// Messages that wait.
    Inbox,
    /// A session on long-polling that takes nothing.
    Unpolled,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Origins,
        Self::TcpConnections,
        Self::TcpConnectionsPerIp,
        Self::TcpConnectRatePerIp,
        Self::Connections,
        Self::ConnectionsPerIp,
        Self::ConnectionsPerUser,
        Self::ConnectRate,
        Self::ConnectRatePerIp,
        Self::Commands,
        Self::Reads,
        Self::Signals,
        Self::UserCommands,
        Self::UserReads,
        Self::UserSignals,
        Self::Inbox,
        Self::Unpolled,
    ];

    /// The name in logs and figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origins => "origins",
            Self::TcpConnections => "tcp_connections",
            Self::TcpConnectionsPerIp => "tcp_connections_per_ip",
            Self::TcpConnectRatePerIp => "tcp_connect_rate_per_ip",
            Self::Connections => "connections",
            Self::ConnectionsPerIp => "connections_per_ip",
            Self::ConnectionsPerUser => "connections_per_user",
            Self::ConnectRate => "connect_rate",
            Self::ConnectRatePerIp => "connect_rate_per_ip",
            Self::Commands => "commands",
            Self::Reads => "reads",
            Self::Signals => "signals",
            Self::UserCommands => "user_commands",
            Self::UserReads => "user_reads",
            Self::UserSignals => "user_signals",
            Self::Inbox => "inbox",
            Self::Unpolled => "unpolled",
        }
    }

    /// What somebody who meets it is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Origins => "pages of this origin may not connect",
            Self::TcpConnectionsPerIp | Self::ConnectionsPerIp => {
                "too many connections from this address"
            }
            Self::TcpConnections | Self::Connections => {
                "the server has as many connections as it takes"
            }
            Self::ConnectionsPerUser => "too many connections of this user",
            Self::ConnectRate => "too many clients connect at once; try again in a moment",
            Self::TcpConnectRatePerIp | Self::ConnectRatePerIp => {
                "too many new connections from this address"
            }
            Self::Commands => "too many changes over this connection",
            Self::Reads => "too many joins, reads or unknown events over this connection",
            Self::Signals => "too many signals over this connection",
            Self::UserCommands => "too many changes by this user, or from this address",
            Self::UserReads => {
                "too many joins, reads or unknown events by this user, or from this address"
            }
            Self::UserSignals => "too many signals by this user, or from this address",
            Self::Inbox => "too many messages at once; try again in a moment",
            Self::Unpolled => "nothing was polled for too long",
        }
    }

    /// What a connection may send.
    pub(super) const fn of(class: EventClass) -> Self {
        match class {
            EventClass::Command => Self::Commands,
            EventClass::Read => Self::Reads,
            EventClass::Signal => Self::Signals,
        }
    }

    /// What a user may send.
    pub(super) const fn of_user(class: EventClass) -> Self {
        match class {
            EventClass::Command => Self::UserCommands,
            EventClass::Read => Self::UserReads,
            EventClass::Signal => Self::UserSignals,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Refusals([Refused; Limit::ALL.len()]);

#[derive(Debug, Default)]
struct Refused {
    times: AtomicU64,
    logged: AtomicU64,
    lines: Bucket,
}

impl Refusals {
    fn of(&self, limit: Limit) -> &Refused {
        &self.0[limit as usize]
    }

    pub(super) fn count(&self, limit: Limit) {
        self.of(limit).times.fetch_add(1, Ordering::Relaxed);
    }

    /// How often since the last line in the log, if it is time for one.
    pub(super) fn to_log(&self, limit: Limit, now: u64) -> Option<u64> {
        let refused = self.of(limit);
        let pace = Pace::of(LOGGED)?;
        refused.lines.take(&pace, now, Duration::ZERO).ok()?;
        let times = refused.times.load(Ordering::Relaxed);
        let logged = refused.logged.swap(times, Ordering::Relaxed);
        Some(times.saturating_sub(logged))
    }

    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let count = |limit: Limit| self.of(limit).times.load(Ordering::Relaxed);
        let counts = Limit::ALL.into_iter();
        counts.map(|limit| (limit.as_str(), count(limit))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_place_of_its_own() {
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, index, "{limit:?}");
        }
        assert_eq!(Refusals::default().counts().len(), Limit::ALL.len());
    }

    #[test]
    fn a_flood_is_not_logged_line_by_line() {
        let refusals = Refusals::default();
        let lines = |now| {
            let lines = (0..100).filter_map(|_| {
                refusals.count(Limit::Origins);
                refusals.to_log(Limit::Origins, now)
            });
            lines.collect::<Vec<_>>()
        };
        assert_eq!(lines(0), [1; 5]);
        // All that was left out is in the next one.
        assert_eq!(lines(1_000_000_000), [96]);
        assert_eq!(refusals.to_log(Limit::Reads, 0), Some(0));
    }
}
