//! Things by name, of which those are forgotten now and then that are not needed any more.

use std::collections::HashMap;
use std::hash::Hash;

/// Fewer are not worth a look.
const FEW: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Kept<K, V> {
    by_key: HashMap<K, V>,
    /// When to look again: after as many have come as were needed the last time.
    look_at: usize,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            look_at: FEW,
        }
    }
}

impl<K: Hash + Eq, V: Default> Kept<K, V> {
    /// What has this name, or is new. `is_needed` is asked of the others if they are many.
    pub(super) fn get(&mut self, key: K, is_needed: impl Fn(&V) -> bool) -> &mut V {
        if self.by_key.len() >= self.look_at {
            self.by_key.retain(|_, value| is_needed(value));
            self.look_at = FEW.max(2 * self.by_key.len());
            self.by_key.shrink_to(self.look_at);
        }
        self.by_key.entry(key).or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays_and_the_rest_does_not_pile_up() {
        let mut kept = Kept::default();
        for number in 0..100 {
            *kept.get(number, |_: &bool| true) = true;
        }
        for number in 100..10_000 {
            kept.get(number, |needed| *needed);
            assert!(kept.len() <= 200, "{}", kept.len());
        }
        assert!((0..100).all(|number| *kept.get(number, |needed| *needed)));
    }
}
