//! Entities one by one, and lists of them: each a read of one state.

use super::read::{in_time, with};
use super::{Gather, Snapshot, Store, StoreError};
use super::{postgres, sqlite};
use crate::domain::{EntityId, Kind, Page, ProjectId, Whose};

impl Store {
    /// An entity, a tombstone included, and its project's channel, which belong together.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entity_get(
        &self,
        project: &ProjectId,
        kind: Kind,
        id: &EntityId,
    ) -> Result<Snapshot, StoreError> {
        with!(reader of self, list::entity(project, kind, id))
    }

    /// Entities of a kind that are not deleted, in the order of their [marks](crate::domain::Mark), and their project's
    /// channel, which belong together.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entities_page<T: Send + 'static>(
        &self,
        project: &ProjectId,
        kind: Kind,
        page: &Page,
        gather: &Gather<T>,
    ) -> Result<Snapshot<T>, StoreError> {
        let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
        with!(reader of self, list::page(project, kind, page, limit, gather))
    }

    /// Projects that are not deleted, by their ids. Of the filter only the text counts, of the mark only the id.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn projects_page<T: Send + 'static>(
        &self,
        whose: &Whose,
        page: &Page,
        gather: &Gather<T>,
    ) -> Result<Snapshot<T>, StoreError> {
        let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
        with!(reader of self, list::projects(whose, page, limit, gather))
    }
}
