//! What became of a batch: what was committed, or why nothing was.

use std::sync::Arc;

use crate::contract::{ErrorCode, Reply};
use crate::domain::{Cascade, ChannelName, Event};
use crate::store::StoreError;
use crate::telemetry::causes;

/// What a batch led to.
#[derive(Debug)]
pub(super) struct Committed {
    /// One reply per job, in their order. The jobs at the end for which the transaction had no room have none.
    pub(super) replies: Vec<Reply>,
    /// The events of each channel.
    pub(super) events: Vec<(ChannelName, Arc<[Arc<Event>]>)>,
    /// The number of rows that were written.
    pub(super) rows: usize,
    /// Cascades that began.
    pub(super) cascades: Vec<Cascade>,
}

/// Why a batch was not committed.
#[derive(Debug)]
pub(super) enum BatchError {
    /// The database refuses the data of some row.
    Refused,
    /// The database cannot be reached. Nothing was changed.
    Unavailable,
    /// The connection broke during the commit, and the outcome could not be found out in time.
    Unknown,
    /// The database holds what it should not.
    Internal,
}

impl BatchError {
    /// What those hear whose commands were in the batch.
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Refused => Reply::refused(
                ErrorCode::ValidationFailed,
                "the database does not accept a value in this command",
            ),
            Self::Unavailable => Reply::refused(
                ErrorCode::Unavailable,
                "the database cannot be reached; nothing was changed, try again in a moment",
            ),
            Self::Unknown => Reply::refused(
                ErrorCode::Unavailable,
                "the database went away during the commit and the outcome is not known; \
                 repeat the command with the same idempotency key",
            ),
            Self::Internal => Reply::internal(),
        }
    }
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        if error.is_refused() {
            tracing::warn!(
                error = %causes(&error),
                "the database refuses a batch"
            );
            Self::Refused
        } else if error.is_unavailable() || error.is_retry() {
            tracing::warn!(
                error = %causes(&error),
                "the database is unavailable"
            );
            Self::Unavailable
        } else {
            tracing::error!(error = %causes(&error), "the store failed");
            Self::Internal
        }
    }
}
