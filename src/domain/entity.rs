//! Projects, tasks, comments and all the others: one shape for all kinds, because clients may add any field.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::{MAX_ID_BYTES, number_text};
use super::{
    Actor, EntityFields, EntityId, FieldValue, Id, Kind, NameMap, ProjectId, Rank, Role, Timestamp,
};

/// Fields in which frontends have a task's column; the first one counts.
const COLUMNS: [&str; 3] = ["columnId", "column", "listId"];

/// Fields by which entities belong to others; the first one counts.
const OWNERS: [&str; 4] = ["taskId", "epicId", "sprintId", PARENT];
/// Names an entity of the same kind, or a task.
pub(super) const PARENT: &str = "parentId";
/// Fields besides ids that say where an entity is.
const WHERE: [&str; 2] = ["column", "status"];

/// A status without spaces and in lower case.
#[must_use]
pub fn plain_status(status: &str) -> String {
    let letters = status.chars().filter(|char| !char.is_whitespace());
    letters.flat_map(char::to_lowercase).collect()
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The moment.
    pub at: Timestamp,
    /// The actor.
    pub by: Actor,
}

/// When and by whom a field was last changed, and what it was before.
///
/// It decides whether a change that was made against an older version conflicts. A field without a stamp
/// has been as it is since the entity's first version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldStamp {
    /// The version that this change made.
    #[serde(rename = "v")]
    pub version: i64,
    /// The actor.
    pub by: Actor,
    /// The value before; nothing if the field was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<FieldValue>,
    /// The version that had made that value.
    #[serde(rename = "wasV")]
    pub was_version: i64,
}

/// The stamps of an entity's fields, by their names. They are shared by the versions of an entity.
pub type History = NameMap<Arc<FieldStamp>>;

/// An entity of whatever kind as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// The project that it belongs to.
    pub project: ProjectId,
    /// What it is.
    pub kind: Kind,
    /// Its id among the project's entities of this kind.
    pub id: EntityId,
    /// The JSON document that clients see.
    pub fields: EntityFields,
    /// 1, 2, 3…: one more with each change. 0 is a project that nobody has described yet.
    pub version: i64,
    /// When which field was changed last.
    pub history: History,
    /// A task's place among the tasks of its project.
    pub rank: Option<Rank>,
    /// Its creation.
    pub created: Stamp,
    /// Its last change.
    pub updated: Stamp,
    /// Its deletion: what is deleted stays as a tombstone.
    pub deleted: Option<Stamp>,
}

/// Fields in which an entity keeps what its sender said of when and by whom it was made: what the server says of that itself
/// is another matter.
pub const SOURCE_STAMPS: [&str; 2] = ["sourceCreatedAt", "sourceCreatedBy"];

impl Entity {
    /// An entity that is about to be made: version 0, no fields.
    #[must_use]
    pub fn blank(project: ProjectId, kind: Kind, id: EntityId, stamp: Stamp) -> Self {
        Self {
            project,
            kind,
            id,
            fields: EntityFields::new(),
            version: 0,
            history: History::new(),
            rank: None,
            created: stamp.clone(),
            updated: stamp,
            deleted: None,
        }
    }

    /// A field's text, if it is a string.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// The text of a string or number in a field such as `status` or `sprintId`; nothing if it is empty.
    #[must_use]
    pub fn plain(&self, field: &str) -> Option<String> {
        match self.fields.get(field)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number_text(number)),
            _ => None,
        }
    }

    /// The field in which a task has its column, other than its status.
    #[must_use]
    pub fn column_field(&self) -> Option<&'static str> {
        COLUMNS.into_iter().find(|name| self.plain(name).is_some())
    }

    /// The column of a board in which a task is.
    #[must_use]
    pub fn lane(&self) -> Option<String> {
        self.plain(self.column_field().unwrap_or("status"))
    }

    /// A task's status, or else its column, as it is compared: spaces and case do not count.
    #[must_use]
    pub fn status_key(&self) -> Option<String> {
        let status = self.plain("status").or_else(|| self.lane())?;
        Some(plain_status(&status))
    }

    /// What a member is in the project; nothing for one who was removed, and for what is no member.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        let is_member = self.kind == Kind::Member && self.deleted.is_none();
        is_member.then(|| self.text("role")?.parse().ok())?
    }

    /// The id of what an entity beside the board belongs to, such as a comment's task: its `taskId`, or else the first of its
    /// other references.
    #[must_use]
    pub fn belongs_to(&self) -> Option<EntityId> {
        let id = |field: &str| Id::from_json(self.fields.get(field)?).ok().map(EntityId);
        let owner = OWNERS.into_iter().find_map(id);
        owner.filter(|_| self.kind.is_beside()).or_else(|| {
            let mut fields = self.fields.keys().filter(|_| self.kind.is_beside());
            fields.find_map(|field| Kind::of_reference(field).and_then(|_| id(field)))
        })
    }

    /// The fields that say where it is: what it belongs to, and its column. Whoever hears that it is gone finds it by them.
    pub fn whereabouts(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().filter(|(field, value)| {
            let is_said = match value {
                Value::String(text) => text.len() <= MAX_ID_BYTES,
                value => value.is_number(),
            };
            is_said && (field.ends_with("Id") || WHERE.contains(field))
        })
    }

    /// Whether a field such as `epicId` names this id.
    #[must_use]
    pub fn refers_to(&self, field: &str, id: &EntityId) -> bool {
        self.fields
            .get(field)
            .is_some_and(|value| id.is_named_by(value))
    }
}
