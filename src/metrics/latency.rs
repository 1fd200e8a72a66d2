//! How long the latest answers took.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::contract::schema::metrics::MAX_LATENCIES;

/// A ring of durations in microseconds. Writers never wait; a reader may see one that is just being replaced.
#[derive(Debug)]
pub(super) struct Latency {
    micros: [AtomicU32; MAX_LATENCIES],
    /// Answers since the start.
    count: AtomicUsize,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            micros: std::array::from_fn(|_| AtomicU32::new(0)),
            count: AtomicUsize::new(0),
        }
    }
}

impl Latency {
    pub(super) fn put(&self, took: Duration) {
        let place = self.count.fetch_add(1, Ordering::Relaxed) % MAX_LATENCIES;
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.micros[place].store(micros, Ordering::Relaxed);
    }

    /// In milliseconds, the latest last.
    pub(super) fn all(&self) -> Vec<f64> {
        let count = self.count.load(Ordering::Relaxed);
        let places = count.saturating_sub(MAX_LATENCIES)..count;
        let micros = places.map(|place| &self.micros[place % MAX_LATENCIES]);
        micros
            .map(|micros| f64::from(micros.load(Ordering::Relaxed)) / 1000.0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_are_kept_in_order() {
        let latency = Latency::default();
        assert!(latency.all().is_empty());
        for micros in 1..=250 {
            latency.put(Duration::from_micros(micros));
        }
        let all = latency.all();
        assert_eq!((all.len(), all[0], all[99]), (100, 0.151, 0.25));
    }
}
