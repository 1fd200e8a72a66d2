//! When connections expire, by the time of day: tokens name moments, and a machine that was asleep, or whose clock was
//! set, is not late by more than [`RECHECK`].

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::AuthConfig;
use crate::domain::{ConnectionId, Timestamp};
use crate::transport::connection::due_queue::DueQueue;

/// How often the time of day is looked at, at least.
const RECHECK: Duration = Duration::from_secs(2);

/// How long before and after a token's own end something happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    warning: Duration,
    leeway_and_grace: Duration,
}

impl Terms {
    pub(super) fn new(config: &AuthConfig) -> Self {
        Self {
            warning: config.auth_expiry_warning,
            leeway_and_grace: config.auth_leeway.saturating_add(config.auth_grace),
        }
    }

    /// When half of what is left is over, if that is later: whoever answers with a new token would else be warned of that
    /// one at once, if it is as short.
    fn warns_at(&self, expires_at: Timestamp, now: Timestamp) -> Timestamp {
        let (at, warning) = (expires_at.as_millis(), millis(self.warning));
        let left = at.saturating_sub(now.as_millis());
        let before = if left > 0 {
            warning.min(left / 2)
        } else {
            warning
        };
        Timestamp::from_millis(at.saturating_sub(before))
    }

    fn ends_at(&self, expires_at: Timestamp) -> Timestamp {
        let after = millis(self.leeway_and_grace);
        Timestamp::from_millis(expires_at.as_millis().saturating_add(after))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What is to be done about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Its token expires soon.
    Warning,
    /// Its token has expired.
    End,
}

/// See the module. `T` is a connection.
#[derive(Debug)]
pub(super) struct Expiry<T> {
    clock: Clock,
    terms: Terms,
    /// Guards the connections and when they are next.
    queue: Mutex<DueQueue<Timestamp, Entry<T>>>,
    /// Tells of one that is next sooner than all others.
    sooner: Notify,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    expires_at: Timestamp,
    connection: T,
}

impl<T: Clone> Expiry<T> {
    pub(super) fn new(clock: Clock, terms: Terms) -> Self {
        let (queue, sooner) = (Mutex::default(), Notify::new());
        Self {
            clock,
            terms,
            queue,
            sooner,
        }
    }

    /// Watches a connection, from now on with this end. If that is the old one, it is not warned of it again.
    pub(super) fn watch(&self, id: ConnectionId, expires_at: Timestamp, connection: T) {
        let at = self.terms.warns_at(expires_at, self.clock.now());
        let mut queue = self.queue.lock();
        let known = queue.get(id).map(|known| known.expires_at);
        let entry = Entry {
            expires_at,
            connection,
        };
        if known != Some(expires_at) && queue.put(id, at, entry) {
            self.sooner.notify_one();
        }
    }

    /// Watches a connection no longer.
    pub(super) fn forget(&self, id: ConnectionId) {
        self.queue.lock().remove(id);
    }

    /// Tells of all that falls due, for ever.
    pub(super) async fn run(&self, fall_due: impl Fn(&T, Due, Timestamp)) {
        loop {
            let now = self.clock.now();
            while let Some((entry, due)) = self.take(now) {
                fall_due(&entry.connection, due, entry.expires_at);
            }
            let next = self.queue.lock().next();
            let pause = next.map(|at| pause(now, at));
            tokio::select! {
                () = self.sooner.notified() => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// What has fallen due by now, one after the other. Who is warned stays, until the end.
    fn take(&self, now: Timestamp) -> Option<(Entry<T>, Due)> {
        let mut queue = self.queue.lock();
        let (id, entry) = queue.take(now)?;
        let ends_at = self.terms.ends_at(entry.expires_at);
        if ends_at <= now {
            return Some((entry, Due::End));
        }
        queue.put(id, ends_at, entry.clone());
        Some((entry, Due::Warning))
    }
}

fn pause(now: Timestamp, at: Timestamp) -> Duration {
    let left = at.as_millis().saturating_sub(now.as_millis());
    Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(RECHECK)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const TERMS: Terms = Terms {
        warning: Duration::from_millis(60),
        leeway_and_grace: Duration::from_millis(40),
    };
    const YEAR: i64 = 365 * 24 * 3_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn expiry() -> Expiry<&'static str> {
        Expiry::new(Clock, TERMS)
    }

    fn take(expiry: &Expiry<&'static str>, now: i64) -> Vec<(&'static str, Due)> {
        let fallen = std::iter::from_fn(|| expiry.take(at(now)));
        fallen.map(|(entry, due)| (entry.connection, due)).collect()
    }

    fn is_empty(expiry: &Expiry<&'static str>) -> bool {
        expiry.queue.lock().is_empty()
    }

    #[test]
    fn each_is_warned_once_and_then_ended() {
        let expiry = expiry();
        for (name, expires_at) in [("b", 1200), ("a", 1000), ("far", 200 * YEAR)] {
            expiry.watch(ConnectionId::generate(), at(expires_at), name);
        }
        assert_eq!(take(&expiry, 939), []);
        assert_eq!(take(&expiry, 940), [("a", Due::Warning)]);
        assert_eq!(take(&expiry, 1039), []);
        assert_eq!(take(&expiry, 1040), [("a", Due::End)]);
        // Nobody looked for a while.
        assert_eq!(take(&expiry, 5000), [("b", Due::End)]);
        assert_eq!(take(&expiry, 199 * YEAR), []);
        assert_eq!(take(&expiry, i64::MAX), [("far", Due::End)]);
        assert!(is_empty(&expiry));
    }

    #[test]
    fn a_new_token_moves_both() {
        let (expiry, id) = (expiry(), ConnectionId::generate());
        expiry.watch(id, at(1000), "a");
        assert_eq!(take(&expiry, 1000), [("a", Due::Warning)]);
        expiry.watch(id, at(2000), "a");
        assert_eq!(take(&expiry, 1939), []);
        assert_eq!(take(&expiry, 1940), [("a", Due::Warning)]);
        // One with an earlier end, too.
        expiry.watch(id, at(1500), "a");
        assert_eq!(take(&expiry, 1940), [("a", Due::End)]);
        assert!(is_empty(&expiry));
    }

    /// Whoever answers each warning with another token is not warned of it at once, however short it is.
    #[test]
    fn a_short_token_is_warned_of_half_way_and_the_same_one_once() {
        let terms = Terms {
            warning: Duration::from_hours(1),
            ..TERMS
        };
        let expiry = Expiry::new(Clock, terms);
        let (id, now) = (ConnectionId::generate(), Clock.now().as_millis());
        for expires_at in [at(now + 60_000), at(now + 90_000)] {
            expiry.watch(id, expires_at, "a");
            assert_eq!(take(&expiry, now + 29_000), []);
        }
        assert_eq!(take(&expiry, now + 46_000), [("a", Due::Warning)]);
        expiry.watch(id, at(now + 90_000), "a");
        assert_eq!(take(&expiry, now + 90_039), []);
        assert_eq!(take(&expiry, now + 90_040), [("a", Due::End)]);
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let (expiry, id) = (expiry(), ConnectionId::generate());
        expiry.watch(id, at(1000), "a");
        expiry.forget(id);
        expiry.forget(ConnectionId::generate());
        assert!(is_empty(&expiry));
        expiry.watch(id, at(1000), "a");
        take(&expiry, 1000);
        expiry.forget(id);
        assert!(is_empty(&expiry));
    }

    #[test]
    fn a_clock_that_is_set_back_warns_nobody_again() {
        let (expiry, id) = (expiry(), ConnectionId::generate());
        expiry.watch(id, at(1000), "a");
        assert_eq!(take(&expiry, 1000), [("a", Due::Warning)]);
        assert_eq!(take(&expiry, 500), []);
        assert_eq!(take(&expiry, 1039), []);
        assert_eq!(take(&expiry, 1040), [("a", Due::End)]);
    }

    #[test]
    fn moments_beyond_all_time_are_no_trouble() {
        let endless = Terms {
            warning: Duration::MAX,
            leeway_and_grace: Duration::MAX,
        };
        for moment in [i64::MIN, 0, i64::MAX] {
            assert_eq!(
                endless.ends_at(at(moment)).as_millis(),
                moment.saturating_add(i64::MAX)
            );
            for now in [i64::MIN, 0, i64::MAX] {
                assert!(endless.warns_at(at(moment), at(now)) <= at(moment));
            }
        }
        assert_eq!(pause(at(i64::MIN), at(i64::MAX)), RECHECK);
        assert_eq!(pause(at(5), at(4)), Duration::ZERO);
    }

    /// Of all that is asleep, the one that comes later and is due sooner is not slept over.
    #[tokio::test(start_paused = true)]
    async fn one_that_is_due_sooner_is_not_slept_over() {
        let expiry = Arc::new(expiry());
        let now = Clock.now().as_millis();
        expiry.watch(ConnectionId::generate(), at(now + YEAR), "far");
        let seen = Mutex::new(Vec::new());
        let running = expiry.run(|name, due, _| seen.lock().push((*name, due)));
        let coming = async {
            tokio::time::sleep(RECHECK / 4).await;
            expiry.watch(ConnectionId::generate(), at(now), "late");
            tokio::time::sleep(RECHECK / 4).await;
        };
        tokio::select! {
            () = running => {}
            () = coming => {}
        }
        assert_eq!(*seen.lock(), [("late", Due::Warning)]);
    }
}
