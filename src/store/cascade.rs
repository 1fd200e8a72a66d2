//! Cascades, and the tasks that they change, a few at a time.

use sqlx::AssertSqlSafe;

use super::connection::DbConnection;
use super::entity::entity_columns;
use super::{Store, StoreError, Tx, in_time, row};
use crate::domain::{
    Cascade, CascadeKey, Cause, Entity, EntityId, ProjectId, Reference, Timestamp,
};

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

macro_rules! cascade_columns {
    () => {
        "project_id, project_id_numeric, reference, entity_id, cause, target_id, target_id_numeric, actor, remaining, done"
    };
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
        in_time(async {
            let mut db = self.reader().await?;
            let statement = db.statement(concat!(
                "SELECT ",
                cascade_columns!(),
                " FROM cascades WHERE stepped_at <= $1 ORDER BY stepped_at LIMIT $2"
            ));
            let statement = statement.bind(since.as_millis()).bind(limit);
            statement.all(row::cascade).await
        })
        .await
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
        done: &[String],
        limits: TaskLimits,
        max_count: usize,
    ) -> Result<Matching, StoreError> {
        let done: Vec<&str> = done.iter().map(String::as_str).collect();
        let matching = matching(&self.conn, key.reference, cause);
        let tasks = first_tasks(&self.conn, &matching);
        let tasks = self
            .conn
            .statement(AssertSqlSafe(tasks))
            .bind(key.project.as_str())
            .bind(key.id.as_str())
            .bind(i64::try_from(limits.tasks).unwrap_or(i64::MAX))
            .bind_list(done.clone())
            .bind(i64::try_from(limits.bytes).unwrap_or(i64::MAX));
        let tasks = tasks.all(row::entity).await?;
        let count = format!("SELECT count(*) AS remaining FROM (SELECT 1 {matching}) AS task");
        let count = self
            .conn
            .statement(AssertSqlSafe(count))
            .bind(key.project.as_str())
            .bind(key.id.as_str())
            .bind(i64::try_from(max_count).unwrap_or(i64::MAX))
            .bind_list(done);
        let count = count.first(row::remaining).await?.unwrap_or(0);
        Ok(Matching { tasks, count })
    }

    /// The cascade of an epic or sprint, if one is under way.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn cascade_get(&mut self, key: &CascadeKey) -> Result<Option<Cascade>, StoreError> {
        let statement = self.conn.statement(concat!(
            "SELECT ",
            cascade_columns!(),
            " FROM cascades WHERE project_id = $1 AND reference = $2 AND entity_id = $3"
        ));
        let statement = statement.bind(key.project.as_str());
        let statement = statement.bind(key.reference.field()).bind(key.id.as_str());
        statement.first(row::cascade).await
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
        let statement = self.conn.statement(concat!(
            "SELECT ",
            cascade_columns!(),
            " FROM cascades
             WHERE project_id = $1 AND reference IN ('epicId', 'sprintId', 'parentId') AND entity_id = $2
             UNION ALL
             SELECT * FROM (SELECT ",
            cascade_columns!(),
            " FROM cascades WHERE project_id = $1 AND target_id = $2 LIMIT 1) AS into_it"
        ));
        let statement = statement.bind(project.as_str()).bind(id.as_str());
        statement.all(row::cascade).await
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
            self.has_written = true;
            if cascade.left > 0 {
                self.cascade_put(cascade, now).await?;
            } else {
                self.cascade_remove(&cascade.key).await?;
            }
        }
        Ok(())
    }

    async fn cascade_put(
        &mut self,
        cascade: &Cascade,
        now: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let Cascade { key, target, .. } = cascade;
        let statement = self.conn.statement(
            "INSERT INTO cascades (project_id, project_id_numeric, reference, entity_id, cause, target_id,
                 target_id_numeric, actor, remaining, stepped_at, done)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (project_id, reference, entity_id) DO UPDATE SET
                 remaining = excluded.remaining, stepped_at = excluded.stepped_at",
        );
        let statement = statement
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
            .bind(serde_json::to_string(&cascade.done).expect("texts are JSON"));
        statement.execute().await.map(drop)
    }

    async fn cascade_remove(&mut self, key: &CascadeKey) -> Result<(), StoreError> {
        let statement = self.conn.statement(
            "DELETE FROM cascades WHERE project_id = $1 AND reference = $2 AND entity_id = $3",
        );
        let statement = statement.bind(key.project.as_str());
        let statement = statement.bind(key.reference.field()).bind(key.id.as_str());
        statement.execute().await.map(drop)
    }
}

/// As in `entities_unfinished_of_sprint`: the statuses are those of a finished task (`FINISHED` in `domain::cascade`).
pub(super) const UNFINISHED: &str = "(status_key IS NULL OR status_key NOT IN ('done', 'completed', 'complete', 'closed', \
     'finished', 'resolved', 'cancelled', 'canceled', 'archived'))";

/// The tasks, as `entities_tasks_of_epic`, `entities_tasks_of_sprint` and `entities_unfinished_of_sprint` have them.
fn matching(db: &DbConnection, reference: Reference, cause: Cause) -> String {
    let column = match reference {
        Reference::Epic => "epic_id",
        Reference::Sprint => "sprint_id",
        Reference::Parent => "parent_id",
    };
    let indexed = db.dialect(
        format!("{column} IS NOT NULL"),
        format!("octet_length({column}) <= 255"),
    );
    let listed = db.dialect(
        "SELECT value FROM json_each($4)",
        "SELECT UNNEST($4::text[])",
    );
    let others = format!("status_key NOT IN ({listed})");
    let unfinished = match cause {
        // The parameter must be used; the list is empty.
        Cause::Deleted => format!(" AND (status_key IS NULL OR {others})"),
        Cause::Completed => format!(" AND {UNFINISHED} AND (status_key IS NULL OR {others})"),
    };
    format!(
        "FROM entities WHERE project_id = $1 AND {column} = $2 AND {indexed} AND kind = 'task'
             AND deleted_at IS NULL{unfinished} ORDER BY id LIMIT $3"
    )
}

/// The first of the tasks, up to so many bytes. SQLite finds them by their row numbers, so that it reads no other ones.
fn first_tasks(db: &DbConnection, matching: &str) -> String {
    let (columns, from, column) = db.dialect(
        ("rowid AS task, id", "FROM entities WHERE rowid IN", "task"),
        ("*", "FROM", "*"),
    );
    let page = format!(
        "SELECT {column} FROM (
             SELECT *,
                 row_number() OVER (ORDER BY id) AS place,
                 sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS total
             FROM (
                 SELECT {columns}, octet_length(CAST(fields AS text)) + octet_length(CAST(history AS text)) AS bytes
                 {matching}
             ) AS next
         ) AS page
         WHERE place = 1 OR total <= $5"
    );
    let alias = db.dialect("", "AS task");
    format!(
        concat!("SELECT ", entity_columns!(), " {} ({}) {}"),
        from, page, alias
    )
}
