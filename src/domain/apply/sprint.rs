//! Starting and completing sprints.

use std::sync::Arc;

use super::{Context, cascade, drafts, existing_or_fresh, merge, repeated};
use crate::domain::{
    Cause, Changes, Command, EntityId, EventType, Fields, Kind, MoveTo, Reference, Refusal, World,
};

/// Makes the sprint's status `active`.
pub(super) fn start(
    world: &World,
    id: &EntityId,
    fields: &Fields,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let changes = turn(world, id, fields, command, cx, "active", "sprint.started")?;
    cascade::none_from(world, id)?;
    Ok(changes)
}

/// Makes the sprint's status `completed` and moves its unfinished tasks, each by an event of its own. While tasks are on
/// their way from it or into it, a sprint is not completed: they would be neither here nor there.
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
    let target = match move_to {
        MoveTo::Keep | MoveTo::Backlog => None,
        MoveTo::Sprint(target) if target == id => return Err(same_sprint()),
        MoveTo::Sprint(target) => {
            require_open(world, target, cx)?;
            Some(target.clone())
        }
    };
    if changes.is_noop() {
        return Ok(changes);
    }
    cascade::none_from(world, id)?;
    cascade::none_into(world, id)?;
    if let Some(target) = &target {
        cascade::none_from(world, target)?;
    }
    if *move_to == MoveTo::Keep {
        return Ok(changes);
    }
    let tasks = cascade::key(world, Reference::Sprint, id);
    cascade::start(world, tasks, Cause::Completed, target, &mut changes, cx);
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
    let events = vec![EventType::known(event)];
    let Some((entity, merged)) = merge::merge(&before, &fields, command, cx)? else {
        return Ok(repeated(before, &fields, events, command));
    };
    let entity = Arc::new(entity);
    let turned = drafts(&entity, events, &Fields::new());
    Ok(Changes {
        merged,
        ..Changes::of(entity, turned)
    })
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
