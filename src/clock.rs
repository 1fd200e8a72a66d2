//! The one place that asks the operating system for the time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;

/// Tells the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// Now, in whole milliseconds.
    #[must_use]
    pub fn now(self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is where the time is taken")]
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
