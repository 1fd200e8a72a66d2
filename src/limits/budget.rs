//! What a connection, or a user, may still send of each class of messages.

use std::time::Duration;

use super::rate::{Bucket, Pace};
use crate::contract::EventClass;

/// Bytes of an answer that cost as much as a read.
pub const READ_UNIT: usize = 64 * 1024;

/// How quickly budgets fill up; what has no pace is not limited.
#[derive(Debug)]
pub(super) struct Paces {
    pub(super) commands: Option<Pace>,
    pub(super) reads: Option<Pace>,
    pub(super) signals: Option<Pace>,
}

impl Paces {
    pub(super) fn are_unlimited(&self) -> bool {
        self.commands.is_none() && self.reads.is_none() && self.signals.is_none()
    }

    fn of(&self, class: EventClass) -> Option<&Pace> {
        let pace = match class {
            EventClass::Command => &self.commands,
            EventClass::Read => &self.reads,
            EventClass::Signal => &self.signals,
        };
        pace.as_ref()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Budget {
    commands: Bucket,
    reads: Bucket,
    signals: Bucket,
}

impl Budget {
    pub(super) fn take(&self, class: EventClass, paces: &Paces, now: u64) -> Result<(), Duration> {
        match paces.of(class) {
            Some(pace) => self.bucket(class).take(pace, now),
            None => Ok(()),
        }
    }

    /// Takes what was read, after the fact.
    pub(super) fn owe_read(&self, bytes: usize, paces: &Paces, now: u64) {
        if let Some(pace) = &paces.reads {
            let nanos = pace.nanos_of(bytes, READ_UNIT);
            self.reads.owe(pace, now, nanos);
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

    pub(super) fn is_full(&self, now: u64) -> bool {
        [&self.commands, &self.reads, &self.signals]
            .iter()
            .all(|bucket| bucket.is_full(now))
    }

    fn bucket(&self, class: EventClass) -> &Bucket {
        match class {
            EventClass::Command => &self.commands,
            EventClass::Read => &self.reads,
            EventClass::Signal => &self.signals,
        }
    }
}
