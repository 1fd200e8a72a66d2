//! Presence as a replicated map, without clock and broker: each call may leave behind what to tell local subscribers
//! and what to say to the other instances.
//!
//! Each instance owns what it says of those connected to it, and numbers its changes 1, 2, 3… A change that follows
//! the last one heard is applied. If one is missing, everything is asked for anew, page by page: a page is the truth
//! about a stretch of keys at one version, and changes that come between two pages are applied like any others.
//! A question or a page that gets lost is asked for again at a later beat.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entry::{Entry, Key};
use super::message::{Body, Message, Page};
use super::own::Own;
use super::view::{Told, View};
use crate::cluster::{Cluster, Members};
use crate::domain::{Actor, ConnectionId, Fields, InstanceId, Timestamp};

/// How long an instance may take to answer before it is asked again.
const ANSWER: Duration = Duration::from_secs(1);

/// How much at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Users of a project that are shown.
    pub(super) shown: usize,
    /// Entries in one page.
    pub(super) page: usize,
}

/// What is known of what another instance says.
#[derive(Debug)]
struct Peer {
    /// The last change that was heard; nothing while the first page is awaited.
    version: Option<u64>,
    keys: BTreeSet<Key>,
    asking: Option<Asking>,
}

/// A question to another instance that is not answered yet.
#[derive(Debug)]
struct Asking {
    after: Option<Key>,
    since: Instant,
}

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    me: InstanceId,
    grace: Duration,
    limits: Limits,
    members: Members,
    peers: HashMap<InstanceId, Peer>,
    own: Own,
    /// Changes that this instance has said.
    version: u64,
    view: View,
    messages: Vec<Message>,
}

impl State {
    pub(super) fn new(me: InstanceId, grace: Duration, limits: Limits) -> Self {
        Self {
            me,
            grace,
            limits,
            members: Members::default(),
            peers: HashMap::new(),
            own: Own::default(),
            version: 0,
            view: View::new(limits.shown),
            messages: Vec::new(),
        }
    }

    /// One more connection of a user is in a project.
    pub(super) fn enter(&mut self, key: &Key, connection: ConnectionId, at: Timestamp) {
        if self.own.come_back(key) {
            return;
        }
        // Who is there already by way of another instance goes on as what they are.
        let entry = self.view.get(key).unwrap_or(Entry {
            connection,
            joined_at: at,
            data: None,
            data_at: 0,
        });
        self.own.add(key.clone(), entry.clone());
        self.say(key, Some(entry), Some(connection));
    }

    /// A connection leaves for good.
    pub(super) fn leave(&mut self, key: &Key, connection: ConnectionId) {
        if self.own.leave(key) {
            self.say(key, None, Some(connection));
        }
    }

    /// A connection ended, and its user may come back.
    pub(super) fn disconnect(&mut self, key: &Key, now: Instant) {
        self.own.disconnect(key, now, self.grace);
    }

    /// When somebody's time to come back is over.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.own.next_expiry()
    }

    /// Those who have not come back in time have left.
    pub(super) fn expire(&mut self, now: Instant) {
        let mut gone = self.own.expire(now);
        self.view.last_first(&mut gone);
        for key in gone {
            self.say(&key, None, None);
        }
    }

    /// Changes what is told of somebody who is connected here. Whether they are.
    pub(super) fn update(
        &mut self,
        key: &Key,
        connection: ConnectionId,
        data: Fields,
        at: Timestamp,
    ) -> bool {
        let (Some(said), Some(mut entry)) = (self.own.connected(key), self.view.get(key)) else {
            return false;
        };
        let data = (!data.is_empty()).then(|| Arc::new(data));
        if entry.data != data {
            entry.data = data;
            // Later than what it stands for, whatever the clocks of the instances show.
            entry.data_at = at.as_millis().max(entry.data_at + 1);
            *said = entry.clone();
            self.say(key, Some(entry), Some(connection));
        }
        true
    }

    /// Who is shown in a project, who asks in any case, and how many there are.
    pub(super) fn roster(&self, key: &Key) -> (Vec<(Actor, Entry)>, usize) {
        self.view.roster(key)
    }

    /// Says that this instance is alive.
    pub(super) fn beat(&mut self, connections: usize) {
        let version = self.version;
        self.send(Body::Beat {
            connections,
            version,
        });
    }

    /// Forgets the instances that are dead, and what they said. To be called at every beat, and when the broker
    /// comes or goes.
    pub(super) fn look(&mut self, now: Instant, up: bool) {
        for dead in self.members.look(now, up) {
            let peer = self.peers.remove(&dead);
            let keys = peer.map(|peer| peer.keys).unwrap_or_default();
            self.forget(&dead, keys.into_iter().collect());
        }
    }

    /// The instances and their clients.
    pub(super) fn cluster(&self, own_connections: usize) -> Cluster {
        self.members.cluster(own_connections)
    }

    /// Takes what another instance says.
    pub(super) fn receive(&mut self, message: Message, now: Instant) {
        let Message { from, body } = message;
        if from == self.me || !self.members.hear(&from, now) {
            return;
        }
        if !self.peers.contains_key(&from) {
            self.ask(&from, None, now);
        }
        match body {
            Body::Beat {
                connections,
                version,
            } => {
                self.members.count(&from, connections);
                self.compare(&from, version, now);
            }
            Body::Change {
                version,
                key,
                entry,
            } => self.follow(&from, version, &key, entry, now),
            Body::Want { of, after } if of == self.me => self.answer(from, after),
            Body::Page(page) if page.to == self.me => self.take_page(&from, page, now),
            Body::Want { .. } | Body::Page(_) => {}
        }
    }

    /// What local subscribers have to be told.
    pub(super) fn take_told(&mut self) -> Vec<Told> {
        self.view.take_told()
    }

    /// What the other instances have to be told.
    pub(super) fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    fn send(&mut self, body: Body) {
        let from = self.me.clone();
        self.messages.push(Message { from, body });
    }

    /// Notes a change of what this instance says, and says it.
    fn say(&mut self, key: &Key, entry: Option<Entry>, origin: Option<ConnectionId>) {
        self.version += 1;
        self.send(Body::Change {
            version: self.version,
            key: key.clone(),
            entry: entry.clone(),
        });
        self.view.set(&self.me, key, entry, origin);
    }

    /// Asks an instance for what it says after a key, or for all of it.
    fn ask(&mut self, of: &InstanceId, after: Option<Key>, now: Instant) {
        let peer = self.peers.entry(of.clone()).or_insert_with(|| Peer {
            version: None,
            keys: BTreeSet::new(),
            asking: None,
        });
        if after.is_none() {
            peer.version = None;
        }
        peer.asking = Some(Asking {
            after: after.clone(),
            since: now,
        });
        let of = of.clone();
        self.send(Body::Want { of, after });
    }

    /// Answers with one page.
    fn answer(&mut self, to: InstanceId, after: Option<Key>) {
        let (entries, more) = self.own.page(after.as_ref(), self.limits.page);
        self.send(Body::Page(Page {
            to,
            version: self.version,
            after,
            entries,
            more,
        }));
    }

    /// Asks again if a change, a question or an answer was lost.
    fn compare(&mut self, from: &InstanceId, version: u64, now: Instant) {
        let Some(peer) = self.peers.get(from) else {
            return;
        };
        if peer.version.is_some_and(|known| known < version) {
            self.ask(from, None, now);
        } else if let Some(asking) = &peer.asking
            && now.saturating_duration_since(asking.since) >= ANSWER
        {
            self.ask(from, asking.after.clone(), now);
        }
    }

    /// Applies a change if it is the next one.
    fn follow(
        &mut self,
        from: &InstanceId,
        version: u64,
        key: &Key,
        entry: Option<Entry>,
        now: Instant,
    ) {
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        match peer.version {
            Some(known) if known + 1 == version => {
                peer.version = Some(version);
                self.set(from, key, entry);
            }
            Some(known) if known < version => self.ask(from, None, now),
            // It is in the page that is awaited, or was in one that has come.
            _ => {}
        }
    }

    /// Takes the page that is awaited, and asks for the next one.
    fn take_page(&mut self, from: &InstanceId, page: Page, now: Instant) {
        let last = page.entries.last().map(|(key, _)| key.clone());
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        let awaited = peer
            .asking
            .as_ref()
            .is_some_and(|asking| asking.after == page.after);
        let never_ends = page.more && last <= page.after;
        if !awaited || never_ends || peer.version.is_some_and(|known| page.version < known) {
            return;
        }
        if peer.version.is_some_and(|known| page.version > known) {
            self.ask(from, None, now);
            return;
        }
        peer.version = Some(page.version);
        peer.asking = None;
        let start = page
            .after
            .as_ref()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let end = match (&last, page.more) {
            (Some(last), true) => Bound::Included(last),
            _ => Bound::Unbounded,
        };
        let told: BTreeSet<_> = page.entries.iter().map(|(key, _)| key).collect();
        let known = peer.keys.range::<Key, _>((start, end));
        let gone = known.filter(|key| !told.contains(key)).cloned().collect();
        self.forget(from, gone);
        for (key, entry) in page.entries {
            self.set(from, &key, Some(entry));
        }
        if page.more {
            self.ask(from, last, now);
        }
    }

    /// Another instance does not say anything of these any more.
    fn forget(&mut self, owner: &InstanceId, mut keys: Vec<Key>) {
        self.view.last_first(&mut keys);
        for key in keys {
            self.set(owner, &key, None);
        }
    }

    /// Notes what another instance says of somebody. Who is connected here as well becomes the same here as there, so
    /// that nothing changes for others when one of the two connections ends.
    fn set(&mut self, owner: &InstanceId, key: &Key, entry: Option<Entry>) {
        if let Some(peer) = self.peers.get_mut(owner) {
            if entry.is_some() {
                peer.keys.insert(key.clone());
            } else {
                peer.keys.remove(key);
            }
        }
        let said = entry.as_ref();
        let adopted = said.and_then(|said| self.own.adopt(key, said));
        self.view.set(owner, key, entry, None);
        if adopted.is_some() {
            self.say(key, adopted, None);
        }
    }
}
