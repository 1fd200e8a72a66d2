//! How often something may be done: so many times per second, and so many times at once.
//!
//! The generic cell rate algorithm, by ourselves: the crate `governor` keeps pace, clock and start beside each of its
//! states, and a connection has three of them, which here are eight bytes each.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const MAX_RATE: u64 = 1_000_000;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// As often as one likes.
    Unlimited,
    /// So often.
    At {
        /// In the long run.
        per_second: u64,
        /// All at once, after a pause.
        burst: u64,
    },
}

/// A text that is no rate.
#[derive(Debug, thiserror::Error)]
#[error("a rate is written as <per second>/<at once>, such as 200/2000, or none")]
pub struct RateError;

impl Rate {
    /// So many times as often.
    pub(super) const fn times(self, times: u64) -> Self {
        match self {
            Self::Unlimited => self,
            Self::At { per_second, burst } => Self::At {
                per_second: per_second * times,
                burst: burst * times,
            },
        }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        if text == "none" {
            return Ok(Self::Unlimited);
        }
        let number = |text: &str| {
            let number = text.parse().ok();
            let number = number.filter(|number| (1..=MAX_RATE).contains(number));
            number.ok_or(RateError)
        };
        let (per_second, burst) = text.split_once('/').ok_or(RateError)?;
        Ok(Self::At {
            per_second: number(per_second)?,
            burst: number(burst)?,
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("none"),
            Self::At { per_second, burst } => write!(f, "{per_second}/{burst}"),
        }
    }
}

/// A rate, as a bucket is held to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Nanoseconds that one time costs.
    interval: u64,
    /// By how many nanoseconds a bucket may be ahead of the clock.
    tolerance: u64,
}

impl Pace {
    /// `None` if there is no limit.
    pub(super) fn of(rate: Rate) -> Option<Self> {
        match rate {
            Rate::Unlimited => None,
            Rate::At { per_second, burst } => {
                let interval = SECOND / per_second.max(1);
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

impl Bucket {
    /// Takes one; else how long until there is one.
    pub(super) fn take(&self, pace: &Pace, now: u64) -> Result<(), Duration> {
        let next = |full_at: u64| {
            let allowed = full_at <= now.saturating_add(pace.tolerance);
            allowed.then(|| full_at.max(now) + pace.interval)
        };
        match self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
        {
            Ok(_) => Ok(()),
            Err(full_at) => Err(Duration::from_nanos(full_at - pace.tolerance - now)),
        }
    }

    /// Takes so many, whether they are there or not: what is missing has to come in first before anything else is taken.
    pub(super) fn owe(&self, pace: &Pace, times: u64, now: u64) {
        let cost = pace.interval.saturating_mul(times);
        let next = |full_at: u64| Some(full_at.max(now).saturating_add(cost));
        let update = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        debug_assert!(update.is_ok(), "there is always a next value");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: &str) -> Pace {
        Pace::of(rate.parse().unwrap()).unwrap()
    }

    #[test]
    fn rates_are_written_as_two_numbers() {
        for text in ["200/2000", "1/1", "1000000/1000000", "none"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
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
        ] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_burst_passes_and_then_one_after_the_other() {
        let (bucket, pace, now) = (Bucket::default(), pace("10/3"), 7 * SECOND);
        let tenth = SECOND / 10;
        for _ in 0..3 {
            assert_eq!(bucket.take(&pace, now), Ok(()));
        }
        let wait = Err(Duration::from_millis(100));
        assert_eq!(bucket.take(&pace, now), wait);
        assert_eq!(
            bucket.take(&pace, now + tenth - 1),
            Err(Duration::from_nanos(1))
        );
        assert_eq!(bucket.take(&pace, now + tenth), Ok(()));
        assert_eq!(bucket.take(&pace, now + tenth), wait);
        assert!(!bucket.is_full(now + 4 * tenth - 1));
        assert!(bucket.is_full(now + 4 * tenth));
        let later = now + 100 * tenth;
        assert_eq!(
            (0..9).filter(|_| bucket.take(&pace, later).is_ok()).count(),
            3
        );
    }

    #[test]
    fn debt_is_paid_back_before_anything_is_taken() {
        let (bucket, pace, now) = (Bucket::default(), pace("10/3"), 7 * SECOND);
        bucket.owe(&pace, 0, now);
        assert!(bucket.is_full(now));
        bucket.owe(&pace, 20, now);
        let wait = Duration::from_millis(1800);
        assert_eq!(bucket.take(&pace, now), Err(wait));
        assert_eq!(bucket.take(&pace, now + 18 * SECOND / 10), Ok(()));
    }

    #[test]
    fn what_was_given_back_can_be_taken_again() {
        let (bucket, pace) = (Bucket::default(), pace("1/1"));
        assert_eq!(bucket.take(&pace, 0), Ok(()));
        bucket.give_back(&pace);
        assert_eq!(bucket.take(&pace, 0), Ok(()));
        assert_eq!(bucket.take(&pace, 0), Err(Duration::from_secs(1)));
    }
}
