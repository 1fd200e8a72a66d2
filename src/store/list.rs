//! Lists of entities: pages of those of a kind, of projects, and those whose fields have certain values.

use std::fmt::Write as _;

use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::connection::DbConnection;
use super::entity::entity_columns;
use super::keyset::{ORDER, Values, Walk};
use super::order::INDEXED_BYTES;
use super::snapshot::BOARD;
use super::{Gather, Snapshot, Store, StoreError, in_time};
use crate::domain::{FieldFilter, Filter, Id, Kind, Page, ProjectId, Whose};

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
            let mut values = Values::default();
            let channel = values.bind(project.channel().as_str());
            let condition = matching(&page.filter, kind, &db, &mut values);
            let walk = Walk {
                project,
                kind,
                condition: &condition,
                is_part: page.filter.sprint.is_some() || page.filter.epic.is_some(),
                limit: page.limit,
            };
            let next = walk.all(&db, &mut values, page.after.as_ref());
            let sql = with_channel(&channel, &next);
            gather.with_channel(values.statement(&mut db, sql)).await
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
            let mut values = Values::default();
            let channel = values.bind(project.channel().as_str());
            let condition = equal(fields, kind, &db, &mut values);
            let walk = Walk {
                project,
                kind,
                condition: &condition,
                is_part: false,
                limit,
            };
            let first = match kind {
                Kind::Task => walk.all(&db, &mut values, None),
                _ => walk.newest(&mut values),
            };
            let sql = with_channel(&channel, &first);
            gather.with_channel(values.statement(&mut db, sql)).await
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

/// A project's channel, and what was selected of its entities, in their order.
fn with_channel(channel: &str, entities: &str) -> String {
    format!(
        concat!(
            "SELECT no, name, seq, pruned_seq, ",
            entity_columns!(),
            " FROM (SELECT 1) AS one
             LEFT JOIN channels ON name = {channel}
             LEFT JOIN ({entities}) AS entity ON true
             ORDER BY {order}"
        ),
        channel = channel,
        entities = entities,
        order = ORDER,
    )
}

/// The condition that entities are as a filter says. What the filter does not name is not in it, so that an index serves the
/// rest.
fn matching(filter: &Filter, kind: Kind, db: &DbConnection, values: &mut Values) -> String {
    let mut condition = equal(&filter.fields, kind, db, values);
    let mut and = |sql: String| {
        condition.push_str(" AND ");
        condition.push_str(&sql);
    };
    for (column, value) in [
        ("status", &filter.status),
        ("sprint_id", &filter.sprint),
        ("epic_id", &filter.epic),
    ] {
        if let Some(value) = value {
            // Indexes of Postgres have only what is not too long, and say so.
            let is_indexed = column != "status" && value.len() <= INDEXED_BYTES;
            let indexed = if db.dialect(false, is_indexed) {
                format!(" AND octet_length({column}) <= {INDEXED_BYTES}")
            } else {
                String::new()
            };
            and(format!(
                "{column} = {}{indexed}",
                values.bind(value.as_str())
            ));
        }
    }
    if let Some(assignee) = &filter.assignee {
        and(format!(
            "CAST(coalesce(fields ->> 'assignee', fields ->> 'assigneeId', fields ->> 'assignedTo') AS text) = {}",
            values.bind(assignee.as_str())
        ));
    }
    if let Some(text) = &filter.text {
        let (position, value) = (db.dialect("instr", "strpos"), values.bind(text.as_str()));
        let found = format!(
            "({position}(lower(fields ->> 'title'), lower({value})) > 0
                 OR {position}(lower(fields ->> 'description'), lower({value})) > 0)"
        );
        // SQLite has the fields as text, in which it finds most texts sooner than in the fields that it takes out of it.
        let is_as_it_is =
            !text.contains(|char: char| char.is_control() || matches!(char, '"' | '\\'));
        and(if db.dialect(is_as_it_is, false) {
            format!(
                "CASE WHEN instr(lower(fields), lower({value})) > 0 THEN {found} ELSE false END"
            )
        } else {
            found
        });
    }
    condition
}

/// The condition that fields have certain values.
fn equal(fields: &[FieldFilter], kind: Kind, db: &DbConnection, values: &mut Values) -> String {
    const TEXT: &str = "a text takes everything";
    let mut conditions = String::new();
    if kind.is_beside() {
        write!(conditions, "AND kind NOT IN {BOARD}").expect(TEXT);
    }
    for FieldFilter { field, value } in fields {
        // What else a name may have means a path on SQLite.
        let is_letter = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-');
        if field.is_empty() || !field.chars().all(is_letter) {
            return "AND false".to_owned();
        }
        let text = match value {
            Value::Null => None,
            Value::Bool(is) => Some(db.dialect(u8::from(*is).to_string(), is.to_string())),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text.clone()),
            Value::Array(_) | Value::Object(_) => return "AND false".to_owned(),
        };
        let found = format!("fields ->> CAST({} AS text)", values.bind(field.as_str()));
        let condition = match text {
            None => format!(" AND ({found}) IS NULL"),
            Some(text) => format!(" AND CAST({found} AS text) = {}", values.bind(&*text)),
        };
        conditions.push_str(&condition);
    }
    let is_task = |filter: &&FieldFilter| filter.field == Kind::Task.id_key();
    let task = fields.iter().find(is_task).filter(|_| kind.is_beside());
    if let Some(Ok(task)) = task.map(|task| Id::from_json(&task.value)) {
        let task = values.bind(task.as_str());
        write!(conditions, " AND belongs_to = {task}").expect(TEXT);
    }
    conditions
}
