//! Gathers what happens in a project for a moment, and tells it together, as the last state.
//!
//! A project of which no connection is told costs nothing here. The first change in another one opens its window, which is
//! told [`WINDOW`] later: one signal for each user who changed, however often. A user who came and went within the window is
//! announced only to connections whose list shows that user.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::change::{Change, Told};
use super::entry::{Entry, Key};

use crate::domain::{Actor, ConnectionId, ProjectId};

/// For how long changes of a project are gathered.
pub(super) const WINDOW: Duration = Duration::from_millis(100);
/// Changed users that are kept, over all projects. Beyond that all windows are told at once.
const MAX_KEPT: usize = 16 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Windows {
    /// How many connections are told of each project.
    watchers: HashMap<ProjectId, usize>,
    open: HashMap<ProjectId, Window>,
    /// When open windows are told: the first ends first.
    due: VecDeque<(Instant, ProjectId)>,
    /// The number of the last change, of whatever project.
    changes: u64,
    /// Users in open windows.
    kept: usize,
}

#[derive(Debug, Default)]
struct Window {
    users: HashMap<Actor, Changed>,
    /// Whether a list was made since the first change: it shows some of what is still to be told.
    was_listed: bool,
}

/// What happened to a user since a window was opened.
#[derive(Debug)]
struct Changed {
    was_shown: bool,
    is_shown: bool,
    /// Whether the user was not shown at some moment in between.
    was_away: bool,
    entry: Entry,
    origin: Option<ConnectionId>,
    /// The numbers of the first and the last change.
    first: u64,
    last: u64,
}

/// What subscribers are told whose last list was made after one of these changes, by number.
#[derive(Debug)]
pub(super) struct News {
    pub(super) told: Told,
    pub(super) known: std::ops::Range<u64>,
}

impl Windows {
    /// Counts one more connection that is told of a project. What it knows already: all changes up to this number.
    pub(super) fn watch(&mut self, project: &ProjectId) -> u64 {
        *self.watchers.entry(project.clone()).or_default() += 1;
        self.list(project)
    }

    /// Counts one connection less.
    pub(super) fn unwatch(&mut self, project: &ProjectId) {
        if let Some(watchers) = self.watchers.get_mut(project) {
            *watchers -= 1;
            if *watchers == 0 {
                self.watchers.remove(project);
                self.take(project);
            }
        }
    }

    /// Notes that a list of a project is made, which shows all changes up to this number.
    pub(super) fn list(&mut self, project: &ProjectId) -> u64 {
        if let Some(window) = self.open.get_mut(project) {
            window.was_listed = true;
        }
        self.changes
    }

    /// Notes a change, if somebody is told of it. Whether that opened the first window of all.
    pub(super) fn note(&mut self, told: Told, now: Instant) -> bool {
        let Told {
            key: Key { project, user },
            change,
            entry,
            origin,
        } = told;
        if !self.watchers.contains_key(&project) {
            return false;
        }
        self.changes += 1;
        let number = self.changes;
        let is_first = self.due.is_empty();
        let window = self.open.entry(project.clone()).or_insert_with(|| {
            self.due.push_back((now + WINDOW, project));
            Window::default()
        });
        let is_shown = change != Change::Left;
        let changed = window.users.entry(user).or_insert_with(|| {
            self.kept += 1;
            Changed {
                was_shown: change != Change::Joined,
                is_shown,
                was_away: false,
                entry: entry.clone(),
                origin,
                first: number,
                last: number,
            }
        });
        changed.is_shown = is_shown;
        changed.was_away |= !is_shown;
        changed.entry = entry;
        changed.origin = origin;
        changed.last = number;
        is_first
    }

    /// When the next window is told.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.front().map(|(at, _)| *at)
    }

    /// What is to be told by now, in the order in which it happened.
    pub(super) fn due(&mut self, now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        while let Some((at, _)) = self.due.front()
            && (*at <= now || self.kept > MAX_KEPT)
        {
            let Some((_, project)) = self.due.pop_front() else {
                break;
            };
            let mut users: Vec<_> = self.take(&project).into_iter().collect();
            users.sort_unstable_by_key(|(_, changed)| changed.last);
            for (user, changed) in users {
                let key = Key {
                    project: project.clone(),
                    user,
                };
                changed.tell(&key, &mut news);
            }
        }
        news
    }

    /// Closes a window. What happened in it, if a list was made meanwhile also for those who know a part of it.
    fn take(&mut self, project: &ProjectId) -> HashMap<Actor, Changed> {
        let Some(mut window) = self.open.remove(project) else {
            return HashMap::new();
        };
        self.kept -= window.users.len();
        if !window.was_listed {
            for changed in window.users.values_mut() {
                changed.first = changed.last;
            }
        }
        window.users
    }
}

impl Changed {
    fn tell(self, key: &Key, news: &mut Vec<News>) {
        let Self { first, last, .. } = self;
        let before = match (self.was_shown, self.is_shown) {
            (false, false) => None,
            (true, false) => Some(Change::Left),
            (false, true) => Some(Change::Joined),
            (true, true) => Some(Change::Updated),
        };
        // Those whose list was made in between may have seen the user, or not.
        let between = match (self.is_shown, self.was_away) {
            (false, _) => Change::Left,
            (true, true) => Change::Joined,
            (true, false) => Change::Updated,
        };
        let told = |change| Told {
            key: key.clone(),
            change,
            entry: self.entry.clone(),
            origin: self.origin,
        };
        if let Some(change) = before {
            let told = told(change);
            news.push(News {
                told,
                known: 0..first,
            });
        }
        if first < last {
            news.push(News {
                told: told(between),
                known: first..last,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Id, Timestamp};

    fn project(id: &str) -> ProjectId {
        ProjectId(Id::from_text(id).unwrap())
    }

    fn told(user: &str, change: Change) -> Told {
        Told {
            key: Key {
                project: project("p"),
                user: Actor::new(user),
            },
            change,
            entry: Entry {
                connection: ConnectionId::generate(),
                joined_at: Timestamp::from_millis(1),
                data: None,
                data_at: 0,
            },
            origin: None,
        }
    }

    /// What those are told whose last list was made after so many changes.
    fn heard(news: &[News], known: u64) -> Vec<(String, Change)> {
        let heard = news.iter().filter(|news| news.known.contains(&known));
        heard
            .map(|news| (news.told.key.user.as_str().to_owned(), news.told.change))
            .collect()
    }

    fn says(user: &str, change: Change) -> (String, Change) {
        (user.to_owned(), change)
    }

    #[test]
    fn project_that_nobody_looks_at_opens_no_window() {
        let (mut windows, now) = (Windows::default(), Instant::now());
        assert!(!windows.note(told("ann", Change::Joined), now));
        assert_eq!(windows.next_due(), None);
        let known = windows.watch(&project("p"));
        assert!(windows.note(told("ben", Change::Joined), now));
        assert_eq!(
            heard(&windows.due(now + WINDOW), known),
            [says("ben", Change::Joined)]
        );
        windows.unwatch(&project("p"));
        windows.note(told("cleo", Change::Joined), now);
        assert_eq!(windows.next_due(), None);
        assert!(windows.watchers.is_empty() && windows.open.is_empty());
    }

    #[test]
    fn changes_of_a_user_are_told_once_as_the_last_state() {
        let (mut windows, now) = (Windows::default(), Instant::now());
        let known = windows.watch(&project("p"));
        windows.note(told("flash", Change::Joined), now);
        windows.note(told("ann", Change::Joined), now);
        for _ in 0..50 {
            windows.note(told("ann", Change::Updated), now);
        }
        windows.note(told("flash", Change::Left), now);
        windows.note(told("gone", Change::Updated), now);
        windows.note(told("gone", Change::Left), now);
        windows.note(told("back", Change::Left), now);
        windows.note(told("back", Change::Joined), now);
        assert!(windows.due(now + WINDOW / 2).is_empty());
        let news = windows.due(now + WINDOW);
        let expected = [
            says("ann", Change::Joined),
            says("gone", Change::Left),
            says("back", Change::Updated),
        ];
        assert_eq!(heard(&news, known), expected);
        assert_eq!((news.len(), windows.kept, windows.next_due()), (3, 0, None));
    }

    #[test]
    fn who_got_a_list_in_between_is_told_what_is_new_to_them() {
        let (mut windows, now) = (Windows::default(), Instant::now());
        let first = windows.watch(&project("p"));
        windows.note(told("ann", Change::Joined), now);
        windows.note(told("ben", Change::Joined), now);
        let second = windows.watch(&project("p"));
        windows.note(told("ben", Change::Left), now);
        windows.note(told("ann", Change::Updated), now);
        let third = windows.watch(&project("p"));
        let news = windows.due(now + WINDOW);
        assert_eq!(heard(&news, first), [says("ann", Change::Joined)]);
        let expected = [says("ben", Change::Left), says("ann", Change::Updated)];
        assert_eq!(heard(&news, second), expected);
        assert_eq!(heard(&news, third), []);
    }

    #[test]
    fn more_changes_than_are_kept_are_told_at_once() {
        let (mut windows, now) = (Windows::default(), Instant::now());
        windows.watch(&project("p"));
        for user in 0..=MAX_KEPT {
            windows.note(told(&format!("u{user}"), Change::Joined), now);
        }
        assert_eq!(windows.due(now).len(), MAX_KEPT + 1);
    }

    const CLIENTS: usize = 3;

    #[derive(Debug, Clone)]
    enum Step {
        /// A user comes or goes.
        Toggle(u8),
        /// Somebody who is there says something else.
        Update(u8),
        /// A client gets a list.
        List(usize),
        /// So much time passes.
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..3_u8).prop_map(Step::Toggle),
            2 => (0..3_u8).prop_map(Step::Update),
            2 => (0..CLIENTS).prop_map(Step::List),
            3 => (1..80_u64).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 1..60)
    }

    /// A client: what it knows of whom, and as of which change.
    #[derive(Debug, Default, Clone)]
    struct Client {
        known: u64,
        people: BTreeMap<String, i64>,
    }

    fn deliver(news: &[News], clients: &mut [Client]) {
        let each = news
            .iter()
            .flat_map(|news| (0..CLIENTS).map(move |client| (news, client)));
        for (News { told, known }, client) in each {
            let client = &mut clients[client];
            if !known.contains(&client.known) {
                continue;
            }
            let user = told.key.user.as_str();
            let before = client.people.get(user);
            match told.change {
                Change::Joined => {
                    client.people.insert(user.to_owned(), told.entry.data_at);
                }
                Change::Updated => {
                    assert!(before.is_some(), "{user} is not there");
                    client.people.insert(user.to_owned(), told.entry.data_at);
                }
                Change::Left => {
                    client.people.remove(user);
                }
            }
        }
    }

    proptest! {
        /// Whenever clients get their lists, what they are told makes of them what is there in the end.
        #[test]
        fn lists_and_news_add_up_to_what_is_there(steps in steps()) {
            let (mut windows, mut now) = (Windows::default(), Instant::now());
            let mut people: BTreeMap<String, i64> = BTreeMap::new();
            windows.watch(&project("p"));
            let mut clients = vec![Client::default(); CLIENTS];
            for (number, step) in steps.into_iter().enumerate() {
                let number = i64::try_from(number).unwrap();
                let change = match step {
                    Step::Wait(millis) => {
                        now += Duration::from_millis(millis);
                        deliver(&windows.due(now), &mut clients);
                        continue;
                    }
                    Step::List(client) => {
                        let known = windows.list(&project("p"));
                        clients[client] = Client { known, people: people.clone() };
                        continue;
                    }
                    Step::Update(user) if !people.contains_key(&user.to_string()) => continue,
                    Step::Update(user) => (user, Change::Updated),
                    Step::Toggle(user) if people.contains_key(&user.to_string()) => {
                        (user, Change::Left)
                    }
                    Step::Toggle(user) => (user, Change::Joined),
                };
                let (user, change) = (change.0.to_string(), change.1);
                let mut told = told(&user, change);
                if change == Change::Left {
                    told.entry.data_at = people.remove(&user).unwrap();
                } else {
                    people.insert(user, number);
                    told.entry.data_at = number;
                }
                windows.note(told, now);
            }
            deliver(&windows.due(now + WINDOW), &mut clients);
            for client in clients {
                prop_assert_eq!(&client.people, &people);
            }
        }
    }
}
