//! What follows from a command for the tasks that refer to its subject: what it changes itself, what its steps change
//! later, and what is refused meanwhile.

use std::sync::Arc;

use serde_json::Value;

use super::{Context, merge};
use crate::domain::{
    Cascade, CascadeKey, Cause, Changes, Draft, Dragged, Entity, EntityId, Kind, Reference,
    Refusal, World,
};

/// The tasks of an epic or sprint.
pub(super) fn key(world: &World, reference: Reference, id: &EntityId) -> CascadeKey {
    CascadeKey {
        project: world.project().clone(),
        reference,
        id: id.clone(),
    }
}

/// How a cascade begins.
pub(super) struct Start {
    pub(super) key: CascadeKey,
    pub(super) cause: Cause,
    pub(super) target: Option<EntityId>,
    pub(super) done: Vec<String>,
}

/// Changes those tasks that are loaded, and notes how many are left. What the command has changed already stays so.
pub(super) fn start(world: &World, start: Start, changes: &mut Changes, cx: &Context) {
    let Start {
        key,
        cause,
        target,
        done,
    } = start;
    let cascade = Cascade {
        key,
        cause,
        target,
        done,
        actor: cx.actor.clone(),
        left: 0,
    };
    let dragged = advance(world, cascade, &changes.entities, cx);
    changes.events.extend(dragged.events);
    changes.entities.extend(dragged.entities);
    changes.cascade = (dragged.cascade.left > 0).then_some(dragged.cascade);
}

/// Changes the next tasks of a cascade: those that are loaded and still refer to its subject. What was changed by others
/// meanwhile stays as it is.
#[must_use]
pub fn step(world: &World, cascade: Cascade, cx: &Context) -> Dragged {
    advance(world, cascade, &[], cx)
}

fn advance(world: &World, cascade: Cascade, settled: &[Arc<Entity>], cx: &Context) -> Dragged {
    let Cascade { key, cause, .. } = &cascade;
    let is_settled = |task: &Entity| {
        let mut settled = settled.iter();
        settled.any(|other| other.kind == Kind::Task && other.id == task.id)
    };
    let count_of = |tasks: &[&Arc<Entity>]| tasks.iter().filter(|task| is_settled(task)).count();
    let home = home(world, &cascade);
    let mut tasks = world.tasks_of(key.reference, &key.id);
    tasks.retain(|task| cause.changes(task, &cascade.done));
    let settled = count_of(&tasks);
    tasks.retain(|task| !is_settled(task));
    let entities: Vec<_> = tasks
        .into_iter()
        .map(|task| merge::assign(task, key.reference.field(), home.clone(), cx))
        .collect();
    let events = entities
        .iter()
        .map(|task| Draft::dragged(cause.event(), task));
    Dragged {
        events: events.collect(),
        cascade: Cascade {
            left: world.left_after(entities.len() + settled),
            ..cascade
        },
        entities,
    }
}

/// To what the tasks refer afterwards. If the sprint into which they go is deleted meanwhile, they go into none, as
/// those that had arrived there.
fn home(world: &World, cascade: &Cascade) -> Value {
    let Some(target) = &cascade.target else {
        return Value::Null;
    };
    match world.get(Kind::Sprint, target) {
        Some(sprint) if sprint.deleted.is_some() => Value::Null,
        Some(sprint) => sprint.id.to_json(),
        None => target.to_json(),
    }
}

/// Refuses what collides with a completion whose tasks are still on their way.
pub(super) fn none_from(world: &World, sprint: &EntityId) -> Result<(), Refusal> {
    let cascade = world.cascade_from(Reference::Sprint, sprint);
    let cascade = cascade.filter(|cascade| cascade.cause == Cause::Completed);
    match (cascade, world.get(Kind::Sprint, sprint)) {
        (Some(_), Some(sprint)) => Err(under_way(sprint, "from")),
        _ => Ok(()),
    }
}

/// Refuses the completion of a sprint into which tasks are still on their way.
pub(super) fn none_into(world: &World, sprint: &EntityId) -> Result<(), Refusal> {
    match (world.cascade_into(sprint), world.get(Kind::Sprint, sprint)) {
        (Some(_), Some(sprint)) => Err(under_way(sprint, "into")),
        _ => Ok(()),
    }
}

/// Refuses to bring back an epic or sprint whose tasks are still leaving it, because it was deleted: some would stay and others
/// not.
pub(super) fn none_leaves(world: &World, deleted: &Arc<Entity>) -> Result<(), Refusal> {
    let reference = Reference::to(deleted.kind);
    match reference.and_then(|reference| world.cascade_from(reference, &deleted.id)) {
        Some(_) => Err(Refusal::UnderWay {
            message: format!(
                "tasks are still leaving this {}, because it was deleted; try again in a moment",
                deleted.kind
            ),
            current: Arc::clone(deleted),
        }),
        None => Ok(()),
    }
}

fn under_way(sprint: &Arc<Entity>, direction: &str) -> Refusal {
    Refusal::UnderWay {
        message: format!(
            "tasks are still on their way {direction} this sprint, because a sprint was completed; try again in a moment"
        ),
        current: Arc::clone(sprint),
    }
}
