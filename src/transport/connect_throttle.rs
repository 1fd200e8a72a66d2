//! Spaces new sessions out evenly, those of all doors together, so that a crowd that comes back all at once does not starve those who are here.
//!
//! Whoever waits is a future and a place in time, nothing else: the next turn is one interval after the last that was
//! given away. A turn whose owner has gone meanwhile is lost.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// How far ahead turns are given away. Clients that hear nothing for much longer give up.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct ConnectThrottle {
    interval: Duration,
    /// Guards when the next turn is.
    next: Mutex<Instant>,
}

/// All turns of the near future are given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl ConnectThrottle {
    /// Gives so many turns per second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / rate.max(1),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits for the caller's turn.
    pub(crate) async fn turn(&self) -> Result<(), TooMany> {
        let now = Instant::now();
        let turn = self.take(now)?;
        if turn > now {
            sleep_until(turn).await;
        }
        Ok(())
    }

    fn take(&self, now: Instant) -> Result<Instant, TooMany> {
        let mut next = self.next.lock();
        let turn = now.max(*next);
        if turn > now + MAX_WAIT {
            return Err(TooMany);
        }
        *next = turn + self.interval;
        Ok(turn)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_comes_in_evenly() {
        let throttle = ConnectThrottle::new(50);
        let start = Instant::now();
        let turns = (0..100).map(async |_| {
            throttle.turn().await.unwrap();
            start.elapsed()
        });
        for (turn, place) in join_all(turns).await.into_iter().zip(0..) {
            assert_eq!(turn, Duration::from_millis(20) * place);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_alone_does_not_wait() {
        let throttle = ConnectThrottle::new(1);
        for _ in 0..3 {
            let start = Instant::now();
            throttle.turn().await.unwrap();
            assert_eq!(start.elapsed(), Duration::ZERO);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long() {
        let throttle = ConnectThrottle::new(1);
        let start = Instant::now();
        let turns = join_all((0..10).map(|_| throttle.turn())).await;
        assert_eq!(turns, [vec![Ok(()); 6], vec![Err(TooMany); 4]].concat());
        assert_eq!(start.elapsed(), MAX_WAIT);
        // Whoever was refused has taken no turn.
        throttle.turn().await.unwrap();
        assert_eq!(start.elapsed(), MAX_WAIT + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_of_somebody_who_has_gone_is_lost() {
        let throttle = ConnectThrottle::new(1);
        throttle.turn().await.unwrap();
        let start = Instant::now();
        tokio::time::timeout(Duration::from_millis(1), throttle.turn())
            .await
            .unwrap_err();
        throttle.turn().await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }
}
