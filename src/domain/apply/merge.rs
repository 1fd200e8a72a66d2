//! Merging fields into an entity: per field the last writer wins, unless the sender says which version it
//! had seen and somebody else has changed the same field since.

use std::sync::Arc;

use serde_json::Value;

use super::{Context, MAX_FIELDS_BYTES, spelling};
use crate::domain::{Command, Entity, FieldStamp, FieldValue, Fields, Refusal};

/// Merges a patch. `None`: nothing would change. The flag: it was made against an older version.
pub(super) fn merge(
    before: &Arc<Entity>,
    patch: &Fields,
    command: &Command,
    cx: &Context,
) -> Result<Option<(Entity, bool)>, Refusal> {
    let expected = spelling::expected_version(before, command);
    let patch = spelling::settle(before, patch, command);
    let mut wanted = Vec::with_capacity(patch.len());
    for (field, value) in &*patch {
        match intent(before, field, value, expected, cx) {
            Intent::Nothing => {}
            Intent::Change => wanted.push((field.as_str(), value)),
            Intent::Conflict => return Err(conflict(before, field)),
        }
    }
    if wanted.is_empty() && before.version > 0 {
        return Ok(None);
    }
    let mut entity = (**before).clone();
    set_all(&mut entity, wanted, cx)?;
    let merged = expected.is_some_and(|version| version < before.version);
    Ok(Some((entity, merged)))
}

/// Sets fields and counts the version up.
pub(super) fn set(entity: &mut Entity, fields: &Fields, cx: &Context) -> Result<(), Refusal> {
    let fields = fields.iter();
    set_all(
        entity,
        fields.map(|(field, value)| (field.as_str(), value)),
        cx,
    )
}

fn set_all<'a>(
    entity: &mut Entity,
    fields: impl IntoIterator<Item = (&'a str, &'a Value)>,
    cx: &Context,
) -> Result<(), Refusal> {
    entity.version += 1;
    entity.updated = cx.stamp();
    for (field, value) in fields {
        let was = entity.fields.insert(field, value.clone());
        if entity.version > 1 {
            stamp(entity, field, was, cx);
        }
    }
    if entity.version > 1 {
        limit_history(entity);
    }
    if entity.fields.bytes() > MAX_FIELDS_BYTES {
        return Err(Refusal::TooLarge {
            kind: entity.kind,
            limit: MAX_FIELDS_BYTES,
        });
    }
    Ok(())
}

/// Sets one field of an entity that a command drags along.
pub(super) fn assign(before: &Arc<Entity>, field: &str, value: Value, cx: &Context) -> Arc<Entity> {
    let mut entity = (**before).clone();
    entity.version += 1;
    entity.updated = cx.stamp();
    let was = entity.fields.insert(field, value);
    stamp(&mut entity, field, was, cx);
    Arc::new(entity)
}

fn stamp(entity: &mut Entity, field: &str, was: Option<FieldValue>, cx: &Context) {
    let was_version = entity.history.get(field).map_or(1, |stamp| stamp.version);
    let stamp = FieldStamp {
        version: entity.version,
        by: cx.actor.clone(),
        was,
        was_version,
    };
    entity.history.insert(field, Arc::new(stamp));
}

/// Forgets what fields were before, those first that were changed longest ago, until the rest is no larger than an
/// entity's fields may be. A whole object that repeats such a value then collides with a change that it did not mean.
fn limit_history(entity: &mut Entity) {
    let size = |stamp: &FieldStamp| stamp.was.as_ref().map_or(0, FieldValue::bytes);
    let mut total: usize = entity.history.values().map(|stamp| size(stamp)).sum();
    if total <= MAX_FIELDS_BYTES {
        return;
    }
    let stamps = entity.history.values();
    let mut sizes: Vec<_> = stamps.map(|stamp| (stamp.version, size(stamp))).collect();
    sizes.sort_unstable();
    let mut forgotten = 0;
    for (version, size) in sizes {
        if total <= MAX_FIELDS_BYTES {
            break;
        }
        total -= size;
        forgotten = version;
    }
    for stamp in entity.history.values_mut() {
        if stamp.version <= forgotten {
            Arc::make_mut(stamp).was = None;
        }
    }
}

enum Intent {
    Nothing,
    Change,
    Conflict,
}

/// What the sender wants of a field.
fn intent(
    before: &Entity,
    field: &str,
    value: &Value,
    expected: Option<i64>,
    cx: &Context,
) -> Intent {
    if before.fields.get(field) == Some(value) {
        return Intent::Nothing;
    }
    let (Some(expected), Some(stamp)) = (expected, before.history.get(field)) else {
        return Intent::Change;
    };
    if stamp.version <= expected || stamp.by == cx.actor {
        return Intent::Change;
    }
    // A full object repeats fields that its sender did not touch: the value that it had seen is no wish.
    if stamp.was_version <= expected && stamp.was.as_deref() == Some(value) {
        return Intent::Nothing;
    }
    Intent::Conflict
}

fn conflict(before: &Arc<Entity>, field: &str) -> Refusal {
    Refusal::Conflict {
        field: field.to_owned(),
        message: format!("{field} was changed by someone else in the meantime"),
        current: Arc::clone(before),
    }
}
