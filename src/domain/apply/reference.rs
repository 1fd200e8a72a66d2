//! What tasks, sprints and what belongs to them may refer to, and be beside.

use serde_json::Value;

use crate::domain::needs::owners_in;
use crate::domain::{
    Changes, Command, EntityId, Fields, Kind, Reference, Refusal, World, plain_status,
};

/// Levels of tasks above a task.
pub(super) const MAX_LEVELS: usize = 100;
/// The field of a project that allows several active sprints.
const PARALLEL: &str = "parallelSprints";

/// Refuses a task that would be above itself, and on a strict server what refers to nothing and a second active sprint.
pub(super) fn check(world: &World, command: &Command, changes: &Changes) -> Result<(), Refusal> {
    let subject = &changes.subject;
    if let Some(fields) = command.task_fields() {
        if let Some(parent) = Reference::Parent.of(fields) {
            none_above_itself(world, &subject.id, parent)?;
        }
        for reference in Reference::ALL.into_iter().filter(|_| command.strict) {
            let field = reference.field();
            let named = fields
                .get(field)
                .filter(|value| !value.is_null() && value.as_str() != Some(""));
            let is_there = |id: EntityId| {
                let found = world.get(reference.kind(), &id);
                found.is_some_and(|found| found.deleted.is_none())
            };
            if named.is_some() && !reference.of(fields).is_some_and(is_there) {
                return Err(Refusal::NotFound {
                    kind: reference.kind(),
                    field,
                });
            }
        }
    }
    if let Some(fields) = command.fields_beside().filter(|_| command.strict) {
        owners_exist(world, subject.kind, fields)?;
    }
    if command.strict && subject.kind == Kind::Sprint && !changes.is_noop() {
        one_active(world, command, changes)?;
    }
    Ok(())
}

/// Refuses what belongs to nothing that is there.
fn owners_exist(world: &World, kind: Kind, fields: &Fields) -> Result<(), Refusal> {
    for (field, owners) in owners_in(kind, fields) {
        let is_none = fields[field].is_null() || fields[field].as_str() == Some("");
        let mut found = owners.iter().filter_map(|(kind, id)| world.get(*kind, id));
        if !is_none && !found.any(|owner| owner.deleted.is_none()) {
            let kind = Kind::of_reference(field).unwrap_or(Kind::Task);
            let field = if field == Reference::Parent.field() {
                Reference::Parent.field()
            } else {
                kind.id_key()
            };
            return Err(Refusal::NotFound { kind, field });
        }
    }
    Ok(())
}

fn none_above_itself(world: &World, task: &EntityId, parent: EntityId) -> Result<(), Refusal> {
    let invalid = |message: &str| Refusal::Invalid {
        field: Reference::Parent.field().to_owned(),
        message: message.to_owned(),
    };
    let mut above = Some(parent);
    for _ in 0..MAX_LEVELS {
        match above {
            None => return Ok(()),
            Some(id) if id == *task => {
                return Err(invalid(
                    "parentId must not name the task itself, or a task below it",
                ));
            }
            Some(id) => above = world.parent_of(&id),
        }
    }
    Err(invalid(
        "parentId must not have more than 100 tasks above it",
    ))
}

fn one_active(world: &World, command: &Command, changes: &Changes) -> Result<(), Refusal> {
    let is_active = |status: Option<&str>| status.map(plain_status).as_deref() == Some("active");
    let allows = world
        .project_entity()
        .and_then(|project| project.fields.get(PARALLEL));
    if !command.may_activate()
        || !is_active(changes.subject.text("status"))
        || allows == Some(&Value::Bool(true))
    {
        return Ok(());
    }
    match world.active_sprint(&changes.subject.id) {
        None => Ok(()),
        Some(active) => Err(Refusal::Conflict {
            field: "status".to_owned(),
            message: format!(
                "sprint {} is active: complete it first, or set {PARALLEL} of the project to true",
                active.id
            ),
            current: std::sync::Arc::clone(active),
        }),
    }
}
