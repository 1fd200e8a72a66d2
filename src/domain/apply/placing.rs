//! Moving a task: into another column or sprint, and to a place among its neighbours.

use std::sync::Arc;

use serde_json::Value;

use super::{Context, changed, existing_or_fresh, merge, next_seq, repeated};
use crate::domain::{
    Action, Changes, Column, Command, Entity, EntityId, EventType, Fields, Kind, OrderEntry, Place,
    PlaceQuery, Rank, Reference, Refusal, Wanted, World,
};

const POSITION: &str = "position";

/// Announces `task.moved` and, with a change of status, `task.updated` and `task.status_changed` as well.
pub(super) fn task_move(
    world: &World,
    id: &EntityId,
    fields: &Fields,
    place: Option<&Place>,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let Moved {
        before,
        mut entity,
        fields: moved_fields,
        merged,
    } = Moved::of(world, id, fields, place, command, cx)?;
    if let Some(place) = place {
        entity.rank = Some(rank_at(world, &entity, place, cx)?);
    }
    let events = vec![EventType::known("task.moved")];
    if !moved_fields && entity.rank == before.rank {
        return Ok(repeated(before, fields, events, command));
    }
    if !moved_fields {
        entity.version += 1;
        entity.updated = cx.stamp();
    }
    let entity = Arc::new(entity);
    let events = changed(&before, &entity, events);
    Ok(Changes {
        merged,
        ..Changes::of(entity, events)
    })
}

/// A task with the fields that a move gives it, and still in its old place.
struct Moved {
    before: Arc<Entity>,
    entity: Entity,
    /// Whether a field changes.
    fields: bool,
    merged: bool,
}

impl Moved {
    fn of(
        world: &World,
        id: &EntityId,
        fields: &Fields,
        place: Option<&Place>,
        command: &Command,
        cx: &Context,
    ) -> Result<Self, Refusal> {
        let before = existing_or_fresh(world, Kind::Task, id, cx)?;
        let numbered = numbered(&before, fields, place);
        let merged = merge::merge(&before, &numbered, command, cx)?;
        let fields = merged.is_some();
        let (entity, merged) = merged.unwrap_or_else(|| ((*before).clone(), false));
        Ok(Self {
            before,
            entity,
            fields,
            merged,
        })
    }
}

/// What must be known of the project's order before the command is applied; nothing if it is going to be refused.
#[must_use]
pub fn place_query(world: &World, command: &Command, cx: &Context) -> Option<PlaceQuery> {
    let (card, wanted) = match &command.action {
        Action::TaskMove {
            id,
            fields,
            place: Some(place),
        } => {
            let moved = Moved::of(world, id, fields, Some(place), command, cx).ok()?;
            (id, Wanted::Place(place.clone(), column_of(&moved.entity)))
        }
        Action::Restore {
            kind: Kind::Task,
            id,
        } => {
            let task = world.get(Kind::Task, id)?;
            (id, Wanted::Rank(task.rank.clone()?))
        }
        _ => return None,
    };
    Some(PlaceQuery {
        project: world.project().clone(),
        card: card.clone(),
        wanted,
    })
}

fn column_of(task: &Entity) -> Column {
    Column {
        status: task.plain("status"),
        sprint: task.plain(Reference::Sprint.field()),
    }
}

/// The fields that change, and the number of a card in a frontend that numbers its cards: the event must
/// not say the number that the card had before.
fn numbered(before: &Entity, fields: &Fields, place: Option<&Place>) -> Fields {
    let mut fields = fields.clone();
    if let Some(Place::Position(index)) = place
        && before.fields.get(POSITION).is_some_and(Value::is_number)
    {
        fields.insert(POSITION.to_owned(), (*index).into());
    }
    fields
}

/// The rank of a place. A task that stands there already keeps its own.
fn rank_at(world: &World, task: &Entity, place: &Place, cx: &Context) -> Result<Rank, Refusal> {
    let (low, high) = match place {
        Place::After(id) => gap_after(world, task, neighbour(world, id, "afterId", cx)?),
        Place::Before(id) => gap_before(world, task, neighbour(world, id, "beforeId", cx)?),
        Place::Between(after, before) => {
            let low = neighbour(world, after, "afterId", cx)?;
            let high = neighbour(world, before, "beforeId", cx)?;
            // Others may have come between the two: only the gap next to one of them is empty for sure.
            match (low, high) {
                (None, Some(high)) => gap_before(world, task, Some(high)),
                (low, _) => gap_after(world, task, low),
            }
        }
        Place::Position(index) => gap_at(world, task, *index),
    };
    let stays = |rank: &&Rank| {
        low.as_ref().is_none_or(|low| low < *rank) && high.as_ref().is_none_or(|high| *rank < high)
    };
    if let Some(rank) = task.rank.as_ref().filter(stays) {
        return Ok(rank.clone());
    }
    Ok(match (&low, &high) {
        (Some(low), Some(high)) => Rank::between(low, high).unwrap_or_else(|| low.clone()),
        (None, Some(_)) => Rank::first(next_seq(world)),
        (_, None) => Rank::last(next_seq(world)),
    })
}

/// A restored task's rank: its old one, or if another card took that meanwhile, the place after that card.
pub(super) fn free_rank(world: &World, task: &Entity) -> Option<Rank> {
    let rank = task.rank.as_ref()?;
    let Some(taken) = world.order_at(rank) else {
        return Some(rank.clone());
    };
    Some(match world.after(taken, &task.id) {
        Some(next) => Rank::between(rank, next).unwrap_or_else(|| rank.clone()),
        None => Rank::last(next_seq(world)),
    })
}

type Gap = (Option<Rank>, Option<Rank>);

fn gap_after(world: &World, task: &Entity, entry: Option<&OrderEntry>) -> Gap {
    if let Some(entry) = entry {
        let next = world.after(entry, &task.id).cloned();
        return (Some(entry.rank.clone()), next);
    }
    let last = world.order_without(&task.id).last();
    (last.map(|entry| entry.rank.clone()), None)
}

fn gap_before(world: &World, task: &Entity, entry: Option<&OrderEntry>) -> Gap {
    let Some(entry) = entry else {
        return gap_after(world, task, None);
    };
    let previous = world.before(entry, &task.id).cloned();
    (previous, Some(entry.rank.clone()))
}

/// The gap at an index of the task's column: the tasks with the same status and sprint. The first ones of them may not be
/// loaded.
fn gap_at(world: &World, task: &Entity, index: usize) -> Gap {
    let Column { status, sprint } = column_of(task);
    let column: Vec<_> = world
        .order_without(&task.id)
        .filter(|entry| entry.status == status && entry.sprint == sprint)
        .collect();
    let skipped = world.skipped();
    match index.min(skipped + column.len()).checked_sub(1) {
        Some(previous) => gap_after(
            world,
            task,
            column.get(previous.saturating_sub(skipped)).copied(),
        ),
        None => gap_before(world, task, column.first().copied()),
    }
}

/// A neighbour that the command names. One that the server has never seen stands for the end, unless the
/// server is strict: the card may live elsewhere.
fn neighbour<'a>(
    world: &'a World,
    id: &EntityId,
    field: &'static str,
    cx: &Context,
) -> Result<Option<&'a OrderEntry>, Refusal> {
    let found = world.order_entry(id);
    if found.is_none() && cx.strict {
        return Err(Refusal::NotFound {
            kind: Kind::Task,
            field,
        });
    }
    Ok(found)
}
