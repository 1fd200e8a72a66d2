//! What must be known of a project's order to find one card's place: a few neighbours, however many cards there are.

use super::{Entity, EntityId, Place, PlaceKey, ProjectId, Rank, Reference};

/// A live task in the order of its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderEntry {
    /// The task.
    pub id: EntityId,
    /// Its place.
    pub rank: Rank,
    /// Its column.
    pub column: Column,
    /// Its position in the frontend's own numbers or texts.
    pub key: Option<PlaceKey>,
}

/// The live tasks in the same column of a board and the same sprint, in the order of their project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Their `columnId`, `column` or `listId`, whichever they have, else their `status`.
    pub lane: Option<String>,
    /// Their sprint.
    pub sprint: Option<String>,
}

impl Column {
    /// The column in which a task is.
    #[must_use]
    pub fn of(task: &Entity) -> Self {
        Self {
            lane: task.lane(),
            sprint: task.plain(Reference::Sprint.field()),
        }
    }
}

/// A card whose place is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceQuery {
    /// The project.
    pub project: ProjectId,
    /// The card, which is no neighbour of its own.
    pub card: EntityId,
    /// The place.
    pub wanted: Wanted,
}

/// The place that a card is to get.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// This one; the column is the one in which the card will be.
    Place(Place, Column),
    /// The place with this rank, or after the card that has it now.
    Rank(Rank),
}

/// The part of a project's order in which a place lies: the tasks beside it, or the last one if it lies at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// They, in no order.
    pub entries: Vec<OrderEntry>,
    /// The number of tasks of the column before the first of them.
    pub skipped: usize,
}
