//! Presence as a replicated map, without clock and broker: each call may leave behind what to tell local subscribers
//! and what to say to the other instances.
//!
//! Each instance owns what it says of those connected to it, and numbers its changes, so that the others notice when
//! one is lost (`peers`).

mod peers;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::entry::{self, Entry, Key};
use super::message::{Body, Message};
use super::own::Own;
use super::view::View;
use crate::domain::{ConnectionId, Fields, InstanceId, Timestamp};
use crate::presence::instances::Members;

use peers::Peer;

/// How much at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Users of a project that are shown.
    pub(super) shown: usize,
    /// Entries in one page.
    pub(super) page: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    me: InstanceId,
    grace: Duration,
    limits: Limits,
    pub(super) members: Members,
    peers: HashMap<InstanceId, Peer>,
    pub(super) own: Own,
    /// Changes that this instance has said.
    version: u64,
    pub(super) view: View,
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
    /// With `data` it is known what others see of the user.
    pub(super) fn enter(
        &mut self,
        key: &Key,
        connection: ConnectionId,
        at: Timestamp,
        data: Option<&Fields>,
    ) {
        if self.own.come_back(key) {
            if let Some(data) = data {
                self.update(key, connection, data, at);
            }
            return;
        }
        // Who is there already by way of another instance goes on as what they are.
        let mut entry = self.view.get(key).unwrap_or(Entry {
            connection,
            joined_at: at,
            data: None,
            data_at: 0,
        });
        if let Some(data) = data.and_then(entry::text) {
            entry.data_at = at.as_millis().max(entry.data_at.saturating_add(1));
            entry.data = Some(data);
        }
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
        data: &Fields,
        at: Timestamp,
    ) -> bool {
        let (Some(said), Some(mut entry)) = (self.own.connected(key), self.view.get(key)) else {
            return false;
        };
        let data = entry::text(data);
        if entry.data != data {
            entry.data = data;
            // Later than what it stands for, whatever the clocks of the instances show.
            entry.data_at = at.as_millis().max(entry.data_at.saturating_add(1));
            *said = entry.clone();
            self.say(key, Some(entry), Some(connection));
        }
        true
    }

    /// Says that this instance is alive.
    pub(super) fn beat(&mut self, connections: usize) {
        let version = self.version;
        self.send(Body::Beat {
            connections,
            version,
        });
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
}
