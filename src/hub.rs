//! This instance's deliverer: one feed per channel that has local subscribers.
//!
//! The hub promises each subscriber the events of a channel in order and without a hole, from the position
//! at which it subscribed. It may be told of events late, twice or not at all: the log repairs every gap.
//! It never makes a publisher wait.

mod feed;
mod page;
mod pending_signals;
mod relay;
mod ring;
mod shrink;
mod subscriber;
mod subscription;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::broker::{Broker, TopicSubscription};
use crate::domain::{ChannelName, ChannelNo, Event, Seq, Signal};
use crate::memory::MemoryBudget;
use crate::shutdown::Lifecycle;
use crate::store::{Store, StoreError};

use feed::Feed;
use relay::{Inlet, Message};
use shrink::{Footprint, Usage};
pub use subscriber::{Offer, SLOW_READER, Subscriber, Wake};

/// Messages that may wait for a feed. A publisher that finds no room leaves the log to repair the gap.
const MAILBOX: usize = 1024;

/// From where a subscriber wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Whatever comes next.
    Now,
    /// Everything after this seq, to which the subscriber has the state.
    After(Seq),
    /// Everything after this seq, up to which a client says that it was told: unless it has missed too much.
    Seen(Seq),
}

/// Where a new subscriber stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// The channel's number; `None` before its first event.
    pub channel_no: Option<ChannelNo>,
    /// The seq of the channel's last event.
    pub head: Seq,
    /// The seq after which the subscriber will be told everything.
    pub position: Seq,
}

/// Why a position cannot be served. Clients are told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// What comes after it has been removed.
    #[error("the events after this position are not kept any more")]
    Pruned,
    /// It is of another log, or forged.
    #[error("the position is ahead of the log")]
    Ahead,
    /// The state is quicker than so many events.
    #[error("too many events were missed")]
    TooMany,
}

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The position cannot be served.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The channel's head could not be read.
    #[error("the log cannot be read")]
    Store(#[from] StoreError),
    /// The instance is shutting down.
    #[error("the hub is closing")]
    Closing,
}

/// What the hub may use and how long it is patient.
#[derive(Debug, Clone, Copy)]
pub struct HubOptions {
    /// Most recent events kept per feed.
    pub ring_events: usize,
    /// Bytes kept per feed.
    pub ring_bytes: usize,
    /// Bytes kept by all feeds together: in rings, pages of the log, and messages that wait for a feed.
    pub event_memory: usize,
    /// Events that a client may have missed and still gets one by one.
    pub replay_limit: usize,
    /// A subscriber that takes nothing for so long is closed.
    pub slow_reader_timeout: Duration,
}

#[derive(Debug)]
struct Handle {
    inlet: Inlet,
    usage: Arc<Usage>,
    /// Hears of the channel's events on other instances.
    _topic: TopicSubscription,
    /// Subscriptions that exist; the feed ends with the last.
    subscriptions: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Hub {
    /// Guards the set of feeds, so that a feed is made once and ends with its last subscription.
    feeds: Mutex<HashMap<ChannelName, Handle>>,
    next_id: AtomicU64,
    /// Pages that feeds have read from the log.
    log_reads: Arc<AtomicU64>,
    memory: MemoryBudget,
    store: Store,
    broker: Broker,
    lifecycle: Lifecycle,
    options: HubOptions,
}

impl Hub {
    /// A hub without feeds.
    #[must_use]
    pub fn new(
        store: Store,
        broker: Broker,
        lifecycle: Lifecycle,
        options: HubOptions,
    ) -> Arc<Self> {
        let hub = Arc::new(Self {
            feeds: Mutex::default(),
            next_id: AtomicU64::new(1),
            log_reads: Arc::default(),
            memory: shrink::budget(options.event_memory),
            store,
            broker,
            lifecycle,
            options,
        });
        let watching = shrink::watch(Arc::downgrade(&hub), hub.memory.clone());
        hub.lifecycle.spawn_service(watching);
        hub
    }

    /// Tells the subscribers of a channel, on all instances, of events that are committed. Never blocks.
    pub fn publish(&self, channel: &ChannelName, events: &Arc<[Arc<Event>]>) {
        self.put(channel, Message::Committed(Arc::clone(events)));
        if self.broker.is_shared() {
            let topic = relay::topic(channel);
            for message in relay::events(events) {
                self.broker.publish(&topic, message);
            }
        }
    }

    /// Tells the subscribers of a channel, on all instances, something ephemeral. Never blocks; may be lost.
    pub fn signal(&self, channel: &ChannelName, signal: &Arc<Signal>) {
        self.signal_here(channel, signal);
        if self.broker.is_shared()
            && let Some(message) = relay::signal(signal)
        {
            self.broker.publish(&relay::topic(channel), message);
        }
    }

    /// Tells the subscribers that this instance has.
    pub fn signal_here(&self, channel: &ChannelName, signal: &Arc<Signal>) {
        self.put(channel, Message::Signal(Arc::clone(signal)));
    }

    fn put(&self, channel: &ChannelName, message: Message) {
        if let Some(handle) = self.feeds.lock().get(channel) {
            handle.inlet.put(message);
        }
    }

    /// Subscribes to a channel.
    ///
    /// # Errors
    ///
    /// Fails when the position cannot be served or the log cannot be read; see [`SubscribeError`].
    pub async fn subscribe(
        self: &Arc<Self>,
        channel: &ChannelName,
        subscriber: Arc<dyn Subscriber>,
        from: From,
    ) -> Result<(Subscription, Joined), SubscribeError> {
        let subscription = self.open(channel);
        let asked = subscription.ask(&subscriber, from, None).await;
        let joined = match asked {
            Err(SubscribeError::OutOfRange(OutOfRange::Ahead)) => {
                // The client may have read what is committed and not published yet.
                let channel = self.store.channel_get(channel).await?;
                let committed = channel.map(|channel| (channel.no, channel.seq));
                subscription.ask(&subscriber, from, committed).await?
            }
            asked => asked?,
        };
        Ok((subscription, joined))
    }

    fn open(self: &Arc<Self>, channel: &ChannelName) -> Subscription {
        let mut feeds = self.feeds.lock();
        let handle = feeds
            .entry(channel.clone())
            .or_insert_with(|| self.start_feed(channel));
        handle.subscriptions += 1;
        Subscription {
            hub: Arc::clone(self),
            channel: channel.clone(),
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            inlet: handle.inlet.clone(),
        }
    }

    fn start_feed(&self, channel: &ChannelName) -> Handle {
        let (mailbox, messages) = mpsc::channel(MAILBOX);
        let inlet = Inlet::new(mailbox, self.memory.clone());
        let usage = Arc::new(Usage::default());
        let topic = self.hear(channel, inlet.clone());
        let feed = Feed::new(
            channel.clone(),
            self.store.clone(),
            Arc::clone(&inlet.heard),
            topic.confirmation(),
            Arc::clone(&self.log_reads),
            Footprint::new(&self.memory, &usage),
            self.options,
        );
        self.lifecycle.spawn_service(feed.run(messages));
        Handle {
            inlet,
            usage,
            _topic: topic,
            subscriptions: 0,
        }
    }

    fn hear(&self, channel: &ChannelName, inlet: Inlet) -> TopicSubscription {
        let name = channel.clone();
        // Once is enough: whoever floods a topic does not flood the log as well.
        let complained = AtomicBool::new(false);
        let handler = move |message: bytes::Bytes| match relay::decode(&name, &message) {
            Ok(message) => inlet.put(message),
            Err(error) if !complained.swap(true, Ordering::Relaxed) => {
                tracing::warn!(channel = %name, error = %error, "a message that cannot be read");
            }
            Err(error) => {
                tracing::debug!(channel = %name, error = %error, "a message that cannot be read");
            }
        };
        self.broker
            .subscribe(&relay::topic(channel), Arc::new(handler))
    }

    /// Compares every feed's head with the log and lets those that lie behind catch up.
    ///
    /// # Errors
    ///
    /// Fails when the log cannot be read.
    pub async fn check_heads(&self) -> Result<(), StoreError> {
        let names: Vec<_> = self.feeds.lock().keys().cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        let channels = self.store.channel_heads(&names).await?;
        let feeds = self.feeds.lock();
        for channel in channels {
            if let Some(handle) = feeds.get(&channel.name) {
                handle.inlet.announce(&channel);
            }
        }
        Ok(())
    }

    /// Resolves when everything that was published so far has been offered to its subscribers.
    pub async fn settle(&self) {
        let inlets: Vec<_> = self
            .feeds
            .lock()
            .values()
            .map(|handle| handle.inlet.clone())
            .collect();
        for inlet in inlets {
            let (reply, settled) = oneshot::channel();
            if inlet.send(Message::Settle(reply)).await && settled.await.is_err() {
                tracing::debug!("a feed ended meanwhile");
            }
        }
    }

    /// Channels with local subscribers.
    #[must_use]
    pub fn feed_count(&self) -> usize {
        self.feeds.lock().len()
    }

    /// The bytes that feeds keep: of at most [`HubOptions::event_memory`].
    #[must_use]
    pub fn event_memory(&self) -> usize {
        self.memory.used()
    }

    /// Pages that feeds have read from the log since the start.
    #[must_use]
    pub fn log_reads(&self) -> u64 {
        self.log_reads.load(Ordering::Relaxed)
    }

    fn release(&self, channel: &ChannelName) {
        let mut feeds = self.feeds.lock();
        if let Some(handle) = feeds.get_mut(channel) {
            handle.subscriptions -= 1;
            if handle.subscriptions == 0 {
                feeds.remove(channel);
            }
        }
    }
}

/// A place among the subscribers of a channel, until dropped.
#[derive(Debug)]
pub struct Subscription {
    hub: Arc<Hub>,
    channel: ChannelName,
    id: u64,
    inlet: Inlet,
}

impl Subscription {
    /// Asks the feed to take a subscriber in, and tells it how far the log is known to reach.
    async fn ask(
        &self,
        subscriber: &Arc<dyn Subscriber>,
        from: From,
        committed: Option<(ChannelNo, Seq)>,
    ) -> Result<Joined, SubscribeError> {
        let (reply, joined) = oneshot::channel();
        let message = Message::Subscribe {
            id: self.id,
            subscriber: Arc::clone(subscriber),
            from,
            committed,
            reply,
        };
        if !self.inlet.send(message).await {
            return Err(SubscribeError::Closing);
        }
        joined.await.map_err(|_| SubscribeError::Closing)?
    }

    /// Ends the deliveries after everything that was published before has been offered. The feed lives on until
    /// the subscription is dropped.
    pub async fn leave(&self) {
        let (reply, left) = oneshot::channel();
        let message = Message::Unsubscribe {
            id: self.id,
            reply: Some(reply),
        };
        if self.inlet.send(message).await && left.await.is_err() {
            tracing::debug!(channel = %self.channel, "feed ended before its subscriber left");
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let message = Message::Unsubscribe {
            id: self.id,
            reply: None,
        };
        // A full mailbox loses this message; the feed drops the subscriber when its next offer is declined.
        self.inlet.put(message);
        self.hub.release(&self.channel);
    }
}
