//! What a connection, or a user, may still send of each class of messages.

use std::time::Duration;

use super::rate::{Bucket, Pace};
use super::type_rates::{TypeBudget, TypeRates};
use crate::config::Rate;
use crate::contract::EventClass;

/// Bytes of an answer that cost as much as a read.
pub const READ_UNIT: usize = 64 * 1024;

/// How quickly budgets fill up, by class of message; what has no pace is not limited.
#[derive(Debug)]
pub(super) struct Paces([Option<Pace>; 3]);

impl Paces {
    pub(super) fn new(commands: Rate, reads: Rate, signals: Rate) -> Self {
        Self([commands, reads, signals].map(Pace::of))
    }

    pub(super) fn are_unlimited(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    fn of(&self, class: EventClass) -> Option<&Pace> {
        self.0[place(class)].as_ref()
    }
}

/// Where a class stands, in paces and in budgets.
const fn place(class: EventClass) -> usize {
    match class {
        EventClass::Command => 0,
        EventClass::Read => 1,
        EventClass::Signal => 2,
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Budget {
    classes: [Bucket; 3],
    types: TypeBudget,
}

impl Budget {
    /// See [`Bucket::take`].
    pub(super) fn take(
        &self,
        class: EventClass,
        paces: &Paces,
        now: u64,
        patience: Duration,
    ) -> Result<Duration, Duration> {
        match paces.of(class) {
            Some(pace) => self.bucket(class).take(pace, now, patience),
            None => Ok(Duration::ZERO),
        }
    }

    /// Takes what was read, after the fact.
    pub(super) fn owe_read(&self, bytes: usize, paces: &Paces, now: u64) {
        if let Some(pace) = paces.of(EventClass::Read) {
            let cost = pace.cost_of(bytes, READ_UNIT);
            self.bucket(EventClass::Read).owe(pace, now, cost);
        }
    }

    pub(super) fn wait(&self, class: EventClass, paces: &Paces, now: u64) -> Duration {
        let pace = paces.of(class);
        pace.map_or(Duration::ZERO, |pace| self.bucket(class).wait(pace, now))
    }

    pub(super) fn give_back(&self, class: EventClass, paces: &Paces) {
        if let Some(pace) = paces.of(class) {
            self.bucket(class).give_back(pace);
        }
    }

    pub(super) fn is_full(&self, paces: &Paces, types: &TypeRates, now: u64) -> bool {
        let mut classes = self.classes.iter().zip(&paces.0);
        let is_full =
            classes.all(|(bucket, pace)| pace.is_none_or(|pace| bucket.is_full(&pace, now)));
        is_full && self.types.is_full(types, now)
    }

    /// See [`TypeBudget::take`].
    pub(super) fn take_type(
        &self,
        name: &str,
        rates: &TypeRates,
        now: u64,
    ) -> Result<(), Duration> {
        self.types.take(name, rates, now)
    }

    fn bucket(&self, class: EventClass) -> &Bucket {
        &self.classes[place(class)]
    }
}
