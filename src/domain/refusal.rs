//! Why a command was refused by a rule.

use std::sync::Arc;

use super::{Entity, Kind};

/// A command that a rule refuses. It has changed nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// There is no such entity (`--strict`, or nothing to restore).
    #[error("there is no such {kind}")]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// The payload's key that names it.
        field: &'static str,
    },
    /// The caller may see the project and not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The entity was deleted.
    #[error("the {0} has been deleted")]
    Gone(Kind),
    /// A field was changed by someone else since the version that the caller had seen, or the id is taken.
    #[error("{message}")]
    Conflict {
        /// What collides.
        field: String,
        /// A sentence for a person.
        message: String,
        /// The entity as it is now.
        current: Arc<Entity>,
    },
    /// Other changes have to come first. It may be accepted a moment later.
    #[error("{message}")]
    UnderWay {
        /// A sentence for a person.
        message: String,
        /// The entity as it is now.
        current: Arc<Entity>,
    },
    /// The entity is not as the caller said that it must be.
    #[error("the {kind} does not have the version that If-Match asks for")]
    Precondition {
        /// What was looked at.
        kind: Kind,
        /// As it is now, if it is there.
        current: Option<Arc<Entity>>,
    },
    /// A value breaks a rule.
    #[error("{message}")]
    Invalid {
        /// The offending field.
        field: String,
        /// A sentence for a person.
        message: String,
    },
    /// The entity would grow beyond its limit.
    #[error("the {kind} would grow beyond {limit} bytes")]
    TooLarge {
        /// What would grow.
        kind: Kind,
        /// The limit in bytes.
        limit: usize,
    },
}

impl Refusal {
    /// Whether the same command may be accepted later, although nobody has changed it.
    #[must_use]
    pub fn passes_by_itself(&self) -> bool {
        matches!(self, Self::UnderWay { .. })
    }
}
