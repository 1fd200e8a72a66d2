//! How often a client is told where it stands if its events do not show it: right after an event, and then at most once a
//! second for as long as events come.

use std::time::Duration;

use tokio::time::Instant;

/// The least time between two cursors, and the longest for which an event is not covered by one.
const INTERVAL: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CursorPace {
    last: Option<Instant>,
    is_pending: bool,
}

/// When an event is followed by a cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    /// The caller sees to it then, and calls [`CursorPace::begin`] first.
    At(Instant),
    /// With one that somebody sees to already.
    Pending,
}

impl CursorPace {
    /// Notes an event; without room for a cursor none follows now.
    pub(super) fn event(&mut self, now: Instant, has_room: bool) -> Due {
        let at = self.last.map_or(now, |last| last + INTERVAL);
        if self.is_pending {
            Due::Pending
        } else if at <= now && has_room {
            self.last = Some(now);
            Due::Now
        } else {
            self.is_pending = true;
            Due::At(at.max(now + INTERVAL / 10))
        }
    }

    /// Notes that a pending cursor is told: it may not cover the events that come from now on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.last = Some(now);
        self.is_pending = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_follows_an_event_at_once_and_then_once_a_second() {
        let (start, mut pace) = (Instant::now(), CursorPace::default());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(pace.event(at(0), true), Due::Now);
        assert_eq!(pace.event(at(300), true), Due::At(at(1000)));
        assert_eq!(pace.event(at(600), true), Due::Pending);
        pace.begin(at(1000));
        assert_eq!(pace.event(at(1001), true), Due::At(at(2000)));
        pace.begin(at(2000));
        assert_eq!(pace.event(at(3000), true), Due::Now);
    }

    #[test]
    fn cursor_without_room_follows_later() {
        let (now, mut pace) = (Instant::now(), CursorPace::default());
        assert_eq!(pace.event(now, false), Due::At(now + INTERVAL / 10));
        assert_eq!(pace.event(now, true), Due::Pending);
    }
}
