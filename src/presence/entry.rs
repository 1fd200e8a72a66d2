//! Who is where, and what is told of them.

use std::sync::Arc;

use crate::domain::{Actor, ConnectionId, Fields, InstanceId, ProjectId, Timestamp};

/// Somebody in a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) project: ProjectId,
    pub(super) user: Actor,
}

/// What somebody says of themselves, as an entry keeps it; nothing if it is nothing.
pub(super) fn text(data: &Fields) -> Option<Arc<str>> {
    let text = serde_json::to_string(data).ok();
    text.filter(|_| !data.is_empty()).map(Arc::from)
}

/// What an entry keeps, as it was said.
pub(super) fn fields(text: &str) -> Fields {
    serde_json::from_str(text).unwrap_or_default()
}

/// What an instance says of somebody. However many instances somebody is connected to, their entries become the same:
/// each takes over what is older of the origin and newer of the data.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The connection with which the presence began, a name for it. It may have ended since.
    pub(super) connection: ConnectionId,
    pub(super) joined_at: Timestamp,
    /// JSON text of an object: as values it could take up a hundred times as much, for each of very many entries.
    pub(super) data: Option<Arc<str>>,
    /// When the data was said: the latest counts.
    pub(super) data_at: i64,
}

impl Entry {
    /// What two instances say of the same user, as one. Equal times of data leave it as it is here.
    pub(super) fn merge(&mut self, other: &Self) {
        if (other.joined_at, other.connection) < (self.joined_at, self.connection) {
            self.joined_at = other.joined_at;
            self.connection = other.connection;
        }
        if other.data_at > self.data_at {
            self.data_at = other.data_at;
            self.data.clone_from(&other.data);
        }
    }

    /// What all instances say of a user. They may be in any order: everybody comes to the same.
    pub(super) fn merged(said: &[(InstanceId, Self)]) -> Option<Self> {
        let (_, newest) = said
            .iter()
            .max_by_key(|(owner, entry)| (entry.data_at, owner))?;
        let mut merged = newest.clone();
        for (_, entry) in said {
            merged.merge(entry);
        }
        Some(merged)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everybody_comes_to_the_same() {
        let entry = |joined_at, data: &str| Entry {
            connection: ConnectionId::generate(),
            joined_at: Timestamp::from_millis(joined_at),
            data: text(&Fields::from_iter([("status".to_owned(), json!(data))])),
            data_at: 9,
        };
        let (early, late) = (entry(1, "busy"), entry(2, "away"));
        let [a, b] = ["a", "b"].map(InstanceId::restore);
        let merged = Entry::merged(&[(a.clone(), early.clone()), (b.clone(), late.clone())]);
        assert_eq!(
            Entry::merged(&[(b, late.clone()), (a, early.clone())]),
            merged
        );
        let merged = merged.unwrap();
        assert_eq!(
            (merged.connection, merged.data),
            (early.connection, late.data)
        );
    }
}
