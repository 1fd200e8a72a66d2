//! The latest refusals.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::contract::Reply;
use crate::contract::schema::metrics::{LoggedError, MAX_ERRORS};

/// Characters of an event's name, and of a reason.
const MAX_NAME: usize = 64;
const MAX_REASON: usize = 200;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Guards the latest refusals; only those who refuse something wait for it.
    latest: Mutex<VecDeque<LoggedError>>,
}

impl Refusals {
    pub(super) fn put(&self, event: &str, reply: &Reply) {
        let cut = |text: &str, most| text.chars().take(most).collect();
        let error = LoggedError {
            timestamp: Clock.now().to_string(),
            event: cut(event, MAX_NAME),
            code: reply.code().map(|code| code.as_str().to_owned()),
            message: cut(reply.message(), MAX_REASON),
        };
        let mut latest = self.latest.lock();
        if latest.len() == MAX_ERRORS {
            latest.pop_front();
        }
        latest.push_back(error);
    }

    pub(super) fn all(&self) -> Vec<LoggedError> {
        self.latest.lock().iter().cloned().collect()
    }
}
