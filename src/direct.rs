//! Hands messages to clients that are connected now, on this instance and on all others: what is published on `broadcast`
//! and `client:<id>`. Nothing of it is logged, and nothing is kept for a client that has no room.
//!
//! One task per instance delivers, in the order in which it gets the messages; so what one instance sends reaches each
//! client in the order in which it was sent. Each instance says how many of its clients it has reached.

mod queue;
mod wire;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::broker::{Broker, BrokerStatus, TopicSubscription};
use crate::contract::{DirectMessage, ErrorCode, JsonObject, Reply};
use crate::domain::{ChannelName, ClientId, InstanceId};
use crate::presence::Presence;
use crate::shutdown::Lifecycle;
use queue::{Queue, Queued};
use wire::Answer;

/// Where instances tell one another what is to be delivered; answers go to the topic of the instance that has asked.
const TOPIC: &str = "direct";
/// How long other instances may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Answers that may wait for one who counts: more instances than that are not counted in full.
const ANSWERS: usize = 1024;
/// What an answer names that could not be asked because of Redis.
const REDIS: &str = "redis";

/// What is broadcast of how the application is. The last one is kept for those who connect later.
pub const CONNECTION_STATUS: &str = "connectionStatus";
/// Longest payload of it that is kept, in bytes.
const MAX_STATUS: usize = 16 * 1024;

/// What became of a message for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is in the connection's send queue.
    Taken,
    /// There is no room for it.
    Full,
    /// The connection is not meant, or has ended.
    NotMeant,
}

/// A connection that may be meant by a message.
pub trait Receiver: Send + Sync {
    /// Hands a message over if it is meant for this connection. Must not block.
    fn deliver(&self, message: &DirectMessage) -> Delivered;
}

/// The connections of one door.
pub trait Receivers: Send + Sync {
    /// The connection of a client.
    fn of_client(&self, client: ClientId) -> Option<Arc<dyn Receiver>>;

    /// Those that may hear broadcasts.
    fn of_broadcasts(&self) -> Vec<Arc<dyn Receiver>>;
}

/// How many connections a message has reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// In whose send queues it is.
    reached: usize,
    /// For whom there was no room.
    missed: usize,
}

impl Reached {
    fn add(&mut self, more: Self) {
        self.reached += more.reached;
        self.missed += more.missed;
    }

    fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// See the module's description. Cheap to clone.
#[derive(Clone)]
pub struct Direct(Arc<Inner>);

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").finish_non_exhaustive()
    }
}

struct Inner {
    instance: InstanceId,
    broker: Broker,
    presence: Arc<Presence>,
    lifecycle: Lifecycle,
    queue: Queue,
    doors: OnceLock<Vec<Weak<dyn Receivers>>>,
    /// Guards what was broadcast last of how the application is.
    last_status: Mutex<Option<Arc<RawValue>>>,
    next_request: AtomicU64,
    /// Guards those who count and wait for other instances, by their request.
    counting: Mutex<HashMap<u64, mpsc::Sender<(String, Reached)>>>,
    subscriptions: Mutex<Vec<TopicSubscription>>,
}

/// Waits for the answers of other instances until dropped.
struct Counting {
    direct: Direct,
    request: u64,
    answers: mpsc::Receiver<(String, Reached)>,
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.direct.0.counting.lock().remove(&self.request);
    }
}

impl Direct {
    /// Starts to hear what other instances send. Nobody is reached here before [`Direct::open`].
    #[must_use]
    pub fn start(
        instance: &InstanceId,
        broker: &Broker,
        presence: &Arc<Presence>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let (queue, waiting) = Queue::new();
        let direct = Self(Arc::new(Inner {
            instance: instance.clone(),
            broker: broker.clone(),
            presence: Arc::clone(presence),
            lifecycle: lifecycle.clone(),
            queue,
            doors: OnceLock::new(),
            last_status: Mutex::default(),
            next_request: AtomicU64::new(1),
            counting: Mutex::default(),
            subscriptions: Mutex::default(),
        }));
        let weak = Arc::downgrade(&direct.0);
        let heard = move |message: Bytes| {
            if let Some(inner) = weak.upgrade()
                && inner.queue.put(Queued::Heard(message)).is_err()
            {
                tracing::warn!("other instances send too much at once; a direct message is lost");
            }
        };
        let weak = Arc::downgrade(&direct.0);
        let answered = move |message: Bytes| {
            if let Some(inner) = weak.upgrade() {
                inner.note_answer(&message);
            }
        };
        *direct.0.subscriptions.lock() = vec![
            broker.subscribe(TOPIC, Arc::new(heard)),
            broker.subscribe(&answers_to(instance), Arc::new(answered)),
        ];
        let weak = Arc::downgrade(&direct.0);
        lifecycle.spawn_service(queue::run(waiting, weak));
        direct
    }

    /// Says where the connections are. Once.
    pub fn open(&self, doors: Vec<Weak<dyn Receivers>>) {
        if self.0.doors.set(doors).is_err() {
            tracing::error!("the doors are open already");
        }
    }

    /// Sends a message to those of all instances for whom it is. The answer says how many were reached; messages of one
    /// caller reach each client in the order of the calls, whether or not the answers are waited for.
    ///
    /// # Errors
    ///
    /// The refusal if too many messages wait already.
    pub fn send(&self, message: DirectMessage) -> Result<oneshot::Receiver<Reply>, Reply> {
        let inner = &self.0;
        let channel = message.channel.clone();
        let client = message.client_id();
        let is_of_one = message.client().is_some();
        // No other instance has a client that is here, nor one that cannot be.
        let is_settled = is_of_one && client.is_none_or(|client| inner.is_here(client));
        let asks_others = inner.broker.is_shared() && !is_settled;
        let counting = asks_others.then(|| self.begin_count());
        let encoded = counting
            .as_ref()
            .and_then(|counting| wire::encode(&message, counting.request, &inner.instance));
        let (done, here) = oneshot::channel();
        inner
            .queue
            .put(Queued::Sent { message, done })
            .map_err(|()| {
                let what = "too many messages wait to be delivered; try again in a moment";
                Reply::refused(ErrorCode::Unavailable, what)
            })?;
        if let Some(encoded) = encoded {
            inner.broker.publish(TOPIC, encoded);
        }
        let (reply, answer) = oneshot::channel();
        inner.lifecycle.spawn(async move {
            let mut total = here.await.unwrap_or_default();
            let mut unanswered = Vec::new();
            if let Some(counting) = counting
                && !(is_of_one && total.is_any())
            {
                unanswered = counting.collect(&mut total, is_of_one).await;
            }
            // Whoever has asked may have gone.
            reply.send(answer_of(&channel, total, unanswered)).ok();
        });
        Ok(answer)
    }

    /// Delivers a message to clients of this instance alone, once there is room: the other instances hear it as well.
    pub async fn deliver_here(&self, message: DirectMessage) {
        let (done, here) = oneshot::channel();
        self.0.queue.send(Queued::Sent { message, done }).await;
        here.await.ok();
    }

    /// What was broadcast last, on any instance, of how the application is.
    #[must_use]
    pub fn last_status(&self) -> Option<Arc<RawValue>> {
        self.0.last_status.lock().clone()
    }

    fn begin_count(&self) -> Counting {
        let request = self.0.next_request.fetch_add(1, Ordering::Relaxed);
        let (sender, answers) = mpsc::channel(ANSWERS);
        self.0.counting.lock().insert(request, sender);
        Counting {
            direct: self.clone(),
            request,
            answers,
        }
    }
}

impl Counting {
    /// Adds up what other instances answer, in time; until the first one that has the client if there is only one. Names
    /// what could not be asked.
    async fn collect(mut self, total: &mut Reached, is_of_one: bool) -> Vec<String> {
        let deadline = Instant::now() + ANSWER;
        let inner = Arc::clone(&self.direct.0);
        if inner.broker.status() == BrokerStatus::Down {
            return vec![REDIS.to_owned()];
        }
        let others = timeout_at(deadline, inner.broker.subscribers(TOPIC)).await;
        let Ok(Ok(instances)) = others else {
            return vec![REDIS.to_owned()];
        };
        let others = instances.saturating_sub(1);
        let mut heard = HashSet::new();
        while heard.len() < others {
            let Ok(Some((instance, reached))) = timeout_at(deadline, self.answers.recv()).await
            else {
                return inner.silent(&heard);
            };
            if heard.insert(instance) {
                total.add(reached);
            }
            if is_of_one && total.is_any() {
                break;
            }
        }
        Vec::new()
    }
}

impl Inner {
    fn doors(&self) -> impl Iterator<Item = Arc<dyn Receivers>> {
        let doors = self.doors.get().into_iter().flatten();
        doors.filter_map(Weak::upgrade)
    }

    fn note_status(&self, message: &DirectMessage) {
        let is_for_all = message.client().is_none() && message.condition.is_none();
        let is_small = message.payload.get().len() <= MAX_STATUS;
        if is_for_all && is_small && message.message_type.as_str() == CONNECTION_STATUS {
            *self.last_status.lock() = Some(Arc::clone(&message.payload));
        }
    }

    fn is_here(&self, client: ClientId) -> bool {
        self.doors().any(|door| door.of_client(client).is_some())
    }

    /// The connections that may be meant.
    fn receivers(&self, message: &DirectMessage) -> Vec<Arc<dyn Receiver>> {
        if message.client().is_none() {
            return self.doors().flat_map(|door| door.of_broadcasts()).collect();
        }
        let Some(client) = message.client_id() else {
            return Vec::new();
        };
        self.doors()
            .filter_map(|door| door.of_client(client))
            .collect()
    }

    fn answer(&self, request: u64, to: &InstanceId, reached: Reached) {
        let answer = Answer {
            request,
            instance: self.instance.to_string(),
            reached,
        };
        if let Some(answer) = wire::written(&answer) {
            self.broker.publish(&answers_to(to), answer);
        }
    }

    fn note_answer(&self, message: &[u8]) {
        let Ok(answer) = serde_json::from_slice::<Answer>(message) else {
            return tracing::debug!("another instance says what is not understood");
        };
        let sender = self.counting.lock().get(&answer.request).cloned();
        if let Some(sender) = sender
            && sender.try_send((answer.instance, answer.reached)).is_err()
        {
            tracing::debug!("a count has ended before an answer came");
        }
    }

    /// The instances that are alive and have not answered.
    fn silent(&self, heard: &HashSet<String>) -> Vec<String> {
        let others = self.presence.other_instances().into_iter();
        let others = others.map(|instance| instance.to_string());
        let silent: Vec<_> = others.filter(|name| !heard.contains(name)).collect();
        if silent.is_empty() {
            // It is subscribed, and has not been heard of.
            return vec!["unknown".to_owned()];
        }
        silent
    }
}

fn answers_to(instance: &InstanceId) -> String {
    format!("{TOPIC}:{instance}")
}

fn answer_of(channel: &ChannelName, total: Reached, unanswered: Vec<String>) -> Reply {
    let mut rest = JsonObject::default();
    rest.insert("channel", channel.as_str());
    rest.insert("reached", total.reached);
    if total.missed > 0 {
        rest.insert("missed", total.missed);
    }
    if !unanswered.is_empty() {
        rest.insert("unanswered", unanswered);
    }
    Reply::done(rest)
}
