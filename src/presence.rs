//! Who is in which project, on all instances, and which instances there are.
//!
//! Identity comes from the connection: one entry per user, however many connections on however many instances. Each
//! instance keeps all entries in memory, so that nobody waits for another instance or for the broker; what the others
//! say travels on the topic `cluster` (`state`). Every instance tells its own subscribers what changes, if they look: what
//! happens in a project within a moment is told together (`windows`).

mod change;
mod entry;
pub(crate) mod instances;
mod message;
mod order;
mod own;
mod state;
#[cfg(test)]
mod tests;
mod told;
mod view;
mod windows;

use std::future::pending;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::broker::{Broker, BrokerStatus};
use crate::clock::Clock;
use crate::connection_count::ConnectionCount;
use crate::domain::{Actor, ConnectionId, Fields, InstanceId, Lasting, ProjectId};
use crate::hub::Hub;
use crate::presence::instances::{BEAT, Cluster};
use crate::shutdown::Lifecycle;

use entry::Key;
use message::Message;
use state::{Limits, State};
use windows::{News, Windows};

/// Where instances talk to one another.
const TOPIC: &str = "cluster";
/// A page is small, so that a full broker loses little of it. So is a roster: it is part of every answer to a join, and
/// a WebSocket keeps a buffer as large as its largest message.
const LIMITS: Limits = Limits {
    shown: 100,
    page: 64,
};
/// Bytes of JSON that somebody may say of themselves.
const MAX_DATA: usize = 1024;

/// Why what somebody says of themselves is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// They are not in the project.
    #[error("join the project first")]
    Absent,
    /// It would be more than an entry can hold.
    #[error("presence data must not be larger than {MAX_DATA} bytes")]
    TooLarge,
}

/// Who is in a project.
#[derive(Debug)]
pub struct Roster {
    /// The users who came first and the user who asked, each as JSON for the answer to a join.
    pub people: Vec<Arc<RawValue>>,
    /// How many there are.
    pub count: usize,
    /// The number of the last change that it shows.
    pub as_of: u64,
}

/// What is known of presence, and what is still to be told.
#[derive(Debug)]
struct Guarded {
    state: State,
    windows: Windows,
}

/// See the module.
#[derive(Debug)]
pub struct Presence {
    /// Guards who is where. What follows from a change is told and published under it, and so in order.
    guarded: Mutex<Guarded>,
    hub: Arc<Hub>,
    broker: Broker,
    connections: ConnectionCount,
    lifecycle: Lifecycle,
    /// Tells that there is something to wait for: somebody may come back, or changes are gathered.
    waiting: Notify,
}

impl Presence {
    /// Starts to look for other instances. Nobody is there yet.
    #[must_use]
    pub fn start(
        instance: &InstanceId,
        broker: &Broker,
        hub: &Arc<Hub>,
        connections: &ConnectionCount,
        lifecycle: &Lifecycle,
        grace: Duration,
    ) -> Arc<Self> {
        let presence = Arc::new(Self {
            guarded: Mutex::new(Guarded {
                state: State::new(instance.clone(), grace, LIMITS),
                windows: Windows::default(),
            }),
            hub: Arc::clone(hub),
            broker: broker.clone(),
            connections: connections.clone(),
            lifecycle: lifecycle.clone(),
            waiting: Notify::new(),
        });
        lifecycle.spawn_service(Arc::clone(&presence).run());
        presence
    }

    /// A connection is in a project from now on, until what is given back is dropped. To be called once per
    /// connection and project. Its user may come back for a while after that.
    #[must_use]
    pub fn enter(
        self: &Arc<Self>,
        project: &ProjectId,
        actor: &Actor,
        connection: ConnectionId,
        mut data: Fields,
    ) -> Attendance {
        let key = key(project, actor);
        told::strip(&mut data);
        let is_small = serde_json::to_vec(&data).is_ok_and(|json| json.len() <= MAX_DATA);
        let data = Some(data).filter(|data| is_small && !data.is_empty());
        self.change(|state| state.enter(&key, connection, Clock.now(), data.as_ref()));
        Attendance {
            presence: Arc::clone(self),
            key,
            connection,
            may_come_back: true,
        }
    }

    /// Notes what somebody says of themselves from now on, in place of what they said before.
    ///
    /// # Errors
    ///
    /// Fails when they are not in the project, or it is too much; see [`UpdateError`].
    pub fn update(
        &self,
        project: &ProjectId,
        actor: &Actor,
        connection: ConnectionId,
        mut data: Fields,
    ) -> Result<(), UpdateError> {
        told::strip(&mut data);
        let bytes = serde_json::to_vec(&data).map_or(usize::MAX, |json| json.len());
        if bytes > MAX_DATA {
            return Err(UpdateError::TooLarge);
        }
        let key = key(project, actor);
        let is_there = self.change(|state| state.update(&key, connection, &data, Clock.now()));
        is_there.then_some(()).ok_or(UpdateError::Absent)
    }

    /// Who is in a project, from memory.
    #[must_use]
    pub fn roster(&self, project: &ProjectId, asker: &Actor) -> Roster {
        let mut guarded = self.guarded.lock();
        let as_of = guarded.windows.list(project);
        let (people, count) = guarded.state.view.roster(&key(project, asker));
        drop(guarded);
        Roster {
            people,
            count,
            as_of,
        }
    }

    /// Tells a connection what changes in a project from now on, until what is given back is dropped.
    #[must_use]
    pub fn watch(self: &Arc<Self>, project: &ProjectId) -> Watch {
        let known = self.guarded.lock().windows.watch(project);
        Watch {
            presence: Arc::clone(self),
            project: project.clone(),
            known,
        }
    }

    /// What others see of somebody in a project, if they are there.
    #[must_use]
    pub fn person(&self, project: &ProjectId, user: &Actor) -> Option<Fields> {
        let entry = self.guarded.lock().state.view.get(&key(project, user))?;
        Some(told::person(user, &entry))
    }

    /// The instances that are alive, and their clients.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        let connections = self.connections.count();
        self.guarded.lock().state.members.cluster(connections)
    }

    /// The other instances that are alive.
    #[must_use]
    pub fn other_instances(&self) -> Vec<InstanceId> {
        self.guarded.lock().state.members.others()
    }

    /// Beats while there may be others, and waits for those whose time to come back runs out. Nothing runs while
    /// there is neither.
    async fn run(self: Arc<Self>) {
        let weak = Arc::downgrade(&self);
        let handler = move |message: Bytes| hear(&weak, &message);
        let _topic = self.broker.subscribe(TOPIC, Arc::new(handler));
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (expiry, due) = {
                let guarded = self.guarded.lock();
                (guarded.state.own.next_expiry(), guarded.windows.next_due())
            };
            tokio::select! {
                () = self.broker.status_changed() => self.beat(),
                _ = beat.tick(), if self.broker.is_shared() => self.beat(),
                () = reached(expiry) => self.change(|state| state.expire(Instant::now())),
                () = reached(due) => self.tell_due(),
                () = self.waiting.notified() => {}
            }
        }
    }

    /// Tells what has been gathered for long enough.
    fn tell_due(&self) {
        let mut guarded = self.guarded.lock();
        let news = guarded.windows.due(Instant::now());
        self.tell(news);
    }

    /// Tells this instance's subscribers. Called under the lock, so that what was gathered first is told first.
    fn tell(&self, news: Vec<News>) {
        for news in news {
            let channel = news.told.key.project.channel();
            self.hub.signal_here(&channel, &told::signal(news));
        }
    }

    fn beat(&self) {
        let up = self.broker.status() == BrokerStatus::Up;
        self.change(|state| {
            state.look(Instant::now(), up);
            state.beat(self.connections.count());
        });
    }

    /// Changes something, then publishes what follows from it, and notes what is to be told.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut guarded = self.guarded.lock();
        let Guarded { state, windows } = &mut *guarded;
        let result = change(state);
        let told = state.view.take_told();
        if !told.is_empty() {
            let now = Instant::now();
            for told in told {
                if windows.note(told, now) {
                    self.waiting.notify_one();
                }
            }
            self.tell(windows.due(now));
        }
        let messages = state.take_messages();
        if self.broker.is_shared() {
            for message in messages {
                let json = serde_json::to_vec(&message).expect("its keys are strings");
                self.broker.publish(TOPIC, json.into());
            }
        }
        result
    }
}

/// A connection that is told of a project's presence, until dropped.
#[derive(Debug)]
pub struct Watch {
    presence: Arc<Presence>,
    project: ProjectId,
    /// The number of the last change that its last list shows.
    known: u64,
}

impl Watch {
    /// Notes that the client gets a list which shows all changes up to this number.
    pub fn list(&mut self, as_of: u64) {
        self.known = self.known.max(as_of);
    }

    /// Whether what is told is news to the client.
    #[must_use]
    pub fn is_news(&self, lasting: &Lasting) -> bool {
        lasting.known.contains(&self.known)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.presence.guarded.lock().windows.unwatch(&self.project);
    }
}

/// One connection in one project. When it is dropped, its user may come back within the grace period.
#[derive(Debug)]
pub struct Attendance {
    presence: Arc<Presence>,
    key: Key,
    connection: ConnectionId,
    may_come_back: bool,
}

impl Attendance {
    /// Ends it for good.
    pub fn leave(mut self) {
        self.may_come_back = false;
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let Self { presence, key, .. } = self;
        if presence.lifecycle.is_draining() {
            // Its user comes back on another instance; those who do not are swept out there. Telling it here would
            // only keep the clients from closing, who are about to be sent away themselves.
            return;
        }
        if self.may_come_back {
            presence.change(|state| state.disconnect(key, Instant::now()));
            presence.waiting.notify_one();
        } else {
            presence.change(|state| state.leave(key, self.connection));
        }
    }
}

/// Takes a message of another instance.
fn hear(presence: &Weak<Presence>, message: &Bytes) {
    let Some(presence) = presence.upgrade() else {
        return;
    };
    match Message::read(message) {
        Ok(message) => presence.change(|state| state.receive(message, Instant::now())),
        Err(error) => {
            tracing::debug!(error = %error, "another instance says what is not understood");
        }
    }
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => pending().await,
    }
}

fn key(project: &ProjectId, actor: &Actor) -> Key {
    Key {
        project: project.clone(),
        user: actor.clone(),
    }
}
