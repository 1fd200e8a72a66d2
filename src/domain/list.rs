//! Lists of entities, a page at a time.

use serde_json::Value;

use super::{Entity, EntityId, Kind, Seq};

/// Which entities are listed; what is not named does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// With this status.
    pub status: Option<String>,
    /// In the sprint with this id.
    pub sprint: Option<String>,
    /// Of the epic with this id.
    pub epic: Option<String>,
    /// Of this person.
    pub assignee: Option<String>,
    /// With this text in the title or the description.
    pub text: Option<String>,
    /// With these values in fields.
    pub fields: Vec<FieldFilter>,
}

/// What a field of an entity must be. Numbers and texts are compared as ids are: 7 is "7".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFilter {
    /// The field.
    pub field: String,
    /// The value; null if there is to be none.
    pub value: Value,
}

/// An entity's place in a list: by rank, then by age, then by id, so that it does not move when others come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The rank; empty for what has none.
    pub rank: String,
    /// When it was made, in milliseconds.
    pub created_at: i64,
    /// The id.
    pub id: String,
}

impl Mark {
    /// The place of an entity.
    #[must_use]
    pub fn of(entity: &Entity) -> Self {
        let rank = entity.rank.as_ref();
        Self {
            rank: rank
                .map(|rank| rank.as_str().to_owned())
                .unwrap_or_default(),
            created_at: entity.created.at.as_millis(),
            id: entity.id.as_str().to_owned(),
        }
    }
}

/// A place in a project's state: after this entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePlace {
    /// What it is.
    pub kind: Kind,
    /// Its place among those of its kind.
    pub mark: Mark,
}

/// Where a state goes on that comes in pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePage {
    /// The database.
    pub epoch: String,
    /// As of which seq the first page is: the client follows the events after it.
    pub seq: Seq,
    /// Where the page before has ended.
    pub after: StatePlace,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Which entities.
    pub filter: Filter,
    /// Those after this one; from the first one if there is none.
    pub after: Option<Mark>,
    /// So many at most.
    pub limit: usize,
}

/// Whose projects are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// All projects.
    Everybodys,
    /// Those in whose lists of members somebody is, or was, and those that are named.
    Of {
        /// The member's id.
        member: EntityId,
        /// Ids of projects.
        named: Vec<String>,
    },
}
