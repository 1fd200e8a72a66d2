//! Members of projects, which are entities.

use sqlx::SqliteConnection;

use crate::domain::{Entity, EntityId, ProjectId};
use crate::store::row;
use crate::store::sqlite::entity::columns;
use crate::store::{Standing, StoreError};

/// One statement, because one statement sees one state.
pub(crate) async fn standings(
    conn: &mut SqliteConnection,
    user: &EntityId,
    projects: &[ProjectId],
) -> Result<Vec<Standing>, StoreError> {
    let projects: Vec<_> = projects.iter().map(ProjectId::as_str).collect();
    let rows = sqlx::query(
        "SELECT seq, fields ->> 'role' AS role, updated_at, deleted_at
         FROM json_each(?1) AS project
         LEFT JOIN channels ON name = 'project:' || project.value
         LEFT JOIN entities
             ON project_id = project.value AND kind = 'member' AND entities.id = ?2
         ORDER BY project.key",
    )
    .bind(super::json(&projects))
    .bind(user.as_str())
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::standing)
}

pub(crate) async fn owners(
    conn: &mut SqliteConnection,
    projects: &[ProjectId],
) -> Result<Vec<Entity>, StoreError> {
    let projects: Vec<_> = projects.iter().map(ProjectId::as_str).collect();
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM entities
         WHERE project_id IN (SELECT value FROM json_each(?1)) AND kind = 'member'
             AND deleted_at IS NULL AND fields ->> 'role' = 'owner'"
    ))
    .bind(super::json(&projects))
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::entity)
}
