//! Starting and completing sprints.

use std::sync::Arc;

use serde_json::Value;

use super::{Context, cascade, drafts, existing_or_fresh, merge, repeated};
use crate::domain::{
    Action, Cause, Changes, Command, Draft, EntityFields, EntityId, EventType, Fields, Id, Kind,
    MoveTo, Reference, Refusal, World, done_statuses,
};

const MOVE_TO: &str = "moveTo";
const MOVES: &str = "moves";

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
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let Action::SprintComplete {
        move_to,
        moves,
        done,
        ..
    } = &command.action
    else {
        unreachable!("a completion is what is asked for");
    };
    let mut changes = turn(
        world,
        id,
        fields,
        command,
        cx,
        "completed",
        "sprint.completed",
    )?;
    let completes = !changes.is_noop();
    let target = target(world, id, move_to, MOVE_TO, cx)?;
    put_each(world, id, (move_to, moves), &mut changes, cx)?;
    if changes.is_noop() {
        return Ok(changes);
    }
    cascade::none_from(world, id)?;
    cascade::none_into(world, id)?;
    if let Some(target) = &target {
        cascade::none_from(world, target)?;
    }
    if *move_to == MoveTo::Keep || !completes {
        return Ok(changes);
    }
    let project = world.project_entity().map(|project| &**project);
    let start = cascade::Start {
        key: cascade::key(world, Reference::Sprint, id),
        cause: Cause::Completed,
        target,
        done: done_statuses(project, done),
    };
    cascade::start(world, start, &mut changes, cx);
    Ok(changes)
}

/// Puts tasks where the command puts each of them.
fn put_each(
    world: &World,
    sprint: &EntityId,
    (move_to, moves): (&MoveTo, &[(EntityId, MoveTo)]),
    changes: &mut Changes,
    cx: &Context,
) -> Result<(), Refusal> {
    for (task, to) in moves {
        let invalid = |what: &str| Refusal::Invalid {
            field: MOVES.to_owned(),
            message: format!("{MOVES} {what} {task}"),
        };
        if *to == MoveTo::Keep {
            if *move_to != MoveTo::Keep {
                return Err(invalid("must name another place than keep for task"));
            }
            continue;
        }
        let home = target(world, sprint, to, MOVES, cx)?;
        if let Some(home) = &home {
            cascade::none_from(world, home)?;
        }
        let before = world
            .get(Kind::Task, task)
            .filter(|task| task.deleted.is_none());
        let before = before.ok_or_else(|| {
            invalid("names a task that is not there, or too large to be moved with the others:")
        })?;
        let home = home.map_or(Value::Null, |home| match world.get(Kind::Sprint, &home) {
            Some(home) => home.id.to_json(),
            None => home.to_json(),
        });
        let field = Reference::Sprint.field();
        if before.fields.get(field).unwrap_or(&Value::Null) != &home {
            let task = merge::assign(before, field, home, cx);
            changes
                .events
                .push(Draft::dragged(Cause::Completed.event(), &task));
            changes.entities.push(task);
        }
    }
    Ok(())
}

/// The sprint into which tasks go.
fn target(
    world: &World,
    completed: &EntityId,
    to: &MoveTo,
    field: &'static str,
    cx: &Context,
) -> Result<Option<EntityId>, Refusal> {
    match to {
        MoveTo::Keep | MoveTo::Backlog => Ok(None),
        MoveTo::Sprint(target) if target == completed => Err(Refusal::Invalid {
            field: field.to_owned(),
            message: format!("{field} must name another sprint than the one that is completed"),
        }),
        MoveTo::Sprint(target) => {
            require_open(world, target, field, cx)?;
            Ok(Some(target.clone()))
        }
        MoveTo::Next => match world.next_sprint(completed) {
            Some(next) => Ok(Some(next.id.clone())),
            // Who keeps sprints elsewhere may have one of that name.
            None if !cx.strict && !world.has_other_sprints(completed) => {
                Ok(Id::from_text("next").ok().map(EntityId))
            }
            None => Err(Refusal::Invalid {
                field: field.to_owned(),
                message: format!(
                    "{field} names the next sprint, and there is none that is not finished"
                ),
            }),
        },
    }
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
    let turned = drafts(&entity, events, &EntityFields::new());
    Ok(Changes {
        merged,
        ..Changes::of(entity, turned)
    })
}

/// The target must not be deleted and, for a strict server, must be known.
fn require_open(
    world: &World,
    target: &EntityId,
    field: &'static str,
    cx: &Context,
) -> Result<(), Refusal> {
    match world.get(Kind::Sprint, target) {
        Some(sprint) if sprint.deleted.is_some() => Err(Refusal::Gone(Kind::Sprint)),
        None if cx.strict => Err(Refusal::NotFound {
            kind: Kind::Sprint,
            field,
        }),
        _ => Ok(()),
    }
}
