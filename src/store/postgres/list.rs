//! Entities one by one, and lists of them.

use sqlx::PgConnection;

use crate::domain::{EntityId, Kind, Page, ProjectId, Whose};
use crate::store::postgres::entity::columns;
use crate::store::{Gather, Snapshot, StoreError};

/// One statement, because one statement sees one state.
pub(crate) async fn entity(
    conn: &mut PgConnection,
    project: &ProjectId,
    kind: Kind,
    id: &EntityId,
) -> Result<Snapshot, StoreError> {
    let channel = project.channel();
    let rows = sqlx::query(concat!(
        "SELECT no, name, seq, pruned_seq, ",
        columns!(),
        " FROM (SELECT 1) AS one
         LEFT JOIN channels ON name = $1
         LEFT JOIN entities ON project_id = $2 AND kind = $3 AND id = $4"
    ))
    .bind(channel.as_str())
    .bind(project.as_str())
    .bind(kind.as_str())
    .bind(id.as_str())
    .fetch(conn);
    Gather::entities().with_channel(rows).await
}

pub(crate) async fn page<T: Send + 'static>(
    conn: &mut PgConnection,
    project: &ProjectId,
    kind: Kind,
    page: &Page,
    limit: i64,
    gather: &Gather<T>,
) -> Result<Snapshot<T>, StoreError> {
    let (filter, after) = (&page.filter, page.after.as_ref());
    let channel = project.channel();
    let rows = sqlx::query(concat!(
        "SELECT no, name, seq, pruned_seq, ",
        columns!(),
        " FROM (SELECT 1) AS one
         LEFT JOIN channels ON name = $1
         LEFT JOIN (
             SELECT * FROM entities
             WHERE project_id = $2 AND kind = $3 AND deleted_at IS NULL
                 AND ($4::text IS NULL OR status = $4)
                 AND ($5::text IS NULL OR sprint_id = $5)
                 AND ($6::text IS NULL OR epic_id = $6)
                 AND ($7::text IS NULL OR coalesce(fields ->> 'assignee', fields ->> 'assigneeId',
                     fields ->> 'assignedTo') = $7)
                 AND ($8::text IS NULL OR strpos(lower(fields ->> 'title'), lower($8)) > 0
                     OR strpos(lower(fields ->> 'description'), lower($8)) > 0)
                 AND ($9::text IS NULL OR (coalesce(rank, ''), created_at, id) > ($9, $10::bigint, $11))
             ORDER BY coalesce(rank, ''), created_at, id LIMIT $12
         ) AS entity ON true
         ORDER BY coalesce(rank, ''), created_at, id"
    ))
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
    .bind(limit)
    .fetch(conn);
    gather.with_channel(rows).await
}

pub(crate) async fn projects<T: Send + 'static>(
    conn: &mut PgConnection,
    whose: &Whose,
    page: &Page,
    limit: i64,
    gather: &Gather<T>,
) -> Result<Snapshot<T>, StoreError> {
    let (member, named) = match whose {
        Whose::Everybodys => (None, &[][..]),
        Whose::Of { member, named } => (Some(member.as_str()), &named[..]),
    };
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM entities
         WHERE kind = 'project' AND deleted_at IS NULL AND project_id > $1
             AND ($2::text IS NULL OR project_id IN (
                 SELECT project_id FROM entities WHERE kind = 'member' AND id = $2
                 UNION SELECT UNNEST($3::text[])
             ))
             AND ($4::text IS NULL OR strpos(lower(fields ->> 'title'), lower($4)) > 0
                 OR strpos(lower(fields ->> 'description'), lower($4)) > 0)
         ORDER BY project_id LIMIT $5"
    ))
    .bind(page.after.as_ref().map_or("", |mark| mark.id.as_str()))
    .bind(member)
    .bind(named)
    .bind(page.filter.text.as_deref())
    .bind(limit)
    .fetch(conn);
    gather.without_channel(rows).await
}
