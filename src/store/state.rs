//! A project's state, read part by part from one consistent read: for states that are too large to be there as a whole.
//!
//! The parts come in the order of a [snapshot](super::Snapshot): the project, epics, sprints, tasks by rank, members, and what
//! stands beside them by age. Each part is read through an index from where the one before has ended, so that its cost does
//! not depend on how large the state is.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::connection::DbConnection;
use super::entity::entity_columns;
use super::keyset::{ORDER, Tasks, Values, Walk};
use super::snapshot::{BOARD, COMMENTS_OF_ONE, OF_KIND};
use super::{Channel, Gather, Store, StoreError, in_time, row};
use crate::domain::{Kind, Mark, ProjectId, StatePlace};

/// Rows that one statement asks for.
const ROWS: usize = 512;

/// An open read of a project's state. Dropped without [`StateRead::end`], it leaves nothing behind.
///
/// It keeps the database from removing what has become old meanwhile, so nobody should have one open for long.
#[derive(Debug)]
pub struct StateRead {
    conn: DbConnection,
    project: ProjectId,
}

/// Part of a state.
#[derive(Debug)]
pub struct StatePart<T> {
    /// What was made of its entities.
    pub items: Vec<T>,
    /// Where the next part begins; `None` after the last one.
    pub next: Option<StatePlace>,
}

/// What a state begins with.
#[derive(Debug)]
pub struct StateHead {
    /// The project's channel; `None` if nothing has ever happened there.
    pub channel: Option<Channel>,
    /// How many entities are not in the state of each kind of which it has only the newest, by its name.
    pub left_out: BTreeMap<String, u64>,
}

/// A list of a state, or the part of it that an index has in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Section {
    kind: Kind,
    tasks: Option<Tasks>,
}

impl Section {
    /// All of them, in their order.
    fn all() -> Vec<Self> {
        let of = |kind| Self { kind, tasks: None };
        let tasks = |tasks| Self {
            kind: Kind::Task,
            tasks: Some(tasks),
        };
        let mut all = vec![of(Kind::Project), of(Kind::Epic), of(Kind::Sprint)];
        all.extend([
            tasks(Tasks::Ranked),
            tasks(Tasks::Unranked),
            of(Kind::Member),
        ]);
        let beside = Kind::all().into_iter().filter(|kind| kind.is_beside());
        all.extend(beside.map(of));
        all
    }

    fn holds(self, place: &StatePlace) -> bool {
        let is_ranked = !place.mark.rank.is_empty();
        self.kind == place.kind
            && self
                .tasks
                .is_none_or(|tasks| (tasks == Tasks::Ranked) == is_ranked)
    }
}

impl Store {
    /// Whether a project has at least so many tasks. Costs no more than to count so many.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn has_tasks(&self, project: &ProjectId, count: usize) -> Result<bool, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let ranks = db.dialect(super::order::RANKED, super::order::SHORT);
            let statement = db.statement(AssertSqlSafe(format!(
                "SELECT count(*) AS remaining FROM (
                     SELECT 1 FROM entities
                     WHERE project_id = $1 AND kind = 'task' AND deleted_at IS NULL AND {ranks} LIMIT $2
                 ) AS task"
            )));
            let statement = statement.bind(project.as_str());
            let statement = statement.bind(i64::try_from(count).unwrap_or(i64::MAX));
            Ok(statement.first(row::remaining).await?.unwrap_or(0) >= count)
        })
        .await
    }

    /// Whether a state may be read while others write: a database in memory has one connection for all.
    #[must_use]
    pub fn reads_beside_writes(&self) -> bool {
        match self {
            Self::Sqlite(db) => db.has_readers(),
            Self::Postgres(_) => true,
        }
    }

    /// Begins to read a project's state: all that is read then is of one moment.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn state(&self, project: &ProjectId) -> Result<StateRead, StoreError> {
        in_time(async {
            let mut conn = self.reader().await?;
            conn.in_transaction = true;
            let begin = conn.dialect("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
            conn.run(begin).await?;
            Ok(StateRead {
                conn,
                project: project.clone(),
            })
        })
        .await
    }
}

impl StateRead {
    /// Reads what the state begins with.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn head(&mut self) -> Result<StateHead, StoreError> {
        let sql = head_sql(&self.conn);
        let kinds = Kind::all().into_iter().filter(|kind| kind.is_beside());
        let channel = self.project.channel();
        let statement = self
            .conn
            .statement(AssertSqlSafe(sql))
            .bind_list(kinds.map(Kind::as_str).collect())
            .bind(channel.as_str())
            .bind(self.project.as_str())
            .bind(COMMENTS_OF_ONE)
            .bind(OF_KIND);
        let read = statement.first(|row| {
            Ok(StateHead {
                channel: row::channel_or_null(row)?,
                left_out: row::counts(row)?,
            })
        });
        let mut head = in_time(read).await?.unwrap_or(StateHead {
            channel: None,
            left_out: BTreeMap::new(),
        });
        head.left_out.retain(|_, number| *number > 0);
        Ok(head)
    }

    /// Reads on after a place, from the beginning without one, until there are as many bytes as are gathered. It may be the
    /// last part although it says where the next one begins.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn part<T: Send + 'static>(
        &mut self,
        after: Option<&StatePlace>,
        gather: &Gather<(StatePlace, T)>,
    ) -> Result<StatePart<T>, StoreError> {
        let sections = Section::all();
        let begun =
            after.and_then(|place| sections.iter().position(|section| section.holds(place)));
        let mut after = after
            .filter(|_| begun.is_some())
            .map(|place| place.mark.clone());
        let (mut items, mut left) = (Vec::new(), gather.max_bytes);
        for section in &sections[begun.unwrap_or(0)..] {
            loop {
                let some = in_time(self.rows(*section, after.as_ref(), gather, left)).await?;
                let (is_whole, count) = (some.is_whole, some.entities.len());
                left = left.saturating_sub(some.bytes);
                let mut last = None;
                items.extend(some.entities.into_iter().map(|(place, item)| {
                    last = Some(place);
                    item
                }));
                if last.is_some() && (!is_whole || left == 0) {
                    return Ok(StatePart { items, next: last });
                }
                if count < ROWS {
                    break;
                }
                after = last.map(|place| place.mark);
            }
            after = None;
        }
        Ok(StatePart { items, next: None })
    }

    /// Reads the project itself.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn project<T: Send + 'static>(
        &mut self,
        gather: &Gather<(StatePlace, T)>,
    ) -> Result<Option<T>, StoreError> {
        let section = Section {
            kind: Kind::Project,
            tasks: None,
        };
        let found = in_time(self.rows(section, None, gather, usize::MAX)).await?;
        Ok(found
            .entities
            .into_iter()
            .next()
            .map(|(_, project)| project))
    }

    async fn rows<T: Send + 'static>(
        &mut self,
        section: Section,
        after: Option<&Mark>,
        gather: &Gather<(StatePlace, T)>,
        max_bytes: usize,
    ) -> Result<super::Snapshot<(StatePlace, T)>, StoreError> {
        let mut values = Values::default();
        let newest = if section.kind.is_beside() {
            newest(&mut values, &self.project, section.kind)
        } else {
            String::new()
        };
        let walk = Walk {
            project: &self.project,
            kind: section.kind,
            condition: &newest,
            is_part: false,
            limit: ROWS,
        };
        let rows = match section.tasks {
            Some(tasks) => walk.tasks(&self.conn, &mut values, tasks, after),
            None => walk.by_age(&mut values, after),
        };
        let sql = format!(
            concat!(
                "SELECT ",
                entity_columns!(),
                " FROM ({rows}) AS entity ORDER BY {order}"
            ),
            rows = rows,
            order = ORDER,
        );
        let statement = values.statement(&mut self.conn, sql);
        let gather = Gather {
            max_bytes,
            ..*gather
        };
        gather.without_channel(statement).await
    }

    /// Ends the read.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn end(mut self) -> Result<(), StoreError> {
        self.conn.check()?;
        in_time(async {
            self.conn.run("COMMIT").await?;
            Ok(())
        })
        .await?;
        self.conn.in_transaction = false;
        Ok(())
    }
}

/// The channel, and how many entities are left out of each kind beside the tasks, as a JSON object.
fn head_sql(db: &DbConnection) -> String {
    let (left_out, least) = db.dialect(
        ("json_group_object(kind, number - min(kept, $5))", "min"),
        (
            "CAST(json_object_agg(kind, number - least(kept, $5)) AS text)",
            "least",
        ),
    );
    format!(
        "SELECT no, name, seq, pruned_seq, counts FROM (SELECT 1) AS one
         LEFT JOIN channels ON name = $2
         LEFT JOIN (
             SELECT {left_out} AS counts FROM (
                 SELECT kind, CAST(sum(number) AS bigint) AS number,
                     CAST(sum(CASE WHEN kind = 'comment' THEN {least}(number, $4) ELSE number END) AS bigint) AS kept
                 FROM (
                     SELECT kind, belongs_to, count(*) AS number FROM entities
                     WHERE project_id = $3 AND kind {} AND deleted_at IS NULL AND kind NOT IN {BOARD}
                     GROUP BY kind, belongs_to
                 ) AS of_one
                 GROUP BY kind
             ) AS counted
         ) AS numbers ON true",
        db.in_list()
    )
}

/// The condition that an entity of a kind beside the tasks is one of those that are in a state.
fn newest(values: &mut Values, project: &ProjectId, kind: Kind) -> String {
    let (project, kind) = (values.bind(project.as_str()), values.bind(kind.as_str()));
    format!(
        "AND id IN (
             SELECT id FROM (
                 SELECT id, row_number() OVER (ORDER BY created_at DESC, id DESC) AS place FROM (
                     SELECT id, created_at,
                         row_number() OVER (PARTITION BY belongs_to ORDER BY created_at DESC, id DESC) AS place
                     FROM entities
                     WHERE project_id = {project} AND kind = {kind} AND deleted_at IS NULL AND kind NOT IN {BOARD}
                 ) AS of_one
                 WHERE {kind} <> 'comment' OR place <= {COMMENTS_OF_ONE}
             ) AS of_kind
             WHERE place <= {OF_KIND}
         )"
    )
}
