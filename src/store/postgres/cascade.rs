//! Cascades, and the tasks that they change.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::domain::{
    Cascade, CascadeKey, Cause, Entity, EntityId, ProjectId, Reference, Timestamp,
};
use crate::store::postgres::entity::columns;
use crate::store::row;
use crate::store::{StoreError, TaskLimits};

macro_rules! cascade_columns {
    () => {
        "project_id, project_id_numeric, reference, entity_id, cause, target_id, target_id_numeric, actor, remaining"
    };
}

/// The tasks, as `entities_tasks_of_epic`, `entities_tasks_of_sprint` and `entities_unfinished_of_sprint` have them.
fn matching(reference: Reference, cause: Cause) -> String {
    let column = match reference {
        Reference::Epic => "epic_id",
        Reference::Sprint => "sprint_id",
    };
    let unfinished = match cause {
        Cause::Deleted => "",
        Cause::Completed => {
            " AND (status IS NULL OR lower(status COLLATE \"C\") NOT IN ('done', 'completed', 'complete', 'closed', 'finished', 'resolved',
                'cancelled', 'canceled', 'archived'))"
        }
    };
    format!(
        "FROM entities WHERE project_id = $1 AND {column} = $2 AND octet_length({column}) <= 128 AND kind = 'task'
             AND deleted_at IS NULL{unfinished} ORDER BY id LIMIT $3"
    )
}

pub(crate) async fn tasks(
    conn: &mut PgConnection,
    key: &CascadeKey,
    cause: Cause,
    limits: TaskLimits,
) -> Result<Vec<Entity>, StoreError> {
    let sql = format!(
        "SELECT {columns} FROM (
             SELECT *,
                 row_number() OVER (ORDER BY id) AS place,
                 sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS total
             FROM (
                 SELECT *, octet_length(fields::text) + octet_length(history::text) AS bytes {matching}
             ) AS next
         ) AS page
         WHERE place = 1 OR total <= $4",
        columns = columns!(),
        matching = matching(key.reference, cause)
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(key.project.as_str())
        .bind(key.id.as_str())
        .bind(i64::try_from(limits.tasks).unwrap_or(i64::MAX))
        .bind(i64::try_from(limits.bytes).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    row::all(&rows, row::entity)
}

pub(crate) async fn count(
    conn: &mut PgConnection,
    key: &CascadeKey,
    cause: Cause,
    max: usize,
) -> Result<usize, StoreError> {
    let sql = format!(
        "SELECT count(*) AS remaining FROM (SELECT 1 {}) AS task",
        matching(key.reference, cause)
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(key.project.as_str())
        .bind(key.id.as_str())
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_one(conn)
        .await?;
    row::remaining(&row)
}

pub(crate) async fn get(
    conn: &mut PgConnection,
    key: &CascadeKey,
) -> Result<Option<Cascade>, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        cascade_columns!(),
        " FROM cascades WHERE project_id = $1 AND reference = $2 AND entity_id = $3"
    ))
    .bind(key.project.as_str())
    .bind(key.reference.field())
    .bind(key.id.as_str())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(row::cascade).transpose()
}

pub(crate) async fn about(
    conn: &mut PgConnection,
    project: &ProjectId,
    id: &EntityId,
) -> Result<Vec<Cascade>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        cascade_columns!(),
        " FROM cascades WHERE project_id = $1 AND reference IN ('epicId', 'sprintId') AND entity_id = $2
         UNION ALL
         SELECT * FROM (SELECT ",
        cascade_columns!(),
        " FROM cascades WHERE project_id = $1 AND target_id = $2 LIMIT 1) AS into_it"
    ))
    .bind(project.as_str())
    .bind(id.as_str())
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::cascade)
}

pub(crate) async fn waiting(
    conn: &mut PgConnection,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<Cascade>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        cascade_columns!(),
        " FROM cascades WHERE stepped_at <= $1 ORDER BY stepped_at LIMIT $2"
    ))
    .bind(since.as_millis())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::cascade)
}

pub(crate) async fn put(
    conn: &mut PgConnection,
    cascade: &Cascade,
    now: Option<Timestamp>,
) -> Result<(), StoreError> {
    let Cascade { key, target, .. } = cascade;
    sqlx::query(
        "INSERT INTO cascades (project_id, project_id_numeric, reference, entity_id, cause, target_id,
             target_id_numeric, actor, remaining, stepped_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (project_id, reference, entity_id) DO UPDATE SET
             remaining = excluded.remaining, stepped_at = excluded.stepped_at",
    )
    .bind(key.project.as_str())
    .bind(key.project.is_numeric())
    .bind(key.reference.field())
    .bind(key.id.as_str())
    .bind(cascade.cause.as_str())
    .bind(target.as_ref().map(EntityId::as_str))
    .bind(target.as_ref().is_some_and(|target| target.is_numeric()))
    .bind(cascade.actor.as_str())
    .bind(i64::try_from(cascade.left).unwrap_or(i64::MAX))
    .bind(now.map_or(0, Timestamp::as_millis))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn remove(conn: &mut PgConnection, key: &CascadeKey) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM cascades WHERE project_id = $1 AND reference = $2 AND entity_id = $3")
        .bind(key.project.as_str())
        .bind(key.reference.field())
        .bind(key.id.as_str())
        .execute(conn)
        .await?;
    Ok(())
}
