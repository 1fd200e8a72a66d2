//! Carries bytes between instances: not at all, or through Redis pub/sub.
//!
//! Publishing never blocks and never fails a caller: what cannot be carried is dropped. Whoever needs every
//! message repairs the gaps from the log, and whoever needs only the latest says it again. An instance does not
//! hear what it published itself.

mod connect;
mod envelope;
mod ingress;
mod listener;
mod redis;
mod speaker;
mod topics;
mod url;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::domain::{BackendSource, InstanceId};
use crate::shutdown::Lifecycle;

pub use ingress::{Heard, Ingress, Traffic};
use redis::Redis;
use topics::Place;
pub use url::{RedisUrl, RedisUrlError};

/// What to do with a message that came in. Called by the one task that reads all of them: it must not block.
pub type Handler = Arc<dyn Fn(Bytes) + Send + Sync>;

/// How long a subscriber waits to be confirmed. After that it is served from the log.
const CONFIRMATION: Duration = Duration::from_secs(1);

/// What the way to the other instances is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerStatus {
    /// There are no others.
    Alone,
    /// Messages come and go: this instance hears its own pulse.
    Up,
    /// They do not.
    Down,
}

/// The broker cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Redis cannot be reached")]
pub struct BrokerUnavailable;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Broker {
    /// One instance alone.
    Local,
    /// One instance alone, and a Redis through which backends are heard.
    Backends(Arc<Redis>),
    /// Several instances, around one Redis.
    Redis(Arc<Redis>),
}

impl Broker {
    /// Starts to carry messages through Redis if there is one. One that cannot be reached is tried again until it can.
    #[must_use]
    pub fn start(
        url: Option<&RedisUrl>,
        prefix: &str,
        instance: &InstanceId,
        lifecycle: &Lifecycle,
    ) -> Self {
        match url {
            Some(url) => Self::Redis(Redis::start(url, prefix, instance, lifecycle)),
            None => Self::Local,
        }
    }

    /// The same for an instance that is the only one: through Redis it only hears backends.
    #[must_use]
    pub fn alone(self) -> Self {
        match self {
            Self::Redis(redis) => Self::Backends(redis),
            alone => alone,
        }
    }

    /// The Redis, whatever it is for.
    fn redis(&self) -> Option<&Arc<Redis>> {
        match self {
            Self::Local => None,
            Self::Backends(redis) | Self::Redis(redis) => Some(redis),
        }
    }

    /// Publishes to the other instances that are subscribed to a topic. Never blocks; may be lost.
    pub fn publish(&self, topic: &str, message: Bytes) {
        match self {
            Self::Local | Self::Backends(_) => {}
            Self::Redis(redis) => redis.publish(topic, message),
        }
    }

    /// Publishes a value to whoever hears a channel of Redis that has this very name, and keeps it under the key of that name.
    /// Never blocks; may be lost.
    pub fn show(&self, name: &'static str, value: Bytes, kept: Duration) {
        if let Some(redis) = self.redis() {
            redis.show(name, value, kept);
        }
    }

    /// Whether there is a Redis, whatever for.
    #[must_use]
    pub fn has_redis(&self) -> bool {
        self.redis().is_some()
    }

    /// Hears of what other instances publish on a topic, until the subscription is dropped. A topic has one
    /// handler; a new one takes the old one's place.
    #[must_use]
    pub fn subscribe(&self, topic: &str, handler: Handler) -> TopicSubscription {
        match self {
            Self::Local | Self::Backends(_) => TopicSubscription { place: None },
            Self::Redis(redis) => TopicSubscription {
                place: Some(redis.subscribe(topic, handler)),
            },
        }
    }

    /// Starts to hear what backends publish on channels of theirs. `None`: there are none, or there is no Redis.
    #[must_use]
    pub fn listen_to_backends(
        &self,
        sources: &[BackendSource],
        lifecycle: &Lifecycle,
    ) -> Option<Ingress> {
        let redis = self.redis().filter(|_| !sources.is_empty())?;
        Some(Ingress::start(redis, sources, lifecycle))
    }

    /// Instances that are subscribed to a topic, this one included.
    ///
    /// # Errors
    ///
    /// Fails while Redis cannot be reached.
    pub async fn subscribers(&self, topic: &str) -> Result<usize, BrokerUnavailable> {
        match self {
            Self::Local | Self::Backends(_) => Ok(1),
            Self::Redis(redis) => redis.subscribers(topic).await,
        }
    }

    /// Resolves when everything that was published so far is on its way, or lost: a Redis that takes too long holds
    /// nobody up.
    pub async fn settle(&self) {
        if let Some(redis) = self.redis() {
            redis.settle().await;
        }
    }

    /// Whether there can be other instances.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Whether Redis carries messages, be it only those of backends.
    #[must_use]
    pub fn redis_status(&self) -> BrokerStatus {
        let status = self.redis().map(|redis| *redis.status().borrow());
        status.unwrap_or(BrokerStatus::Alone)
    }

    /// Whether messages come and go between instances.
    #[must_use]
    pub fn status(&self) -> BrokerStatus {
        match self {
            Self::Local | Self::Backends(_) => BrokerStatus::Alone,
            Self::Redis(redis) => *redis.status().borrow(),
        }
    }

    /// Resolves when the status changes; never if there is no other instance.
    pub async fn status_changed(&self) {
        let changed = match self {
            Self::Local | Self::Backends(_) => None,
            Self::Redis(redis) => redis.status().changed().await.ok(),
        };
        if changed.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// What logs and `/health` call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Backends(_) | Self::Redis(_) => "redis",
        }
    }
}

/// A place among the subscribers of a topic, until dropped.
#[derive(Debug)]
pub struct TopicSubscription {
    place: Option<Place>,
}

impl TopicSubscription {
    /// What tells when the subscription is in force.
    #[must_use]
    pub fn confirmation(&self) -> Confirmation {
        Confirmation(self.place.as_ref().map(Place::confirmation))
    }
}

/// When a subscription is in force.
#[derive(Debug)]
pub struct Confirmation(Option<(watch::Receiver<bool>, watch::Receiver<BrokerStatus>)>);

impl Confirmation {
    /// Resolves when every message that is published from now on will be heard. While the broker is down, or slow,
    /// nobody is kept waiting: whoever missed something meanwhile is told of the change of status.
    pub async fn wait(&mut self) {
        let Some((confirmed, status)) = &mut self.0 else {
            return;
        };
        tokio::select! {
            _ = confirmed.wait_for(|&confirmed| confirmed) => {}
            _ = status.wait_for(|&status| status == BrokerStatus::Down) => {}
            () = tokio::time::sleep(CONFIRMATION) => {}
        }
    }
}
