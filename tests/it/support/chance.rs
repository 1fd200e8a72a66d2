//! Chance that can be replayed: everything random in a test comes from one seed.

/// `SplitMix64`: small, and the same everywhere.
pub(crate) struct Chance(u64);

impl Chance {
    /// From `IT_SEED`, or a new seed; it is printed, so that a failure shows it.
    pub(crate) fn from_seed() -> Self {
        let given = std::env::var("IT_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        eprintln!("replay with IT_SEED={seed}");
        Self(seed)
    }

    /// A source of its own for a task that runs beside others: what each draws does not depend on who is faster.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number from 0 to below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
