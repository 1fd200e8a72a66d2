//! How often something may be done: so many times per second, and so many at once; or so many times in a window.
//!
//! The generic cell rate algorithm, by ourselves: the crate `governor` keeps pace, clock and start beside each of its
//! states, and a connection has three of them, which here are eight bytes each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Rate;

/// A rate, as a bucket is held to it. All times are nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// One after the other, and some at once.
    Steady {
        /// What one time costs.
        interval: u64,
        /// By how much a bucket may be ahead of the clock.
        tolerance: u64,
    },
    /// So many times in a window that begins with the first one, and then none until it has passed.
    Window {
        /// How many.
        times: u64,
        /// How long the window is.
        window: u64,
    },
}

impl Pace {
    /// What so many bytes cost, if a unit of them costs as much as one time: in times of a window, or else in nanoseconds of
    /// filling up.
    pub(super) fn cost_of(&self, bytes: usize, unit: usize) -> u64 {
        let times = match self {
            Self::Steady { interval, .. } => u128::from(*interval),
            Self::Window { .. } => 1,
        };
        let cost = times * bytes as u128 / unit.max(1) as u128;
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// `None` if there is no limit.
    pub(super) fn of(rate: Rate) -> Option<Self> {
        match rate {
            Rate::Unlimited => None,
            Rate::PerSecond { times, burst } => {
                let interval = nanos(Duration::from_secs(1)) / times.max(1);
                let tolerance = interval * burst.saturating_sub(1);
                Some(Self::Steady {
                    interval,
                    tolerance,
                })
            }
            Rate::Window { times, window } => Some(Self::Window {
                times,
                window: nanos(window),
            }),
        }
    }
}

/// How much somebody may still do. All times are nanoseconds of one clock, whichever.
#[derive(Debug, Default)]
pub(super) struct Bucket(
    /// Of a steady pace: when it will be full, if nothing is taken until then. Of a window: see [`Counted`].
    AtomicU64,
);

/// The longest time for which somebody is held back.
pub(super) const MAX_DEBT: Duration = Duration::from_mins(1);

impl Bucket {
    /// Takes one that is there, or will be within `patience`: how long until it is. Else how long until there is one. Who
    /// has used up a window is not held back but refused until it has passed.
    pub(super) fn take(
        &self,
        pace: &Pace,
        now: u64,
        patience: Duration,
    ) -> Result<Duration, Duration> {
        let (interval, tolerance) = match *pace {
            Pace::Window { times, window } => return self.count_one(times, window, now),
            Pace::Steady {
                interval,
                tolerance,
            } => (interval, tolerance),
        };
        let there = now.saturating_add(tolerance);
        let allowed = there.saturating_add(nanos(patience));
        let next = |full_at: u64| (full_at <= allowed).then(|| full_at.max(now) + interval);
        let wait = |full_at: u64| Duration::from_nanos(full_at.saturating_sub(there));
        self.change(next).map(wait).map_err(wait)
    }

    fn count_one(&self, times: u64, window: u64, now: u64) -> Result<Duration, Duration> {
        let next = |state: u64| {
            let counted = Counted::at(state, window, now);
            (counted.times < times).then(|| counted.more(1))
        };
        let taken = self.change(next).map(|_| Duration::ZERO);
        taken.map_err(|state| Counted::at(state, window, now).left(window, now))
    }

    /// Takes what is known only afterwards: whoever comes next waits for it, for [`MAX_DEBT`] or until the window has passed
    /// at most.
    pub(super) fn owe(&self, pace: &Pace, now: u64, cost: u64) {
        let owed = match *pace {
            Pace::Steady { tolerance, .. } => {
                let most = now.saturating_add(tolerance);
                let most = most.saturating_add(nanos(MAX_DEBT));
                self.change(|full_at| {
                    let owed = full_at.max(now).saturating_add(cost).min(most);
                    Some(owed.max(full_at))
                })
            }
            Pace::Window { window, .. } => {
                self.change(|state| Some(Counted::at(state, window, now).more(cost)))
            }
        };
        debug_assert!(owed.is_ok(), "a debt is always taken");
    }

    /// How long until there is one.
    pub(super) fn wait(&self, pace: &Pace, now: u64) -> Duration {
        let state = self.0.load(Ordering::Relaxed);
        match *pace {
            Pace::Steady { tolerance, .. } => {
                Duration::from_nanos(state.saturating_sub(now).saturating_sub(tolerance))
            }
            Pace::Window { times, window } => {
                let counted = Counted::at(state, window, now);
                if counted.times < times {
                    return Duration::ZERO;
                }
                counted.left(window, now)
            }
        }
    }

    /// Puts one back that was taken just now.
    pub(super) fn give_back(&self, pace: &Pace) {
        let one = match pace {
            Pace::Steady { interval, .. } => *interval,
            Pace::Window { .. } => 1,
        };
        self.0.fetch_sub(one, Ordering::Relaxed);
    }

    /// Whether it is as if nothing had ever been taken.
    pub(super) fn is_full(&self, pace: &Pace, now: u64) -> bool {
        let state = self.0.load(Ordering::Relaxed);
        match *pace {
            Pace::Steady { .. } => state <= now,
            Pace::Window { window, .. } => Counted::at(state, window, now).times == 0,
        }
    }

    /// Changes the state unless there is nothing to take; the state before, or the one that stays.
    fn change(&self, next: impl Fn(u64) -> Option<u64>) -> Result<u64, u64> {
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.fetch_update(set, fetch, next)
    }
}

/// How often something was done in a window, in the eight bytes of a bucket: the millisecond after that in which it has
/// begun, and the number behind it.
#[derive(Debug, Clone, Copy)]
struct Counted {
    began: u64,
    times: u64,
}

impl Counted {
    /// Bits of the number. A rate has at most a million times.
    const BITS: u32 = 20;
    const MOST: u64 = (1 << Self::BITS) - 1;

    /// The state as it is now: a window that has passed gives way to one that begins.
    fn at(state: u64, window: u64, now: u64) -> Self {
        let counted = Self {
            began: state >> Self::BITS,
            times: state & Self::MOST,
        };
        if counted.times > 0 && !counted.left(window, now).is_zero() {
            return counted;
        }
        Self {
            began: now / NANOS_PER_MILLI + 1,
            times: 0,
        }
    }

    /// The state after so many more.
    fn more(self, times: u64) -> u64 {
        let times = self.times.saturating_add(times).min(Self::MOST);
        self.began << Self::BITS | times
    }

    /// How long until the window has passed.
    fn left(self, window: u64, now: u64) -> Duration {
        let end = (self.began.saturating_mul(NANOS_PER_MILLI)).saturating_add(window);
        Duration::from_nanos(end.saturating_sub(now))
    }
}

const NANOS_PER_MILLI: u64 = 1_000_000;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const NOW: Result<Duration, Duration> = Ok(Duration::ZERO);

    fn take(bucket: &Bucket, pace: &Pace, now: u64) -> Result<Duration, Duration> {
        bucket.take(pace, now, Duration::ZERO)
    }

    fn pace(rate: &str) -> Pace {
        Pace::of(rate.parse().unwrap()).unwrap()
    }

    #[test]
    fn rates_are_written_as_two_numbers_or_over_a_while() {
        let millis = Duration::from_millis;
        for (text, times, burst) in [
            ("200/2000", 200, 2000),
            ("1/1", 1, 1),
            ("1000000/1000000", 1_000_000, 1_000_000),
        ] {
            let rate = Rate::PerSecond { times, burst };
            assert_eq!(text.parse::<Rate>().ok(), Some(rate), "{text}");
        }
        for (text, times, window) in [
            ("100/60s", 100, 60_000),
            ("100/1m", 100, 60_000),
            ("100/m", 100, 60_000),
            ("5/s", 5, 1000),
            (" 5 / 500ms", 5, 500),
            ("1000/24h", 1000, 86_400_000),
            ("1/1d", 1, 86_400_000),
        ] {
            let window = millis(window);
            let rate = Rate::Window { times, window };
            assert_eq!(text.parse::<Rate>().ok(), Some(rate), "{text}");
        }
        assert_eq!("none".parse::<Rate>().ok(), Some(Rate::Unlimited));
        for wrong in [
            "",
            "200",
            "0/1",
            "1/0",
            "1/",
            "/1",
            "1/1/1",
            "-1/1",
            "1000001/1",
            "None",
            "5/0s",
            "5/w",
            "5/1.5s",
            "5/60s/2",
            "60s/5",
            "5/25h",
            "1001/1ms",
            "s/5",
            "5/-1s",
        ] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_burst_passes_and_then_one_after_the_other() {
        let (bucket, pace, now) = (Bucket::default(), pace("10/3"), 7 * SECOND);
        let tenth = SECOND / 10;
        for _ in 0..3 {
            assert_eq!(take(&bucket, &pace, now), NOW);
        }
        let wait = Err(Duration::from_millis(100));
        assert_eq!(take(&bucket, &pace, now), wait);
        assert_eq!(
            take(&bucket, &pace, now + tenth - 1),
            Err(Duration::from_nanos(1))
        );
        assert_eq!(take(&bucket, &pace, now + tenth), NOW);
        assert_eq!(take(&bucket, &pace, now + tenth), wait);
        assert!(!bucket.is_full(&pace, now + 4 * tenth - 1));
        assert!(bucket.is_full(&pace, now + 4 * tenth));
        let later = now + 100 * tenth;
        assert_eq!(
            (0..9)
                .filter(|_| take(&bucket, &pace, later).is_ok())
                .count(),
            3
        );
    }

    #[test]
    fn a_window_is_used_up_until_it_has_passed() {
        let (bucket, pace) = (Bucket::default(), pace("100/60s"));
        let patient = |now| bucket.take(&pace, now, MAX_DEBT);
        assert!(bucket.is_full(&pace, 0));
        assert!((0..60).all(|_| patient(0) == NOW));
        assert!((0..40).all(|_| patient(59 * SECOND) == NOW));
        assert_eq!(bucket.wait(&pace, 0), Duration::from_millis(60_001));
        for now in [0, 59 * SECOND, 60 * SECOND] {
            let left = Duration::from_nanos(60 * SECOND + NANOS_PER_MILLI - now);
            assert_eq!(patient(now), Err(left), "at {now}");
            assert!(!bucket.is_full(&pace, now));
        }
        // The next window begins with the first that comes after this one.
        let later = 75 * SECOND;
        assert!(bucket.is_full(&pace, later));
        assert_eq!(bucket.wait(&pace, later), Duration::ZERO);
        assert!((0..100).all(|_| patient(later) == NOW));
        assert!(patient(later + 59 * SECOND).is_err());
        bucket.give_back(&pace);
        assert_eq!(patient(later + 59 * SECOND), NOW);
    }

    #[test]
    fn what_is_owed_counts_in_the_window() {
        let (bucket, pace) = (Bucket::default(), pace("10/1s"));
        assert_eq!(take(&bucket, &pace, 0), NOW);
        bucket.owe(&pace, 0, pace.cost_of(9 * 1024, 1024));
        assert!(take(&bucket, &pace, 0).is_err());
        bucket.owe(&pace, 0, u64::MAX);
        assert_eq!(take(&bucket, &pace, 2 * SECOND), NOW);
    }

    #[test]
    fn what_is_owed_is_waited_for_but_not_for_ever() {
        let (bucket, pace, now) = (Bucket::default(), pace("10/3"), 7 * SECOND);
        bucket.owe(&pace, now, SECOND / 5);
        assert_eq!(take(&bucket, &pace, now), NOW, "two of three are gone");
        assert_eq!(bucket.wait(&pace, now), Duration::from_millis(100));
        bucket.owe(&pace, now, u64::MAX);
        assert_eq!(bucket.wait(&pace, now), MAX_DEBT);
        bucket.owe(&pace, now, 1);
        assert_eq!(bucket.wait(&pace, now), MAX_DEBT);
    }

    #[test]
    fn who_has_patience_takes_what_is_not_there_yet() {
        let (bucket, pace, now) = (Bucket::default(), pace("10/1"), 7 * SECOND);
        let patient = || bucket.take(&pace, now, Duration::from_millis(250));
        let waits: Vec<_> = (0..3).map(|_| patient().unwrap().as_millis()).collect();
        assert_eq!(waits, [0, 100, 200]);
        assert_eq!(patient(), Err(Duration::from_millis(300)));
        assert_eq!(
            patient(),
            Err(Duration::from_millis(300)),
            "a refusal costs nothing"
        );
    }

    #[test]
    fn what_was_given_back_can_be_taken_again() {
        let (bucket, pace) = (Bucket::default(), pace("1/1"));
        assert_eq!(take(&bucket, &pace, 0), NOW);
        bucket.give_back(&pace);
        assert_eq!(take(&bucket, &pace, 0), NOW);
        assert_eq!(take(&bucket, &pace, 0), Err(Duration::from_secs(1)));
    }
}
