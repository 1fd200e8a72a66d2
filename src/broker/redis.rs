//! Redis pub/sub: one connection that listens and one that speaks, each owned by a task that makes it anew
//! whenever it breaks.
//!
//! The redis crate's connection manager subscribes again by itself, but does not tell when it has done so, and a
//! feed must not trust its broker before. So does nothing tell that a connection hangs. Both are seen here: by
//! the confirmations of the subscriptions, and by a *pulse* that this instance publishes and must hear itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::connect::{Connector, PATIENCE};
use super::speaker::{Order, Speaker};
use super::topics::{Place, Topics};
use super::{BrokerStatus, BrokerUnavailable, Handler, RedisUrl, listener};
use crate::domain::InstanceId;
use crate::shutdown::Lifecycle;

/// Messages that may wait to be published.
const QUEUED_MESSAGES: usize = 4096;
/// Bytes that may wait to be published.
const QUEUED_BYTES: usize = 64 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Redis {
    url: RedisUrl,
    instance: InstanceId,
    prefix: String,
    topics: Arc<Topics>,
    orders: mpsc::Sender<Order>,
    /// Bytes that wait to be published.
    queued: Arc<AtomicUsize>,
    status: watch::Sender<BrokerStatus>,
}

impl Redis {
    pub(super) fn start(
        url: &RedisUrl,
        prefix: &str,
        instance: &InstanceId,
        lifecycle: &Lifecycle,
    ) -> Arc<Self> {
        let (orders, waiting) = mpsc::channel(QUEUED_MESSAGES);
        let (status, _) = watch::channel(BrokerStatus::Down);
        let topics = Arc::new(Topics::default());
        let queued = Arc::new(AtomicUsize::new(0));
        let pulse: Arc<str> = format!("{prefix}:pulse:{instance}").into();
        let speaker = Speaker {
            connector: Connector::new(url, "publish"),
            pulse: Arc::clone(&pulse),
            instance: instance.clone(),
            queued: Arc::clone(&queued),
            status: status.subscribe(),
        };
        let listener = listener::Listener {
            connector: Connector::new(url, "subscribe"),
            pulse,
            instance: instance.clone(),
            topics: Arc::clone(&topics),
            status: status.clone(),
        };
        lifecycle.spawn_service(speaker.run(waiting));
        lifecycle.spawn_service(listener.run());
        Arc::new(Self {
            url: url.clone(),
            instance: instance.clone(),
            prefix: prefix.to_owned(),
            topics,
            orders,
            queued,
            status,
        })
    }

    pub(super) fn publish(&self, topic: &str, message: Bytes) {
        let bytes = message.len();
        let order = Order::Publish {
            topic: self.topic(topic),
            message,
        };
        self.order(topic, bytes, order);
    }

    pub(super) fn show(&self, name: &'static str, value: Bytes, kept: Duration) {
        self.order(name, value.len(), Order::Show { name, value, kept });
    }

    fn order(&self, topic: &str, bytes: usize, order: Order) {
        let waiting = self.queued.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > QUEUED_BYTES || self.orders.try_send(order).is_err() {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            tracing::debug!(
                broker.topic = topic,
                "redis is slow or away; a message is lost"
            );
        }
    }

    pub(super) fn subscribe(&self, topic: &str, handler: Handler) -> Place {
        self.topics
            .subscribe(self.topic(topic), handler, self.status())
    }

    pub(super) async fn subscribers(&self, topic: &str) -> Result<usize, BrokerUnavailable> {
        let (reply, count) = oneshot::channel();
        let order = Order::Count {
            topic: self.topic(topic),
            reply,
        };
        let sent = self.orders.try_send(order);
        sent.map_err(|_| BrokerUnavailable)?;
        let count = tokio::time::timeout(PATIENCE, count).await;
        count.ok().and_then(Result::ok).ok_or(BrokerUnavailable)
    }

    pub(super) async fn settle(&self) {
        let (reply, settled) = oneshot::channel();
        let settling = async {
            if self.orders.send(Order::Settle(reply)).await.is_ok() && settled.await.is_err() {
                tracing::trace!("everything was published or lost");
            }
        };
        if tokio::time::timeout(PATIENCE, settling).await.is_err() {
            tracing::debug!("redis takes too long; what waits for it is lost");
        }
    }

    pub(super) fn status(&self) -> watch::Receiver<BrokerStatus> {
        self.status.subscribe()
    }

    pub(super) fn url(&self) -> &RedisUrl {
        &self.url
    }

    pub(super) fn instance(&self) -> &InstanceId {
        &self.instance
    }

    pub(super) fn topic(&self, topic: &str) -> Arc<str> {
        format!("{}:{topic}", self.prefix).into()
    }
}
