//! How much clients may do: how many connections, how many new ones, how many messages, counted by address, by
//! connection and by user. Knows no transport: who meets a limit is told so by those who ask here.
//!
//! Everything is of this instance alone, and nothing grows with those who have gone.

mod address;
mod budget;
pub mod descriptors;
mod kept;
mod places;
mod rate;
mod refusals;
mod type_rates;
mod unfinished;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::{LimitsConfig, Rate};
use crate::contract::EventClass;

pub use address::ClientAddress;
use budget::Paces;
pub use budget::{Budget, READ_UNIT};
use kept::Kept;
pub use places::Place;
use places::{Full, Places};
use rate::{Bucket, MAX_DEBT, Pace};
pub use refusals::Limit;
use refusals::Refusals;
use type_rates::TypeRates;
pub use unfinished::{GivenUp, UnfinishedMessage, UnfinishedMessages};

/// When to try again where it is not known when there will be room.
pub const FULL_RETRY: Duration = Duration::from_secs(5);
/// For how long a signal holds its client back: what comes later shows nothing that is still so.
const SIGNAL_PATIENCE: Duration = Duration::from_millis(100);
/// TCP connections that an address may have for each of its sessions: on long-polling there are two and on an upgrade
/// three, and those that were closed just now may not be noticed yet.
const STREAMS_PER_SESSION: usize = 4;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    trusted: Vec<IpNet>,
    streams: Arc<Places<IpAddr>>,
    sessions: Arc<Places<IpAddr>>,
    users: Arc<Places<String>>,
    /// New TCP connections of each address, and new sessions.
    stream_knocks: Knocks,
    session_knocks: Knocks,
    own: Paces,
    shared: Paces,
    types: TypeRates,
    /// Guards what users may still do: of those who are connected, or were lately. So nobody has more by coming anew.
    budgets: Mutex<Kept<String, Arc<Budget>>>,
    refusals: Refusals,
    held_back: AtomicU64,
    unfinished: UnfinishedMessages,
    started: Instant,
}

/// How often addresses connect.
#[derive(Debug)]
struct Knocks {
    pace: Option<Pace>,
    /// Guards what addresses that connected lately may still do; who has not, has no entry.
    left: Mutex<Kept<IpAddr, Bucket>>,
}

impl Knocks {
    fn new(rate: Rate) -> Self {
        let (pace, left) = (Pace::of(rate), Mutex::default());
        Self { pace, left }
    }

    fn take(&self, key: IpAddr, now: u64) -> Result<(), Duration> {
        let Some(pace) = &self.pace else {
            return Ok(());
        };
        let mut left = self.left.lock();
        let bucket = left.get(key, |bucket| !bucket.is_full(pace, now));
        bucket.take(pace, now, Duration::ZERO).map(drop)
    }
}

/// A limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Which one.
    pub limit: Limit,
    /// When the same may succeed.
    pub retry_after: Duration,
}

/// What `/health` says of limits.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LimitsReport")]
pub struct Report {
    /// How often each limit was met since the start.
    refused: BTreeMap<&'static str, u64>,
    /// Messages and requests since the start whose senders were slowed down to a rate.
    held_back: u64,
    /// TCP connections.
    tcp_connections: usize,
    /// Sessions, those included that have not joined the namespace.
    sessions: usize,
    /// Users whose messages are counted.
    users: usize,
    /// Bytes of large messages that have begun and not ended.
    unfinished_bytes: usize,
    /// How many of them were given up since the start.
    unfinished_given_up: u64,
}

impl Limits {
    /// Nobody is here yet.
    #[must_use]
    pub fn new(config: &LimitsConfig, max_message: usize) -> Self {
        let per_ip = config.max_connections_per_ip;
        let knocks = config.connect_rate_per_ip;
        let streams_per_ip = per_ip.map(|max| max.saturating_mul(STREAMS_PER_SESSION));
        Self(Arc::new(Parts {
            trusted: config.trusted_proxies.clone(),
            streams: Arc::new(Places::new(descriptors::max_streams(), streams_per_ip)),
            sessions: Arc::new(Places::new(config.max_connections, per_ip)),
            users: Arc::new(Places::new(None, config.max_connections_per_user)),
            stream_knocks: Knocks::new(knocks.multiplied(STREAMS_PER_SESSION as u64)),
            session_knocks: Knocks::new(knocks),
            own: Paces::new(config.command_rate, config.read_rate, config.signal_rate),
            shared: Paces::new(
                config.user_command_rate,
                config.user_read_rate,
                config.user_signal_rate,
            ),
            types: TypeRates::new(&config.type_rates),
            budgets: Mutex::default(),
            refusals: Refusals::default(),
            held_back: AtomicU64::default(),
            unfinished: UnfinishedMessages::new(max_message),
            started: Instant::now(),
        }))
    }

    /// Whose request it is: of what a trusted proxy has forwarded, the last address that is not a trusted proxy's.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
        real: Option<&[u8]>,
    ) -> ClientAddress {
        address::client(peer, forwarded, real, &self.0.trusted)
    }

    /// Whether what this peer says of its clients is believed.
    #[must_use]
    pub fn is_trusted(&self, peer: IpAddr) -> bool {
        ClientAddress::new(peer).is_in(&self.0.trusted)
    }

    /// Counts a TCP connection until the place is dropped. Those of trusted proxies are not limited.
    ///
    /// # Errors
    ///
    /// There are as many as the system lets the server have, or the address has too many, or too many new ones.
    pub fn stream(&self, peer: IpAddr) -> Result<Place<IpAddr>, Exceeded> {
        let peer = ClientAddress::new(peer);
        let key = (!peer.is_in(&self.0.trusted)).then(|| peer.key());
        let limits = [
            Limit::TcpConnectRatePerIp,
            Limit::TcpConnections,
            Limit::TcpConnectionsPerIp,
        ];
        self.take(&self.0.streams, &self.0.stream_knocks, key, limits, peer)
    }

    /// Counts a session until the place is dropped.
    ///
    /// # Errors
    ///
    /// There are too many, or too many of this address, or too many new ones.
    pub fn session(&self, client: ClientAddress) -> Result<Place<IpAddr>, Exceeded> {
        let key = Some(client.key());
        let limits = [
            Limit::ConnectRatePerIp,
            Limit::Connections,
            Limit::ConnectionsPerIp,
        ];
        self.take(
            &self.0.sessions,
            &self.0.session_knocks,
            key,
            limits,
            client,
        )
    }

    /// Without a key neither the rate nor the number of an address is limited.
    fn take(
        &self,
        places: &Arc<Places<IpAddr>>,
        knocks: &Knocks,
        key: Option<IpAddr>,
        [rate, total, per_key]: [Limit; 3],
        client: ClientAddress,
    ) -> Result<Place<IpAddr>, Exceeded> {
        if let Some(key) = key
            && let Err(retry_after) = knocks.take(key, self.now())
        {
            return Err(self.exceeded(rate, retry_after, client));
        }
        places.take(key).map_err(|full| match full {
            Full::Total => self.exceeded(total, FULL_RETRY, client),
            Full::Key => self.exceeded(per_key, FULL_RETRY, client),
        })
    }

    fn exceeded(&self, limit: Limit, retry_after: Duration, client: ClientAddress) -> Exceeded {
        self.refused(limit, client);
        Exceeded { limit, retry_after }
    }

    /// Counts that a limit was met by a client that is connected, whose log line others write.
    fn met(&self, limit: Limit, retry_after: Duration) -> Exceeded {
        self.0.refusals.count(limit);
        Exceeded { limit, retry_after }
    }

    /// Counts a user's connection until the place is dropped.
    ///
    /// # Errors
    ///
    /// The user has too many.
    pub fn user_connection(&self, actor: &str) -> Result<Place<String>, Exceeded> {
        let place = self.0.users.take(Some(actor.to_owned()));
        place.map_err(|_| self.met(Limit::ConnectionsPerUser, FULL_RETRY))
    }

    /// What all connections of a user may do together; `None` if that is not limited.
    #[must_use]
    pub fn budget_of(&self, actor: &str) -> Option<Arc<Budget>> {
        if self.0.shared.are_unlimited() && self.0.types.are_none() {
            return None;
        }
        let now = self.now();
        let mut budgets = self.0.budgets.lock();
        let budget = budgets.get(actor.to_owned(), |budget| {
            Arc::strong_count(budget) > 1 || !budget.is_full(&self.0.shared, &self.0.types, now)
        });
        Some(Arc::clone(budget))
    }

    /// What all who have not shown who they are may do together from an address; `None` if that is not limited. No user
    /// has such a name, so nobody uses up what is an address's.
    #[must_use]
    pub fn budget_at(&self, client: ClientAddress) -> Option<Arc<Budget>> {
        self.budget_of(&format!("anonymous:{}", client.key()))
    }

    /// How many credentials that count for nothing may be shown from an address; `None` if that is not limited.
    #[must_use]
    pub fn attempts_at(&self, client: ClientAddress) -> Option<Arc<Budget>> {
        self.budget_of(&format!("anonymous:attempts:{}", client.key()))
    }

    /// Whether there is anything to count messages for.
    #[must_use]
    pub fn are_messages_limited(&self) -> bool {
        !(self.0.own.are_unlimited() && self.0.shared.are_unlimited() && self.0.types.are_none())
    }

    /// Notes that a connection sends faster than anybody can work.
    #[must_use]
    pub fn inbox_is_full(&self, retry_after: Duration) -> Exceeded {
        self.met(Limit::Inbox, retry_after)
    }

    /// Takes a message out of what a connection and its user may do: for how long nothing more is to be read from it. Who
    /// does more than the rates allow is slowed down to them.
    ///
    /// # Errors
    ///
    /// So much has piled up already that it would be too long.
    pub fn spend(
        &self,
        class: EventClass,
        own: &Budget,
        shared: Option<&Budget>,
    ) -> Result<Duration, Exceeded> {
        let (now, paces) = (self.now(), &self.0.own);
        let patience = match class {
            EventClass::Signal => SIGNAL_PATIENCE,
            EventClass::Command | EventClass::Read => MAX_DEBT,
        };
        let own_wait = own.take(class, paces, now, patience).map_err(|wait| {
            // Who comes again is not to meet the other one.
            let shared = shared.map(|shared| shared.wait(class, &self.0.shared, now));
            self.met(Limit::of(class), wait.max(shared.unwrap_or_default()))
        })?;
        let shared_wait = match shared {
            Some(shared) => shared.take(class, &self.0.shared, now, patience),
            None => Ok(Duration::ZERO),
        };
        let shared_wait = shared_wait.map_err(|wait| {
            own.give_back(class, paces);
            self.met(Limit::of_user(class), wait)
        })?;
        Ok(self.held_back(own_wait.max(shared_wait)))
    }

    /// Takes a message out of what a client may send of its type: the user who has shown who they are, or else the
    /// connection, or the address.
    ///
    /// # Errors
    ///
    /// It has sent too many of them.
    pub fn spend_type(&self, name: &str, client: &Budget) -> Result<(), Exceeded> {
        if self.0.types.are_none() {
            return Ok(());
        }
        let taken = client.take_type(name, &self.0.types, self.now());
        taken.map_err(|wait| self.met(Limit::Types, wait))
    }

    /// Takes a request out of what a user, or an address, may do over all of its connections: for how long it is to wait.
    ///
    /// # Errors
    ///
    /// It would wait for longer than `patience`.
    pub fn spend_shared(
        &self,
        class: EventClass,
        shared: &Budget,
        patience: Duration,
    ) -> Result<Duration, Exceeded> {
        let taken = shared.take(class, &self.0.shared, self.now(), patience);
        let wait = taken.map_err(|wait| self.met(Limit::of_user(class), wait))?;
        Ok(self.held_back(wait))
    }

    /// Counts what has to wait.
    fn held_back(&self, wait: Duration) -> Duration {
        if !wait.is_zero() {
            self.0.held_back.fetch_add(1, Ordering::Relaxed);
        }
        wait
    }

    /// Takes what a read has given out of what a connection and its user may read: 64 KiB cost as much as a read. It is
    /// known only afterwards, so the next read waits for it.
    pub fn charge_read(&self, bytes: usize, own: Option<&Budget>, shared: Option<&Budget>) {
        let now = self.now();
        for (budget, paces) in [(own, &self.0.own), (shared, &self.0.shared)] {
            if let Some(budget) = budget {
                budget.owe_read(bytes, paces, now);
            }
        }
    }

    /// Gives back what [`Limits::spend_shared`] took.
    pub fn give_back_shared(&self, class: EventClass, shared: &Budget) {
        shared.give_back(class, &self.0.shared);
    }

    /// Notes that somebody has met a limit, in the log as well; not each time, if it is often.
    pub fn refused(&self, limit: Limit, client: ClientAddress) {
        self.0.refusals.count(limit);
        if let Some(times) = self.0.refusals.to_log(limit, self.now()) {
            tracing::info!(
                limit = limit.as_str(),
                client.address = %client,
                times,
                "limit reached"
            );
        }
    }

    /// The messages of all connections that have begun and not ended.
    #[must_use]
    pub fn unfinished(&self) -> &UnfinishedMessages {
        &self.0.unfinished
    }

    /// How it stands.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            refused: self.0.refusals.counts(),
            held_back: self.0.held_back.load(Ordering::Relaxed),
            tcp_connections: self.0.streams.total(),
            sessions: self.0.sessions.total(),
            users: self.0.budgets.lock().len(),
            unfinished_bytes: self.0.unfinished.bytes(),
            unfinished_given_up: self.0.unfinished.given_up(),
        }
    }

    /// Nanoseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.0.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
