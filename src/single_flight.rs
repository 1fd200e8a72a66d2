//! One read for all who ask for the same: in a storm of clients that all want a project's state, it is read and
//! rendered a few times and not once for each.
//!
//! Whoever asks while a read is running waits for the next one, which begins when that one has ended and is shared by
//! all who have asked by then. So nobody gets anything older than the question. There is no task behind it: one of
//! those who wait reads for all, and if that one goes, another does. Failures are shared as well.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// See the module.
#[derive(Debug)]
pub(crate) struct SingleFlight<K, V> {
    /// Guards what is asked for right now; nothing stays here when nobody waits.
    asked: Mutex<HashMap<K, Asked<V>>>,
}

#[derive(Debug)]
struct Asked<V> {
    /// Held by whoever reads.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// What those get who ask now.
    next: Arc<OnceCell<V>>,
    waiting: usize,
}

impl<V> Default for Asked<V> {
    fn default() -> Self {
        Self {
            turn: Arc::default(),
            next: Arc::default(),
            waiting: 0,
        }
    }
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self {
            asked: Mutex::default(),
        }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// What `read` gives, or what that of somebody else gives who asks for the same key. It is read after the call.
    pub(crate) async fn get<F>(&self, key: &K, read: impl FnOnce() -> F) -> V
    where
        F: Future<Output = V>,
    {
        let place = self.enter(key);
        let read = || async {
            let _turn = place.turn.lock().await;
            place.close();
            read().await
        };
        place.value.get_or_init(read).await.clone()
    }

    fn enter(&self, key: &K) -> Place<'_, K, V> {
        let mut asked = self.asked.lock();
        let asked = asked.entry(key.clone()).or_default();
        asked.waiting += 1;
        Place {
            flight: self,
            key: key.clone(),
            turn: Arc::clone(&asked.turn),
            value: Arc::clone(&asked.next),
        }
    }
}

/// A place among those who wait for the same value, until dropped.
struct Place<'a, K: Eq + Hash, V> {
    flight: &'a SingleFlight<K, V>,
    key: K,
    turn: Arc<tokio::sync::Mutex<()>>,
    value: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V> Place<'_, K, V> {
    /// Whoever asks from now on gets another value.
    fn close(&self) {
        if let Some(asked) = self.flight.asked.lock().get_mut(&self.key)
            && Arc::ptr_eq(&asked.next, &self.value)
        {
            asked.next = Arc::default();
        }
    }
}

impl<K: Eq + Hash, V> Drop for Place<'_, K, V> {
    fn drop(&mut self) {
        let mut all = self.flight.asked.lock();
        if let Some(asked) = all.get_mut(&self.key) {
            asked.waiting -= 1;
            if asked.waiting == 0 {
                all.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;
    use tokio::time::{sleep, timeout};

    use super::*;

    type Numbers = SingleFlight<&'static str, u64>;

    /// Counts its reads; each waits until it is let through.
    struct Log {
        head: AtomicU64,
        reads: AtomicU64,
        gate: Semaphore,
    }

    impl Log {
        fn new(open: usize) -> Self {
            Self {
                head: AtomicU64::new(0),
                reads: AtomicU64::new(0),
                gate: Semaphore::new(open),
            }
        }

        async fn read(&self) -> u64 {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let head = self.head.load(Ordering::Relaxed);
            tokio::task::yield_now().await;
            self.gate.acquire().await.unwrap().forget();
            head
        }

        fn reads(&self) -> u64 {
            self.reads.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn two_thousand_who_ask_at_once_cost_two_reads() {
        let (numbers, log) = (Numbers::default(), Log::new(9));
        let all = join_all((0..2000).map(|_| numbers.get(&"p", || log.read())));
        assert_eq!(all.await, vec![0; 2000]);
        assert_eq!(log.reads(), 2);
        assert!(numbers.asked.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_gets_what_is_older_than_the_question() {
        let (numbers, log) = (Numbers::default(), Log::new(Semaphore::MAX_PERMITS));
        let asking = (0..500_u64).map(async |number| {
            for round in 0..10 {
                sleep(Duration::from_millis((number * 7 + round * 13) % 50)).await;
                let asked = log.head.fetch_add(1, Ordering::Relaxed) + 1;
                let read = async || {
                    let head = log.read().await;
                    sleep(Duration::from_millis(20)).await;
                    head
                };
                assert!(numbers.get(&"p", read).await >= asked);
            }
        });
        join_all(asking).await;
        assert!(log.reads() < 200, "{}", log.reads());
        assert!(numbers.asked.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_does_not_hold_up_the_others() {
        let (numbers, log) = (Numbers::default(), Log::new(0));
        let ask = |patience| timeout(patience, numbers.get(&"p", || log.read()));
        let short = Duration::from_millis(10);
        // One reads and goes; the next who waits reads in its place and goes as well; and so on.
        let impatient = join_all((1..=20).map(|n| ask(short * n)));
        let patient = join_all((0..20).map(|_| ask(Duration::from_mins(1))));
        let opened = async {
            sleep(short * 30).await;
            log.gate.add_permits(1);
        };
        let (impatient, patient, ()) = tokio::join!(impatient, patient, opened);
        assert!(impatient.iter().all(Result::is_err));
        assert!(patient.iter().all(Result::is_ok));
        assert!(numbers.asked.lock().is_empty());
    }

    #[tokio::test]
    async fn keys_do_not_wait_for_one_another() {
        let (numbers, stuck, log) = (Numbers::default(), Log::new(0), Log::new(1));
        let hanging = numbers.get(&"p", || stuck.read());
        let other = numbers.get(&"q", || log.read());
        tokio::select! {
            biased;
            _ = hanging => panic!("nobody lets it through"),
            head = other => assert_eq!(head, 0),
        }
        assert!(numbers.asked.lock().is_empty());
    }
}
