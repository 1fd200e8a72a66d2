//! Members of projects, which are entities.

use sqlx::AssertSqlSafe;

use super::entity::entity_columns;
use super::{Standing, Store, StoreError, Tx, in_time, row};
use crate::domain::{Entity, EntityId, ProjectId};

impl Store {
    /// What the lists of members of these projects say of a user, in their order.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn standings(
        &self,
        user: &EntityId,
        projects: &[ProjectId],
    ) -> Result<Vec<Standing>, StoreError> {
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        in_time(async {
            let mut db = self.reader().await?;
            // One statement, because one statement sees one state.
            let sql = format!(
                "SELECT seq, fields ->> 'role' AS role, updated_at, deleted_at
                 FROM {}
                 LEFT JOIN channels ON name = 'project:' || project.id
                 LEFT JOIN entities ON project_id = project.id AND kind = 'member' AND entities.id = $2
                 ORDER BY project.place",
                db.dialect(
                    "(SELECT value AS id, key AS place FROM json_each($1)) AS project",
                    "UNNEST($1::text[]) WITH ORDINALITY AS project (id, place)",
                )
            );
            let statement = db.statement(AssertSqlSafe(sql));
            let statement = statement.bind_list(projects.iter().map(ProjectId::as_str).collect());
            statement.bind(user.as_str()).all(row::standing).await
        })
        .await
    }
}

impl Tx {
    /// An owner of a project other than this member.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn other_owner(
        &mut self,
        project: &ProjectId,
        member: &EntityId,
    ) -> Result<Option<Entity>, StoreError> {
        let statement = self.conn.statement(concat!(
            "SELECT ",
            entity_columns!(),
            " FROM entities
             WHERE project_id = $1 AND id <> $2 AND kind = 'member' AND deleted_at IS NULL
                 AND member_role = 'owner'
             LIMIT 1"
        ));
        let statement = statement.bind(project.as_str()).bind(member.as_str());
        statement.first(row::entity).await
    }
}
