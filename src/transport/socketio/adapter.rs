//! socketioxide's Redis adapter on our broker: rooms, `fetch_sockets`, disconnects and broadcasts reach all
//! instances. The driver that comes with it hears nothing any more after a restart of Redis, and fails what is
//! local while Redis is away; ours leaves both to the broker. One adapter type serves one instance and many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use socketioxide::adapter::Emitter;
use socketioxide_redis::drivers::{ChanItem, Driver, MessageStream};
use socketioxide_redis::{CustomRedisAdapter, RedisAdapterConfig, RedisAdapterCtr};
use tokio::sync::mpsc;

use crate::broker::{Broker, BrokerUnavailable, TopicSubscription};

/// What the names of the adapter's topics begin with.
const PREFIX: &str = "adapter";
/// Requests of other instances that may wait; more are lost.
const WAITING: usize = 4096;
/// How long other instances may take to answer, `fetch_sockets` for example.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// The adapter of all namespaces.
pub(super) type ClusterAdapter = CustomRedisAdapter<Emitter, BrokerDriver>;

/// What makes adapters.
pub(super) fn adapters(broker: Broker) -> RedisAdapterCtr<BrokerDriver> {
    let driver = BrokerDriver {
        broker,
        subscriptions: Arc::default(),
    };
    let config = RedisAdapterConfig::new()
        .with_prefix(PREFIX)
        .with_stream_buffer(WAITING)
        .with_ack_response_buffer(WAITING)
        .with_request_timeout(ANSWER);
    RedisAdapterCtr::new_with_driver(driver, config)
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct BrokerDriver {
    broker: Broker,
    /// Guards the adapter's subscriptions by topic: they end when they are dropped.
    subscriptions: Arc<Mutex<HashMap<String, TopicSubscription>>>,
}

impl BrokerDriver {
    fn subscriptions(&self) -> std::sync::MutexGuard<'_, HashMap<String, TopicSubscription>> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for BrokerDriver {
    type Error = BrokerUnavailable;

    async fn publish(&self, topic: String, message: Vec<u8>) -> Result<(), BrokerUnavailable> {
        self.broker.publish(&topic, message.into());
        Ok(())
    }

    async fn subscribe(
        &self,
        topic: String,
        size: usize,
    ) -> Result<MessageStream<ChanItem>, BrokerUnavailable> {
        let (sender, receiver) = mpsc::channel(size);
        let name = topic.clone();
        let handler = move |message: Bytes| {
            if sender.try_send((name.clone(), message.into())).is_err() {
                tracing::warn!(
                    broker.topic = name,
                    "too much at once from other instances; a broadcast is lost"
                );
            }
        };
        let subscription = self.broker.subscribe(&topic, Arc::new(handler));
        self.subscriptions().insert(topic, subscription);
        Ok(MessageStream::new(receiver))
    }

    async fn unsubscribe(&self, topic: String) -> Result<(), BrokerUnavailable> {
        let subscription = self.subscriptions().remove(&topic);
        drop(subscription);
        Ok(())
    }

    async fn num_serv(&self, topic: &str) -> Result<u16, BrokerUnavailable> {
        let servers = self.broker.subscribers(topic).await?;
        Ok(u16::try_from(servers).unwrap_or(u16::MAX))
    }
}
