//! An entity's state as everybody is shown it.

use super::members::{Member, Members};
use crate::domain::{Entity, Fields, Kind, Stamp};

/// Under this key a payload names its project.
pub(super) const PROJECT_KEY: &str = Kind::Project.id_key();

/// An entity's state: its fields, and over them what the server knows.
#[must_use]
pub fn entity(entity: &Entity) -> Fields {
    state(entity).to_fields()
}

/// Members of a state besides the entity's fields.
pub(super) const OF_STATE: usize = 12;
/// An entity's state, to be written.
pub(super) fn state(entity: &Entity) -> Members<'_> {
    let mut state = Members::with_capacity(entity.fields.len() + OF_STATE);
    put_state(&mut state, entity);
    state
}

pub(super) fn put_state<'a>(state: &mut Members<'a>, entity: &'a Entity) {
    state.extend(entity.fields.iter());
    identify(state, entity);
    if let Some(rank) = &entity.rank {
        state.put("rank", Member::Text(rank.as_str()));
    }
    stamp(state, ["createdAt", "createdBy"], &entity.created);
    stamp(state, ["updatedAt", "updatedBy"], &entity.updated);
    if let Some(deleted) = &entity.deleted {
        stamp(state, ["deletedAt", "deletedBy"], deleted);
    }
}

pub(super) fn identify<'a>(target: &mut Members<'a>, entity: &'a Entity) {
    target.put(PROJECT_KEY, Member::Id(&entity.project));
    target.put(entity.kind.id_key(), Member::Id(&entity.id));
    target.put("id", Member::Id(&entity.id));
    target.put("version", Member::Number(entity.version));
}

pub(super) fn stamp<'a>(target: &mut Members<'a>, [at, by]: [&'static str; 2], stamp: &'a Stamp) {
    target.put(at, Member::Time(stamp.at));
    target.put(by, Member::Text(stamp.by.as_str()));
}
