//! What an accepted command leads to.

use std::sync::Arc;

use super::{Cascade, Entity, EntityFields, EventType};

/// An event that has no place in the log yet.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What happened.
    pub event_type: EventType,
    /// The entity after it.
    pub entity: Arc<Entity>,
    /// What the payload says besides the entity's state, such as `oldStatus`.
    pub extra: EntityFields,
    /// Whether the payload starts from what the sender sent. Not so for what a command drags along:
    /// a task that leaves a completed sprint was not what the sender wrote about.
    pub echo: bool,
}

impl Draft {
    /// An event about the entity that the command names.
    #[must_use]
    pub fn new(event_type: EventType, entity: &Arc<Entity>) -> Self {
        Self {
            event_type,
            entity: Arc::clone(entity),
            extra: EntityFields::new(),
            echo: true,
        }
    }

    /// An event about an entity that the command drags along.
    #[must_use]
    pub fn dragged(event_type: EventType, entity: &Arc<Entity>) -> Self {
        Self {
            echo: false,
            ..Self::new(event_type, entity)
        }
    }

    /// The same event, saying more.
    #[must_use]
    pub fn with(mut self, extra: EntityFields) -> Self {
        self.extra = extra;
        self
    }
}

/// The outcome of an accepted command. Without entities nothing changes: the command was a `noop`, and its events, if it has
/// any, say once more what is so already.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The entity that the command names, as it is afterwards.
    pub subject: Arc<Entity>,
    /// Every entity that changes, each once.
    pub entities: Vec<Arc<Entity>>,
    /// The events, in order.
    pub events: Vec<Draft>,
    /// The command was made against an older version and did not collide.
    pub merged: bool,
    /// What follows from it in steps of their own.
    pub cascade: Option<Cascade>,
}

/// What one step of a cascade changes.
#[derive(Debug, Clone)]
pub struct Dragged {
    /// The tasks.
    pub entities: Vec<Arc<Entity>>,
    /// An event for each, in order.
    pub events: Vec<Draft>,
    /// What is left; nothing if no task is.
    pub cascade: Cascade,
}

impl Changes {
    /// Nothing changes, and nobody is told.
    #[must_use]
    pub fn noop(subject: Arc<Entity>) -> Self {
        Self::repeat(subject, Vec::new())
    }

    /// Nothing changes, and these events say so.
    #[must_use]
    pub fn repeat(subject: Arc<Entity>, events: Vec<Draft>) -> Self {
        Self {
            subject,
            entities: Vec::new(),
            events,
            merged: false,
            cascade: None,
        }
    }

    /// One entity changes, and that is what the command was about.
    #[must_use]
    pub fn of(subject: Arc<Entity>, events: Vec<Draft>) -> Self {
        Self {
            entities: vec![Arc::clone(&subject)],
            subject,
            events,
            merged: false,
            cascade: None,
        }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        self.entities.is_empty()
    }
}
