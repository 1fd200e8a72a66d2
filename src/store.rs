//! Persistence: the contract, said once, in nouns. What stands behind it is SQLite or Postgres.
//!
//! Only this module knows sqlx. Rows become domain types here, and database errors become
//! [`StoreError`]; a database's own words are for the log and never for a client.
//!
//! Every future here may be dropped at any point: a transaction that was not committed leaves nothing
//! behind, and a connection that was left in the middle of something is not used again as it is.

mod answer;
mod api_key;
mod cascade;
mod channel;
mod commit;
mod connection;
mod entity;
mod error;
mod event;
mod gather;
mod keyset;
mod list;
mod load;
mod member;
mod meta;
mod migrations;
mod order;
mod postgres;
mod prune;
mod reference;
mod row;
mod rows;
mod snapshot;
mod sqlite;
mod state;
mod tx;
mod url;
mod writes;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    Cascade, ChannelName, ChannelNo, Entity, EntityId, Epoch, Event, Kind, Membership, ProjectId,
    Seq, Timestamp,
};

use self::connection::DbConnection;

pub use api_key::ApiKey;
pub use cascade::{Matching, TaskLimits};
pub use commit::{Backend, CommitConnection, Compared, Head};
pub use error::{CommitError, Source, StoreError};
pub use gather::Gather;
pub use load::{Found, Wanted};
pub use prune::{PruneLimits, Pruned};
pub use state::{StateHead, StatePart, StateRead};
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
    /// What is not deleted: the project first, then epics, sprints and tasks by rank, and what stands beside them by age.
    pub entities: Vec<T>,
    /// How many entities there are of each kind of which a state has only the newest, by its name.
    pub counts: BTreeMap<String, u64>,
    /// Whether nothing was left out for the sake of its size.
    pub is_whole: bool,
    /// The bytes of what was made of the entities.
    pub bytes: usize,
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
            url::Target::Memory => sqlite::Sqlite::open_memory(&commit::SETUP)
                .await
                .map(Self::Sqlite),
            url::Target::File(path) => sqlite::Sqlite::open(path, max_connections, &commit::SETUP)
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
        let mut store = match url.target() {
            url::Target::Memory => return Err(StoreError::InMemory),
            url::Target::File(path) => {
                Self::Sqlite(sqlite::Sqlite::open_beside(path, &commit::SETUP).await?)
            }
            url::Target::Server { shown, options } => {
                Self::Postgres(postgres::Postgres::open(shown, options, 2).await?)
            }
        };
        let Some(version) = store.migration().await? else {
            // It is new. A server that is about to migrate an SQLite file has its lock.
            if let Self::Sqlite(db) = &mut store {
                db.take_lock()?;
            }
            let migrated = store.migrate().await;
            if let Self::Sqlite(db) = &store {
                db.release_lock();
            }
            return migrated.map(|()| store);
        };
        // Both databases have migrations of the same numbers.
        match version.cmp(&migrations::newest(&migrations::SQLITE)) {
            Ordering::Less => Err(StoreError::OlderDatabase { version }),
            Ordering::Greater => Err(StoreError::NewerDatabase { version }),
            Ordering::Equal => Ok(store),
        }
    }

    /// Brings the schema up to date. Several instances may do so at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerDatabase`] and [`StoreError::ForeignMigration`] if the database is not one of
    /// this version's; otherwise what the database said.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.migrate().await?,
            Self::Postgres(db) => db.migrate().await?,
        }
        self.epoch_insert(&Epoch::generate()).await
    }

    /// Closes every connection; whoever asks for one afterwards is refused.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }

    /// What is known of whether it takes writes.
    #[must_use]
    pub fn writes(&self) -> &Writes {
        match self {
            Self::Sqlite(db) => &db.writes,
            Self::Postgres(db) => &db.writes,
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
    async fn reader(&self) -> Result<DbConnection, StoreError> {
        match self {
            Self::Sqlite(db) => db.reader().await,
            Self::Postgres(db) => db.acquire().await,
        }
    }

    async fn writer(&self) -> Result<DbConnection, StoreError> {
        match self {
            Self::Sqlite(db) => db.writer().await,
            Self::Postgres(db) => db.acquire().await,
        }
    }
}

/// The most time that a read takes. If the database is cut off and does not answer, requests that need no database go on.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends a read that takes too long.
async fn in_time<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(READ_TIMEOUT, read).await {
        Ok(result) => result,
        Err(late) => Err(StoreError::Unavailable(late.into())),
    }
}
