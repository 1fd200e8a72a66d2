//! Cascades, and the tasks that they change, a few at a time.

use super::read::{in_time, with};
use super::tx::in_tx;
use super::{Store, StoreError, Tx};
use super::{postgres, sqlite};
use crate::domain::{Cascade, CascadeKey, Cause, Entity, EntityId, ProjectId, Timestamp};

/// The most that is loaded of an epic's or sprint's tasks; a single task may have more bytes.
#[derive(Debug, Clone, Copy)]
pub struct TaskLimits {
    /// Tasks.
    pub tasks: usize,
    /// Bytes of their fields and histories.
    pub bytes: usize,
}

/// The live tasks that refer to an epic or sprint, those that a cause changes.
#[derive(Debug, Default)]
pub struct Matching {
    /// The first ones, by id.
    pub tasks: Vec<Entity>,
    /// The number of all of them, as far as they were counted.
    pub count: usize,
}

impl Store {
    /// Cascades that nobody has worked on since a time, those first that have waited longest.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn cascades_waiting(
        &self,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<Cascade>, StoreError> {
        with!(reader of self, cascade::waiting(since, limit))
    }
}

impl Tx {
    /// The live tasks that refer to an epic or sprint, those that a cause changes; they are counted up to `max_count`.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn tasks_of(
        &mut self,
        key: &CascadeKey,
        cause: Cause,
        limits: TaskLimits,
        max_count: usize,
    ) -> Result<Matching, StoreError> {
        Ok(Matching {
            tasks: in_tx!(self, cascade::tasks(key, cause, limits))?,
            count: in_tx!(self, cascade::count(key, cause, max_count))?,
        })
    }

    /// The cascade of an epic or sprint, if one is under way.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn cascade_get(&mut self, key: &CascadeKey) -> Result<Option<Cascade>, StoreError> {
        in_tx!(self, cascade::get(key))
    }

    /// The cascades that are under way from this epic or sprint, or into it.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn cascades_about(
        &mut self,
        project: &ProjectId,
        id: &EntityId,
    ) -> Result<Vec<Cascade>, StoreError> {
        in_tx!(self, cascade::about(project, id))
    }

    /// Writes cascades, or removes those that have come to their end.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn cascades_put(
        &mut self,
        cascades: &[Cascade],
        now: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        for cascade in cascades {
            self.set_written();
            if cascade.left > 0 {
                in_tx!(self, cascade::put(cascade, now))?;
            } else {
                in_tx!(self, cascade::remove(&cascade.key))?;
            }
        }
        Ok(())
    }
}
