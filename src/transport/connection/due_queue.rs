//! Connections by the moment at which something is due for them.

use std::collections::{BTreeSet, HashMap};

use crate::domain::ConnectionId;

/// See the module. Nothing is kept of a connection that was removed.
#[derive(Debug)]
pub(crate) struct DueQueue<At, T> {
    by_id: HashMap<ConnectionId, (At, T)>,
    by_time: BTreeSet<(At, ConnectionId)>,
}

impl<At, T> Default for DueQueue<At, T> {
    fn default() -> Self {
        let (by_id, by_time) = (HashMap::new(), BTreeSet::new());
        Self { by_id, by_time }
    }
}

impl<At: Copy + Ord, T> DueQueue<At, T> {
    /// Puts a connection in, or elsewhere; whether it is next now.
    pub(crate) fn put(&mut self, id: ConnectionId, at: At, value: T) -> bool {
        self.remove(id);
        self.by_id.insert(id, (at, value));
        self.by_time.insert((at, id));
        self.by_time.first() == Some(&(at, id))
    }

    /// What was put in for a connection.
    pub(crate) fn get(&self, id: ConnectionId) -> Option<&T> {
        self.by_id.get(&id).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<T> {
        let (at, value) = self.by_id.remove(&id)?;
        self.by_time.remove(&(at, id));
        if self.by_id.is_empty() {
            self.by_id = HashMap::new();
        }
        Some(value)
    }

    /// Takes out what is due first, if it is due by `now`.
    pub(crate) fn take(&mut self, now: At) -> Option<(ConnectionId, T)> {
        let &(_, id) = self.by_time.first().filter(|(at, _)| *at <= now)?;
        Some((id, self.remove(id)?))
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<At> {
        self.by_time.first().map(|(at, _)| *at)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.by_time.is_empty()
    }
}
