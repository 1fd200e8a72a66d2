//! Reads outside of the writer's transactions, each a consistent one, and housekeeping.

use std::sync::Arc;
use std::time::Duration;

use super::{Channel, Gather, KeptChannel, Snapshot, Standing, Store, StoreError};
use super::{postgres, sqlite};
use crate::domain::{
    ChannelName, ChannelNo, EntityId, Epoch, Event, EventId, Kind, ProjectId, Seq, Target,
    Timestamp,
};

/// How long a read may take. A database that is cut off without a word must not hold up those who can go on
/// without it.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends a read that takes too long.
pub(super) async fn in_time<T>(
    read: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(READ_TIMEOUT, read).await {
        Ok(result) => result,
        Err(late) => Err(StoreError::Unavailable(late.into())),
    }
}

/// Calls the same function of either database's module with a connection of its own.
macro_rules! with {
    ($connection:ident of $store:expr, $noun:ident::$function:ident($($argument:expr),*)) => {
        in_time(async {
            match $store {
                Store::Sqlite(db) => {
                    let mut session = db.$connection().await?;
                    let result = sqlite::$noun::$function(session.start()?, $($argument),*).await;
                    session.finish(result)
                }
                Store::Postgres(db) => {
                    let mut session = db.$connection().await?;
                    let result = postgres::$noun::$function(session.start()?, $($argument),*).await;
                    session.finish(result)
                }
            }
        })
        .await
    };
}

pub(super) use with;

impl Store {
    /// Tells this database from any other.
    ///
    /// # Errors
    ///
    /// Fails when the database does, and when it was never migrated.
    pub async fn epoch(&self) -> Result<Epoch, StoreError> {
        with!(reader of self, meta::epoch())
    }

    /// Makes sure that the database answers.
    ///
    /// # Errors
    ///
    /// Fails when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        with!(reader of self, meta::ping())
    }

    /// A channel; `None` before its first event.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn channel_get(&self, name: &ChannelName) -> Result<Option<Channel>, StoreError> {
        let channels = self.channel_heads(std::slice::from_ref(name)).await?;
        Ok(channels.into_iter().next())
    }

    /// The channels that have these numbers, as far as there are any.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn targets(
        &self,
        numbers: &[ChannelNo],
    ) -> Result<Vec<(ChannelNo, Target)>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        with!(reader of self, channel::targets(numbers))
    }

    /// Those of these channels that exist, by name.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn channel_heads(&self, names: &[ChannelName]) -> Result<Vec<Channel>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        with!(reader of self, channel::get(names))
    }

    /// The channels after a number, in order, and since when each has events.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn channels_page(
        &self,
        after: ChannelNo,
        max_channels: i64,
    ) -> Result<Vec<KeptChannel>, StoreError> {
        with!(reader of self, channel::page(after, max_channels))
    }

    /// Events after a seq, in order: as many as fit into both limits, but at least one if there is any.
    ///
    /// The name goes into the events; only the number is looked up. Bytes are those of the payloads.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn events_page(
        &self,
        name: &ChannelName,
        no: ChannelNo,
        after: Seq,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        let max_events = i64::try_from(max_events.max(1)).unwrap_or(i64::MAX);
        let max_bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
        with!(reader of self, event::page(name, no, after, max_events, max_bytes))
    }

    /// The id of the event at this place.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn event_id(&self, no: ChannelNo, seq: Seq) -> Result<Option<EventId>, StoreError> {
        with!(reader of self, event::id(no, seq))
    }

    /// A project's state now and its channel's head, which belong together.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn snapshot<T: Send + 'static>(
        &self,
        project: &ProjectId,
        gather: &Gather<T>,
    ) -> Result<Snapshot<T>, StoreError> {
        with!(reader of self, entity::snapshot(project, gather))
    }

    /// Which of these projects have such an entity, a tombstone included.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entity_projects(
        &self,
        kind: Kind,
        id: &EntityId,
        projects: &[ProjectId],
    ) -> Result<Vec<ProjectId>, StoreError> {
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        with!(reader of self, entity::projects(kind, id, projects))
    }

    /// What the lists of members of these projects say of a user, in their order.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn standings(
        &self,
        user: &EntityId,
        projects: &[ProjectId],
    ) -> Result<Vec<Standing>, StoreError> {
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        with!(reader of self, member::standings(user, projects))
    }

    /// Removes at most `limit` answers that are older, the oldest first; says how many it were.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn answers_prune(&self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        with!(writer of self, answer::prune(before, limit))
    }
}
