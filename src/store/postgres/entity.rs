//! Projects, epics, sprints, tasks and members.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::domain::{Entity, EntityId, Kind, ProjectId, Rank, Stamp};
use crate::store::row::{self, EntityTexts};
use crate::store::{EntityKey, Gather, Loaded, Snapshot, StoreError};

macro_rules! columns {
    () => {
        "project_id, project_id_numeric, kind, id, id_numeric, fields::text AS fields,
         history::text AS history, version, rank,
         created_at, created_by, updated_at, updated_by, deleted_at, deleted_by"
    };
}

pub(super) use columns;

const UPSERT: &str = "
    INSERT INTO entities (project_id, project_id_numeric, kind, id, id_numeric, fields, history,
        version, rank, status, epic_id, sprint_id, created_at, created_by, updated_at, updated_by,
        deleted_at, deleted_by)
    SELECT project_id, project_id_numeric, kind, id, id_numeric, fields::jsonb, history::jsonb,
        version, rank, status, epic_id, sprint_id, created_at, created_by, updated_at, updated_by,
        deleted_at, deleted_by
    FROM UNNEST($1::text[], $2::boolean[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[],
        $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[],
        $15::bigint[], $16::text[], $17::bigint[], $18::text[])
        AS entity (project_id, project_id_numeric, kind, id, id_numeric, fields, history,
        version, rank, status, epic_id, sprint_id, created_at, created_by, updated_at, updated_by,
        deleted_at, deleted_by)
    ON CONFLICT (project_id, kind, id) DO UPDATE SET
        fields = excluded.fields, history = excluded.history, version = excluded.version,
        rank = excluded.rank, status = excluded.status, epic_id = excluded.epic_id,
        sprint_id = excluded.sprint_id, created_at = excluded.created_at,
        created_by = excluded.created_by, updated_at = excluded.updated_at,
        updated_by = excluded.updated_by, deleted_at = excluded.deleted_at,
        deleted_by = excluded.deleted_by";

pub(crate) async fn upsert(
    conn: &mut PgConnection,
    entities: &[Arc<Entity>],
) -> Result<(), StoreError> {
    let texts: Vec<_> = entities
        .iter()
        .map(|entity| EntityTexts::of(entity))
        .collect();
    let text = |of: fn(&Entity) -> &str| list(entities, of);
    let flag = |of: fn(&Entity) -> bool| list(entities, of);
    let number = |of: fn(&Entity) -> i64| list(entities, of);
    let plain = |of: for<'a> fn(&'a EntityTexts) -> Option<&'a str>| {
        texts.iter().map(of).collect::<Vec<_>>()
    };
    let deleted = |entity: &Entity| {
        entity
            .deleted
            .as_ref()
            .map(|Stamp { at, .. }| at.as_millis())
    };
    sqlx::query(UPSERT)
        .bind(text(|entity| entity.project.as_str()))
        .bind(flag(|entity| entity.project.is_numeric()))
        .bind(text(|entity| entity.kind.as_str()))
        .bind(text(|entity| entity.id.as_str()))
        .bind(flag(|entity| entity.id.is_numeric()))
        .bind(texts.iter().map(|texts| &*texts.fields).collect::<Vec<_>>())
        .bind(
            texts
                .iter()
                .map(|texts| &*texts.history)
                .collect::<Vec<_>>(),
        )
        .bind(number(|entity| entity.version))
        .bind(list(entities, |entity| {
            entity.rank.as_ref().map(Rank::as_str)
        }))
        .bind(plain(|texts| texts.status.as_deref()))
        .bind(plain(|texts| texts.epic_id.as_deref()))
        .bind(plain(|texts| texts.sprint_id.as_deref()))
        .bind(number(|entity| entity.created.at.as_millis()))
        .bind(text(|entity| entity.created.by.as_str()))
        .bind(number(|entity| entity.updated.at.as_millis()))
        .bind(text(|entity| entity.updated.by.as_str()))
        .bind(list(entities, deleted))
        .bind(list(entities, |entity| {
            entity.deleted.as_ref().map(|stamp| stamp.by.as_str())
        }))
        .execute(conn)
        .await?;
    Ok(())
}

/// One column of many entities.
fn list<'a, T>(entities: &'a [Arc<Entity>], of: impl Fn(&'a Entity) -> T) -> Vec<T> {
    entities.iter().map(|entity| of(entity)).collect()
}

pub(crate) async fn get(conn: &mut PgConnection, keys: &[EntityKey]) -> Result<Loaded, StoreError> {
    let projects: Vec<_> = keys.iter().map(|(project, ..)| project.as_str()).collect();
    let kinds: Vec<_> = keys.iter().map(|(_, kind, _)| kind.as_str()).collect();
    let ids: Vec<_> = keys.iter().map(|(.., id)| id.as_str()).collect();
    let rows = sqlx::query(concat!(
        "SELECT ", columns!(), " FROM entities
         WHERE (project_id, kind, id) IN (SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[]))"
    ))
    .bind(projects)
    .bind(kinds)
    .bind(ids)
    .fetch_all(conn)
    .await?;
    row::loaded(&rows)
}

/// One statement, because one statement sees one state.
pub(crate) async fn snapshot<T: Send + 'static>(
    conn: &mut PgConnection,
    project: &ProjectId,
    gather: &Gather<T>,
) -> Result<Snapshot<T>, StoreError> {
    let channel = project.channel();
    let rows = sqlx::query(concat!(
        "SELECT no, name, seq, pruned_seq, ", columns!(), "
         FROM (SELECT 1) AS one
         LEFT JOIN channels ON name = $1
         LEFT JOIN entities ON project_id = $2 AND deleted_at IS NULL
         ORDER BY CASE kind WHEN 'project' THEN 0 WHEN 'epic' THEN 1 WHEN 'sprint' THEN 2 ELSE 3 END,
             rank NULLS LAST, created_at, id"
    ))
    .bind(channel.as_str())
    .bind(project.as_str())
    .fetch(conn);
    gather.with_channel(rows).await
}

pub(crate) async fn projects(
    conn: &mut PgConnection,
    kind: Kind,
    id: &EntityId,
    projects: &[ProjectId],
) -> Result<Vec<ProjectId>, StoreError> {
    let projects: Vec<_> = projects.iter().map(ProjectId::as_str).collect();
    let rows = sqlx::query(
        "SELECT project_id, project_id_numeric FROM entities
         WHERE project_id = ANY($1) AND kind = $2 AND id = $3
         ORDER BY project_id",
    )
    .bind(projects)
    .bind(kind.as_str())
    .bind(id.as_str())
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::project_id)
}
