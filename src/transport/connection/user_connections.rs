//! The connections of users, oldest first: where a setting wants it, the newest one of a user who has too many takes the
//! place of the oldest.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::domain::ConnectionId;

/// A connection that can give way to a newer one.
pub(crate) trait Replaceable: Send + Sync {
    /// Gives its place free, and ends after its client was told why.
    fn replace(&self);
}

/// A connection of a user.
type Found = (ConnectionId, Weak<dyn Replaceable>);

/// See the module's description. Cheap to clone. What is kept has a place among the user's connections, so it is bounded
/// as they are.
#[derive(Clone, Default)]
pub(crate) struct UserConnections(
    /// Guards the connections by their users.
    Arc<Mutex<HashMap<String, VecDeque<Found>>>>,
);

impl UserConnections {
    /// Adds a connection as the user's newest.
    pub(super) fn add(&self, user: &str, id: ConnectionId, connection: Weak<dyn Replaceable>) {
        let mut users = self.0.lock();
        let connections = users.entry(user.to_owned()).or_default();
        connections.retain(|(known, found)| *known != id && found.strong_count() > 0);
        connections.push_back((id, connection));
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&self, user: &str, id: ConnectionId) {
        let mut users = self.0.lock();
        let Some(connections) = users.get_mut(user) else {
            return;
        };
        connections.retain(|(known, _)| *known != id);
        if connections.is_empty() {
            users.remove(user);
        }
    }

    /// Has the user's oldest connection give way. Whether there was one.
    pub(super) fn replace_oldest(&self, user: &str) -> bool {
        while let Some((id, found)) = self.oldest(user) {
            self.remove(user, id);
            if let Some(connection) = found.upgrade() {
                connection.replace();
                return true;
            }
        }
        false
    }

    fn oldest(&self, user: &str) -> Option<Found> {
        let users = self.0.lock();
        let (id, found) = users.get(user)?.front()?;
        Some((*id, Weak::clone(found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Known(Mutex<usize>);

    impl Replaceable for Known {
        fn replace(&self) {
            *self.0.lock() += 1;
        }
    }

    #[test]
    fn the_oldest_that_is_still_there_gives_way() {
        let users = UserConnections::default();
        let add = |connection: &Arc<Known>| {
            let (id, connection) = (ConnectionId::generate(), Arc::clone(connection));
            let connection: Arc<dyn Replaceable> = connection;
            users.add("ann", id, Arc::downgrade(&connection));
            id
        };
        let connections: Vec<_> = (0..4).map(|_| Arc::<Known>::default()).collect();
        let ids: Vec<_> = connections.iter().map(add).collect();
        users.remove("ann", ids[0]);
        let replaced = || {
            connections
                .iter()
                .map(|known| *known.0.lock())
                .collect::<Vec<_>>()
        };
        assert!(users.replace_oldest("ann") && !users.replace_oldest("bob"));
        assert_eq!(replaced(), [0, 1, 0, 0]);
        assert!(users.replace_oldest("ann") && users.replace_oldest("ann"));
        assert_eq!(replaced(), [0, 1, 1, 1]);
        assert!(!users.replace_oldest("ann") && users.0.lock().is_empty());
    }
}
