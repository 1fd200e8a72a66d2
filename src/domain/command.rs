//! What a client may ask for, after its payload has been understood.

use super::{Cause, EntityId, Fields, Kind, ProjectId, Reference, Stamp};

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
    /// When and by whom the entity was made that is made, if it is imported from elsewhere.
    pub imported: Option<Stamp>,
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
    /// Brings back what was deleted, as it was.
    Restore {
        /// Of this kind.
        kind: Kind,
        /// With this id.
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
            | Action::Delete { kind, id }
            | Action::Restore { kind, id } => (*kind, id),
            Action::TaskMove { id, .. } => (Kind::Task, id),
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

/// What must be loaded before a command can be applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Needs<'a> {
    /// This entity.
    Entity(Kind, &'a EntityId),
    /// The live tasks that refer to this id, those that the cause changes.
    TasksOf(Cause, Reference, &'a EntityId),
    /// The cascades that are under way from this sprint, or into it.
    Cascades(&'a EntityId),
    /// The neighbours of the place that the task is to get.
    Place,
    /// An owner of the project other than this member.
    OtherOwner(&'a EntityId),
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
                kind: Kind::Member,
                id,
                ..
            }
            | Action::Delete {
                kind: Kind::Member,
                id,
            } => vec![Needs::OtherOwner(id)],
            Action::Delete { kind, id } => match Reference::to(*kind) {
                Some(reference @ Reference::Epic) => {
                    vec![Needs::TasksOf(Cause::Deleted, reference, id)]
                }
                Some(reference @ Reference::Sprint) => vec![
                    Needs::TasksOf(Cause::Deleted, reference, id),
                    Needs::Cascades(id),
                ],
                None => Vec::new(),
            },
            // The id of something deleted, perhaps, whose tasks are still leaving it.
            Action::Create {
                kind: Kind::Epic | Kind::Sprint,
                id,
                ..
            } if !self.made_id => vec![Needs::Cascades(id)],
            Action::SprintComplete { id, move_to, .. } => {
                let mut needs = vec![Needs::Cascades(id)];
                if let MoveTo::Sprint(target) = move_to {
                    needs.push(Needs::Entity(Kind::Sprint, target));
                    needs.push(Needs::Cascades(target));
                }
                if *move_to != MoveTo::Keep {
                    needs.push(Needs::TasksOf(Cause::Completed, Reference::Sprint, id));
                }
                needs
            }
            Action::SprintStart { id, .. }
            | Action::Restore {
                kind: Kind::Epic | Kind::Sprint,
                id,
            } => vec![Needs::Cascades(id)],
            Action::Update {
                kind: Kind::Sprint,
                id,
                fields,
            } if fields.contains_key("status") => vec![Needs::Cascades(id)],
            Action::TaskMove { place: Some(_), .. }
            | Action::Restore {
                kind: Kind::Task, ..
            } => vec![Needs::Place],
            _ => Vec::new(),
        }
    }

    /// Whether something must be loaded for this command alone, right before it.
    #[must_use]
    pub fn needs_more(&self) -> bool {
        let needs = self.needs();
        needs.iter().any(|need| !matches!(need, Needs::Entity(..)))
    }

    /// The command's name, such as `task:move`.
    #[must_use]
    pub fn name(&self) -> String {
        let (kind, _) = self.subject();
        let verb = match &self.action {
            Action::Create { .. } => "create",
            Action::Update { .. } => "update",
            Action::Delete { .. } => "delete",
            Action::Restore { .. } => "restore",
            Action::TaskMove { .. } => "move",
            Action::SprintStart { .. } => "start",
            Action::SprintComplete { .. } => "complete",
        };
        format!("{kind}:{verb}")
    }
}
