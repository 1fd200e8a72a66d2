//! What a client may ask for, after its payload has been understood.

use super::{EntityId, Fields, Kind, ProjectId};

/// A change that somebody wants made to a project.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The project.
    pub project: ProjectId,
    /// What is to be done.
    pub action: Action,
    /// Whether the id of what is made was made here, because the sender named none.
    pub made_id: bool,
    /// The version that the caller had before its eyes.
    pub expected_version: Option<i64>,
    /// What must be so of the entity for anything to change.
    pub if_match: Option<IfMatch>,
    /// Values of fields that were sent under another spelling than the one that counts: of a `due_date`
    /// beside another `dueDate`, by the name `dueDate`; of every `name`, by the name `title`; of a `status` beside `newStatus`.
    pub spellings: Fields,
    /// Every top-level key that the sender sent, with the sender's value.
    pub echo: Fields,
}

/// What must be so of an entity, strictly: other than [`Command::expected_version`], which only fields that others have
/// changed collide with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// That it is there.
    Any,
    /// That it has one of these versions.
    Versions(Vec<i64>),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Makes an entity.
    Create {
        /// Of this kind.
        kind: Kind,
        /// With this id; the sender's, or a fresh one.
        id: EntityId,
        /// With these fields.
        fields: Fields,
    },
    /// Merges fields into an entity.
    Update {
        /// Of this kind.
        kind: Kind,
        /// With this id.
        id: EntityId,
        /// The fields that are sent; a `null` is a value.
        fields: Fields,
    },
    /// Deletes an entity; its tombstone stays.
    Delete {
        /// Of this kind.
        kind: Kind,
        /// With this id.
        id: EntityId,
    },
    /// Brings a deleted task back.
    TaskRestore {
        /// The task.
        id: EntityId,
    },
    /// Gives a task another place: among its neighbours, in another column or sprint.
    TaskMove {
        /// The task.
        id: EntityId,
        /// The fields that change on the way, such as `status` and `sprintId`.
        fields: Fields,
        /// The place, if one is asked for.
        place: Option<Place>,
    },
    /// Makes a sprint active.
    SprintStart {
        /// The sprint.
        id: EntityId,
        /// Fields that change as well.
        fields: Fields,
    },
    /// Completes a sprint and finds a home for its unfinished tasks.
    SprintComplete {
        /// The sprint.
        id: EntityId,
        /// Fields that change as well.
        fields: Fields,
        /// Where its unfinished tasks go.
        move_to: MoveTo,
    },
}

impl Action {
    /// The kind and id of the entity that the action is about.
    #[must_use]
    pub fn subject(&self) -> (Kind, &EntityId) {
        match self {
            Action::Create { kind, id, .. }
            | Action::Update { kind, id, .. }
            | Action::Delete { kind, id } => (*kind, id),
            Action::TaskRestore { id } | Action::TaskMove { id, .. } => (Kind::Task, id),
            Action::SprintStart { id, .. } | Action::SprintComplete { id, .. } => {
                (Kind::Sprint, id)
            }
        }
    }
}

/// Where a card is put.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Directly before this task.
    Before(EntityId),
    /// Directly after this task.
    After(EntityId),
    /// After the first and before the second: directly after the first, or before the second if the server
    /// does not know the first.
    Between(EntityId, EntityId),
    /// At this index among the tasks with the same `status` and `sprintId`, from 0.
    Position(usize),
}

/// Where the unfinished tasks of a completed sprint go.
#[derive(Debug, Clone, PartialEq)]
pub enum MoveTo {
    /// Into no sprint.
    Backlog,
    /// They stay where they are.
    Keep,
    /// Into another sprint.
    Sprint(EntityId),
}

/// A field by which tasks belong to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `epicId`
    Epic,
    /// `sprintId`
    Sprint,
}

impl Reference {
    /// The reference by which tasks belong to entities of this kind.
    #[must_use]
    pub const fn to(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Epic => Some(Self::Epic),
            Kind::Sprint => Some(Self::Sprint),
            Kind::Project | Kind::Task | Kind::Member => None,
        }
    }

    /// The field's name.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Epic => "epicId",
            Self::Sprint => "sprintId",
        }
    }
}

/// What must be loaded before a command can be applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Needs<'a> {
    /// This entity.
    Entity(Kind, &'a EntityId),
    /// Every live task that refers to this id.
    TasksOf(Reference, &'a EntityId),
    /// The ranks of all live tasks.
    Order,
    /// Every owner of the project.
    Owners,
}

impl Command {
    /// The kind and id of the entity that the command names.
    #[must_use]
    pub fn subject(&self) -> (Kind, &EntityId) {
        self.action.subject()
    }

    /// What must be loaded besides the subject and the project itself.
    #[must_use]
    pub fn needs(&self) -> Vec<Needs<'_>> {
        match &self.action {
            Action::Update {
                kind: Kind::Member, ..
            }
            | Action::Delete {
                kind: Kind::Member, ..
            } => vec![Needs::Owners],
            Action::Delete { kind, id } => Reference::to(*kind)
                .map(|reference| Needs::TasksOf(reference, id))
                .into_iter()
                .collect(),
            Action::SprintComplete { id, move_to, .. } => match move_to {
                MoveTo::Keep => Vec::new(),
                MoveTo::Backlog => vec![Needs::TasksOf(Reference::Sprint, id)],
                MoveTo::Sprint(target) => vec![
                    Needs::TasksOf(Reference::Sprint, id),
                    Needs::Entity(Kind::Sprint, target),
                ],
            },
            Action::TaskMove { place: Some(_), .. } | Action::TaskRestore { .. } => {
                vec![Needs::Order]
            }
            _ => Vec::new(),
        }
    }
}
