//! What a client may ask for, after its payload has been understood.

use serde_json::Value;

use super::{EntityId, FieldSource, Fields, Kind, PlaceKey, ProjectId, Stamp};

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
    /// What only the entity itself can settle.
    pub unsettled: Unsettled,
    /// Keys whose values are no wishes: the answer names those that are otherwise afterwards.
    pub unread: Vec<String>,
    /// Whether what is changed or referred to must exist.
    pub strict: bool,
    /// Other projects in which the sender may have seen the task that is changed.
    pub elsewhere: Vec<ProjectId>,
    /// Every top-level key that the sender sent, with the sender's value.
    pub echo: Fields,
    /// When and by whom the entity was made that is made, if it is imported from elsewhere.
    pub imported: Option<Stamp>,
}

/// What a payload means in one of two ways, by what the entity is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unsettled {
    /// Values of fields that were sent under another spelling than the one that counts: of a `due_date`
    /// beside another `dueDate`, by the name `dueDate`; of every `name`, by the name `title`; of a `status` beside `newStatus`.
    pub spellings: Fields,
    /// The wrapper in which the fields were.
    pub wrapper: Option<Wrapper>,
    /// The column into which a card goes: a value of whatever field the task has for that.
    pub column: Option<ToColumn>,
    /// What was sent as `__v`: the version that the sender had before its eyes, unless the entity has such a field.
    pub own_version: Option<Value>,
}

impl Unsettled {
    /// The objects in it.
    pub fn objects(&self) -> impl Iterator<Item = &Fields> {
        let beside = self.wrapper.as_ref().map(|wrapper| &wrapper.beside);
        std::iter::once(&self.spellings).chain(beside)
    }
}

/// A wrapper of fields. It is a field itself if the entity has one of that name.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrapper {
    /// The key in the echo.
    pub name: String,
    /// The fields that stand beside it.
    pub beside: Fields,
}

/// A column that is named without its field.
#[derive(Debug, Clone, PartialEq)]
pub struct ToColumn {
    /// Its name, or id.
    pub to: Value,
    /// That of the column from which the card comes.
    pub from: Option<Value>,
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
    /// Turns a field of an entity that is true into false, and what is not true into true.
    Toggle {
        /// Of this kind.
        kind: Kind,
        /// With this id.
        id: EntityId,
        /// The field; without it, the first of [`TOGGLED`] that the entity has.
        field: Option<String>,
    },
    /// Gives a task another place: among its neighbours, in another column or sprint.
    TaskMove {
        /// The task.
        id: EntityId,
        /// The fields that change on the way, such as `status` and `sprintId`.
        fields: Fields,
        /// The place, if one is asked for.
        place: Option<Place>,
        /// Whether it was asked for by an update, and is announced as one.
        is_update: bool,
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
        /// Tasks that go elsewhere, finished or not.
        moves: Vec<(EntityId, MoveTo)>,
        /// Statuses that are finished besides those of the project.
        done: Vec<String>,
    },
}

/// Fields that say of an entity whether it is done; the first one that is there is toggled, or else the first is set.
pub const TOGGLED: [&str; 5] = [
    "completed",
    "done",
    "isCompleted",
    "is_completed",
    "checked",
];

impl Action {
    /// The kind and id of the entity that the action is about.
    #[must_use]
    pub fn subject(&self) -> (Kind, &EntityId) {
        match self {
            Action::Create { kind, id, .. }
            | Action::Update { kind, id, .. }
            | Action::Delete { kind, id }
            | Action::Restore { kind, id }
            | Action::Toggle { kind, id, .. } => (*kind, id),
            Action::TaskMove { id, .. } => (Kind::Task, id),
            Action::SprintStart { id, .. } | Action::SprintComplete { id, .. } => {
                (Kind::Sprint, id)
            }
        }
    }
}

impl Place {
    /// The highest number that is taken for an index, if it is said as a position. Frontends that number their cards
    /// themselves leave gaps, of 2^14 or 65,536 for example.
    pub const MAX_INDEX: usize = (1 << 14) - 1;

    /// The place of a card that has a position of the frontend's own. A small number may be anything; what is no index has an
    /// order.
    #[must_use]
    pub fn own_in(fields: &impl FieldSource) -> Option<Self> {
        let (_, value) = PlaceKey::field_in(fields)?;
        let is_index = value
            .as_u64()
            .is_some_and(|index| index <= Self::MAX_INDEX as u64);
        let key = PlaceKey::of(value).filter(|_| !is_index)?;
        Some(Self::Own(key))
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
    /// At this index among the tasks of the same column and sprint, from 0.
    Index(usize),
    /// The same, unless the frontend has positions of its own.
    Position(usize),
    /// By a position of the frontend's own: after the tasks of the same column and sprint that have a lower one.
    Own(PlaceKey),
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
    /// Into the next one that is not finished: by its `startDate`, then by age.
    Next,
}

impl Command {
    /// The kind and id of the entity that the command names.
    #[must_use]
    pub fn subject(&self) -> (Kind, &EntityId) {
        self.action.subject()
    }

    /// The projects in which the task is looked for, if this one does not have it: what is sent as a change of a project must
    /// not make a second task.
    #[must_use]
    pub fn looked_for(&self) -> &[ProjectId] {
        if self.may_be_elsewhere() {
            &self.elsewhere
        } else {
            &[]
        }
    }

    /// Whether a task of the same id in another project is the same task. Numbers may be counted in each project anew; such a
    /// task is the same only if nothing but its project is said.
    #[must_use]
    pub fn may_be_elsewhere(&self) -> bool {
        let is_number = |id: &EntityId| id.as_str().bytes().all(|byte| byte.is_ascii_digit());
        if let Action::Toggle {
            kind: Kind::Task,
            id,
            ..
        } = &self.action
        {
            return !is_number(id);
        }
        let (Action::Update {
            kind: Kind::Task,
            id,
            fields,
        }
        | Action::TaskMove { id, fields, .. }) = &self.action
        else {
            return false;
        };
        !is_number(id) || fields.is_empty()
    }

    /// The fields that a task gets.
    #[must_use]
    pub fn task_fields(&self) -> Option<&Fields> {
        match &self.action {
            Action::Create {
                kind: Kind::Task,
                fields,
                ..
            }
            | Action::Update {
                kind: Kind::Task,
                fields,
                ..
            }
            | Action::TaskMove { fields, .. } => Some(fields),
            _ => None,
        }
    }

    /// The fields that an entity beside the board gets.
    #[must_use]
    pub fn fields_beside(&self) -> Option<&Fields> {
        match &self.action {
            Action::Create { kind, fields, .. } | Action::Update { kind, fields, .. }
                if kind.is_beside() =>
            {
                Some(fields)
            }
            _ => None,
        }
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
            Action::Toggle { .. } => "toggle",
            Action::TaskMove { .. } => "move",
            Action::SprintStart { .. } => "start",
            Action::SprintComplete { .. } => "complete",
        };
        format!("{kind}:{verb}")
    }
}
