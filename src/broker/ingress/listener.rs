//! The connection on which backends are heard, and the one task that owns it. It never waits for what becomes of a
//! message.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use redis::aio::{PubSub, PubSubSink};
use redis::{Msg, RedisResult};
use tokio::time::MissedTickBehavior;

use super::super::connect::{Connector, broken, timely};
use super::super::redis::Redis;
use super::mark;
use super::waiting::WaitingRoom;
use crate::domain::{BackendSource, InstanceId};
use crate::shutdown::Lifecycle;

/// How often each instance publishes a mark.
const MARK: Duration = Duration::from_secs(1);
/// So many ticks without a mark of our own, and the connection is given up. Ticks and not time: a process that stood
/// still has not listened.
const DEAD: u32 = 4;

/// The topic of the marks.
pub(super) const TOPIC: &str = "ingress:mark";

/// See the module.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) connector: Connector,
    pub(super) redis: Arc<Redis>,
    pub(super) instance: InstanceId,
    /// The marks' full topic.
    pub(super) marks: Arc<str>,
    /// No message is for two of them.
    pub(super) sources: Arc<[BackendSource]>,
    pub(super) room: Arc<WaitingRoom>,
    pub(super) lifecycle: Lifecycle,
}

impl Listener {
    /// Listens until no new work is taken.
    pub(super) async fn run(mut self) {
        let lifecycle = self.lifecycle.clone();
        tokio::select! {
            () = self.listen_for_ever() => {}
            () = lifecycle.draining() => {}
        }
        self.room.close();
    }

    async fn listen_for_ever(&mut self) {
        loop {
            if let Some(wait) = self.connector.must_wait() {
                tokio::time::sleep(wait).await;
            }
            if let Some(connection) = self.connector.listening().await
                && let Err(error) = self.listen(connection).await
            {
                self.connector.lost(&error);
            }
            self.room.disconnect();
        }
    }

    /// Listens until the connection breaks.
    async fn listen(&mut self, connection: PubSub) -> RedisResult<()> {
        let (sink, mut messages) = connection.split();
        let mut subscribing = Box::pin(subscribe(
            sink,
            Arc::clone(&self.marks),
            Arc::clone(&self.sources),
        ));
        let mut subscribed = false;
        let mut silent = 0;
        let mut tick = tokio::time::interval(MARK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        loop {
            tokio::select! {
                answer = &mut subscribing, if !subscribed => {
                    answer?;
                    subscribed = true;
                    self.publish_mark();
                }
                message = messages.next() => match message {
                    Some(message) => if self.hear(&message) {
                        silent = 0;
                        self.connector.works();
                    },
                    None => return Err(broken(ErrorKind::ConnectionReset)),
                },
                _ = tick.tick() => {
                    silent += 1;
                    if silent > DEAD {
                        return Err(broken(ErrorKind::TimedOut));
                    }
                    self.room.tick();
                    if subscribed {
                        self.publish_mark();
                    }
                }
            }
        }
    }

    fn publish_mark(&self) {
        let mark = self.room.make_mark();
        self.redis.publish(TOPIC, Bytes::from(mark));
    }

    /// The source of which a channel is.
    fn source(&self, channel: &str) -> Option<usize> {
        self.sources
            .iter()
            .position(|source| source.covers(channel))
    }

    /// Whether it was a mark of our own.
    fn hear(&self, message: &Msg) -> bool {
        let topic = message.get_channel_name();
        if topic != &*self.marks {
            if let Some(source) = self.source(topic) {
                let payload = message.get_payload_bytes();
                self.room.hear(source, topic, payload, Instant::now());
            }
            return false;
        }
        let Some((mark, word)) = mark::read(message.get_payload_bytes()) else {
            return false;
        };
        let is_own = mark.instance == self.instance;
        self.room.hear_mark(&mark, &word);
        is_own
    }
}

/// Subscribes to everything. The marks come last, and in one command with the channels: whoever has heard one has missed
/// nothing since.
async fn subscribe(
    mut sink: PubSubSink,
    marks: Arc<str>,
    sources: Arc<[BackendSource]>,
) -> RedisResult<()> {
    let patterns: Vec<_> = sources.iter().filter_map(BackendSource::pattern).collect();
    if !patterns.is_empty() {
        timely(sink.psubscribe(patterns)).await?;
    }
    let mut topics = vec![&*marks];
    let channels = sources.iter().filter(|source| source.pattern().is_none());
    topics.extend(channels.map(BackendSource::begin));
    timely(sink.subscribe(topics)).await
}
