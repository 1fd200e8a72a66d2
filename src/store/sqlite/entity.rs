//! Projects, epics, sprints, tasks and members.

use std::sync::Arc;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::{Entity, EntityId, Kind, ProjectId, Rank};
use crate::store::row::{self, EntityTexts};
use crate::store::{EntityKey, Gather, Loaded, Snapshot, StoreError};

macro_rules! columns {
    () => {
        "project_id, project_id_numeric, kind, id, id_numeric, fields, history, version, rank,
         created_at, created_by, updated_at, updated_by, deleted_at, deleted_by"
    };
}

pub(super) use columns;

#[derive(Serialize)]
struct EntityRow<'a> {
    project_id: &'a str,
    project_id_numeric: bool,
    kind: &'a str,
    id: &'a str,
    id_numeric: bool,
    fields: String,
    history: String,
    version: i64,
    rank: Option<&'a str>,
    status: Option<String>,
    epic_id: Option<String>,
    sprint_id: Option<String>,
    created_at: i64,
    created_by: &'a str,
    updated_at: i64,
    updated_by: &'a str,
    deleted_at: Option<i64>,
    deleted_by: Option<&'a str>,
}

impl<'a> From<&'a Arc<Entity>> for EntityRow<'a> {
    fn from(entity: &'a Arc<Entity>) -> Self {
        let texts = EntityTexts::of(entity);
        let deleted = entity.deleted.as_ref();
        Self {
            project_id: entity.project.as_str(),
            project_id_numeric: entity.project.is_numeric(),
            kind: entity.kind.as_str(),
            id: entity.id.as_str(),
            id_numeric: entity.id.is_numeric(),
            fields: texts.fields,
            history: texts.history,
            version: entity.version,
            rank: entity.rank.as_ref().map(Rank::as_str),
            status: texts.status,
            epic_id: texts.epic_id,
            sprint_id: texts.sprint_id,
            created_at: entity.created.at.as_millis(),
            created_by: entity.created.by.as_str(),
            updated_at: entity.updated.at.as_millis(),
            updated_by: entity.updated.by.as_str(),
            deleted_at: deleted.map(|stamp| stamp.at.as_millis()),
            deleted_by: deleted.map(|stamp| stamp.by.as_str()),
        }
    }
}

pub(crate) async fn upsert(
    conn: &mut SqliteConnection,
    entities: &[Arc<Entity>],
) -> Result<(), StoreError> {
    let rows: Vec<_> = entities.iter().map(EntityRow::from).collect();
    sqlx::query(
        "INSERT INTO entities (project_id, project_id_numeric, kind, id, id_numeric, fields, history,
             version, rank, status, epic_id, sprint_id, created_at, created_by, updated_at,
             updated_by, deleted_at, deleted_by)
         SELECT value ->> 'project_id', value ->> 'project_id_numeric', value ->> 'kind', value ->> 'id',
             value ->> 'id_numeric', value ->> 'fields', value ->> 'history', value ->> 'version',
             value ->> 'rank', value ->> 'status', value ->> 'epic_id', value ->> 'sprint_id',
             value ->> 'created_at', value ->> 'created_by', value ->> 'updated_at',
             value ->> 'updated_by', value ->> 'deleted_at', value ->> 'deleted_by'
         FROM json_each(?1)
         WHERE true
         ON CONFLICT (project_id, kind, id) DO UPDATE SET
             fields = excluded.fields, history = excluded.history, version = excluded.version,
             rank = excluded.rank, status = excluded.status, epic_id = excluded.epic_id,
             sprint_id = excluded.sprint_id, created_at = excluded.created_at,
             created_by = excluded.created_by, updated_at = excluded.updated_at,
             updated_by = excluded.updated_by, deleted_at = excluded.deleted_at,
             deleted_by = excluded.deleted_by",
    )
    .bind(super::json(&rows))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn get(
    conn: &mut SqliteConnection,
    keys: &[EntityKey],
) -> Result<Loaded, StoreError> {
    let keys: Vec<_> = keys
        .iter()
        .map(|(project, kind, id)| (project.as_str(), kind.as_str(), id.as_str()))
        .collect();
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM entities
         WHERE (project_id, kind, id) IN (
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
         )"
    ))
    .bind(super::json(&keys))
    .fetch_all(conn)
    .await?;
    row::loaded(&rows)
}

/// One statement, because one statement sees one state.
pub(crate) async fn snapshot<T: Send + 'static>(
    conn: &mut SqliteConnection,
    project: &ProjectId,
    gather: &Gather<T>,
) -> Result<Snapshot<T>, StoreError> {
    let channel = project.channel();
    let rows = sqlx::query(concat!(
        "SELECT no, name, seq, pruned_seq, ", columns!(), "
         FROM (SELECT 1) AS one
         LEFT JOIN channels ON name = ?1
         LEFT JOIN entities ON project_id = ?2 AND deleted_at IS NULL
         ORDER BY CASE kind WHEN 'project' THEN 0 WHEN 'epic' THEN 1 WHEN 'sprint' THEN 2 ELSE 3 END,
             rank NULLS LAST, created_at, id"
    ))
    .bind(channel.as_str())
    .bind(project.as_str())
    .fetch(conn);
    gather.with_channel(rows).await
}

pub(crate) async fn projects(
    conn: &mut SqliteConnection,
    kind: Kind,
    id: &EntityId,
    projects: &[ProjectId],
) -> Result<Vec<ProjectId>, StoreError> {
    let projects: Vec<_> = projects.iter().map(ProjectId::as_str).collect();
    let rows = sqlx::query(
        "SELECT project_id, project_id_numeric FROM entities
         WHERE project_id IN (SELECT value FROM json_each(?1)) AND kind = ?2 AND id = ?3
         ORDER BY project_id",
    )
    .bind(super::json(&projects))
    .bind(kind.as_str())
    .bind(id.as_str())
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::project_id)
}
