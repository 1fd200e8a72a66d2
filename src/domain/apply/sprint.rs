//! Starting and completing sprints.

use std::sync::Arc;

use serde_json::Value;

use super::{Context, existing_or_fresh, merge};
use crate::domain::{
    Changes, Command, Draft, Entity, EntityId, EventType, Fields, Kind, MoveTo, Reference, Refusal,
    World,
};

/// Statuses, in lower case, with which a task needs no new home when its sprint is completed.
const FINISHED: [&str; 9] = [
    "done",
    "completed",
    "complete",
    "closed",
    "finished",
    "resolved",
    "cancelled",
    "canceled",
    "archived",
];

/// Makes the sprint's status `active`.
pub(super) fn start(
    world: &World,
    id: &EntityId,
    fields: &Fields,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    turn(world, id, fields, command, cx, "active", "sprint.started")
}

/// Makes the sprint's status `completed` and moves its unfinished tasks, each by an event of its own.
pub(super) fn complete(
    world: &World,
    id: &EntityId,
    fields: &Fields,
    move_to: &MoveTo,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let mut changes = turn(
        world,
        id,
        fields,
        command,
        cx,
        "completed",
        "sprint.completed",
    )?;
    let home = match move_to {
        MoveTo::Keep => return Ok(changes),
        MoveTo::Backlog => Value::Null,
        MoveTo::Sprint(target) if target == id => return Err(same_sprint()),
        MoveTo::Sprint(target) => {
            require_open(world, target, cx)?;
            let known = world.get(Kind::Sprint, target);
            known.map_or(target, |sprint| &sprint.id).to_json()
        }
    };
    if changes.is_noop() {
        return Ok(changes);
    }
    for task in world.tasks_of(Reference::Sprint, id) {
        if is_finished(task) {
            continue;
        }
        let moved = merge::assign(task, Reference::Sprint.field(), home.clone(), cx);
        changes
            .events
            .push(Draft::dragged(EventType::known("task.moved"), &moved));
        changes.entities.push(moved);
    }
    Ok(changes)
}

fn turn(
    world: &World,
    id: &EntityId,
    fields: &Fields,
    command: &Command,
    cx: &Context,
    status: &str,
    event: &'static str,
) -> Result<Changes, Refusal> {
    let before = existing_or_fresh(world, Kind::Sprint, id, cx)?;
    let mut fields = fields.clone();
    fields.insert("status".to_owned(), status.into());
    let Some((entity, merged)) = merge::merge(&before, &fields, command, cx)? else {
        return Ok(Changes::noop(before));
    };
    let entity = Arc::new(entity);
    Ok(Changes {
        events: vec![Draft::new(EventType::known(event), &entity)],
        entities: vec![Arc::clone(&entity)],
        subject: entity,
        merged,
    })
}

fn is_finished(task: &Entity) -> bool {
    task.text("status")
        .is_some_and(|status| FINISHED.contains(&status.to_lowercase().as_str()))
}

fn same_sprint() -> Refusal {
    Refusal::Invalid {
        field: "moveTo".to_owned(),
        message: "moveTo must name another sprint than the one that is completed".to_owned(),
    }
}

/// The target must not be deleted and, for a strict server, must be known.
fn require_open(world: &World, target: &EntityId, cx: &Context) -> Result<(), Refusal> {
    match world.get(Kind::Sprint, target) {
        Some(sprint) if sprint.deleted.is_some() => Err(Refusal::Gone(Kind::Sprint)),
        None if cx.strict => Err(Refusal::NotFound {
            kind: Kind::Sprint,
            field: "moveTo",
        }),
        _ => Ok(()),
    }
}
