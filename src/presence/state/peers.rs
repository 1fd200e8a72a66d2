//! What the other instances say, and how one that was not heard is noticed.
//!
//! A change that follows the last one heard is applied. If one is missing, everything is asked for anew, page by page:
//! a page is the truth about a stretch of keys at one version, and changes that come between two pages are applied like
//! any others. What is known already stays until a page says otherwise. A question or a page that gets lost is asked
//! for again at a later beat.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::{Duration, Instant};

use super::State;
use crate::domain::InstanceId;
use crate::presence::entry::{Entry, Key};
use crate::presence::message::{Body, Message, Page};

/// How long an instance may take to answer. After that it is asked again at its next beat: one that has just started
/// may have spoken before it could hear.
const ANSWER: Duration = Duration::from_millis(300);

/// What is known of what another instance says.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// The last change that was heard; nothing while the first page is awaited.
    version: Option<u64>,
    keys: BTreeSet<Key>,
    asking: Option<Asking>,
}

/// A question to another instance that is not answered yet.
#[derive(Debug)]
struct Asking {
    after: Option<Key>,
    since: Instant,
}

impl Peer {
    /// Whether this is the answer to what was asked, and no older than what was heard since.
    fn awaits(&self, page: &Page) -> bool {
        let asked = self.asking.as_ref();
        asked.is_some_and(|asking| asking.after == page.after)
            && self.version.is_none_or(|known| known <= page.version)
    }

    /// Those of whom the instance said something, and does not any more according to the page.
    fn outdated(&self, page: &Page) -> Vec<Key> {
        let start = page.after.as_ref();
        let start = start.map_or(Bound::Unbounded, Bound::Excluded);
        let end = match page.entries.last() {
            Some((last, _)) if page.more => Bound::Included(last),
            _ => Bound::Unbounded,
        };
        let said: BTreeSet<_> = page.entries.iter().map(|(key, _)| key).collect();
        let known = self.keys.range::<Key, _>((start, end));
        known.filter(|key| !said.contains(key)).cloned().collect()
    }
}

impl State {
    /// Takes what another instance says.
    pub(in crate::presence) fn receive(&mut self, message: Message, now: Instant) {
        let Message { from, body } = message;
        if from == self.me || !self.members.hear(&from, now) {
            return;
        }
        if !self.peers.contains_key(&from) {
            self.ask(&from, None, now);
        }
        match body {
            Body::Beat {
                connections,
                version,
            } => {
                self.members.count(&from, connections);
                self.compare(&from, version, now);
            }
            Body::Change {
                version,
                key,
                entry,
            } => self.follow(&from, version, &key, entry, now),
            Body::Want { of, after } if of == self.me => self.answer(from, after),
            Body::Page(page) if page.to == self.me => self.take_page(&from, page, now),
            Body::Want { .. } | Body::Page(_) => {}
        }
    }

    /// Forgets the instances that are dead, and what they said. To be called at every beat, and when the broker
    /// comes or goes.
    pub(in crate::presence) fn look(&mut self, now: Instant, up: bool) {
        for dead in self.members.look(now, up) {
            let peer = self.peers.remove(&dead);
            let keys = peer.map(|peer| peer.keys).unwrap_or_default();
            self.forget(&dead, keys.into_iter().collect());
        }
    }

    /// Asks an instance for what it says after a key, or for all of it.
    fn ask(&mut self, of: &InstanceId, after: Option<Key>, now: Instant) {
        let peer = self.peers.entry(of.clone()).or_default();
        if after.is_none() {
            peer.version = None;
        }
        peer.asking = Some(Asking {
            after: after.clone(),
            since: now,
        });
        let of = of.clone();
        self.send(Body::Want { of, after });
    }

    /// Answers with one page.
    fn answer(&mut self, to: InstanceId, after: Option<Key>) {
        let (entries, more) = self.own.page(after.as_ref(), self.limits.page);
        self.send(Body::Page(Page {
            to,
            version: self.version,
            after,
            entries,
            more,
        }));
    }

    /// Asks again if a change, a question or an answer was lost.
    fn compare(&mut self, from: &InstanceId, version: u64, now: Instant) {
        let Some(peer) = self.peers.get(from) else {
            return;
        };
        // It cannot have said less than was heard: then somebody else spoke in its name.
        if peer.version.is_some_and(|known| known != version) {
            self.ask(from, None, now);
        } else if let Some(asking) = &peer.asking
            && now.saturating_duration_since(asking.since) >= ANSWER
        {
            self.ask(from, asking.after.clone(), now);
        }
    }

    /// Applies a change if it is the next one.
    fn follow(
        &mut self,
        from: &InstanceId,
        version: u64,
        key: &Key,
        entry: Option<Entry>,
        now: Instant,
    ) {
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        match peer.version {
            Some(known) if known.checked_add(1) == Some(version) => {
                peer.version = Some(version);
                self.set(from, key, entry);
            }
            Some(known) if known < version => self.ask(from, None, now),
            // It is in the page that is awaited, or was in one that has come.
            _ => {}
        }
    }

    /// Takes the page that is awaited, and asks for the next one.
    fn take_page(&mut self, from: &InstanceId, page: Page, now: Instant) {
        let last = page.entries.last().map(|(key, _)| key.clone());
        let never_ends = page.more && last <= page.after;
        let Some(peer) = self.peers.get_mut(from) else {
            return;
        };
        if !peer.awaits(&page) || never_ends {
            return;
        }
        if peer.version.is_some_and(|known| known < page.version) {
            self.ask(from, None, now);
            return;
        }
        peer.version = Some(page.version);
        peer.asking = None;
        let outdated = peer.outdated(&page);
        self.forget(from, outdated);
        for (key, entry) in page.entries {
            self.set(from, &key, Some(entry));
        }
        if page.more {
            self.ask(from, last, now);
        }
    }

    /// Another instance does not say anything of these any more.
    fn forget(&mut self, owner: &InstanceId, mut keys: Vec<Key>) {
        self.view.last_first(&mut keys);
        for key in keys {
            self.set(owner, &key, None);
        }
    }

    /// Notes what another instance says of somebody. Who is connected here as well becomes the same here as there, so
    /// that nothing changes for others when one of the two connections ends.
    fn set(&mut self, owner: &InstanceId, key: &Key, entry: Option<Entry>) {
        if let Some(peer) = self.peers.get_mut(owner) {
            if entry.is_some() {
                peer.keys.insert(key.clone());
            } else {
                peer.keys.remove(key);
            }
        }
        let said = entry.as_ref();
        let adopted = said.and_then(|said| self.own.adopt(key, said));
        self.view.set(owner, key, entry, None);
        if adopted.is_some() {
            self.say(key, adopted, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Actor, ConnectionId, Fields, Id, ProjectId, Timestamp};
    use crate::presence::state::Limits;

    /// An instance `a` that has heard the whole of what `b` says, of `ben` in this version.
    fn acquainted(version: u64, data_at: i64) -> (State, Instant) {
        let limits = Limits { shown: 3, page: 2 };
        let mut state = State::new(InstanceId::restore("a"), Duration::ZERO, limits);
        let now = Instant::now();
        let entry = json!({"connection": ConnectionId::generate().to_string(), "joinedAt": 5, "dataAt": data_at});
        say(
            &mut state,
            &json!({"beat": {"connections": 1, "version": version}}),
            now,
        );
        let page = json!({"to": "a", "version": version, "after": null, "entries": [[["p", "ben"], entry]], "more": false});
        say(&mut state, &json!({"page": page}), now);
        state.take_messages();
        (state, now)
    }

    fn say(state: &mut State, body: &Value, now: Instant) {
        let message = serde_json::from_value(json!({"from": "b", "body": body})).unwrap();
        state.receive(message, now);
    }

    fn ben() -> Key {
        Key {
            project: ProjectId(Id::from_text("p").unwrap()),
            user: Actor::new("ben"),
        }
    }

    #[test]
    fn numbers_at_their_end_harm_nobody() {
        let (mut state, now) = acquainted(u64::MAX, i64::MAX);
        let gone = json!({"change": {"version": 0, "key": ["p", "ben"], "entry": null}});
        say(&mut state, &gone, now);
        let (connection, at) = (ConnectionId::generate(), Timestamp::from_millis(9));
        state.enter(&ben(), connection, at, None);
        let data = Fields::from_iter([("status".to_owned(), json!("away"))]);
        assert!(state.update(&ben(), connection, &data, at));
    }

    #[test]
    fn what_is_said_in_the_name_of_another_is_found_out_at_its_next_beat() {
        let (mut state, now) = acquainted(7, 0);
        let forged = json!({"change": {"version": 8, "key": ["p", "ben"], "entry": null}});
        say(&mut state, &forged, now);
        say(
            &mut state,
            &json!({"beat": {"connections": 1, "version": 7}}),
            now,
        );
        let said = state.take_messages();
        assert!(matches!(
            said.as_slice(),
            [Message {
                body: Body::Want { after: None, .. },
                ..
            }]
        ));
    }
}
