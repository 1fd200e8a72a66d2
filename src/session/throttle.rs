//! How often the same thing may be said: the first word passes at once, and of those that follow within the
//! interval the last one passes when it ends, so that what was said last is always heard.
//!
//! Pure: time is handed in, and whoever is told to come back keeps the time.

use std::time::Duration;

use tokio::time::Instant;

/// How long a word keeps others of its key back.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);
/// Keys that are remembered.
pub(super) const MAX_KEYS: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Throttle<K, V> {
    slots: Vec<Slot<K, V>>,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    /// When the interval ends.
    until: Instant,
    /// What is to pass then.
    held: Option<V>,
}

/// What becomes of a word.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<V> {
    /// It passes now.
    Pass(V),
    /// It is held back. With a time: ask for what is [`due`](Throttle::due) then.
    Hold(Option<Instant>),
    /// Too many different keys at once.
    Refuse,
}

impl<K, V> Default for Throttle<K, V> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

impl<K: PartialEq, V> Throttle<K, V> {
    /// Lets a word pass, holds it back or refuses it.
    pub(super) fn offer(&mut self, key: K, value: V, now: Instant) -> Verdict<V> {
        self.slots
            .retain(|slot| slot.held.is_some() || slot.until > now);
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.key == key) {
            let is_first = slot.held.replace(value).is_none();
            return Verdict::Hold(is_first.then_some(slot.until));
        }
        if self.slots.len() >= MAX_KEYS {
            return Verdict::Refuse;
        }
        let until = now + INTERVAL;
        self.slots.push(Slot {
            key,
            until,
            held: None,
        });
        Verdict::Pass(value)
    }

    /// What was held back until now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<V> {
        let due = self.slots.iter_mut().filter(|slot| slot.until <= now);
        due.filter_map(|slot| {
            let value = slot.held.take()?;
            slot.until = now + INTERVAL;
            Some(value)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Offers numbers at these milliseconds under these keys, and keeps the time as asked; what passed when.
    fn run(words: &[(u64, usize)]) -> Vec<(usize, usize, Instant)> {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        let (mut passed, mut wakes, mut now) = (Vec::new(), Vec::new(), start);
        let wake =
            |throttle: &mut Throttle<_, _>, wakes: &mut Vec<Instant>, passed: &mut Vec<_>, now| {
                wakes.sort();
                while let Some(at) = wakes.first().copied().filter(|at| *at <= now) {
                    wakes.remove(0);
                    passed.extend(
                        throttle
                            .due(at)
                            .into_iter()
                            .map(|(key, number)| (key, number, at)),
                    );
                }
            };
        for (number, (pause, key)) in words.iter().enumerate() {
            now += Duration::from_millis(*pause);
            wake(&mut throttle, &mut wakes, &mut passed, now);
            match throttle.offer(*key, (*key, number), now) {
                Verdict::Pass((key, number)) => passed.push((key, number, now)),
                Verdict::Hold(at) => wakes.extend(at),
                Verdict::Refuse => panic!("{key} keys are not too many"),
            }
        }
        wake(&mut throttle, &mut wakes, &mut passed, now + INTERVAL);
        assert!(wakes.is_empty() && throttle.slots.iter().all(|slot| slot.held.is_none()));
        passed
    }

    proptest! {
        /// Per key: never faster than the interval, in order, and always up to the last word, which is late by
        /// at most the interval.
        #[test]
        fn says_the_last_word_of_every_key(words in prop::collection::vec((0_u64..200, 0_usize..4), 1..80)) {
            let passed = run(&words);
            let mut last: HashMap<usize, (usize, Instant)> = HashMap::new();
            for (key, number, at) in passed {
                prop_assert_eq!(words[number].1, key);
                if let Some((before, earlier)) = last.insert(key, (number, at)) {
                    prop_assert!(number > before && at >= earlier + INTERVAL);
                }
            }
            for key in 0..4 {
                let said = words.iter().rposition(|(_, of)| *of == key);
                prop_assert_eq!(last.get(&key).map(|(number, _)| *number), said);
            }
        }
    }

    #[test]
    fn of_what_is_said_in_between_only_the_last_passes_at_the_end() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let end = start + INTERVAL;
        assert_eq!(throttle.offer("a", 1, start), Verdict::Pass(1));
        assert_eq!(throttle.offer("a", 2, start), Verdict::Hold(Some(end)));
        assert_eq!(throttle.offer("a", 3, start), Verdict::Hold(None));
        assert_eq!(throttle.offer("b", 4, start), Verdict::Pass(4));
        assert!(throttle.due(end - Duration::from_millis(1)).is_empty());
        assert_eq!(throttle.due(end), [3]);
        let again = end + INTERVAL;
        assert_eq!(throttle.offer("a", 5, end), Verdict::Hold(Some(again)));
        assert_eq!(throttle.due(again), [5]);
    }

    #[test]
    fn many_keys_at_once_are_refused_and_forgotten_in_time() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        for key in 0..MAX_KEYS {
            assert_eq!(throttle.offer(key, key, start), Verdict::Pass(key));
        }
        assert_eq!(throttle.offer(MAX_KEYS, 0, start), Verdict::Refuse);
        assert!(matches!(throttle.offer(0, 0, start), Verdict::Hold(_)));
        let later = start + INTERVAL;
        assert_eq!(throttle.offer(MAX_KEYS, 0, later), Verdict::Pass(0));
        assert_eq!(
            throttle.slots.len(),
            2,
            "the one that is held, and the new one"
        );
    }
}
