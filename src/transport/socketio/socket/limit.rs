//! How much a client may send, and what it is told if it was too much.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Incoming, Socket};
use crate::contract::{ErrorCode, Reply, class};
use crate::limits::Exceeded;

/// For how long nothing is read after a message that was too much, besides what its size adds.
const PAUSE: Duration = Duration::from_millis(1);
/// Bytes for which nothing is read for a microsecond.
const BYTES_PER_MICRO: usize = 16;

impl Socket {
    /// Takes a message out of what the client may send. If it is too much, nothing more is read from the client for a
    /// moment: who floods the server waits, and not those who share it.
    pub(super) fn spend(&self, message: &mut Incoming) {
        let limits = self.app.limits();
        if !limits.are_messages_limited() {
            return;
        }
        let class = class(&message.name);
        if let Err(exceeded) = limits.spend(class, &self.budget, self.user_budget.as_deref()) {
            self.note_limited(exceeded.limit.as_str());
            self.meter.pause(pause(message.sent_bytes()));
            message.packet = None;
            message.refused = Some(exceeded);
        }
    }

    /// Counts a message that was too much. The first one is logged, the others only in number: whoever floods the server
    /// must not flood the log.
    pub(in super::super) fn note_limited(&self, limit: &str) {
        if self.limited.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::info!(
                limit,
                connection.id = %self.session.caller.connection,
                actor = self.session.caller.actor.as_str(),
                "limit reached"
            );
        }
    }

    /// Takes a place among the connections of the client's user, if it has shown who it is: a name that anybody can take
    /// must not keep its owner out. Whether there is one.
    pub(in super::super) fn take_place(&self) -> bool {
        if self.session.identity().is_none() {
            return true;
        }
        let actor = self.session.caller.actor.as_str();
        match self.app.limits().user_connection(actor) {
            Ok(place) => {
                *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
                true
            }
            Err(exceeded) => {
                self.note_limited(exceeded.limit.as_str());
                false
            }
        }
    }

    /// Counts no longer among the connections of the client's user.
    pub(in super::super) fn give_up_place(&self) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        drop(place.take());
    }
}

/// A message costs at least as much as a few small ones, and a large one what it takes to look at it.
fn pause(bytes: usize) -> Duration {
    let micros = u64::try_from(bytes / BYTES_PER_MICRO).unwrap_or(u64::MAX);
    PAUSE + Duration::from_micros(micros)
}

/// What a client is told whose message is too much.
pub(in super::super) fn refusal(Exceeded { limit, retry_after }: Exceeded) -> Reply {
    Reply::refused(ErrorCode::RateLimited, limit.sentence()).with_retry_after(retry_after)
}
