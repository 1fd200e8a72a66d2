//! Moving a task: into another column or sprint, and to a place among its neighbours.

use std::sync::Arc;

use serde_json::Value;

use super::{Context, Fresh, changed, existing_or_fresh, merge, next_seq, repeated};
use crate::domain::place_key::is_index;
use crate::domain::{
    Action, Changes, Column, Command, Entity, EntityId, EventType, Fields, Kind, OrderEntry, Place,
    PlaceKey, PlaceQuery, Rank, Refusal, Wanted, World,
};

const POSITION: &str = "position";

/// Announces `task.moved` and, with a change of status, `task.updated` and `task.status_changed` as well.
pub(super) fn task_move(
    world: &World,
    id: &EntityId,
    fields: &Fields,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let Action::TaskMove {
        place, is_update, ..
    } = &command.action
    else {
        unreachable!("a move is what is asked for");
    };
    let Moved {
        before,
        mut entity,
        fields: moved_fields,
        place,
        merged,
    } = Moved::of(world, id, fields, place.as_ref(), command, cx)?;
    if let Some(place) = &place {
        entity.rank = rank_at(world, &entity, place, cx)?;
    }
    let event = if *is_update {
        "task.updated"
    } else {
        "task.moved"
    };
    let events = vec![EventType::known(event)];
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
    /// What is meant by the place.
    place: Option<Place>,
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
        let meant = place.map(|place| meant(&before, place));
        let numbered = numbered(&before, fields, (place, meant.as_ref()));
        let merged = merge::merge(&before, &numbered, command, cx)?;
        let fields = merged.is_some();
        let (entity, merged) = merged.unwrap_or_else(|| ((*before).clone(), false));
        Ok(Self {
            before,
            entity,
            fields,
            place: meant,
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
            ..
        } => {
            let moved = Moved::of(world, id, fields, Some(place), command, cx).ok()?;
            let column = Column::of(&moved.entity);
            (id, Wanted::Place(moved.place?, column))
        }
        Action::Create {
            kind: Kind::Task,
            id,
            fields,
        } => {
            let place = Place::own_in(fields)?;
            let mut card = Fresh::of(world, Kind::Task, id, cx);
            merge::set(&mut card, fields, cx).ok()?;
            (id, Wanted::Place(place, Column::of(&card)))
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

/// What a position means: an index, or a number of the frontend's own if the card has one that can be no index.
fn meant(before: &Entity, place: &Place) -> Place {
    match (place, before.fields.get(POSITION)) {
        (Place::Position(number), Some(Value::Number(own))) if !is_index(own) => {
            let key = PlaceKey::of(&(*number).into());
            key.map_or_else(|| place.clone(), Place::Own)
        }
        (Place::Position(number), Some(Value::String(_))) => {
            let key = PlaceKey::of(&(*number).into());
            key.map_or_else(|| place.clone(), Place::Own)
        }
        (Place::Position(index), _) => Place::Index(*index),
        (place, _) => place.clone(),
    }
}

/// The fields that change, and the number of a card in a frontend that numbers its cards: the event must
/// not say the number that the card had before.
fn numbered(
    before: &Entity,
    fields: &Fields,
    (sent, meant): (Option<&Place>, Option<&Place>),
) -> Fields {
    let mut fields = fields.clone();
    let number = match (sent, meant, before.fields.get(POSITION)) {
        (Some(Place::Position(number)), Some(Place::Own(_)), _) => Some(number),
        (_, Some(Place::Index(index)), Some(Value::Number(own))) if is_index(own) => Some(index),
        _ => None,
    };
    if let Some(number) = number {
        fields.insert(POSITION.to_owned(), (*number).into());
    }
    fields
}

/// The rank of a card that is made, if it has a position of the frontend's own.
pub(super) fn rank_of_own(
    world: &World,
    card: &Entity,
    cx: &Context,
) -> Result<Option<Rank>, Refusal> {
    match Place::own_in(&card.fields) {
        Some(place) if card.kind == Kind::Task => rank_at(world, card, &place, cx),
        _ => Ok(card.rank.clone()),
    }
}

/// The rank of a place. A task that stands there already keeps its own.
fn rank_at(
    world: &World,
    task: &Entity,
    place: &Place,
    cx: &Context,
) -> Result<Option<Rank>, Refusal> {
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
        Place::Index(index) | Place::Position(index) => gap_at(world, task, *index),
        Place::Own(key) => match gap_by(world, task, key) {
            Some(gap) => gap,
            // No other card has a position.
            None => return Ok(task.rank.clone()),
        },
    };
    let stays = |rank: &&Rank| {
        low.as_ref().is_none_or(|low| low < *rank) && high.as_ref().is_none_or(|high| *rank < high)
    };
    if let Some(rank) = task.rank.as_ref().filter(stays) {
        return Ok(Some(rank.clone()));
    }
    Ok(Some(match (&low, &high) {
        (Some(low), Some(high)) => Rank::between(low, high).unwrap_or_else(|| low.clone()),
        (None, Some(_)) => Rank::first(next_seq(world)),
        (_, None) => Rank::last(next_seq(world)),
    }))
}

/// The gap after the card of the same column with the greatest position that is not beyond this one, or else before the one
/// with the least.
fn gap_by(world: &World, task: &Entity, key: &PlaceKey) -> Option<Gap> {
    let column = Column::of(task);
    let keyed = |entry: &&OrderEntry| entry.column == column && entry.key.is_some();
    let others = || world.order_without(&task.id).filter(keyed);
    let place = |entry: &&OrderEntry| (entry.key.clone(), entry.rank.clone());
    let low = others()
        .filter(|entry| entry.key.as_ref() <= Some(key))
        .max_by_key(place);
    match low {
        Some(low) => Some(gap_after(world, task, Some(low))),
        None => others()
            .min_by_key(place)
            .map(|high| gap_before(world, task, Some(high))),
    }
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
    let own = Column::of(task);
    let column: Vec<_> = world
        .order_without(&task.id)
        .filter(|entry| entry.column == own)
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
