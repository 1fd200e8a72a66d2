//! Those who are connected to this instance, or were a moment ago and may come back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::{Duration, Instant};

use super::entry::{Entry, Key};

#[derive(Debug)]
struct Here {
    entry: Entry,
    connections: u32,
    /// When the entry goes, unless somebody comes back.
    until: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Own {
    entries: BTreeMap<Key, Here>,
    /// Entries without connections, by when they go.
    expiring: BTreeSet<(Instant, Key)>,
}

impl Own {
    /// Counts one more connection of somebody who is here already. Whether they are.
    pub(super) fn come_back(&mut self, key: &Key) -> bool {
        let Some(here) = self.entries.get_mut(key) else {
            return false;
        };
        here.connections += 1;
        if let Some(until) = here.until.take() {
            self.expiring.remove(&(until, key.clone()));
        }
        true
    }

    /// Adds somebody, with one connection.
    pub(super) fn add(&mut self, key: Key, entry: Entry) {
        let here = Here {
            entry,
            connections: 1,
            until: None,
        };
        self.entries.insert(key, here);
    }

    /// Counts one connection less, and removes somebody who has no other. Whether they were removed.
    pub(super) fn leave(&mut self, key: &Key) -> bool {
        let last = self.count_down(key);
        if last {
            self.entries.remove(key);
        }
        last
    }

    /// Counts one connection less, and gives somebody who has no other some time to come back.
    pub(super) fn disconnect(&mut self, key: &Key, now: Instant, grace: Duration) {
        if self.count_down(key)
            && let Some(here) = self.entries.get_mut(key)
        {
            let until = now + grace;
            here.until = Some(until);
            self.expiring.insert((until, key.clone()));
        }
    }

    /// Whether that was the last one.
    fn count_down(&mut self, key: &Key) -> bool {
        let Some(here) = self.entries.get_mut(key) else {
            return false;
        };
        let connected = here.connections > 0;
        here.connections = here.connections.saturating_sub(1);
        connected && here.connections == 0
    }

    /// When the next entry goes.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiring.first().map(|(until, _)| *until)
    }

    /// Removes those who have not come back.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Key> {
        let mut gone = Vec::new();
        while self.next_expiry().is_some_and(|until| until <= now) {
            if let Some((_, key)) = self.expiring.pop_first() {
                self.entries.remove(&key);
                gone.push(key);
            }
        }
        gone
    }

    /// What is said of somebody who is connected.
    pub(super) fn connected(&mut self, key: &Key) -> Option<&mut Entry> {
        let here = self.entries.get_mut(key)?;
        (here.connections > 0).then_some(&mut here.entry)
    }

    /// Merges what another instance says of somebody. What is said of them from now on, if that changes.
    pub(super) fn adopt(&mut self, key: &Key, said: &Entry) -> Option<Entry> {
        let here = self.entries.get_mut(key)?;
        let before = here.entry.clone();
        here.entry.merge(said);
        (here.entry != before).then(|| here.entry.clone())
    }

    /// So many entries after a key, and whether there are more.
    pub(super) fn page(&self, after: Option<&Key>, size: usize) -> (Vec<(Key, Entry)>, bool) {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.entries.range((start, Bound::Unbounded));
        let page = rest.by_ref().take(size);
        let page = page.map(|(key, here)| (key.clone(), here.entry.clone()));
        (page.collect(), rest.next().is_some())
    }
}
