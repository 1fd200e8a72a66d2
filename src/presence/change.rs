//! What becomes of somebody in a project.

use super::entry::{Entry, Key};
use crate::domain::ConnectionId;

/// What became of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Joined,
    Left,
    Updated,
}

/// What local subscribers have to be told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) key: Key,
    pub(super) change: Change,
    /// How the user is shown from now on, or was shown until now.
    pub(super) entry: Entry,
    pub(super) origin: Option<ConnectionId>,
}
