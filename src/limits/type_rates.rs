//! How often a client may send messages of one type.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use super::rate::{Bucket, Pace};
use crate::config::TypeRates as Configured;
use crate::contract::EventName;

/// The rates that the settings name, by type: a command's documented name, or a publication's type as it is sent.
#[derive(Debug, Default)]
pub(super) struct TypeRates(BTreeMap<String, (usize, Pace)>);

impl TypeRates {
    pub(super) fn new(configured: &Configured) -> Self {
        let mut rates = BTreeMap::new();
        for (name, rate) in configured.iter() {
            let known = EventName::find(name).map(EventName::as_str);
            if let Some(pace) = Pace::of(rate) {
                let place = rates.len();
                let place = rates
                    .get(known.unwrap_or(name))
                    .map_or(place, |(at, _)| *at);
                rates.insert(known.unwrap_or(name).to_owned(), (place, pace));
            }
        }
        Self(rates)
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a client may still send of each type that has a rate: eight bytes each, once it has sent one.
#[derive(Debug, Default)]
pub(super) struct TypeBudget(OnceLock<Box<[Bucket]>>);

impl TypeBudget {
    /// Takes a message of a type; `Err`: how long until there is one.
    pub(super) fn take(&self, name: &str, rates: &TypeRates, now: u64) -> Result<(), Duration> {
        let Some((index, pace)) = rates.0.get(name) else {
            return Ok(());
        };
        let buckets = self.0.get_or_init(|| {
            let buckets = rates.0.iter().map(|_| Bucket::default());
            buckets.collect()
        });
        let bucket = buckets.get(*index);
        let taken = bucket.map(|bucket| bucket.take(pace, now, Duration::ZERO));
        taken.unwrap_or(Ok(Duration::ZERO)).map(drop)
    }

    pub(super) fn is_full(&self, rates: &TypeRates, now: u64) -> bool {
        let Some(buckets) = self.0.get() else {
            return true;
        };
        let mut rates = rates.0.values();
        rates.all(|(index, pace)| {
            let bucket = buckets.get(*index);
            bucket.is_none_or(|bucket| bucket.is_full(pace, now))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn each_type_has_a_rate_of_its_own_and_others_have_none() {
        let configured = "agent_log=2/s, task_update = 1/60s,test_result=5".parse();
        let rates = TypeRates::new(&configured.unwrap());
        let budget = TypeBudget::default();
        assert!(
            budget.is_full(&rates, 0),
            "nothing is kept of who has sent nothing"
        );
        let took = |name: &str, now| budget.take(name, &rates, now).is_ok();
        assert!(took("agent_log", 0) && took("agent_log", 0) && !took("agent_log", 0));
        assert!(took("task:update", 0) && !took("task:update", SECOND));
        assert!((0..5).all(|_| took("test_result", 0)) && !took("test_result", 0));
        assert!((0..100).all(|_| took("agent_status", 0)));
        assert_eq!(
            budget.take("agent_log", &rates, 0),
            Err(Duration::from_millis(1001)),
            "the window has to pass"
        );
        let is_full = |now| budget.is_full(&rates, now);
        assert!(!is_full(59 * SECOND) && is_full(61 * SECOND));
    }
}
