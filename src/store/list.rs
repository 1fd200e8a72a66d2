//! Lists of entities: pages of those of a kind, of projects, and those whose fields have certain values.

use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::connection::{DbConnection, Statement};
use super::entity::entity_columns;
use super::snapshot::BOARD;
use super::{Gather, Snapshot, Store, StoreError, in_time};
use crate::domain::{FieldFilter, Id, Kind, Page, ProjectId, Whose};

// Each of these is one statement, because one statement sees one state.
impl Store {
    /// Entities of a kind that are not deleted, in the order of their [marks](crate::domain::Mark), and their project's
    /// channel, which belong together.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entities_page<T: Send + 'static>(
        &self,
        project: &ProjectId,
        kind: Kind,
        page: &Page,
        gather: &Gather<T>,
    ) -> Result<Snapshot<T>, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let equal = Equal::to(&page.filter.fields, kind, &db);
            let sql = format!(
                concat!(
                    "SELECT no, name, seq, pruned_seq, ",
                    entity_columns!(),
                    " FROM (SELECT 1) AS one
                     LEFT JOIN channels ON name = $1
                     LEFT JOIN (
                         SELECT * FROM entities
                         WHERE project_id = $2 AND kind = $3 AND deleted_at IS NULL {equal}
                             AND (CAST($4 AS text) IS NULL OR status = $4)
                             AND (CAST($5 AS text) IS NULL OR sprint_id = $5)
                             AND (CAST($6 AS text) IS NULL OR epic_id = $6)
                             AND (CAST($7 AS text) IS NULL OR CAST(coalesce(fields ->> 'assignee',
                                 fields ->> 'assigneeId', fields ->> 'assignedTo') AS text) = $7)
                             AND (CAST($8 AS text) IS NULL
                                 OR {position}(lower(fields ->> 'title'), lower($8)) > 0
                                 OR {position}(lower(fields ->> 'description'), lower($8)) > 0)
                             AND (CAST($9 AS text) IS NULL
                                 OR (coalesce(rank, ''), created_at, id) > ($9, CAST($10 AS bigint), $11))
                         ORDER BY coalesce(rank, ''), created_at, id LIMIT $12
                     ) AS entity ON true
                     ORDER BY coalesce(rank, ''), created_at, id"
                ),
                position = db.dialect("instr", "strpos"),
                equal = equal.sql(13),
            );
            let (filter, after) = (&page.filter, page.after.as_ref());
            let channel = project.channel();
            let statement = db
                .statement(AssertSqlSafe(sql))
                .bind(channel.as_str())
                .bind(project.as_str())
                .bind(kind.as_str())
                .bind(filter.status.as_deref())
                .bind(filter.sprint.as_deref())
                .bind(filter.epic.as_deref())
                .bind(filter.assignee.as_deref())
                .bind(filter.text.as_deref())
                .bind(after.map(|mark| mark.rank.as_str()))
                .bind(after.map(|mark| mark.created_at))
                .bind(after.map(|mark| mark.id.as_str()))
                .bind(i64::try_from(page.limit).unwrap_or(i64::MAX));
            gather.with_channel(equal.bind_to(statement)).await
        })
        .await
    }

    /// The entities of a kind that are not deleted and in which fields have certain values, and their project's channel, which
    /// belong together: the first tasks by rank, and the newest of all others, from the oldest of these.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entities_where<T: Send + 'static>(
        &self,
        project: &ProjectId,
        kind: Kind,
        fields: &[FieldFilter],
        limit: usize,
        gather: &Gather<T>,
    ) -> Result<Snapshot<T>, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let equal = Equal::to(fields, kind, &db);
            let order = if kind == Kind::Task {
                "coalesce(rank, ''), created_at, id"
            } else {
                "created_at DESC, id DESC"
            };
            let sql = format!(
                concat!(
                    "SELECT no, name, seq, pruned_seq, ",
                    entity_columns!(),
                    " FROM (SELECT 1) AS one
                     LEFT JOIN channels ON name = $1
                     LEFT JOIN (
                         SELECT * FROM entities
                         WHERE project_id = $2 AND kind = $3 AND deleted_at IS NULL {equal}
                         ORDER BY {order} LIMIT $4
                     ) AS entity ON true
                     ORDER BY coalesce(rank, ''), created_at, id"
                ),
                equal = equal.sql(5),
                order = order,
            );
            let channel = project.channel();
            let statement = db
                .statement(AssertSqlSafe(sql))
                .bind(channel.as_str())
                .bind(project.as_str())
                .bind(kind.as_str())
                .bind(i64::try_from(limit).unwrap_or(i64::MAX));
            gather.with_channel(equal.bind_to(statement)).await
        })
        .await
    }

    /// Projects that are not deleted, by their ids. Of the filter only the text counts, of the mark only the id.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn projects_page<T: Send + 'static>(
        &self,
        whose: &Whose,
        page: &Page,
        gather: &Gather<T>,
    ) -> Result<Snapshot<T>, StoreError> {
        let (member, named) = match whose {
            Whose::Everybodys => (None, &[][..]),
            Whose::Of { member, named } => (Some(member.as_str()), &named[..]),
        };
        in_time(async {
            let mut db = self.reader().await?;
            let sql = format!(
                concat!(
                    "SELECT ",
                    entity_columns!(),
                    " FROM entities
                     WHERE kind = 'project' AND deleted_at IS NULL AND project_id > $2
                         AND (CAST($3 AS text) IS NULL OR project_id IN (
                             SELECT project_id FROM entities WHERE kind = 'member' AND id = $3
                             UNION {named}
                         ))
                         AND (CAST($4 AS text) IS NULL
                             OR {position}(lower(fields ->> 'title'), lower($4)) > 0
                             OR {position}(lower(fields ->> 'description'), lower($4)) > 0)
                     ORDER BY project_id LIMIT $5"
                ),
                position = db.dialect("instr", "strpos"),
                named = db.dialect(
                    "SELECT value FROM json_each($1)",
                    "SELECT UNNEST($1::text[])"
                ),
            );
            let statement = db
                .statement(AssertSqlSafe(sql))
                .bind_list(named.iter().map(String::as_str).collect())
                .bind(page.after.as_ref().map_or("", |mark| mark.id.as_str()))
                .bind(member)
                .bind(page.filter.text.as_deref())
                .bind(i64::try_from(page.limit).unwrap_or(i64::MAX));
            gather.without_channel(statement).await
        })
        .await
    }
}

/// The condition that fields have certain values, and these.
struct Equal {
    /// Names of fields, each with the text of its value, or nothing for a field that is null or not there. `None`: nothing can
    /// be equal to that.
    fields: Option<Vec<(String, Option<String>)>>,
    /// The id to which the entities belong, where an index has that.
    belongs_to: Option<Id>,
    is_beside: bool,
}

impl Equal {
    fn to(fields: &[FieldFilter], kind: Kind, db: &DbConnection) -> Self {
        let text = |value: &Value| match value {
            Value::Null => Some(None),
            Value::Bool(is) => Some(Some(db.dialect(u8::from(*is).to_string(), is.to_string()))),
            Value::Number(number) => Some(Some(number.to_string())),
            Value::String(text) => Some(Some(text.clone())),
            Value::Array(_) | Value::Object(_) => None,
        };
        let task = fields
            .iter()
            .find(|filter| filter.field == Kind::Task.id_key());
        let task = task.filter(|_| kind.is_beside());
        let task = task.and_then(|filter| Id::from_json(&filter.value).ok());
        let fields = fields.iter().map(|filter| {
            // What else a name may have means a path on SQLite.
            let is_letter = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-');
            let is_name = !filter.field.is_empty() && filter.field.chars().all(is_letter);
            let value = text(&filter.value).filter(|_| is_name)?;
            Some((filter.field.clone(), value))
        });
        let fields = fields.collect::<Option<Vec<_>>>();
        Self {
            belongs_to: task.filter(|_| fields.is_some()),
            is_beside: kind.is_beside(),
            fields,
        }
    }

    /// The condition, whose parameters begin with this one.
    fn sql(&self, first: usize) -> String {
        let Some(fields) = &self.fields else {
            return "AND false".to_owned();
        };
        let mut conditions = Vec::new();
        if self.is_beside {
            conditions.push(format!("AND kind NOT IN {BOARD}"));
        }
        let mut next = first;
        for (_, value) in fields {
            let (field, value_at) = (format!("fields ->> CAST(${next} AS text)"), next + 1);
            conditions.push(match value {
                None => format!("AND ({field}) IS NULL AND CAST(${value_at} AS text) IS NULL"),
                Some(_) => format!("AND CAST({field} AS text) = ${value_at}"),
            });
            next += 2;
        }
        if self.belongs_to.is_some() {
            conditions.push(format!("AND belongs_to = ${next}"));
        }
        conditions.join(" ")
    }

    fn bind_to<'c>(&self, statement: Statement<'c>) -> Statement<'c> {
        let fields = self.fields.iter().flatten();
        let statement = fields.fold(statement, |statement, (field, value)| {
            statement.bind(field.as_str()).bind(value.as_deref())
        });
        match &self.belongs_to {
            Some(id) => statement.bind(id.as_str()),
            None => statement,
        }
    }
}
