//! Persistence: the contract, said once, in nouns. What stands behind it is SQLite or Postgres.
//!
//! Only this module knows sqlx. Rows become domain types here, and database errors become
//! [`StoreError`]; a database's own words are for the log and never for a client.

mod error;
mod postgres;
mod sqlite;
mod url;

use crate::domain::{
    Actor, ChannelName, ChannelNo, Entity, EntityId, Epoch, Event, EventId, Kind, OrderEntry, ProjectId,
    Reference, Seq, Timestamp,
};

pub use error::{CommitError, StoreError};
pub use url::DatabaseUrl;

/// Where projects and their logs are kept.
#[derive(Debug, Clone)]
pub enum Store {
    /// An embedded file: the default, so that the first run needs nothing.
    Sqlite(sqlite::Sqlite),
    /// A server: for production and for more than one instance.
    Postgres(postgres::Postgres),
}

/// A transaction of the writer. Dropped without [`Tx::commit`], it leaves nothing behind.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(sqlite::Tx),
    /// On Postgres.
    Postgres(postgres::Tx),
}

/// A channel as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its number.
    pub no: ChannelNo,
    /// Its name.
    pub name: ChannelName,
    /// The seq of its last event; 0 if there is none.
    pub seq: Seq,
    /// Events up to this seq have been removed.
    pub pruned_seq: Seq,
}

/// The answer to a command that carried an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The channel of the command's project.
    pub channel_no: ChannelNo,
    /// The key, scoped to its caller where the caller is known.
    pub key: String,
    /// Tells the same command from another one under the same key.
    pub fingerprint: i64,
    /// The reply, JSON text.
    pub reply: String,
}

/// A project's state and its log's position, from one consistent read.
#[derive(Debug)]
pub struct Snapshot {
    /// The project's channel; `None` if nothing has ever happened there.
    pub channel: Option<Channel>,
    /// Everything that is not deleted: the project first, then epics, sprints and tasks by rank.
    pub entities: Vec<Entity>,
}

/// Names an entity.
pub type EntityKey = (ProjectId, Kind, EntityId);

/// Everything that one commit writes.
#[derive(Debug, Default)]
pub struct Batch {
    /// New events, each channel's in order, with the idempotency key on the first of its command.
    pub events: Vec<(std::sync::Arc<Event>, Option<String>)>,
    /// Entities as they are now, each once.
    pub entities: Vec<std::sync::Arc<Entity>>,
    /// The new heads of the channels that got events.
    pub heads: Vec<(ChannelNo, Seq)>,
    /// Answers to be found again by their keys.
    pub answers: Vec<StoredAnswer>,
    /// When the batch is written.
    pub now: Option<Timestamp>,
}
