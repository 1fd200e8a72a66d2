//! Counts what is there right now, in all and by key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// See the module.
#[derive(Debug)]
pub(super) struct Places<K> {
    max: Option<usize>,
    max_per_key: Option<usize>,
    /// Guards the counts, so that they are taken together or not at all.
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    total: usize,
    /// Only if they are limited; who has none has no entry.
    by_key: HashMap<K, usize>,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// For nobody.
    Total,
    /// For this key.
    Key,
}

/// Counts until it is dropped.
#[derive(Debug)]
pub struct Place<K: Hash + Eq> {
    places: Arc<Places<K>>,
    key: Option<K>,
}

impl<K: Hash + Eq + Clone> Places<K> {
    pub(super) fn new(max: Option<usize>, max_per_key: Option<usize>) -> Self {
        Self {
            max,
            max_per_key,
            taken: Mutex::new(Taken {
                total: 0,
                by_key: HashMap::new(),
            }),
        }
    }

    /// Takes a place; one without a key counts in all alone.
    pub(super) fn take(self: &Arc<Self>, key: Option<K>) -> Result<Place<K>, Full> {
        let mut taken = self.taken.lock();
        if self.max.is_some_and(|max| taken.total >= max) {
            return Err(Full::Total);
        }
        let key = key.filter(|_| self.max_per_key.is_some());
        if let Some(key) = &key {
            match taken.by_key.get_mut(key) {
                Some(count) if Some(*count) >= self.max_per_key => return Err(Full::Key),
                Some(count) => *count += 1,
                None => {
                    taken.by_key.insert(key.clone(), 1);
                }
            }
        }
        taken.total += 1;
        drop(taken);
        let places = Arc::clone(self);
        Ok(Place { places, key })
    }

    pub(super) fn total(&self) -> usize {
        self.taken.lock().total
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.total -= 1;
        if let Some(key) = self.key.take()
            && let Entry::Occupied(mut count) = taken.by_key.entry(key)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_until_it_is_dropped() {
        let places = Arc::new(Places::new(Some(3), Some(2)));
        let first = places.take(Some("a")).unwrap();
        let second = places.take(Some("a")).unwrap();
        assert_eq!(places.take(Some("a")).unwrap_err(), Full::Key);
        let other = places.take(None).unwrap();
        assert_eq!(places.take(Some("b")).unwrap_err(), Full::Total);
        drop(first);
        let again = places.take(Some("a")).unwrap();
        assert_eq!(places.total(), 3);
        drop((second, other, again));
        assert_eq!(places.total(), 0);
        assert!(places.taken.lock().by_key.is_empty());
    }

    #[test]
    fn keys_are_not_kept_if_they_do_not_matter() {
        let places = Arc::new(Places::new(None, None));
        let place = places.take(Some("a")).unwrap();
        assert_eq!(places.total(), 1);
        assert!(places.taken.lock().by_key.is_empty());
        drop(place);
        assert_eq!(places.total(), 0);
    }
}
