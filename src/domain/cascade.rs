//! What a command does to the tasks that refer to its epic or sprint. There may be any number of them, so the command
//! changes the first ones itself, and the rest follows in steps.

use serde_json::Value;

use super::{Actor, Entity, EntityId, EventType, FieldSource, Id, Kind, ProjectId, plain_status};

/// The most tasks that one command, or one step, changes besides its subject.
pub const STEP_TASKS: usize = 200;

/// Statuses, as [`plain_status`] writes them, with which a task needs no new home when its sprint is completed. The databases
/// have an index of all other tasks. Projects, and completions, may name others besides.
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

/// A field by which tasks belong to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// `epicId`
    Epic,
    /// `sprintId`
    Sprint,
    /// `parentId`
    Parent,
}

impl Reference {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Epic, Self::Sprint, Self::Parent];

    /// The reference by which tasks belong to entities of this kind.
    #[must_use]
    pub const fn to(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Epic => Some(Self::Epic),
            Kind::Sprint => Some(Self::Sprint),
            Kind::Task => Some(Self::Parent),
            Kind::Project | Kind::Member | Kind::Comment | Kind::Other(_) => None,
        }
    }

    /// The kind of what it names.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Epic => Kind::Epic,
            Self::Sprint => Kind::Sprint,
            Self::Parent => Kind::Task,
        }
    }

    /// The id that fields refer to.
    #[must_use]
    pub fn of(self, fields: &impl FieldSource) -> Option<EntityId> {
        Id::from_json(fields.value(self.field())?)
            .ok()
            .map(EntityId)
    }

    /// The field's name.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Epic => "epicId",
            Self::Sprint => "sprintId",
            Self::Parent => "parentId",
        }
    }
}

/// Why tasks lose the epic or sprint that they refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was deleted: all its tasks refer to nothing from now on.
    Deleted,
    /// The sprint was completed: its unfinished tasks go into another one, or into none.
    Completed,
}

impl Cause {
    /// The name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Completed => "completed",
        }
    }

    /// Whether a task changes that refers to what was deleted or completed. `done` are statuses that are finished besides the
    /// usual ones.
    #[must_use]
    pub fn changes(self, task: &Entity, done: &[String]) -> bool {
        match self {
            Self::Deleted => true,
            Self::Completed => !is_finished(task, done),
        }
    }

    /// The event that says so of a task.
    #[must_use]
    pub const fn event(self) -> EventType {
        EventType::known(match self {
            Self::Deleted => "task.updated",
            Self::Completed => "task.moved",
        })
    }
}

impl std::str::FromStr for Cause {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "deleted" => Ok(Self::Deleted),
            "completed" => Ok(Self::Completed),
            _ => Err(()),
        }
    }
}

/// Tasks that refer to something: those that a [`Cause`] changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CascadeKey {
    /// The project.
    pub project: ProjectId,
    /// The field by which the tasks refer to it.
    pub reference: Reference,
    /// The epic's or sprint's id.
    pub id: EntityId,
}

/// What an accepted command does to the tasks of its epic or sprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cascade {
    /// Which tasks.
    pub key: CascadeKey,
    /// Why.
    pub cause: Cause,
    /// The sprint into which they go; without one they go into none.
    pub target: Option<EntityId>,
    /// Statuses that are finished besides the usual ones, as [`plain_status`] writes them.
    pub done: Vec<String>,
    /// The author of the command, and so of what follows from it.
    pub actor: Actor,
    /// The number of tasks that have not been changed yet; [`MAX_COUNTED`](Self::MAX_COUNTED) if it is not lower. 0 is a
    /// cascade that has come to its end.
    pub left: usize,
}

impl Cascade {
    /// Tasks are counted up to this number.
    pub const MAX_COUNTED: usize = 10_000;
}

fn is_finished(task: &Entity, done: &[String]) -> bool {
    task.status_key()
        .is_some_and(|status| FINISHED.contains(&&*status) || done.contains(&status))
}

/// The statuses that a project and a completion call finished.
#[must_use]
pub fn done_statuses(project: Option<&Entity>, named: &[String]) -> Vec<String> {
    let own = project.and_then(|project| project.fields.get("doneStatuses"));
    let own = own.and_then(Value::as_array).into_iter().flatten();
    let own = own.filter_map(Value::as_str);
    let mut all: Vec<_> = own
        .chain(named.iter().map(String::as_str))
        .map(plain_status)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}
