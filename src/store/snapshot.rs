//! A project's whole state. Tasks, epics, sprints and members are all in it; of what stands beside them, such as comments, the
//! newest.

use sqlx::AssertSqlSafe;

use super::connection::DbConnection;
use super::entity::entity_columns;
use super::{Gather, Snapshot, Store, StoreError, in_time};
use crate::domain::{Kind, ProjectId};

/// Most entities of one kind beside the tasks…
pub(super) const OF_KIND: i64 = 1000;
/// … and most comments of one task, or of what else they belong to.
pub(super) const COMMENTS_OF_ONE: i64 = 20;

/// The kinds of which everything is in a state, as the index of all the others names them.
pub(super) const BOARD: &str = "('project', 'task', 'epic', 'sprint', 'member')";

impl Store {
    /// A project's state now and its channel's head, which belong together: one statement sees one state.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn snapshot<T: Send + 'static>(
        &self,
        project: &ProjectId,
        gather: &Gather<T>,
    ) -> Result<Snapshot<T>, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let sql = sql(&db);
            let kinds = Kind::all().into_iter().filter(|kind| kind.is_beside());
            let channel = project.channel();
            let statement = db
                .statement(AssertSqlSafe(sql))
                .bind_list(kinds.map(Kind::as_str).collect())
                .bind(channel.as_str())
                .bind(project.as_str())
                .bind(COMMENTS_OF_ONE)
                .bind(OF_KIND);
            gather.with_channel_and_counts(statement).await
        })
        .await
    }
}

/// One statement: the board, and of what stands beside it the newest, each with the numbers of all.
fn sql(db: &DbConnection) -> String {
    let beside = format!(
        "project_id = $3 AND kind {} AND deleted_at IS NULL AND kind NOT IN {BOARD}",
        db.in_list()
    );
    let counts = db.dialect(
        "json_group_object(kind, number)",
        "CAST(json_object_agg(kind, number) AS text)",
    );
    let newest = format!(
        "SELECT kind, id FROM (
             SELECT kind, id, row_number() OVER (PARTITION BY kind ORDER BY created_at DESC, id DESC) AS place
             FROM (
                 SELECT kind, id, created_at,
                     row_number() OVER (PARTITION BY kind, belongs_to ORDER BY created_at DESC, id DESC) AS place
                 FROM entities WHERE {beside}
             ) AS of_one
             WHERE kind <> 'comment' OR place <= $4
         ) AS of_kind
         WHERE place <= $5"
    );
    // SQLite would write a union down before it sorts it; Postgres would read all of an alternative.
    let entities = db.dialect(
        format!(
            "LEFT JOIN entities ON project_id = $3 AND deleted_at IS NULL
                 AND (kind IN {BOARD} OR (kind, id) IN ({newest}))"
        ),
        format!(
            "LEFT JOIN (
                 SELECT * FROM entities WHERE project_id = $3 AND deleted_at IS NULL AND kind IN {BOARD}
                 UNION ALL
                 SELECT * FROM entities WHERE project_id = $3 AND (kind, id) IN ({newest})
             ) AS entity ON true"
        ),
    );
    format!(
        concat!(
            "SELECT no, name, seq, pruned_seq, counts, ",
            entity_columns!(),
            " FROM (SELECT 1) AS one
             LEFT JOIN channels ON name = $2
             LEFT JOIN (
                 SELECT {counts} AS counts
                 FROM (SELECT kind, count(*) AS number FROM entities WHERE {beside} GROUP BY kind) AS counted
             ) AS numbers ON true
             {entities}
             ORDER BY CASE kind WHEN 'project' THEN 0 WHEN 'epic' THEN 1 WHEN 'sprint' THEN 2 ELSE 3 END,
                 rank NULLS LAST, created_at, id"
        ),
        counts = counts,
        beside = beside,
        entities = entities,
    )
}
