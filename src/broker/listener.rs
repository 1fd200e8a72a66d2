//! The connection on which this instance hears of others, and the one task that owns it.

use std::collections::HashSet;
use std::future::Future;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use redis::aio::{PubSub, PubSubSink};
use redis::{Msg, RedisResult};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::connect::{Connector, DEAD, PULSE, SILENCE, broken, timely};
use super::topics::{Change, Topics};
use super::{BrokerStatus, envelope};
use crate::domain::InstanceId;

/// Topics in one request.
const AT_ONCE: usize = 1000;

type Applying = Pin<Box<dyn Future<Output = RedisResult<Change>> + Send>>;

/// See the module.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) connector: Connector,
    pub(super) pulse: Arc<str>,
    pub(super) instance: InstanceId,
    pub(super) topics: Arc<Topics>,
    pub(super) status: watch::Sender<BrokerStatus>,
}

impl Listener {
    /// Listens for ever.
    pub(super) async fn run(mut self) {
        loop {
            if let Some(wait) = self.connector.must_wait() {
                tokio::time::sleep(wait).await;
            }
            if let Some(connection) = self.connector.listening().await
                && let Err(error) = self.listen(connection).await
            {
                self.connector.lost(&error);
            }
            self.set_status(BrokerStatus::Down);
            self.topics.forget_changes();
        }
    }

    /// Listens until the connection breaks.
    async fn listen(&mut self, connection: PubSub) -> RedisResult<()> {
        let (sink, mut messages) = connection.split();
        let mut subscribed = HashSet::new();
        // One after the other, so that a confirmation means what it says.
        let mut applying = Some(apply(&sink, self.everything()));
        let mut heard = Instant::now();
        let mut check = tokio::time::interval(PULSE);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if applying.is_none() {
                let change = self.topics.change(&subscribed);
                applying = change.map(|change| apply(&sink, change));
            }
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => if self.hear(&message) { heard = Instant::now() },
                    None => return Err(broken(ErrorKind::ConnectionReset)),
                },
                applied = async { applying.as_mut().expect("guarded").await }, if applying.is_some() => {
                    self.note(applied?, &mut subscribed);
                    self.connector.works();
                    applying = None;
                }
                () = self.topics.changed.notified(), if applying.is_none() => {}
                _ = check.tick() => {
                    let silence = heard.elapsed();
                    if silence > DEAD {
                        return Err(broken(ErrorKind::TimedOut));
                    }
                    if silence > SILENCE {
                        self.set_status(BrokerStatus::Down);
                    }
                }
            }
        }
    }

    /// The pulse comes last: hearing it means that everything else is in force.
    fn everything(&self) -> Change {
        let mut subscribe = self.topics.all();
        subscribe.push(Arc::clone(&self.pulse));
        Change {
            subscribe,
            unsubscribe: Vec::new(),
        }
    }

    fn note(&self, change: Change, subscribed: &mut HashSet<Arc<str>>) {
        self.topics.confirm(&change.subscribe);
        subscribed.extend(change.subscribe);
        for name in &change.unsubscribe {
            subscribed.remove(name);
        }
    }

    /// Hands a message on; whether it was the pulse.
    fn hear(&self, message: &Msg) -> bool {
        let topic = message.get_channel_name();
        if topic == &*self.pulse {
            self.set_status(BrokerStatus::Up);
            return true;
        }
        if let Some(message) = envelope::open(&self.instance, message.get_payload_bytes())
            && let Some(handler) = self.topics.handler(topic)
            // Else one bad message would end the hearing of all others.
            && catch_unwind(AssertUnwindSafe(|| handler(Bytes::copy_from_slice(message)))).is_err()
        {
            tracing::error!(broker.topic = topic, "a message caused a panic");
        }
        false
    }

    fn set_status(&self, now: BrokerStatus) {
        let changed = self
            .status
            .send_if_modified(|status| std::mem::replace(status, now) != now);
        match (changed, now) {
            (true, BrokerStatus::Up) => tracing::info!("the broker is up"),
            (true, _) => tracing::warn!(
                "the broker is down; other instances' events come from the log, a little late"
            ),
            (false, _) => {}
        }
    }
}

/// Makes a change on a connection; it comes back when Redis has confirmed all of it.
fn apply(sink: &PubSubSink, change: Change) -> Applying {
    let mut sink = sink.clone();
    Box::pin(async move {
        for names in change.subscribe.chunks(AT_ONCE) {
            timely(sink.subscribe(texts(names))).await?;
        }
        for names in change.unsubscribe.chunks(AT_ONCE) {
            timely(sink.unsubscribe(texts(names))).await?;
        }
        Ok(change)
    })
}

fn texts(names: &[Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}
