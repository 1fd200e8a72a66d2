//! Members of projects, which are entities.

use sqlx::PgConnection;

use crate::domain::{Entity, EntityId, ProjectId};
use crate::store::postgres::entity::columns;
use crate::store::row;
use crate::store::{Standing, StoreError};

/// One statement, because one statement sees one state.
pub(crate) async fn standings(
    conn: &mut PgConnection,
    user: &EntityId,
    projects: &[ProjectId],
) -> Result<Vec<Standing>, StoreError> {
    let projects: Vec<_> = projects.iter().map(ProjectId::as_str).collect();
    let rows = sqlx::query(
        "SELECT seq, fields ->> 'role' AS role, updated_at, deleted_at
         FROM UNNEST($1::text[]) WITH ORDINALITY AS project (id, place)
         LEFT JOIN channels ON name = 'project:' || project.id
         LEFT JOIN entities ON project_id = project.id AND kind = 'member' AND entities.id = $2
         ORDER BY project.place",
    )
    .bind(projects)
    .bind(user.as_str())
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::standing)
}

pub(crate) async fn other_owner(
    conn: &mut PgConnection,
    project: &ProjectId,
    member: &EntityId,
) -> Result<Option<Entity>, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM entities
         WHERE project_id = $1 AND id <> $2 AND kind = 'member' AND deleted_at IS NULL AND fields ->> 'role' = 'owner'
         LIMIT 1"
    ))
    .bind(project.as_str())
    .bind(member.as_str())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(row::entity).transpose()
}
