//! Reads many entities without keeping them: each is turned into what is wanted of it as its row comes in.
//!
//! An entity in memory may need a hundred times the memory of its text, and a project may have any number of them. So only
//! a few are there at a time, a reader may stop after so many bytes, and the work of a large read is done off the runtime's
//! threads.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::task::spawn_blocking;

use super::connection::{Fetched, Statement};
use super::row::{self, Row};
use super::{Channel, Snapshot, StoreError};
use crate::domain::Entity;

/// Rows that are turned at once, on the thread that reads them…
const FIRST_ROWS: usize = 16;
/// … and off it.
const ROWS: usize = 64;

/// What the first row says of all.
type Head = (Option<Channel>, BTreeMap<String, u64>);

/// What is made of entities, and how much is read.
#[derive(Debug)]
pub struct Gather<T> {
    /// Makes of an entity what is wanted of it, and tells how many bytes that has.
    pub make: fn(Entity) -> (T, usize),
    /// The bytes after which nothing more is read.
    pub max_bytes: usize,
}

impl Gather<Entity> {
    /// Keeps the entities themselves, whatever their size.
    #[must_use]
    pub fn entities() -> Self {
        Self {
            make: |entity| (entity, 0),
            max_bytes: usize::MAX,
        }
    }
}

impl<T: Send + 'static> Gather<T> {
    /// Reads rows that have the columns of a channel as well, in the first of them at least.
    pub(super) async fn with_channel(
        &self,
        statement: Statement<'_>,
    ) -> Result<Snapshot<T>, StoreError> {
        let head = |row: &Row| Ok((row::channel_or_null(row)?, BTreeMap::new()));
        self.run(statement, head).await
    }

    /// The same, of rows that tell how many entities of some kinds there are as well.
    pub(super) async fn with_channel_and_counts(
        &self,
        statement: Statement<'_>,
    ) -> Result<Snapshot<T>, StoreError> {
        let head = |row: &Row| Ok((row::channel_or_null(row)?, row::counts(row)?));
        self.run(statement, head).await
    }

    /// Reads rows that have an entity's columns alone.
    pub(super) async fn without_channel(
        &self,
        statement: Statement<'_>,
    ) -> Result<Snapshot<T>, StoreError> {
        self.run(statement, |_| Ok((None, BTreeMap::new()))).await
    }

    async fn run(
        &self,
        statement: Statement<'_>,
        head_of: fn(&Row) -> Result<Head, StoreError>,
    ) -> Result<Snapshot<T>, StoreError> {
        let (rows, is_sound) = statement.fetch()?;
        let gathered = self.read(rows, head_of).await?;
        *is_sound = true;
        Ok(gathered)
    }

    async fn read(
        &self,
        mut rows: Fetched<'_>,
        head_of: fn(&Row) -> Result<Head, StoreError>,
    ) -> Result<Snapshot<T>, StoreError> {
        let mut gathered = Snapshot {
            channel: None,
            entities: Vec::new(),
            counts: BTreeMap::new(),
            is_whole: true,
            bytes: 0,
        };
        let mut is_first = true;
        loop {
            let count = if is_first { FIRST_ROWS } else { ROWS };
            let some: Vec<Row> = rows.by_ref().take(count).try_collect().await?;
            let Some(first) = some.first() else {
                return Ok(gathered);
            };
            let made = if is_first {
                (gathered.channel, gathered.counts) = head_of(first)?;
                self.turn(some)?
            } else {
                let make = Self { ..*self };
                let turned = spawn_blocking(move || make.turn(some)).await;
                turned.map_err(|error| StoreError::Unavailable(error.into()))??
            };
            is_first = false;
            for (made, size) in made {
                gathered.entities.push(made);
                gathered.bytes = gathered.bytes.saturating_add(size);
                if gathered.bytes > self.max_bytes {
                    gathered.is_whole = false;
                    return Ok(gathered);
                }
            }
        }
    }

    fn turn(&self, rows: Vec<Row>) -> Result<Vec<(T, usize)>, StoreError> {
        let mut made = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(entity) = row::entity_or_null(&row)? {
                made.push((self.make)(entity));
            }
        }
        Ok(made)
    }
}
