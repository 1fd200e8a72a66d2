//! Rows and domain types: what both databases have in common.
//!
//! Rows are read as texts, integers and booleans only. Whatever cannot be read back as the domain type
//! that was once written is [`StoreError::Inconsistent`], never a panic.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};
use uuid::Uuid;

use super::{Channel, KeptChannel, Standing, StoreError, StoredAnswer};
use crate::domain::{
    Actor, Cascade, CascadeKey, ChannelName, ChannelNo, Column, Entity, EntityId, Event, EventId,
    EventType, Id, Kind, Membership, OrderEntry, PlaceKey, ProjectId, Rank, Reference, Stamp,
    Target, Timestamp,
};

/// A row of either database.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// Reads a column; the table is named in the error.
    pub(super) fn get<'r, T>(&'r self, table: Table, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
    {
        let value = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        value.map_err(|_| table.inconsistent(column))
    }
}

/// A table's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table(&'static str);

pub(super) const CHANNELS: Table = Table("channels");
pub(super) const EVENTS: Table = Table("events");
pub(super) const ENTITIES: Table = Table("entities");
pub(super) const ANSWERS: Table = Table("answers");
pub(super) const META: Table = Table("meta");
pub(super) const CASCADES: Table = Table("cascades");
/// What Postgres says of the processes that serve connections.
pub(super) const BACKENDS: Table = Table("pg_stat_activity");
pub(super) const API_KEYS: Table = Table("api_keys");

impl Table {
    /// The error that names a column of this table.
    pub(super) fn inconsistent(self, column: &'static str) -> StoreError {
        StoreError::Inconsistent {
            table: self.0,
            column,
        }
    }
}

pub(super) fn channel(row: &Row) -> Result<Channel, StoreError> {
    Ok(Channel {
        no: ChannelNo(row.get(CHANNELS, "no")?),
        name: ChannelName::restore(row.get::<&str>(CHANNELS, "name")?),
        seq: row.get(CHANNELS, "seq")?,
        pruned_seq: row.get(CHANNELS, "pruned_seq")?,
    })
}

pub(super) fn channel_no(row: &Row) -> Result<ChannelNo, StoreError> {
    row.get(CHANNELS, "no").map(ChannelNo)
}

pub(super) fn target(row: &Row) -> Result<(ChannelNo, Target), StoreError> {
    let no = ChannelNo(row.get(CHANNELS, "no")?);
    let channel = ChannelName::restore(row.get::<&str>(CHANNELS, "name")?);
    let is_numeric = row.get(ENTITIES, "project_id_numeric")?;
    let project = channel.project();
    let project = project.map(|id| ProjectId(Id::restore(id.as_str(), is_numeric)));
    Ok((no, Target { channel, project }))
}

pub(super) fn event(
    row: &Row,
    channel: &ChannelName,
    channel_no: ChannelNo,
) -> Result<Arc<Event>, StoreError> {
    let payload = RawValue::from_string(row.get(EVENTS, "payload")?)
        .map_err(|_| EVENTS.inconsistent("payload"))?;
    let envelope: Option<String> = row.get(EVENTS, "envelope")?;
    let envelope = envelope.map(RawValue::from_string).transpose();
    let envelope = envelope.map_err(|_| EVENTS.inconsistent("envelope"))?;
    Ok(Arc::new(Event {
        origin: None,
        envelope: envelope.map(Arc::from),
        source: row
            .get::<Option<&str>>(EVENTS, "source")?
            .map(ChannelName::restore),
        channel: channel.clone(),
        channel_no,
        seq: row.get(EVENTS, "seq")?,
        id: event_id(row)?,
        event_type: EventType::restore(row.get(EVENTS, "type")?),
        payload: payload.into(),
        actor: Actor::new(row.get(EVENTS, "actor")?),
        created_at: Timestamp::from_millis(row.get(EVENTS, "created_at")?),
    }))
}

pub(super) fn kept(row: &Row) -> Result<KeptChannel, StoreError> {
    let since: Option<i64> = row.get(EVENTS, "kept_since")?;
    Ok(KeptChannel {
        channel: channel(row)?,
        since: since.map(Timestamp::from_millis),
    })
}

pub(super) fn standing(row: &Row) -> Result<Standing, StoreError> {
    let membership = match row.get(ENTITIES, "updated_at")? {
        None => None,
        Some(since) => {
            let role: Option<&str> = row.get(ENTITIES, "role")?;
            let removed: Option<i64> = row.get(ENTITIES, "deleted_at")?;
            let role = role.filter(|_| removed.is_none()).map(str::parse);
            Some(Membership {
                role: role
                    .transpose()
                    .map_err(|_| ENTITIES.inconsistent("fields"))?,
                since: Timestamp::from_millis(since),
            })
        }
    };
    Ok(Standing {
        seq: row.get::<Option<_>>(CHANNELS, "seq")?.unwrap_or(0),
        membership,
    })
}

pub(super) fn event_id(row: &Row) -> Result<EventId, StoreError> {
    Uuid::parse_str(row.get(EVENTS, "id")?)
        .map(EventId)
        .map_err(|_| EVENTS.inconsistent("id"))
}

/// An entity, and the bytes of its fields and history.
pub(super) fn loaded(row: &Row) -> Result<(Entity, usize), StoreError> {
    let bytes = |column| Ok::<_, StoreError>(row.get::<&str>(ENTITIES, column)?.len());
    Ok((entity(row)?, bytes("fields")? + bytes("history")?))
}

pub(super) fn entity(row: &Row) -> Result<Entity, StoreError> {
    let stamp = |at, by| -> Result<Stamp, StoreError> {
        Ok(Stamp {
            at: Timestamp::from_millis(row.get(ENTITIES, at)?),
            by: Actor::new(row.get(ENTITIES, by)?),
        })
    };
    let deleted = match row.get::<Option<i64>>(ENTITIES, "deleted_at")? {
        Some(_) => Some(stamp("deleted_at", "deleted_by")?),
        None => None,
    };
    Ok(Entity {
        project: project_id(row)?,
        kind: Kind::stored(row.get(ENTITIES, "kind")?)
            .ok_or_else(|| ENTITIES.inconsistent("kind"))?,
        id: entity_id(row)?,
        fields: json(row, "fields")?,
        version: row.get(ENTITIES, "version")?,
        history: json(row, "history")?,
        rank: row.get::<Option<_>>(ENTITIES, "rank")?.map(Rank::restore),
        created: stamp("created_at", "created_by")?,
        updated: stamp("updated_at", "updated_by")?,
        deleted,
    })
}

fn json<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(row.get(ENTITIES, column)?).map_err(|_| ENTITIES.inconsistent(column))
}

pub(super) fn project_id(row: &Row) -> Result<ProjectId, StoreError> {
    let numeric = row.get(ENTITIES, "project_id_numeric")?;
    Ok(ProjectId(Id::restore(
        row.get::<&str>(ENTITIES, "project_id")?,
        numeric,
    )))
}

fn entity_id(row: &Row) -> Result<EntityId, StoreError> {
    let numeric = row.get(ENTITIES, "id_numeric")?;
    Ok(EntityId(Id::restore(
        row.get::<&str>(ENTITIES, "id")?,
        numeric,
    )))
}

pub(super) fn order_entry(row: &Row) -> Result<OrderEntry, StoreError> {
    Ok(OrderEntry {
        id: entity_id(row)?,
        rank: Rank::restore(row.get(ENTITIES, "rank")?),
        column: Column {
            lane: row.get(ENTITIES, "lane")?,
            sprint: row.get(ENTITIES, "sprint_id")?,
        },
        key: row
            .get::<Option<_>>(ENTITIES, "place_key")?
            .map(PlaceKey::restore),
    })
}

pub(super) fn remaining(row: &Row) -> Result<usize, StoreError> {
    let remaining: i64 = row.get(CASCADES, "remaining")?;
    usize::try_from(remaining).map_err(|_| CASCADES.inconsistent("remaining"))
}

pub(super) fn cascade(row: &Row) -> Result<Cascade, StoreError> {
    let project_is_numeric = row.get(CASCADES, "project_id_numeric")?;
    let target_is_numeric = row.get(CASCADES, "target_id_numeric")?;
    let target: Option<&str> = row.get(CASCADES, "target_id")?;
    let reference = match row.get(CASCADES, "reference")? {
        "epicId" => Reference::Epic,
        "sprintId" => Reference::Sprint,
        "parentId" => Reference::Parent,
        _ => return Err(CASCADES.inconsistent("reference")),
    };
    Ok(Cascade {
        key: CascadeKey {
            project: ProjectId(Id::restore(
                row.get::<&str>(CASCADES, "project_id")?,
                project_is_numeric,
            )),
            reference,
            id: EntityId(Id::restore(row.get::<&str>(CASCADES, "entity_id")?, false)),
        },
        cause: row
            .get::<&str>(CASCADES, "cause")?
            .parse()
            .map_err(|()| CASCADES.inconsistent("cause"))?,
        target: target.map(|target| EntityId(Id::restore(target, target_is_numeric))),
        done: match row.get::<Option<&str>>(CASCADES, "done")? {
            Some(done) => serde_json::from_str(done).map_err(|_| CASCADES.inconsistent("done"))?,
            None => Vec::new(),
        },
        actor: Actor::new(row.get(CASCADES, "actor")?),
        left: remaining(row)?,
    })
}

/// A task's id and that of its parent.
pub(super) fn parent(row: &Row) -> Result<(EntityId, Option<EntityId>), StoreError> {
    let id = |text: &str| EntityId(Id::restore(text, false));
    let parent: Option<&str> = row.get(ENTITIES, "parent_id")?;
    Ok((id(row.get(ENTITIES, "id")?), parent.map(id)))
}

/// An entity that may be missing, or of a kind of which there are too many to be known.
pub(super) fn entity_or_null(row: &Row) -> Result<Option<Entity>, StoreError> {
    let kind: Option<&str> = row.get(ENTITIES, "kind")?;
    let kind = kind.and_then(Kind::stored);
    kind.map(|_| entity(row)).transpose()
}

/// How many entities there are, by the names of their kinds.
pub(super) fn counts(row: &Row) -> Result<BTreeMap<String, u64>, StoreError> {
    match row.get::<Option<&str>>(ENTITIES, "counts")? {
        Some(counts) => serde_json::from_str(counts).map_err(|_| ENTITIES.inconsistent("counts")),
        None => Ok(BTreeMap::new()),
    }
}

/// A channel that may be missing.
pub(super) fn channel_or_null(row: &Row) -> Result<Option<Channel>, StoreError> {
    let no: Option<i64> = row.get(CHANNELS, "no")?;
    no.map(|_| channel(row)).transpose()
}

pub(super) fn answer(row: &Row) -> Result<StoredAnswer, StoreError> {
    Ok(StoredAnswer {
        channel_no: ChannelNo(row.get(ANSWERS, "channel_no")?),
        key: row.get(ANSWERS, "key")?,
        fingerprint: row.get(ANSWERS, "fingerprint")?,
        reply: row.get(ANSWERS, "reply")?,
    })
}
