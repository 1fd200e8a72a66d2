//! The next entities of a kind in a project's order, read through an index from a place on, however many there are.
//!
//! What is no task has no rank and stands by age (`entities_by_age`), and so do the few tasks that have no rank
//! (`entities_unranked`). All other tasks stand by rank (`entities_order`, and `entities_long_ranks` on Postgres).

use sqlx::AssertSqlSafe;

use super::connection::{DbConnection, Statement};
use super::order::{LONG, RANKED, SHORT};
use crate::domain::{Kind, Mark, ProjectId};

/// A value that is bound to a statement.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Text(Option<String>),
    Number(i64),
}

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

/// The text of a statement's part, and the values that are bound to it.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<Bound>);

impl Values {
    /// Takes a value, and gives the parameter that stands for it.
    pub(super) fn bind(&mut self, value: impl Into<Bound>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// Takes a number.
    pub(super) fn number(&mut self, number: usize) -> String {
        self.bind(Bound::Number(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    /// The statement with its values.
    pub(super) fn statement(self, db: &mut DbConnection, sql: String) -> Statement<'_> {
        let statement = db.statement(AssertSqlSafe(sql));
        self.0
            .into_iter()
            .fold(statement, |statement, value| match value {
                Bound::Text(text) => statement.bind(text),
                Bound::Number(number) => statement.bind(number),
            })
    }
}

/// Which tasks of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tasks {
    /// Those that have a rank.
    Ranked,
    /// Those that have none.
    Unranked,
}

/// Live entities of a kind in a project.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) project: &'a ProjectId,
    pub(super) kind: Kind,
    /// What else they must be: conditions that begin with `AND`.
    pub(super) condition: &'a str,
    /// Whether an index finds those that meet the condition, so that they are better sorted than looked for in their order.
    pub(super) is_part: bool,
    pub(super) limit: usize,
}

/// How rows of a walk are ordered once more when they are joined with others.
pub(super) const ORDER: &str = "coalesce(rank, ''), CASE WHEN rank IS NULL THEN created_at END, id";

impl Walk<'_> {
    /// Selects those after a mark: of tasks those without a rank come first.
    pub(super) fn all(
        &self,
        db: &DbConnection,
        values: &mut Values,
        after: Option<&Mark>,
    ) -> String {
        if self.kind != Kind::Task {
            return self.by_age(values, after);
        }
        match after {
            Some(mark) if !mark.rank.is_empty() => self.tasks(db, values, Tasks::Ranked, after),
            _ => {
                let unranked = self.tasks(db, values, Tasks::Unranked, after);
                let ranked = self.tasks(db, values, Tasks::Ranked, None);
                let limit = values.number(self.limit);
                format!(
                    "SELECT * FROM (
                         SELECT * FROM ({unranked}) AS unranked UNION ALL SELECT * FROM ({ranked}) AS ranked
                     ) AS tasks ORDER BY {ORDER} LIMIT {limit}"
                )
            }
        }
    }

    /// Selects what is no task, by age.
    pub(super) fn by_age(&self, values: &mut Values, after: Option<&Mark>) -> String {
        let (project, kind) = (
            values.bind(self.project.as_str()),
            values.bind(self.kind.as_str()),
        );
        let beyond = after
            .map(|mark| beyond_age(values, mark))
            .unwrap_or_default();
        let (condition, limit) = (self.condition, values.number(self.limit));
        format!(
            "SELECT * FROM entities WHERE project_id = {project} AND kind = {kind} AND kind <> 'task'
                 AND deleted_at IS NULL {condition} {beyond} ORDER BY created_at, id LIMIT {limit}"
        )
    }

    /// Selects the newest of what is no task.
    pub(super) fn newest(&self, values: &mut Values) -> String {
        let (project, kind) = (
            values.bind(self.project.as_str()),
            values.bind(self.kind.as_str()),
        );
        let (condition, limit) = (self.condition, values.number(self.limit));
        format!(
            "SELECT * FROM entities WHERE project_id = {project} AND kind = {kind} AND kind <> 'task'
                 AND deleted_at IS NULL {condition} ORDER BY created_at DESC, id DESC LIMIT {limit}"
        )
    }

    /// Selects tasks after a mark that is among them.
    pub(super) fn tasks(
        &self,
        db: &DbConnection,
        values: &mut Values,
        tasks: Tasks,
        after: Option<&Mark>,
    ) -> String {
        let (project, condition) = (values.bind(self.project.as_str()), self.condition);
        let limit = values.number(self.limit);
        let of = |ranks: &str, beyond: &str, order: &str| {
            format!(
                "SELECT * FROM entities WHERE project_id = {project} AND kind = 'task' AND deleted_at IS NULL
                     AND {ranks} {condition} {beyond} ORDER BY {order} LIMIT {limit}"
            )
        };
        match tasks {
            Tasks::Unranked => {
                let beyond = after
                    .map(|mark| beyond_age(values, mark))
                    .unwrap_or_default();
                of("rank IS NULL", &beyond, "created_at, id")
            }
            Tasks::Ranked => {
                let beyond = after.map(|mark| {
                    let (rank, id) = (values.bind(&*mark.rank), values.bind(&*mark.id));
                    format!("AND (rank, id) > ({rank}, {id})")
                });
                let beyond = beyond.unwrap_or_default();
                // A sign keeps SQLite, which does not know how many there are, from the index that has the order.
                let order = db.dialect(
                    if self.is_part {
                        "+rank, id"
                    } else {
                        "rank, id"
                    },
                    "rank, id",
                );
                let part = |ranks| of(ranks, &beyond, order);
                db.dialect(
                    part(RANKED),
                    format!(
                        "SELECT * FROM (
                             SELECT * FROM ({}) AS short UNION ALL SELECT * FROM ({}) AS long
                         ) AS ranked ORDER BY rank, id LIMIT {limit}",
                        part(SHORT),
                        part(LONG)
                    ),
                )
            }
        }
    }
}

fn beyond_age(values: &mut Values, mark: &Mark) -> String {
    let created_at = values.bind(Bound::Number(mark.created_at));
    format!(
        "AND (created_at, id) > ({created_at}, {})",
        values.bind(&*mark.id)
    )
}
