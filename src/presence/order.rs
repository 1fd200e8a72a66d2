//! The users of a project in the order in which they came, of whom only the first are shown.

use std::collections::BTreeSet;

use crate::domain::{Actor, Timestamp};

/// A user's place: who came first is shown first.
pub(super) type Place = (Timestamp, Actor);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Order {
    shown: BTreeSet<Place>,
    hidden: BTreeSet<Place>,
}

impl Order {
    /// Adds a user. Who has to make room, if somebody must: maybe the user itself.
    pub(super) fn insert(&mut self, place: Place, limit: usize) -> Option<Actor> {
        self.shown.insert(place);
        if self.shown.len() <= limit {
            return None;
        }
        let last = self.shown.pop_last()?;
        self.hidden.insert(last.clone());
        Some(last.1)
    }

    /// Removes a user. Who is shown instead, if there is room now for somebody.
    pub(super) fn remove(&mut self, place: &Place) -> Option<Actor> {
        if !self.shown.remove(place) {
            self.hidden.remove(place);
            return None;
        }
        let next = self.hidden.pop_first()?;
        self.shown.insert(next.clone());
        Some(next.1)
    }

    pub(super) fn shows(&self, place: &Place) -> bool {
        self.shown.contains(place)
    }

    /// Those who are shown.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Actor> {
        self.shown.iter().map(|(_, user)| user)
    }
}
