//! What is built once from the configuration and shared by everything. Cheap to clone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::auth::{AuthConfigError, Authenticator};
use crate::broker::{Broker, BrokerStatus};
use crate::channel_cache::ChannelCache;
use crate::clock::Clock;
use crate::config::Config;
use crate::connection_count::ConnectionCount;
use crate::contract::dialect::Dialects;
use crate::contract::{self, JsonObject};
use crate::dialect_files::{self, LoadError};
use crate::direct::Direct;
use crate::domain::{Epoch, InstanceId};
use crate::hub::{Hub, HubOptions};
use crate::ingress::Ingress;
use crate::learn::Recorder;
use crate::limits::Limits;
use crate::membership_lookup::MembershipLookup;
use crate::memory::MemoryBudget;
use crate::metrics::Metrics;
use crate::presence::Presence;
use crate::retention;
use crate::shutdown::Lifecycle;
use crate::single_flight::SingleFlight;
use crate::store::{Store, StoreError};
use crate::telemetry::causes;
use crate::writer::{Writer, WriterOptions};

/// Most recent events that a feed keeps.
const RING_EVENTS: usize = 1024;
/// Payload bytes that a feed keeps.
const RING_BYTES: usize = 4 * 1024 * 1024;
/// Large states that are read at the same time.
const LARGE_READS: usize = 2;
/// How often the heads of the feeds are compared with the log, in case something was not said…
const HEAD_CHECK_ALONE: Duration = Duration::from_secs(5);
/// … or not heard: what another instance said before it, too, had its way back, for example…
const HEAD_CHECK_UP: Duration = Duration::from_millis(1500);
/// … and while nothing is heard at all, so that events are late by less than two seconds.
const HEAD_CHECK_DOWN: Duration = Duration::from_millis(500);
/// How long after a change of the broker's status others may still be without it.
const SETTLING: Duration = Duration::from_secs(3);

/// Projects' states, as those are told who ask at about the same time.
pub(crate) type Snapshots = SingleFlight<String, Result<Arc<JsonObject>, Arc<StoreError>>>;

/// See the module.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    config: Config,
    dialects: Dialects,
    instance: InstanceId,
    auth: Authenticator,
    broker: Broker,
    ingress: Option<Ingress>,
    presence: Arc<Presence>,
    direct: Direct,
    store: Store,
    channels: ChannelCache,
    memberships: MembershipLookup,
    epoch: Epoch,
    hub: Arc<Hub>,
    snapshots: Snapshots,
    large_reads: Arc<Semaphore>,
    writer: Arc<Writer>,
    connections: ConnectionCount,
    limits: Limits,
    recorder: Arc<Recorder>,
    metrics: Metrics,
    send_memory: MemoryBudget,
    receive_memory: MemoryBudget,
    lifecycle: Lifecycle,
    started: Instant,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened, or is not fit for this program.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A dialect cannot be loaded.
    #[error(transparent)]
    Dialect(#[from] LoadError),
    /// Nobody could be told apart.
    #[error(transparent)]
    Auth(#[from] AuthConfigError),
}

/// What the names of this deployment's topics begin with. Whoever shares the Redis and not the database has other
/// events under the same channels and seqs, and a database number of Redis does not keep them apart.
fn topic_prefix(prefix: &str, epoch: &Epoch) -> String {
    format!("{prefix}:{}", epoch.as_str())
}

/// The way to the other instances. On SQLite there are none, and through Redis backends are heard.
fn start_broker(
    config: &Config,
    epoch: &Epoch,
    instance: &InstanceId,
    lifecycle: &Lifecycle,
) -> Broker {
    let prefix = topic_prefix(&config.redis_prefix, epoch);
    let broker = Broker::start(config.redis_url.as_ref(), &prefix, instance, lifecycle);
    if config.database_url.is_embedded() {
        broker.alone()
    } else {
        broker
    }
}

/// Sixteen messages may come in at the same time, and of large ones two.
fn limits_of(config: &Config) -> Limits {
    let large = config.max_websocket_message() / 8;
    Limits::new(&config.limits, config.max_message.max(large))
}

/// Bytes of channels and entities that the writer keeps for the next commit.
const WRITER_CACHE: usize = 32 * 1024 * 1024;

fn writer_options(config: &Config, store: &Store) -> WriterOptions {
    WriterOptions {
        queue: config.command_queue,
        max_batch: config.max_batch,
        writers: store.writers(),
        timeout: config.database_timeout,
        cache_bytes: WRITER_CACHE,
        slow_commit: config.slow_commit,
        chosen_ids: config.auth.client_project_ids,
    }
}

impl AppState {
    /// Opens the store, brings it up to date and starts the hub and the writer.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let dialects = dialect_files::load_all(&config)?;
        let store = Store::open(&config.database_url, config.database_connections).await?;
        store.migrate().await?;
        let epoch = store.epoch().await?;
        let lifecycle = Lifecycle::new();
        let auth = Authenticator::start(&config.auth, &store, &lifecycle).await?;
        let instance = InstanceId::generate();
        let broker = start_broker(&config, &epoch, &instance, &lifecycle);
        let sources = config.backend_sources();
        let ingress = broker.listen_to_backends(&sources, &lifecycle);
        let hub = Hub::new(
            store.clone(),
            broker.clone(),
            lifecycle.clone(),
            HubOptions {
                ring_events: RING_EVENTS,
                ring_bytes: RING_BYTES,
                event_memory: config.limits.event_memory,
                replay_limit: config.replay_limit,
                slow_reader_timeout: config.slow_reader_timeout,
            },
        );
        let options = writer_options(&config, &store);
        let writer = Arc::new(Writer::start(&store, &epoch, &hub, &lifecycle, options));
        let connections = ConnectionCount::default();
        let grace = config.presence_grace;
        let presence = Presence::start(&instance, &broker, &hub, &connections, &lifecycle, grace);
        let direct = Direct::start(&instance, &broker, &presence, &lifecycle);
        let app = Self(Arc::new(Parts {
            direct,
            limits: limits_of(&config),
            recorder: Arc::new(Recorder::new(config.learn, Clock.now())),
            metrics: Metrics::default(),
            send_memory: MemoryBudget::new(config.limits.send_memory, config.limits.send_memory),
            receive_memory: MemoryBudget::new(config.limits.receive_memory, usize::MAX),
            config,
            dialects,
            instance,
            auth,
            broker,
            ingress: ingress.map(Ingress::new),
            presence,
            channels: ChannelCache::new(store.clone()),
            memberships: MembershipLookup::new(store.clone()),
            store,
            epoch,
            hub,
            snapshots: Snapshots::default(),
            large_reads: Arc::new(Semaphore::new(LARGE_READS)),
            writer,
            connections,
            lifecycle,
            started: Instant::now(),
        }));
        app.start_tasks();
        Ok(app)
    }

    fn start_tasks(&self) {
        let heads = self.clone();
        self.lifecycle()
            .spawn_service(async move { heads.watch_heads().await });
        retention::start(self.store(), self.config(), self.lifecycle());
        if let Some(ingress) = self.ingress() {
            let (limits, recorder) = (self.payload_limits(), &self.0.recorder);
            let ways = (&self.0.writer, self.direct());
            ingress.start(ways, limits, recorder, self.lifecycle());
        }
    }

    /// Compares the feeds with the log: at intervals, and at once when something changes in how other instances'
    /// events come in.
    async fn watch_heads(&self) {
        let mut status = self.broker().status();
        let mut changed = Instant::now();
        loop {
            if let Err(error) = self.hub().check_heads().await {
                tracing::warn!(
                    error = %causes(&error),
                    "cannot compare feeds with the log"
                );
            }
            let before = std::mem::replace(&mut status, self.broker().status());
            if status != before {
                changed = Instant::now();
                continue;
            }
            let interval = match status {
                BrokerStatus::Alone => HEAD_CHECK_ALONE,
                BrokerStatus::Up if changed.elapsed() > SETTLING => HEAD_CHECK_UP,
                BrokerStatus::Up | BrokerStatus::Down => HEAD_CHECK_DOWN,
            };
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = self.broker().status_changed() => {}
            }
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// What frontends' own words mean.
    #[must_use]
    pub fn dialects(&self) -> &Dialects {
        &self.0.dialects
    }

    /// Which of the running servers this is.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.0.instance
    }

    /// Who tells who somebody is.
    #[must_use]
    pub fn auth(&self) -> &Authenticator {
        &self.0.auth
    }

    /// The way to the other instances.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.0.broker
    }

    /// What hears backends, if there are channels to hear them on.
    #[must_use]
    pub fn ingress(&self) -> Option<&Ingress> {
        self.0.ingress.as_ref()
    }

    /// Who is in which project.
    #[must_use]
    pub fn presence(&self) -> &Arc<Presence> {
        &self.0.presence
    }

    /// The way to clients that are connected now.
    #[must_use]
    pub fn direct(&self) -> &Direct {
        &self.0.direct
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The channels by their numbers.
    #[must_use]
    pub fn channels(&self) -> &ChannelCache {
        &self.0.channels
    }

    /// Who belongs to which project.
    #[must_use]
    pub(crate) fn memberships(&self) -> &MembershipLookup {
        &self.0.memberships
    }

    /// Tells this database's cursors from those of others.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.0.epoch
    }

    /// The deliverer.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// What is read of projects right now.
    pub(crate) fn snapshots(&self) -> &Snapshots {
        &self.0.snapshots
    }

    /// The right to read something large: a few at a time have it.
    pub(crate) fn large_reads(&self) -> &Arc<Semaphore> {
        &self.0.large_reads
    }

    /// The writer.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.0.writer
    }

    /// Who is connected.
    #[must_use]
    pub fn connections(&self) -> &ConnectionCount {
        &self.0.connections
    }

    /// How much clients may do.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// What was learned of what clients send.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// What passes through the doors.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How much a client may send at once.
    pub(crate) fn payload_limits(&self) -> contract::Limits {
        contract::Limits {
            max_payload_bytes: self.config().max_payload,
            max_depth: self.config().limits.max_depth,
            strict: self.config().strict,
        }
    }

    /// How much a client of a plain `WebSocket` may publish, or pass on, at once.
    pub(crate) fn publication_limits(&self) -> contract::Limits {
        contract::Limits {
            max_payload_bytes: self.config().max_websocket_publication(),
            ..self.payload_limits()
        }
    }

    /// The bytes that wait for clients.
    #[must_use]
    pub fn send_memory(&self) -> &MemoryBudget {
        &self.0.send_memory
    }

    /// The bytes that clients have sent and that wait to be worked on.
    #[must_use]
    pub fn receive_memory(&self) -> &MemoryBudget {
        &self.0.receive_memory
    }

    /// The background tasks.
    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.0.lifecycle
    }

    /// How long the server has been running.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }
}
