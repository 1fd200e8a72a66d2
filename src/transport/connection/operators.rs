//! What operators ask of connections, at all doors and on all instances: notifications, counts and disconnects.
//!
//! Requests go through the broker, best effort: an instance that Redis does not reach does not hear of them. A count says
//! whether all instances have answered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Connection;
use super::door::Door;
use super::notice::Notice;
use super::registry::Registry;
use super::send_queue::{Intake as _, Kind, SendQueue as _};
use crate::broker::{BrokerUnavailable, TopicSubscription};
use crate::contract::{Audience, JsonObject, Notification};
use crate::domain::{ChannelName, EventType, Fields, InstanceId};
use crate::hub::Offer;
use crate::state::AppState;

/// Where instances tell one another what operators ask.
const TOPIC: &str = "operators";
/// How long other instances may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Requests and answers of other instances that may wait; more are lost.
const WAITING: usize = 1024;
/// Answers that may wait for one who counts: more instances than that are not counted in full.
const ANSWERS: usize = 1024;

/// The connections of one door.
pub(crate) trait DoorConnections: Send + Sync {
    /// How many are meant.
    fn count(&self, audience: &Audience) -> usize;

    /// Tells those that are meant, if they have room for it: they have more important things to take first.
    fn notify(&self, audience: &Audience, notice: &Notice);

    /// Ends those that are meant.
    fn disconnect(&self, audience: &Audience);
}

impl<D: Door> Registry<D> {
    fn meant(&self, audience: &Audience) -> impl Iterator<Item = Arc<Connection<D>>> {
        let channel = match audience {
            Audience::Project(project) => Some(project.channel()),
            Audience::Channel(channel) => Some(channel.clone()),
            Audience::User(_) | Audience::Connection(_) | Audience::Everyone => None,
        };
        let all = self.all().into_iter();
        all.filter(move |connection| match (&channel, audience) {
            (Some(channel), _) => connection.hears(channel),
            (None, Audience::User(user)) => connection.is_of(user.as_str()),
            (None, Audience::Connection(id)) => connection.is_called(id),
            (None, _) => true,
        })
    }
}

impl<D: Door> DoorConnections for Registry<D> {
    fn count(&self, audience: &Audience) -> usize {
        self.meant(audience).count()
    }

    fn notify(&self, audience: &Audience, notice: &Notice) {
        for connection in self.meant(audience) {
            if connection.notify(notice) != Offer::Taken {
                tracing::debug!(connection.id = %connection.id, "no room for a notification");
            }
        }
    }

    fn disconnect(&self, audience: &Audience) {
        for connection in self.meant(audience) {
            connection.disconnect();
        }
    }
}

impl<D: Door> Connection<D> {
    fn hears(&self, channel: &ChannelName) -> bool {
        let subscriber = self.subscriber();
        subscriber.is_some_and(|one| one.session.rooms.hears(channel) == Some(true))
    }

    fn is_of(&self, user: &str) -> bool {
        let subscriber = self.subscriber();
        subscriber.is_some_and(|one| one.session.caller.is_named(user))
    }

    fn is_called(&self, id: &str) -> bool {
        self.id.to_string() == id || self.client.to_string() == id
    }

    fn notify(&self, notice: &Notice) -> Offer {
        let Some(subscriber) = self.subscriber() else {
            return Offer::Gone;
        };
        let mut out = self.queue.intake();
        if out.is_closed() || !out.has_room(Kind::Signal, notice.bytes()) {
            return Offer::Full;
        }
        let told = self
            .door
            .notice(&mut out, subscriber.session.style, notice, None);
        self.note_sent(told);
        told
    }
}

/// What instances say to one another.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Said {
    Notify {
        audience: Fields,
        payload: Fields,
    },
    Disconnect {
        audience: Fields,
    },
    Count {
        audience: Fields,
        request: u64,
        from: String,
    },
    Counted {
        request: u64,
        to: String,
        instance: String,
        connections: usize,
    },
}

/// How many connections there are.
#[derive(Debug)]
pub(crate) struct Count {
    /// On each instance.
    pub(crate) instances: BTreeMap<String, usize>,
    /// Whether every instance has answered in time.
    pub(crate) complete: bool,
}

/// See the module's description. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Operators(Arc<Inner>);

struct Inner {
    app: AppState,
    doors: Vec<Arc<dyn DoorConnections>>,
    next_request: AtomicU64,
    /// Guards those who count and wait for other instances, by their request.
    counting: Mutex<HashMap<u64, mpsc::Sender<(String, usize)>>>,
    subscription: Mutex<Option<TopicSubscription>>,
}

/// Waits for answers to a count until dropped.
struct Counting<'a> {
    inner: &'a Inner,
    request: u64,
    answers: mpsc::Receiver<(String, usize)>,
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.inner.counting.lock().remove(&self.request);
    }
}

impl Operators {
    /// Starts to hear what operators ask of other instances.
    pub(crate) fn start(app: &AppState, doors: Vec<Arc<dyn DoorConnections>>) -> Self {
        let inner = Arc::new(Inner {
            app: app.clone(),
            doors,
            next_request: AtomicU64::new(1),
            counting: Mutex::default(),
            subscription: Mutex::new(None),
        });
        let (sender, mut messages) = mpsc::channel::<Bytes>(WAITING);
        let handler = move |message: Bytes| {
            if sender.try_send(message).is_err() {
                tracing::warn!("operators ask too much at once; a request is lost");
            }
        };
        // Looking at every connection takes a while, for which the broker must not wait.
        let hears = Arc::clone(&inner);
        app.lifecycle().spawn_service(async move {
            while let Some(message) = messages.recv().await {
                hears.take(&message);
            }
        });
        *inner.subscription.lock() = Some(app.broker().subscribe(TOPIC, Arc::new(handler)));
        Self(inner)
    }

    /// Emits `system:notification` to its audience, to each connection in its own style.
    pub(crate) fn notify(&self, notification: &Notification) {
        self.0.tell_others(&Said::Notify {
            audience: notification.audience.to_fields(),
            payload: notification.payload.clone(),
        });
        self.0
            .notify(&notification.audience, notification.payload.clone());
    }

    /// Ends connections. Those of Socket.IO clients do not come back by themselves.
    pub(crate) fn disconnect(&self, audience: &Audience) {
        self.0.tell_others(&Said::Disconnect {
            audience: audience.to_fields(),
        });
        self.0.disconnect(audience);
    }

    /// Counts connections.
    ///
    /// # Errors
    ///
    /// Fails while the other instances cannot be asked.
    pub(crate) async fn count(&self, audience: &Audience) -> Result<Count, BrokerUnavailable> {
        let inner = &*self.0;
        let others = inner
            .app
            .broker()
            .subscribers(TOPIC)
            .await?
            .saturating_sub(1);
        let own = (inner.app.instance().to_string(), inner.count(audience));
        let mut instances = BTreeMap::from([own]);
        let mut counting = inner.begin_count();
        if others > 0 {
            inner.tell_others(&Said::Count {
                audience: audience.to_fields(),
                request: counting.request,
                from: inner.app.instance().to_string(),
            });
        }
        let deadline = Instant::now() + ANSWER;
        while instances.len() <= others {
            match timeout_at(deadline, counting.answers.recv()).await {
                Ok(Some((instance, connections))) => {
                    instances.insert(instance, connections);
                }
                Ok(None) | Err(_) => break,
            }
        }
        Ok(Count {
            complete: instances.len() > others,
            instances,
        })
    }
}

impl Inner {
    fn begin_count(&self) -> Counting<'_> {
        let request = self.next_request.fetch_add(1, Ordering::Relaxed);
        let (sender, answers) = mpsc::channel(ANSWERS);
        self.counting.lock().insert(request, sender);
        Counting {
            inner: self,
            request,
            answers,
        }
    }

    fn tell_others(&self, said: &Said) {
        if !self.app.broker().is_shared() {
            return;
        }
        match serde_json::to_vec(said) {
            Ok(message) => self.app.broker().publish(TOPIC, message.into()),
            Err(error) => tracing::error!(%error, "a request of an operator cannot be encoded"),
        }
    }

    /// Takes what another instance says.
    fn take(&self, message: &[u8]) {
        let said = match serde_json::from_slice(message) {
            Ok(said) => said,
            Err(error) => {
                return tracing::debug!(%error, "another instance says what is not understood");
            }
        };
        match said {
            Said::Notify { audience, payload } => {
                if let Ok(audience) = Audience::read(&audience) {
                    self.notify(&audience, payload);
                }
            }
            Said::Disconnect { audience } => {
                if let Ok(audience) = Audience::read(&audience) {
                    self.disconnect(&audience);
                }
            }
            Said::Count {
                audience,
                request,
                from,
            } => {
                if let Ok(audience) = Audience::read(&audience) {
                    self.tell_others(&Said::Counted {
                        request,
                        to: from,
                        instance: self.app.instance().to_string(),
                        connections: self.count(&audience),
                    });
                }
            }
            Said::Counted {
                request,
                to,
                instance,
                connections,
            } => self.note_counted(request, &to, instance, connections),
        }
    }

    fn note_counted(&self, request: u64, to: &str, instance: String, connections: usize) {
        if to != InstanceId::as_str(self.app.instance()) {
            return;
        }
        let sender = self.counting.lock().get(&request).cloned();
        if let Some(sender) = sender
            && sender.try_send((instance, connections)).is_err()
        {
            tracing::debug!("a count has ended before an answer came");
        }
    }

    fn notify(&self, audience: &Audience, payload: Fields) {
        let event_type = EventType::known("system.notification");
        let notice = Notice::new(event_type, &JsonObject::from(payload));
        for door in &self.doors {
            door.notify(audience, &notice);
        }
    }

    fn disconnect(&self, audience: &Audience) {
        for door in &self.doors {
            door.disconnect(audience);
        }
    }

    fn count(&self, audience: &Audience) -> usize {
        self.doors.iter().map(|door| door.count(audience)).sum()
    }
}
