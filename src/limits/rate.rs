//! How often something may be done: so many times in a while, and so many times at once.
//!
//! The generic cell rate algorithm, by ourselves: the crate `governor` keeps pace, clock and start beside each of its
//! states, and a connection has three of them, which here are eight bytes each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Rate;

/// A rate, as a bucket is held to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Nanoseconds that one time costs.
    interval: u64,
    /// By how many nanoseconds a bucket may be ahead of the clock.
    tolerance: u64,
}

impl Pace {
    /// The nanoseconds that so many bytes cost, if a unit of them costs as much as one time.
    pub(super) fn nanos_of(&self, bytes: usize, unit: usize) -> u64 {
        let nanos = u128::from(self.interval) * bytes as u128 / unit.max(1) as u128;
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// `None` if there is no limit.
    pub(super) fn of(rate: Rate) -> Option<Self> {
        match rate {
            Rate::Unlimited => None,
            Rate::At {
                times,
                window,
                burst,
            } => {
                let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
                let interval = window / times.max(1);
                Some(Self {
                    interval,
                    tolerance: interval * burst.saturating_sub(1),
                })
            }
        }
    }
}

/// How much somebody may still do. All times are nanoseconds of one clock, whichever.
#[derive(Debug, Default)]
pub(super) struct Bucket(
    /// When it will be full, if nothing is taken until then.
    AtomicU64,
);

/// The longest time for which somebody is held back.
pub(super) const MAX_DEBT: Duration = Duration::from_mins(1);

impl Bucket {
    /// Takes one that is there, or will be within `patience`: how long until it is. Else how long until there is one.
    pub(super) fn take(
        &self,
        pace: &Pace,
        now: u64,
        patience: Duration,
    ) -> Result<Duration, Duration> {
        let there = now.saturating_add(pace.tolerance);
        let allowed = there.saturating_add(nanos(patience));
        let next = |full_at: u64| (full_at <= allowed).then(|| full_at.max(now) + pace.interval);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let wait = |full_at: u64| Duration::from_nanos(full_at.saturating_sub(there));
        let taken = self.0.fetch_update(set, fetch, next);
        taken.map(wait).map_err(wait)
    }

    /// Takes what is known only afterwards, in nanoseconds of filling up: whoever comes next waits for it, for
    /// [`MAX_DEBT`] at most.
    pub(super) fn owe(&self, pace: &Pace, now: u64, cost: u64) {
        let most = now.saturating_add(pace.tolerance);
        let most = most.saturating_add(nanos(MAX_DEBT));
        let next = |full_at: u64| {
            let owed = full_at.max(now).saturating_add(cost).min(most);
            Some(owed.max(full_at))
        };
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.fetch_update(set, fetch, next).ok();
    }

    /// How long until there is one.
    pub(super) fn wait(&self, pace: &Pace, now: u64) -> Duration {
        let ahead = self.0.load(Ordering::Relaxed).saturating_sub(now);
        Duration::from_nanos(ahead.saturating_sub(pace.tolerance))
    }

    /// Puts one back that was taken just now.
    pub(super) fn give_back(&self, pace: &Pace) {
        self.0.fetch_sub(pace.interval, Ordering::Relaxed);
    }

    /// Whether it is as if nothing had ever been taken.
    pub(super) fn is_full(&self, now: u64) -> bool {
        self.0.load(Ordering::Relaxed) <= now
    }
}

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
        for (text, times, window, burst) in [
            ("200/2000", 200, 1000, 2000),
            ("1/1", 1, 1000, 1),
            ("1000000/1000000", 1_000_000, 1000, 1_000_000),
            ("100/60s", 100, 60_000, 100),
            ("100/1m", 100, 60_000, 100),
            ("100/m", 100, 60_000, 100),
            ("5/s", 5, 1000, 5),
            (" 5 / 500ms", 5, 500, 5),
            ("1000/24h", 1000, 86_400_000, 1000),
            ("1/1d", 1, 86_400_000, 1),
        ] {
            let window = millis(window);
            let rate = Rate::At {
                times,
                window,
                burst,
            };
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
        assert!(!bucket.is_full(now + 4 * tenth - 1));
        assert!(bucket.is_full(now + 4 * tenth));
        let later = now + 100 * tenth;
        assert_eq!(
            (0..9)
                .filter(|_| take(&bucket, &pace, later).is_ok())
                .count(),
            3
        );
    }

    #[test]
    fn a_rate_over_a_minute_gives_one_back_at_a_time() {
        let (bucket, pace) = (Bucket::default(), pace("100/60s"));
        assert!((0..100).all(|_| take(&bucket, &pace, 0).is_ok()));
        assert_eq!(take(&bucket, &pace, 0), Err(Duration::from_millis(600)));
        assert_eq!(take(&bucket, &pace, 600_000_000), NOW);
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
