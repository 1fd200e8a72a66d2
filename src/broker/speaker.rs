//! The connection on which this instance publishes, and the one task that owns it: messages keep their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisResult};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::connect::{Connector, DEAD, PULSE, timely};
use super::{BrokerStatus, envelope};
use crate::domain::InstanceId;

/// Messages in one round trip.
const PIPELINE: usize = 256;

/// What the task is asked for.
#[derive(Debug)]
pub(super) enum Order {
    Publish {
        topic: Arc<str>,
        message: Bytes,
    },
    /// To publish a value under its plain name, and to keep it for a while.
    Show {
        name: &'static str,
        value: Bytes,
        kept: Duration,
    },
    /// How many are subscribed to a topic. Unanswered while there is no connection.
    Count {
        topic: Arc<str>,
        reply: oneshot::Sender<usize>,
    },
    /// To be told when everything before is published, or lost.
    Settle(oneshot::Sender<()>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) connector: Connector,
    pub(super) pulse: Arc<str>,
    pub(super) instance: InstanceId,
    pub(super) queued: Arc<AtomicUsize>,
    pub(super) status: watch::Receiver<BrokerStatus>,
}

impl Speaker {
    /// Publishes until nobody can ask for it any more.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connection: Option<MultiplexedConnection> = None;
        let mut taken = Vec::with_capacity(PIPELINE);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                count = orders.recv_many(&mut taken, PIPELINE) => if count == 0 { return },
                _ = pulse.tick() => {}
            }
            if *self.status.borrow() == BrokerStatus::Up {
                heard = Instant::now();
            } else if heard.elapsed() > DEAD {
                // Redis may answer and be the wrong one: the name may lead to another server by now.
                connection = None;
            }
            if connection.is_none() && self.connector.must_wait().is_none() {
                connection = self.connector.speaking().await;
                heard = Instant::now();
            }
            let Some(open) = &mut connection else {
                self.lose(&mut taken, &mut orders);
                continue;
            };
            let bytes = bytes(&taken);
            match self.speak(open, std::mem::take(&mut taken)).await {
                Ok(()) => self.connector.works(),
                Err(error) => {
                    self.connector.lost(&error);
                    connection = None;
                }
            }
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Drops what was taken and all that waits: the next attempt to connect may take as long, and nobody wants to
    /// hear it so late. Dropping a count tells its asker.
    fn lose(&self, taken: &mut Vec<Order>, orders: &mut mpsc::Receiver<Order>) {
        let waiting = orders.len();
        taken.extend((0..waiting).map_while(|_| orders.try_recv().ok()));
        self.queued.fetch_sub(bytes(taken), Ordering::Relaxed);
        taken.clear();
    }

    /// Publishes the messages, and the pulse behind them.
    async fn speak(
        &self,
        connection: &mut MultiplexedConnection,
        orders: Vec<Order>,
    ) -> RedisResult<()> {
        let mut pipeline = Pipeline::with_capacity(orders.len() + 1);
        let mut counts = Vec::new();
        let mut settled = Vec::new();
        for order in orders {
            match order {
                Order::Publish { topic, message } => {
                    let sealed = envelope::seal(&self.instance, &message);
                    pipeline.publish(&*topic, sealed).ignore();
                }
                Order::Show { name, value, kept } => {
                    pipeline.publish(name, &*value).ignore();
                    pipeline.set_ex(name, &*value, kept.as_secs()).ignore();
                }
                Order::Count { topic, reply } => {
                    pipeline.cmd("PUBSUB").arg("NUMSUB").arg(&*topic);
                    counts.push(reply);
                }
                // Dropping it tells its asker, whatever becomes of the messages.
                Order::Settle(reply) => settled.push(reply),
            }
        }
        let pulse = envelope::seal(&self.instance, b"");
        pipeline.publish(&*self.pulse, pulse).ignore();
        let answers: Vec<(String, usize)> = timely(pipeline.query_async(connection)).await?;
        for (reply, (_, count)) in counts.into_iter().zip(answers) {
            if reply.send(count).is_err() {
                tracing::trace!("nobody waits any more");
            }
        }
        Ok(())
    }
}

fn bytes(orders: &[Order]) -> usize {
    let bytes = orders.iter().map(|order| match order {
        Order::Publish { message, .. } => message.len(),
        Order::Show { value, .. } => value.len(),
        Order::Count { .. } | Order::Settle(_) => 0,
    });
    bytes.sum()
}
