//! Persistence: the contract, said once, in nouns. What stands behind it is SQLite or Postgres.
//!
//! Only this module knows sqlx. Rows become domain types here, and database errors become
//! [`StoreError`]; a database's own words are for the log and never for a client.
//!
//! Every future here may be dropped at any point: a transaction that was not committed leaves nothing
//! behind, and a connection that was left in the middle of something is not used again as it is.

mod api_key;
mod cascade;
mod error;
mod gather;
mod list;
mod order;
mod postgres;
mod prune;
mod read;
mod row;
mod session;
mod sqlite;
mod tx;
mod url;
mod writes;

use std::sync::Arc;

use crate::domain::{
    Cascade, ChannelName, ChannelNo, Entity, EntityId, Epoch, Event, Kind, Membership, ProjectId,
    Seq, Timestamp,
};

pub use api_key::ApiKey;
pub use cascade::{Matching, TaskLimits};
pub use error::{CommitError, Source, StoreError};
pub use gather::Gather;
pub use prune::{PruneLimits, Pruned};
pub use tx::Tx;
pub use url::{DatabaseUrl, DatabaseUrlError};
pub use writes::Writes;

/// Where projects and their logs are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    /// An embedded file: the default, so that the first run needs nothing.
    Sqlite(sqlite::Sqlite),
    /// A server: for production and for more than one instance.
    Postgres(postgres::Postgres),
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

/// Channels that a transaction has locked.
#[derive(Debug)]
struct Locked {
    channels: Vec<Channel>,
    /// Those that it made.
    made: Vec<ChannelNo>,
}

impl Locked {
    /// All of them were there.
    fn found(channels: Vec<Channel>) -> Self {
        let made = Vec::new();
        Self { channels, made }
    }
}

/// A channel and the age of what it still has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptChannel {
    /// The channel.
    pub channel: Channel,
    /// When the first event was made that has not been removed; `None` if there is none.
    pub since: Option<Timestamp>,
}

/// What a project's list of members says of somebody, and as of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The seq of the channel's last event: later ones may say otherwise. 0 if there is no channel.
    pub seq: Seq,
    /// What it says; `None` for somebody who never was a member.
    pub membership: Option<Membership>,
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
pub struct Snapshot<T = Entity> {
    /// The project's channel; `None` if nothing has ever happened there.
    pub channel: Option<Channel>,
    /// Everything that is not deleted: the project first, then epics, sprints and tasks by rank.
    pub entities: Vec<T>,
    /// Whether nothing was left out for the sake of its size.
    pub is_whole: bool,
}

/// Entities that were found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// They, tombstones included, in no order.
    pub entities: Vec<Entity>,
    /// Bytes of their fields and histories, as texts.
    pub bytes: usize,
}

/// Names an entity.
pub type EntityKey = (ProjectId, Kind, EntityId);

/// Everything that one commit writes.
#[derive(Debug, Default)]
pub struct Batch {
    /// New events, each channel's in order, with the idempotency key on the first of its command.
    pub events: Vec<(Arc<Event>, Option<String>)>,
    /// Entities as they are now, each once.
    pub entities: Vec<Arc<Entity>>,
    /// Cascades that have begun, have made a step, or have come to their end.
    pub cascades: Vec<Cascade>,
    /// The new heads of the channels that got events.
    pub heads: Vec<(ChannelNo, Seq)>,
    /// Answers to be found again by their keys. An answer that is there already stays.
    pub answers: Vec<StoredAnswer>,
    /// When the batch is written: the age of the answers counts from here.
    pub now: Option<Timestamp>,
}

impl Batch {
    /// Whether nothing has happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.answers.is_empty() && self.cascades.is_empty()
    }
}

impl Store {
    /// Opens the database and makes sure that it answers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Open`] with the reason; [`StoreError::InUse`] if another process has the SQLite file.
    pub async fn open(url: &DatabaseUrl, max_connections: u32) -> Result<Self, StoreError> {
        match url.target() {
            url::Target::Memory => sqlite::Sqlite::open_memory().await.map(Self::Sqlite),
            url::Target::File(path) => sqlite::Sqlite::open(path, max_connections)
                .await
                .map(Self::Sqlite),
            url::Target::Server { shown, options } => {
                postgres::Postgres::open(shown, options, max_connections)
                    .await
                    .map(Self::Postgres)
            }
        }
    }

    /// Opens the database beside a server that may be running on it: for what no server remembers, such as API keys. A
    /// database that is new is brought up to date; one that is not must be up to date, for the server that may be
    /// running on it may be an older one.
    ///
    /// # Errors
    ///
    /// [`StoreError::OlderDatabase`] and [`StoreError::NewerDatabase`] if the database is not this version's;
    /// [`StoreError::InMemory`] if no other process can open it; otherwise as [`Store::open`].
    pub async fn open_beside(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let (store, migration) = match url.target() {
            url::Target::Memory => return Err(StoreError::InMemory),
            url::Target::File(path) => {
                let db = sqlite::Sqlite::open_beside(path).await?;
                let migration = db.migration().await?;
                (Self::Sqlite(db), migration)
            }
            url::Target::Server { shown, options } => {
                let db = postgres::Postgres::open_beside(shown, options).await?;
                let migration = db.migration().await?;
                (Self::Postgres(db), migration)
            }
        };
        // Both databases have migrations of the same numbers.
        let newest = sqlite::newest_migration();
        match migration.unwrap_or(0) {
            version if version < newest => Err(StoreError::OlderDatabase { version }),
            version if version > newest => Err(StoreError::NewerDatabase { version }),
            _ => Ok(store),
        }
    }

    /// Brings the schema up to date. Several instances may do so at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerDatabase`] and [`StoreError::ForeignMigration`] if the database is not one of
    /// this version's; otherwise what the database said.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let epoch = Epoch::generate();
        match self {
            Self::Sqlite(db) => db.migrate(&epoch).await,
            Self::Postgres(db) => db.migrate(&epoch).await,
        }
    }

    /// Closes every connection; whoever asks for one afterwards is refused.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// How many transactions are worth having in flight at once.
    #[must_use]
    pub fn writers(&self) -> usize {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(_) => 2,
        }
    }
}
