//! What tasks and sprints of a project stand beside: the tasks above one, the sprint after one.

use sqlx::AssertSqlSafe;

use super::cascade::UNFINISHED;
use super::entity::entity_columns;
use super::{StoreError, Tx, row};
use crate::domain::{Entity, EntityId, Kind, ProjectId};

/// Levels of tasks that are read, one more than there may be.
const MAX_LEVELS: i64 = 101;
/// Sprints that are looked at: nobody has as many that are not finished.
const MAX_SPRINTS: i64 = 1000;

impl Tx {
    /// The first of these projects that has an entity, which is not deleted.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entity_elsewhere(
        &mut self,
        kind: Kind,
        id: &EntityId,
        projects: &[ProjectId],
    ) -> Result<Option<ProjectId>, StoreError> {
        let sql = format!(
            "SELECT project_id, project_id_numeric FROM entities
             WHERE project_id {} AND kind = $2 AND id = $3 AND deleted_at IS NULL
             ORDER BY project_id LIMIT 1",
            self.conn.in_list()
        );
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement.bind_list(projects.iter().map(ProjectId::as_str).collect());
        let statement = statement.bind(kind.as_str()).bind(id.as_str());
        statement.first(row::project_id).await
    }

    /// A task and those above it, each with its parent.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn parents_of(
        &mut self,
        project: &ProjectId,
        task: &EntityId,
    ) -> Result<Vec<(EntityId, Option<EntityId>)>, StoreError> {
        let statement = self.conn.statement(
            "WITH RECURSIVE above (id, parent_id, level) AS (
                 SELECT id, parent_id, 1 FROM entities
                 WHERE project_id = $1 AND kind = 'task' AND id = $2 AND deleted_at IS NULL
                 UNION ALL
                 SELECT task.id, task.parent_id, level + 1
                 FROM above JOIN entities AS task ON task.id = above.parent_id
                 WHERE task.project_id = $1 AND task.kind = 'task' AND task.deleted_at IS NULL AND level < $3
             )
             SELECT id, parent_id FROM above",
        );
        let statement = statement.bind(project.as_str()).bind(task.as_str());
        statement.bind(MAX_LEVELS).all(row::parent).await
    }

    /// The sprint that is next after this one: of those that are not finished the first one by its `startDate`, then by age.
    /// A finished one if there are no others.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn next_sprint(
        &mut self,
        project: &ProjectId,
        after: &EntityId,
    ) -> Result<Option<Entity>, StoreError> {
        let start = "NULLIF(fields ->> 'startDate', '')";
        let sql = format!(
            concat!(
                "SELECT ",
                entity_columns!(),
                " FROM (
                     SELECT * FROM entities
                     WHERE project_id = $1 AND kind = 'sprint' AND id <> $2 AND deleted_at IS NULL
                     ORDER BY {open} DESC LIMIT $3
                 ) AS sprint ORDER BY {open} DESC, {start} IS NULL, {start}{}, created_at, id LIMIT 1"
            ),
            self.conn.dialect("", " COLLATE \"C\""),
            start = start,
            open = UNFINISHED,
        );
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement.bind(project.as_str()).bind(after.as_str());
        statement.bind(MAX_SPRINTS).first(row::entity).await
    }

    /// An active sprint other than this one.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn active_sprint(
        &mut self,
        project: &ProjectId,
        without: &EntityId,
    ) -> Result<Option<Entity>, StoreError> {
        let statement = self.conn.statement(concat!(
            "SELECT ",
            entity_columns!(),
            " FROM entities
             WHERE project_id = $1 AND kind = 'sprint' AND id <> $2 AND deleted_at IS NULL AND status_key = 'active'
             ORDER BY id LIMIT 1"
        ));
        let statement = statement.bind(project.as_str()).bind(without.as_str());
        statement.first(row::entity).await
    }
}
