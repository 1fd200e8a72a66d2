//! Entities of all kinds: one by one, and many by their keys.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

use super::rows::{Column, Rows, Type, Value};
use super::{EntityKey, Gather, Loaded, Snapshot, Store, StoreError, Tx, in_time, row};
use crate::domain::{Entity, EntityId, Kind, PlaceKey, ProjectId, Rank, Reference};

/// The columns of an entity as [`row::entity`] reads them. On Postgres fields and histories are no texts.
macro_rules! entity_columns {
    () => {
        "project_id, project_id_numeric, kind, id, id_numeric, CAST(fields AS text) AS fields,
         CAST(history AS text) AS history, version, rank,
         created_at, created_by, updated_at, updated_by, deleted_at, deleted_by"
    };
}

pub(super) use entity_columns;

pub(super) const KEY: [Column; 3] = [
    ("project_id", Type::Text),
    ("kind", Type::Text),
    ("id", Type::Text),
];

pub(super) const COLUMNS: [Column; 23] = [
    ("project_id", Type::Text),
    ("project_id_numeric", Type::Flag),
    ("kind", Type::Text),
    ("id", Type::Text),
    ("id_numeric", Type::Flag),
    ("fields", Type::Json),
    ("history", Type::Json),
    ("version", Type::Number),
    ("rank", Type::Text),
    ("status", Type::Text),
    ("epic_id", Type::Text),
    ("sprint_id", Type::Text),
    ("parent_id", Type::Text),
    ("lane", Type::Text),
    ("status_key", Type::Text),
    ("place_key", Type::Text),
    ("belongs_to", Type::Text),
    ("created_at", Type::Number),
    ("created_by", Type::Text),
    ("updated_at", Type::Number),
    ("updated_by", Type::Text),
    ("deleted_at", Type::Number),
    ("deleted_by", Type::Text),
];

pub(super) const OVERWRITE: &str = "ON CONFLICT (project_id, kind, id) DO UPDATE SET
     fields = excluded.fields, history = excluded.history, version = excluded.version,
     rank = excluded.rank, status = excluded.status, epic_id = excluded.epic_id,
     sprint_id = excluded.sprint_id, parent_id = excluded.parent_id, lane = excluded.lane,
     status_key = excluded.status_key, place_key = excluded.place_key, belongs_to = excluded.belongs_to,
     created_at = excluded.created_at,
     created_by = excluded.created_by, updated_at = excluded.updated_at,
     updated_by = excluded.updated_by, deleted_at = excluded.deleted_at,
     deleted_by = excluded.deleted_by";

pub(super) fn key_rows(keys: &[EntityKey]) -> Rows<'_, { KEY.len() }> {
    let keys = keys.iter().map(|(project, kind, id)| {
        [
            project.as_str().into(),
            kind.as_str().into(),
            id.as_str().into(),
        ]
    });
    Rows::new(&KEY, keys)
}

pub(super) fn rows(entities: &[Arc<Entity>]) -> Rows<'_, { COLUMNS.len() }> {
    Rows::new(&COLUMNS, entities.iter().map(|entity| values(entity)))
}

/// An entity in the order of the columns.
fn values(entity: &Entity) -> [Value<'_>; COLUMNS.len()] {
    const MAP: &str = "a map with text keys is JSON";
    let deleted = entity.deleted.as_ref();
    let key = PlaceKey::in_fields(&entity.fields);
    [
        entity.project.as_str().into(),
        entity.project.is_numeric().into(),
        entity.kind.as_str().into(),
        entity.id.as_str().into(),
        entity.id.is_numeric().into(),
        serde_json::to_string(&entity.fields).expect(MAP).into(),
        serde_json::to_string(&entity.history).expect(MAP).into(),
        entity.version.into(),
        entity.rank.as_ref().map(Rank::as_str).into(),
        entity.plain("status").into(),
        entity.plain(Reference::Epic.field()).into(),
        entity.plain(Reference::Sprint.field()).into(),
        entity.plain(Reference::Parent.field()).into(),
        entity.lane().into(),
        entity.status_key().into(),
        key.as_ref().map(|key| key.as_str().to_owned()).into(),
        entity.belongs_to().map(|id| id.as_str().to_owned()).into(),
        entity.created.at.as_millis().into(),
        entity.created.by.as_str().into(),
        entity.updated.at.as_millis().into(),
        entity.updated.by.as_str().into(),
        deleted.map(|stamp| stamp.at.as_millis()).into(),
        deleted.map(|stamp| stamp.by.as_str()).into(),
    ]
}

impl Tx {
    /// The entities that exist among these, tombstones included, in no order.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entities_get(&mut self, keys: &[EntityKey]) -> Result<Vec<Entity>, StoreError> {
        Ok(self.entities_load(keys).await?.entities)
    }

    /// The same, and how large they are.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entities_load(&mut self, keys: &[EntityKey]) -> Result<Loaded, StoreError> {
        if keys.is_empty() {
            return Ok(Loaded::default());
        }
        let sql = format!(
            concat!(
                "SELECT ",
                entity_columns!(),
                " FROM entities WHERE (project_id, kind, id) IN ({})"
            ),
            self.conn.select(&KEY)
        );
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement.bind_rows(&key_rows(keys));
        let loaded = statement.all(row::loaded).await?;
        Ok(Loaded {
            bytes: loaded.iter().map(|(_, bytes)| bytes).sum(),
            entities: loaded.into_iter().map(|(entity, _)| entity).collect(),
        })
    }

    /// Writes entities before the rest of the batch, so that what is read next sees them.
    ///
    /// # Errors
    ///
    /// As [`Tx::write`].
    pub async fn entities_put(&mut self, entities: &[Arc<Entity>]) -> Result<(), StoreError> {
        if entities.is_empty() {
            return Ok(());
        }
        self.has_written = true;
        let rows = rows(entities);
        self.conn.insert("entities", &rows, OVERWRITE).await
    }
}

// Each of these is one statement, because one statement sees one state.
impl Store {
    /// An entity, a tombstone included, and its project's channel, which belong together.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entity_get(
        &self,
        project: &ProjectId,
        kind: Kind,
        id: &EntityId,
    ) -> Result<Snapshot, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let statement = db.statement(concat!(
                "SELECT no, name, seq, pruned_seq, ",
                entity_columns!(),
                " FROM (SELECT 1) AS one
                 LEFT JOIN channels ON name = $1
                 LEFT JOIN entities ON project_id = $2 AND kind = $3 AND id = $4"
            ));
            let channel = project.channel();
            let statement = statement.bind(channel.as_str()).bind(project.as_str());
            let statement = statement.bind(kind.as_str()).bind(id.as_str());
            Gather::entities().with_channel(statement).await
        })
        .await
    }

    /// Which of these projects have such an entity, a tombstone included.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn entity_projects(
        &self,
        kind: Kind,
        id: &EntityId,
        projects: &[ProjectId],
    ) -> Result<Vec<ProjectId>, StoreError> {
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        in_time(async {
            let mut db = self.reader().await?;
            let sql = format!(
                "SELECT project_id, project_id_numeric FROM entities
                 WHERE project_id {} AND kind = $2 AND id = $3
                 ORDER BY project_id",
                db.in_list()
            );
            let statement = db.statement(AssertSqlSafe(sql));
            let statement = statement.bind_list(projects.iter().map(ProjectId::as_str).collect());
            let statement = statement.bind(kind.as_str()).bind(id.as_str());
            statement.all(row::project_id).await
        })
        .await
    }
}
