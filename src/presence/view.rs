//! Who is in which project, whichever instance says so, and what local subscribers have to be told of it.
//!
//! A user is there as long as an instance says so. In a large project only those who came first are shown: whoever
//! hears of everybody's coming and going would cost the square of their number.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use super::change::{Change, Told};
use super::entry::{Entry, Key};
use super::order::{Order, Place};
use super::told;
use crate::domain::{Actor, ConnectionId, InstanceId, ProjectId};

#[derive(Debug, Default)]
struct Project {
    users: HashMap<Actor, User>,
    order: Order,
}

#[derive(Debug, Default)]
struct User {
    /// The entry that each instance has announced for the user.
    said: Vec<(InstanceId, Entry)>,
    /// How the user stands in lists, once one was made: a list is part of each answer to a join.
    listed: Option<Arc<RawValue>>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct View {
    projects: HashMap<ProjectId, Project>,
    /// Users of a project that are shown.
    limit: usize,
    told: Vec<Told>,
}

impl View {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            projects: HashMap::new(),
            limit,
            told: Vec::new(),
        }
    }

    /// Somebody, as all instances together say.
    pub(super) fn get(&self, key: &Key) -> Option<Entry> {
        self.projects.get(&key.project)?.get(&key.user)
    }

    /// Who is shown in a project, who asks in any case, and how many there are.
    pub(super) fn roster(&mut self, key: &Key) -> (Vec<Arc<RawValue>>, usize) {
        let Some(project) = self.projects.get_mut(&key.project) else {
            return (Vec::new(), 0);
        };
        let Project { users, order } = project;
        let asker = users.get(&key.user);
        let asker = asker.and_then(|asker| Entry::merged(&asker.said));
        let hidden = asker.filter(|entry| !order.shows(&(entry.joined_at, key.user.clone())));
        let listed = order.shown().chain(hidden.map(|_| &key.user));
        let listed = listed.filter_map(|user| Some(users.get_mut(user)?.listed(user)));
        (listed.collect(), users.len())
    }

    /// Notes what an instance says of somebody: `None` if they are not there.
    pub(super) fn set(
        &mut self,
        owner: &InstanceId,
        key: &Key,
        entry: Option<Entry>,
        origin: Option<ConnectionId>,
    ) {
        let project = self.projects.entry(key.project.clone()).or_default();
        let known = project.users.entry(key.user.clone()).or_default();
        known.listed = None;
        let said = &mut known.said;
        let before = Entry::merged(said);
        said.retain(|(of, _)| of != owner);
        said.extend(entry.map(|entry| (owner.clone(), entry)));
        said.shrink_to_fit();
        let after = Entry::merged(said);
        let changes = project.reorder(&key.user, before.as_ref(), after.as_ref(), self.limit);
        for (user, change) in changes {
            let shown = if user != key.user {
                project.get(&user)
            } else if change == Change::Left {
                before.clone()
            } else {
                after.clone()
            };
            self.told.extend(shown.map(|entry| Told {
                key: Key {
                    project: key.project.clone(),
                    user,
                },
                change,
                entry,
                origin,
            }));
        }
        if after.is_none() {
            project.users.remove(&key.user);
            if project.users.is_empty() {
                self.projects.remove(&key.project);
            }
        }
    }

    /// Sorts those who go at the same time: who came last goes first, else others would be shown in the place of
    /// those who went, only to go as well.
    pub(super) fn last_first(&self, keys: &mut [Key]) {
        keys.sort_by_cached_key(|key| {
            let place = |entry: Entry| -> Place { (entry.joined_at, key.user.clone()) };
            Reverse(self.get(key).map(place))
        });
    }

    pub(super) fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }
}

impl User {
    fn listed(&mut self, user: &Actor) -> Arc<RawValue> {
        let listed = self.listed.get_or_insert_with(|| {
            let entry = Entry::merged(&self.said);
            let person = entry.map(|entry| told::person(user, &entry));
            let text = to_raw_value(&person).expect("a map with string keys is always JSON");
            text.into()
        });
        Arc::clone(listed)
    }
}

impl Project {
    fn get(&self, user: &Actor) -> Option<Entry> {
        Entry::merged(&self.users.get(user)?.said)
    }

    /// Moves a user to its place. Who is shown from now on, who is not any more, and who is shown otherwise.
    fn reorder(
        &mut self,
        user: &Actor,
        before: Option<&Entry>,
        after: Option<&Entry>,
        limit: usize,
    ) -> Vec<(Actor, Change)> {
        let place = |entry: &Entry| -> Place { (entry.joined_at, user.clone()) };
        let (old, new) = (before.map(place), after.map(place));
        let was_shown = old.as_ref().is_some_and(|old| self.order.shows(old));
        let (mut raised, mut lowered) = (None, None);
        if old != new {
            raised = old.and_then(|old| self.order.remove(&old));
            lowered = new
                .clone()
                .and_then(|new| self.order.insert(new, limit))
                .filter(|lowered| lowered != user);
        }
        let is_shown = new.is_some_and(|new| self.order.shows(&new));
        let own = match (was_shown, is_shown) {
            (true, false) => Some(Change::Left),
            (false, true) => Some(Change::Joined),
            (true, true) if before != after => Some(Change::Updated),
            _ => None,
        };
        if raised == lowered {
            return own
                .map(|change| (user.clone(), change))
                .into_iter()
                .collect();
        }
        let lowered = lowered.map(|other| (other, Change::Left));
        let raised = raised.map(|other| (other, Change::Joined));
        let own = own.map(|change| (user.clone(), change));
        lowered.into_iter().chain(own).chain(raised).collect()
    }
}
