//! Rows and domain types: what both databases have in common.
//!
//! Rows are read as texts, integers and booleans only. Whatever cannot be read back as the domain type
//! that was once written is [`StoreError::Inconsistent`], never a panic.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::prune::Expiring;
use super::{ApiKey, Channel, KeptChannel, Standing, StoreError, StoredAnswer};
use crate::domain::{
    Actor, Cascade, CascadeKey, ChannelName, ChannelNo, Entity, EntityId, Event, EventId,
    EventType, Grants, Id, Membership, OrderEntry, ProjectId, Rank, Reference, Seq, Stamp, Target,
    Timestamp,
};

/// A row of either database, with the table's name for errors.
pub(super) trait Columns {
    fn text(&self, table: Table, column: &'static str) -> Result<String, StoreError>;
    fn text_or_null(
        &self,
        table: Table,
        column: &'static str,
    ) -> Result<Option<String>, StoreError>;
    fn integer(&self, table: Table, column: &'static str) -> Result<i64, StoreError>;
    fn integer_or_null(
        &self,
        table: Table,
        column: &'static str,
    ) -> Result<Option<i64>, StoreError>;
    fn flag(&self, table: Table, column: &'static str) -> Result<bool, StoreError>;
    /// The length of a text in bytes.
    fn length(&self, table: Table, column: &'static str) -> Result<usize, StoreError>;
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

macro_rules! columns {
    ($row:ty: $($method:ident -> $type:ty),*) => {
        impl Columns for $row {
            $(fn $method(&self, table: Table, column: &'static str) -> Result<$type, StoreError> {
                self.try_get(column).map_err(|_| table.inconsistent(column))
            })*

            fn length(&self, table: Table, column: &'static str) -> Result<usize, StoreError> {
                let text: &str = self.try_get(column).map_err(|_| table.inconsistent(column))?;
                Ok(text.len())
            }
        }
    };
    ($($row:ty),*) => {
        $(columns!($row: text -> String, text_or_null -> Option<String>, integer -> i64,
            integer_or_null -> Option<i64>, flag -> bool);)*
    };
}

columns!(PgRow, SqliteRow);

/// Reads every row with the same function.
pub(super) fn all<R, T>(
    rows: &[R],
    read: impl Fn(&R) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read).collect()
}

pub(super) fn channel(row: &impl Columns) -> Result<Channel, StoreError> {
    Ok(Channel {
        no: ChannelNo(row.integer(CHANNELS, "no")?),
        name: ChannelName::restore(row.text(CHANNELS, "name")?),
        seq: row.integer(CHANNELS, "seq")?,
        pruned_seq: row.integer(CHANNELS, "pruned_seq")?,
    })
}

pub(super) fn channel_no(row: &impl Columns) -> Result<ChannelNo, StoreError> {
    row.integer(CHANNELS, "no").map(ChannelNo)
}

pub(super) fn target(row: &impl Columns) -> Result<(ChannelNo, Target), StoreError> {
    let no = ChannelNo(row.integer(CHANNELS, "no")?);
    let channel = ChannelName::restore(row.text(CHANNELS, "name")?);
    let is_numeric = row.flag(ENTITIES, "project_id_numeric")?;
    let project = channel.project();
    let project = project.map(|id| ProjectId(Id::restore(id.as_str().to_owned(), is_numeric)));
    Ok((no, Target { channel, project }))
}

pub(super) fn event(
    row: &impl Columns,
    channel: &ChannelName,
    channel_no: ChannelNo,
) -> Result<Arc<Event>, StoreError> {
    let payload = RawValue::from_string(row.text(EVENTS, "payload")?)
        .map_err(|_| EVENTS.inconsistent("payload"))?;
    Ok(Arc::new(Event {
        origin: None,
        source: row
            .text_or_null(EVENTS, "source")?
            .map(ChannelName::restore),
        channel: channel.clone(),
        channel_no,
        seq: row.integer(EVENTS, "seq")?,
        id: event_id(row)?,
        event_type: EventType::restore(row.text(EVENTS, "type")?),
        payload: payload.into(),
        actor: Actor::new(&row.text(EVENTS, "actor")?),
        created_at: Timestamp::from_millis(row.integer(EVENTS, "created_at")?),
    }))
}

/// What decides how many events go at once.
pub(super) fn expiring(row: &impl Columns) -> Result<Expiring, StoreError> {
    Ok(Expiring {
        seq: row.integer(EVENTS, "seq")?,
        created_at: Timestamp::from_millis(row.integer(EVENTS, "created_at")?),
        bytes: row.integer(EVENTS, "bytes")?,
    })
}

pub(super) fn kept(row: &impl Columns) -> Result<KeptChannel, StoreError> {
    let since = row.integer_or_null(EVENTS, "kept_since")?;
    Ok(KeptChannel {
        channel: channel(row)?,
        since: since.map(Timestamp::from_millis),
    })
}

pub(super) fn standing(row: &impl Columns) -> Result<Standing, StoreError> {
    let membership = match row.integer_or_null(ENTITIES, "updated_at")? {
        None => None,
        Some(since) => {
            let role = row.text_or_null(ENTITIES, "role")?;
            let is_removed = row.integer_or_null(ENTITIES, "deleted_at")?.is_some();
            let role = role.filter(|_| !is_removed).map(|role| role.parse());
            Some(Membership {
                role: role
                    .transpose()
                    .map_err(|_| ENTITIES.inconsistent("fields"))?,
                since: Timestamp::from_millis(since),
            })
        }
    };
    Ok(Standing {
        seq: row.integer_or_null(CHANNELS, "seq")?.unwrap_or(0),
        membership,
    })
}

pub(super) fn event_id(row: &impl Columns) -> Result<EventId, StoreError> {
    Uuid::parse_str(&row.text(EVENTS, "id")?)
        .map(EventId)
        .map_err(|_| EVENTS.inconsistent("id"))
}

/// Entities, and the bytes of their fields and histories.
pub(super) fn loaded(rows: &[impl Columns]) -> Result<super::Loaded, StoreError> {
    let mut loaded = super::Loaded::default();
    for row in rows {
        loaded.bytes += row.length(ENTITIES, "fields")? + row.length(ENTITIES, "history")?;
        loaded.entities.push(entity(row)?);
    }
    Ok(loaded)
}

pub(super) fn entity(row: &impl Columns) -> Result<Entity, StoreError> {
    let stamp = |at, by| -> Result<Stamp, StoreError> {
        Ok(Stamp {
            at: Timestamp::from_millis(row.integer(ENTITIES, at)?),
            by: Actor::new(&row.text(ENTITIES, by)?),
        })
    };
    let deleted = match row.integer_or_null(ENTITIES, "deleted_at")? {
        Some(_) => Some(stamp("deleted_at", "deleted_by")?),
        None => None,
    };
    Ok(Entity {
        project: project_id(row)?,
        kind: row
            .text(ENTITIES, "kind")?
            .parse()
            .map_err(|()| ENTITIES.inconsistent("kind"))?,
        id: entity_id(row)?,
        fields: json(row, "fields")?,
        version: row.integer(ENTITIES, "version")?,
        history: json(row, "history")?,
        rank: row.text_or_null(ENTITIES, "rank")?.map(Rank::restore),
        created: stamp("created_at", "created_by")?,
        updated: stamp("updated_at", "updated_by")?,
        deleted,
    })
}

fn json<T: DeserializeOwned>(row: &impl Columns, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(&row.text(ENTITIES, column)?).map_err(|_| ENTITIES.inconsistent(column))
}

pub(super) fn project_id(row: &impl Columns) -> Result<ProjectId, StoreError> {
    let numeric = row.flag(ENTITIES, "project_id_numeric")?;
    Ok(ProjectId(Id::restore(
        row.text(ENTITIES, "project_id")?,
        numeric,
    )))
}

fn entity_id(row: &impl Columns) -> Result<EntityId, StoreError> {
    let numeric = row.flag(ENTITIES, "id_numeric")?;
    Ok(EntityId(Id::restore(row.text(ENTITIES, "id")?, numeric)))
}

pub(super) fn order_entry(row: &impl Columns) -> Result<OrderEntry, StoreError> {
    Ok(OrderEntry {
        id: entity_id(row)?,
        rank: Rank::restore(row.text(ENTITIES, "rank")?),
        status: row.text_or_null(ENTITIES, "status")?,
        sprint: row.text_or_null(ENTITIES, "sprint_id")?,
    })
}

pub(super) fn remaining(row: &impl Columns) -> Result<usize, StoreError> {
    let remaining = row.integer(CASCADES, "remaining")?;
    usize::try_from(remaining).map_err(|_| CASCADES.inconsistent("remaining"))
}

pub(super) fn cascade(row: &impl Columns) -> Result<Cascade, StoreError> {
    let project_is_numeric = row.flag(CASCADES, "project_id_numeric")?;
    let target_is_numeric = row.flag(CASCADES, "target_id_numeric")?;
    let target = row.text_or_null(CASCADES, "target_id")?;
    let reference = match row.text(CASCADES, "reference")?.as_str() {
        "epicId" => Reference::Epic,
        "sprintId" => Reference::Sprint,
        _ => return Err(CASCADES.inconsistent("reference")),
    };
    Ok(Cascade {
        key: CascadeKey {
            project: ProjectId(Id::restore(
                row.text(CASCADES, "project_id")?,
                project_is_numeric,
            )),
            reference,
            id: EntityId(Id::restore(row.text(CASCADES, "entity_id")?, false)),
        },
        cause: row
            .text(CASCADES, "cause")?
            .parse()
            .map_err(|()| CASCADES.inconsistent("cause"))?,
        target: target.map(|target| EntityId(Id::restore(target, target_is_numeric))),
        actor: Actor::new(&row.text(CASCADES, "actor")?),
        left: remaining(row)?,
    })
}

/// An entity that may be missing.
pub(super) fn entity_or_null(row: &impl Columns) -> Result<Option<Entity>, StoreError> {
    let kind = row.text_or_null(ENTITIES, "kind")?;
    kind.map(|_| entity(row)).transpose()
}

/// A channel that may be missing.
pub(super) fn channel_or_null(row: &impl Columns) -> Result<Option<Channel>, StoreError> {
    let no = row.integer_or_null(CHANNELS, "no")?;
    no.map(|_| channel(row)).transpose()
}

pub(super) fn answer(row: &impl Columns) -> Result<StoredAnswer, StoreError> {
    Ok(StoredAnswer {
        channel_no: ChannelNo(row.integer(ANSWERS, "channel_no")?),
        key: row.text(ANSWERS, "key")?,
        fingerprint: row.integer(ANSWERS, "fingerprint")?,
        reply: row.text(ANSWERS, "reply")?,
    })
}

pub(super) fn api_key(row: &impl Columns) -> Result<ApiKey, StoreError> {
    let time = |column| -> Result<Option<Timestamp>, StoreError> {
        let millis = row.integer_or_null(API_KEYS, column)?;
        Ok(millis.map(Timestamp::from_millis))
    };
    Ok(ApiKey {
        name: api_key_name(row)?,
        hash: row.text(API_KEYS, "hash")?,
        scopes: scopes(&row.text(API_KEYS, "scopes")?)
            .ok_or_else(|| API_KEYS.inconsistent("scopes"))?,
        created_at: Timestamp::from_millis(row.integer(API_KEYS, "created_at")?),
        expires_at: time("expires_at")?,
        revoked_at: time("revoked_at")?,
        last_used_at: time("last_used_at")?,
    })
}

pub(super) fn api_key_name(row: &impl Columns) -> Result<String, StoreError> {
    row.text(API_KEYS, "name")
}

fn scopes(text: &str) -> Option<Grants> {
    let roles: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    let mut scopes = Grants::default();
    for (project, role) in roles {
        scopes.insert(&project, role.parse().ok()?);
    }
    Some(scopes)
}

pub(super) fn scopes_text(scopes: &Grants) -> String {
    let roles = scopes
        .iter()
        .map(|(project, role)| (project, role.as_str()));
    let roles: BTreeMap<_, _> = roles.collect();
    serde_json::to_string(&roles).expect("a map with text keys is JSON")
}

/// The columns of an entity that have to be made first.
pub(super) struct EntityTexts {
    pub(super) fields: String,
    pub(super) history: String,
    pub(super) status: Option<String>,
    pub(super) epic_id: Option<String>,
    pub(super) sprint_id: Option<String>,
}

impl EntityTexts {
    pub(super) fn of(entity: &Entity) -> Self {
        const MAP: &str = "a map with text keys is JSON";
        let history: &BTreeMap<_, _> = &entity.history;
        Self {
            fields: serde_json::to_string(&entity.fields).expect(MAP),
            history: serde_json::to_string(history).expect(MAP),
            status: entity.plain("status"),
            epic_id: entity.plain(Reference::Epic.field()),
            sprint_id: entity.plain(Reference::Sprint.field()),
        }
    }
}

/// The names in order, each once, so that every instance takes locks in the same order.
pub(super) fn sorted(names: &[ChannelName]) -> Vec<&str> {
    let mut names: Vec<_> = names.iter().map(ChannelName::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Makes sure that the end of what is removed was moved, and forwards.
pub(super) fn pruned_moved(affected: u64) -> Result<(), StoreError> {
    if affected == 1 {
        return Ok(());
    }
    Err(CHANNELS.inconsistent("pruned_seq"))
}

/// Makes sure that each head was moved, and forwards.
pub(super) fn heads_moved(heads: &[(ChannelNo, Seq)], affected: u64) -> Result<(), StoreError> {
    if usize::try_from(affected) == Ok(heads.len()) {
        return Ok(());
    }
    Err(CHANNELS.inconsistent("seq"))
}
