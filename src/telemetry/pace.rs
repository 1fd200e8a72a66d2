//! How often lines of one kind may be logged, so that nobody can fill a disk by being refused.
//!
//! A kind is a place in the code, together with the `code` or the `limit` that the line names. What is left out is counted,
//! and the next line of that kind says how many came before it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Lines that name a code or a limit: somebody was refused, as often as they like.
const REFUSALS: Pace = Pace {
    every: Duration::from_secs(1),
    at_once: 10,
};
/// All others, such as the end of a connection.
const OTHERS: Pace = Pace {
    every: Duration::from_millis(50),
    at_once: 200,
};
/// Most kinds that are told apart; the rest are one kind.
const MAX_KINDS: usize = 1024;

/// A line each so often, and so many at once after a pause.
#[derive(Debug, Clone, Copy)]
struct Pace {
    every: Duration,
    at_once: u32,
}

/// What was logged of each kind.
#[derive(Debug)]
pub(super) struct Paces {
    started: Instant,
    /// Guards the kinds.
    kinds: Mutex<HashMap<u64, Kind>>,
    suppressed: AtomicU64,
}

#[derive(Debug, Default)]
struct Kind {
    /// When as many lines may be logged at once as after a long pause.
    rested_at: Duration,
    suppressed: u64,
}

impl Kind {
    fn take(&mut self, pace: Pace, now: Duration) -> Option<u64> {
        let rested_at = self.rested_at.max(now) + pace.every;
        if rested_at > now + pace.every * pace.at_once {
            self.suppressed += 1;
            return None;
        }
        self.rested_at = rested_at;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Paces {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            kinds: Mutex::default(),
            suppressed: AtomicU64::new(0),
        }
    }

    /// How many of its kind were left out before this one, if it is to be logged. What is logged for those who look for a
    /// mistake is always.
    pub(super) fn take(&self, event: &Event<'_>) -> Option<u64> {
        if *event.metadata().level() > Level::INFO {
            return Some(0);
        }
        let mut named = Named(DefaultHasher::new(), false);
        event.metadata().callsite().hash(&mut named.0);
        event.record(&mut named);
        let pace = if named.1 { REFUSALS } else { OTHERS };
        self.take_kind(named.0.finish(), pace, self.started.elapsed())
    }

    fn take_kind(&self, kind: u64, pace: Pace, now: Duration) -> Option<u64> {
        let mut kinds = self.kinds.lock();
        let is_known = kinds.contains_key(&kind);
        let kind = if is_known || kinds.len() < MAX_KINDS {
            kind
        } else {
            0
        };
        let taken = kinds.entry(kind).or_default().take(pace, now);
        drop(kinds);
        if taken.is_none() {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Lines that were left out since the start.
    pub(super) fn suppressed(&self) -> u64 {
        self.suppressed.load(Ordering::Relaxed)
    }
}

/// Finds the code or the limit that a line names. Nothing else of it is looked at.
struct Named(DefaultHasher, bool);

impl Visit for Named {
    fn record_str(&mut self, field: &Field, value: &str) {
        if matches!(field.name(), "code" | "limit") {
            value.hash(&mut self.0);
            self.1 = true;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_is_a_line_a_second_and_hides_no_other_kind() {
        let paces = Paces::new();
        let flood = |kind, second| {
            let now = Duration::from_secs(second);
            let lines = (0..1_000).filter_map(|_| paces.take_kind(kind, REFUSALS, now));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(flood(1, 0), [0; 10]);
        assert_eq!(flood(1, 1), [990]);
        assert_eq!(flood(1, 2), [999]);
        assert_eq!(flood(2, 2), [0; 10]);
        assert_eq!(paces.suppressed(), 990 + 999 + 999 + 990);
    }

    #[test]
    fn kinds_are_bounded() {
        let paces = Paces::new();
        for kind in 0..10_000 {
            paces.take_kind(kind, OTHERS, Duration::ZERO);
        }
        assert!(paces.kinds.lock().len() <= MAX_KINDS + 1);
    }
}
