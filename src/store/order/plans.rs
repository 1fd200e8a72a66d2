//! How the database finds a card's neighbours, in its own words: for tests, which see to it that it never reads a whole project.

use sqlx::AssertSqlSafe;

use super::{
    BACKWARDS, RANKED, RANKS, RANKS_BACKWARDS, SHORT, Side, TASK, beyond, by_key, of_column,
    outermost,
};
use crate::domain::{Column, ProjectId};
use crate::store::row::ENTITIES;
use crate::store::{StoreError, Tx};

impl Tx {
    /// The statements with which neighbours in a column are found, each with its plan.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    #[doc(hidden)]
    pub async fn place_plans(
        &mut self,
        project: &ProjectId,
        column: &Column,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let ranks = self.conn.dialect(RANKED, SHORT);
        let last = outermost(&self.conn, &format!("true {BACKWARDS}"), BACKWARDS);
        let mut all = vec![(TASK.to_owned(), 2), (last, 2)];
        for side in [Side::Before, Side::After] {
            all.push((beyond(&self.conn, side), 4));
        }
        for order in [RANKS, RANKS_BACKWARDS] {
            all.push((of_column(&self.conn, column, ranks, order), 5));
        }
        for side in [Side::Before, Side::After] {
            all.push((by_key(&self.conn, column, ranks, side), 6));
        }
        let mut plans = Vec::new();
        for (sql, values) in all {
            let (explain, named) = self
                .conn
                .dialect(("EXPLAIN QUERY PLAN", "detail"), ("EXPLAIN", "QUERY PLAN"));
            let statement = self
                .conn
                .statement(AssertSqlSafe(format!("{explain} {sql}")));
            let statement = statement.bind(project.as_str()).bind("t1");
            let statement = match values {
                2 => statement,
                4 => statement.bind("i").bind("t1"),
                _ => statement
                    .bind(column.lane.as_deref())
                    .bind(column.sprint.as_deref()),
            };
            let statement = match values {
                5 => statement.bind(1_i64),
                6 => statement.bind("n3"),
                _ => statement,
            };
            let lines = statement
                .all(|row| row.get::<String>(ENTITIES, named))
                .await?;
            plans.push((sql, lines.join("\n")));
        }
        Ok(plans)
    }
}
