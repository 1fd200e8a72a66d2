//! Who was refused for the sake of which limit: counted each time, and logged now and then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::rate::{Bucket, Pace};
use crate::config::Rate;
use crate::contract::EventClass;

/// Lines in the log, of each limit.
const LOGGED: Rate = Rate::PerSecond { times: 1, burst: 5 };

/// The limits, each with its name in logs and figures, and what somebody who meets it is told.
macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $name:literal, $sentence:literal;)*) => {
        /// A limit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Limit {
            $($(#[$doc])* $limit,)*
        }

        impl Limit {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$limit,)*];

            /// The name in logs and figures.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$limit => $name,)*
                }
            }

            /// What somebody who meets it is told.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$limit => $sentence,)*
                }
            }
        }
    };
}

limits! {
    /// `CORS_ORIGINS`.
    Origins = "origins", "pages of this origin may not connect";
    /// What the system lets the server open.
    TcpConnections = "tcp_connections", "the server has as many connections as it takes";
    /// What belongs to `MAX_CONNECTIONS_PER_IP` below the sessions.
    TcpConnectionsPerIp = "tcp_connections_per_ip", "too many connections from this address";
    /// What belongs to `CONNECT_RATE_PER_IP` below the sessions.
    TcpConnectRatePerIp = "tcp_connect_rate_per_ip", "too many new connections from this address";
    /// `MAX_CONNECTIONS`.
    Connections = "connections", "the server has as many connections as it takes";
    /// `MAX_CONNECTIONS_PER_IP`.
    ConnectionsPerIp = "connections_per_ip", "too many connections from this address";
    /// `MAX_CONNECTIONS_PER_USER`.
    ConnectionsPerUser = "connections_per_user", "too many connections of this user";
    /// `CONNECT_RATE`.
    ConnectRate = "connect_rate", "too many clients connect at once; try again in a moment";
    /// `CONNECT_RATE_PER_IP`.
    ConnectRatePerIp = "connect_rate_per_ip", "too many new connections from this address";
    /// `COMMAND_RATE`.
    Commands = "commands", "too many changes over this connection";
    /// `READ_RATE`.
    Reads = "reads", "too many joins, reads or unknown events over this connection";
    /// `SIGNAL_RATE`.
    Signals = "signals", "too many signals over this connection";
    /// `USER_COMMAND_RATE`.
    UserCommands = "user_commands", "too many changes by this user, or from this address";
    /// `USER_READ_RATE`.
    UserReads = "user_reads", "too many joins, reads or unknown events by this user, or from this address";
    /// `USER_SIGNAL_RATE`.
    UserSignals = "user_signals", "too many signals by this user, or from this address";
    /// `TYPE_RATES`.
    Types = "types", "too many messages of this type";
    /// Messages that wait.
    Inbox = "inbox", "too many messages at once; try again in a moment";
    /// A session on long-polling that takes nothing.
    Unpolled = "unpolled", "nothing was polled for too long";
}

impl Limit {
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
        let counts = Limit::ALL.iter();
        counts
            .map(|&limit| (limit.as_str(), count(limit)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
