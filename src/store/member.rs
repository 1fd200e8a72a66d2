//! Members of projects, which are entities.

use sqlx::AssertSqlSafe;

use super::entity::entity_columns;
use super::rows::{Column, Rows, Type, Value};
use super::{Standing, Store, StoreError, Tx, in_time, row};
use crate::domain::{Entity, EntityId, ProjectId};

/// A user and a project, and the question's place among all of them.
const QUESTION: [Column; 3] = [
    ("place", Type::Number),
    ("user_id", Type::Text),
    ("of_project", Type::Text),
];

impl Store {
    /// What the list of members of each of these projects says of that user, in their order.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn standings(
        &self,
        questions: &[(EntityId, ProjectId)],
    ) -> Result<Vec<Standing>, StoreError> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let questions = (0..).zip(questions).map(|(place, (user, project))| {
            let place = Value::Number(Some(place));
            [place, user.as_str().into(), project.as_str().into()]
        });
        let questions = Rows::new(&QUESTION, questions);
        in_time(async {
            let mut db = self.reader().await?;
            // One statement, because one statement sees one state.
            let sql = format!(
                "SELECT seq, fields ->> 'role' AS role, updated_at, deleted_at
                 FROM ({}) AS question
                 LEFT JOIN channels ON name = 'project:' || of_project
                 LEFT JOIN entities ON project_id = of_project AND kind = 'member' AND entities.id = user_id
                 ORDER BY place",
                db.select(&QUESTION)
            );
            let statement = db.statement(AssertSqlSafe(sql));
            statement.bind_rows(&questions).all(row::standing).await
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
