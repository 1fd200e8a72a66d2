//! Which topics are wanted, and what is to be done with their messages. The listener makes Redis' subscriptions
//! equal to it, after every change and after every reconnect.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::{BrokerStatus, Handler};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Topics {
    /// Guards what is wanted; subscribers change it, the listener looks at it.
    wanted: Mutex<Wanted>,
    /// Tells the listener of changes.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct Wanted {
    by_name: HashMap<Arc<str>, Topic>,
    /// Names that have come or gone since the listener looked.
    touched: HashSet<Arc<str>>,
    next_id: u64,
}

struct Topic {
    /// Tells this subscription from a later one to the same topic.
    id: u64,
    handler: Handler,
    confirmed: watch::Sender<bool>,
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topic")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What the listener has to ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) subscribe: Vec<Arc<str>>,
    pub(super) unsubscribe: Vec<Arc<str>>,
}

impl Topics {
    pub(super) fn subscribe(
        self: &Arc<Self>,
        name: Arc<str>,
        handler: Handler,
        status: watch::Receiver<BrokerStatus>,
    ) -> Place {
        let mut wanted = self.wanted.lock();
        wanted.next_id += 1;
        let id = wanted.next_id;
        let topic = Topic {
            id,
            handler,
            confirmed: watch::Sender::new(false),
        };
        wanted.by_name.insert(Arc::clone(&name), topic);
        wanted.touched.insert(Arc::clone(&name));
        drop(wanted);
        self.changed.notify_one();
        Place {
            topics: Arc::clone(self),
            name,
            id,
            status,
        }
    }

    pub(super) fn handler(&self, name: &str) -> Option<Handler> {
        let wanted = self.wanted.lock();
        let topic = wanted.by_name.get(name)?;
        Some(Arc::clone(&topic.handler))
    }

    /// Starts over with a connection that is subscribed to nothing; all that is wanted.
    pub(super) fn all(&self) -> Vec<Arc<str>> {
        let mut wanted = self.wanted.lock();
        wanted.touched.clear();
        for topic in wanted.by_name.values() {
            topic.confirmed.send_replace(false);
        }
        wanted.by_name.keys().cloned().collect()
    }

    /// Forgets what has changed, while there is no connection to which it matters: the next begins with all.
    pub(super) fn forget_changes(&self) {
        self.wanted.lock().touched.clear();
    }

    /// What has changed since the last look, for a connection with these subscriptions.
    pub(super) fn change(&self, subscribed: &HashSet<Arc<str>>) -> Option<Change> {
        let mut wanted = self.wanted.lock();
        let mut change = Change::default();
        for name in std::mem::take(&mut wanted.touched) {
            match (wanted.by_name.get(&name), subscribed.contains(&name)) {
                (Some(topic), true) => {
                    topic.confirmed.send_replace(true);
                }
                (Some(_), false) => change.subscribe.push(name),
                (None, true) => change.unsubscribe.push(name),
                (None, false) => {}
            }
        }
        (change != Change::default()).then_some(change)
    }

    pub(super) fn confirm(&self, names: &[Arc<str>]) {
        let wanted = self.wanted.lock();
        for topic in names.iter().filter_map(|name| wanted.by_name.get(name)) {
            topic.confirmed.send_replace(true);
        }
    }
}

/// A subscription, until dropped.
#[derive(Debug)]
pub(super) struct Place {
    topics: Arc<Topics>,
    name: Arc<str>,
    id: u64,
    status: watch::Receiver<BrokerStatus>,
}

impl Place {
    pub(super) fn confirmation(&self) -> (watch::Receiver<bool>, watch::Receiver<BrokerStatus>) {
        let wanted = self.topics.wanted.lock();
        let ours = wanted
            .by_name
            .get(&self.name)
            .filter(|topic| topic.id == self.id);
        // One whose place was taken waits for nothing.
        let confirmed = ours.map_or_else(
            || watch::channel(true).1,
            |topic| topic.confirmed.subscribe(),
        );
        (confirmed, self.status.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut wanted = self.topics.wanted.lock();
        let ours = wanted.by_name.get(&self.name);
        if ours.is_some_and(|topic| topic.id == self.id) {
            let topic = wanted.by_name.remove(&self.name);
            wanted.touched.insert(Arc::clone(&self.name));
            drop(wanted);
            // A handler may own a subscription in turn.
            drop(topic);
            self.topics.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribe(topics: &Arc<Topics>, name: &str) -> Place {
        let status = watch::channel(BrokerStatus::Up).1;
        topics.subscribe(name.into(), Arc::new(|_| {}), status)
    }

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn comings_and_goings_become_one_change() {
        let topics = Arc::new(Topics::default());
        let mut subscribed = HashSet::new();
        let a = subscribe(&topics, "a");
        drop(subscribe(&topics, "b"));
        let change = topics.change(&subscribed).unwrap();
        assert_eq!(
            (change.subscribe, change.unsubscribe),
            (names(&["a"]), vec![])
        );
        assert!(!*a.confirmation().0.borrow());
        subscribed.extend(names(&["a"]));
        topics.confirm(&names(&["a"]));
        assert!(*a.confirmation().0.borrow());
        assert_eq!(topics.change(&subscribed), None);
        drop(a);
        let change = topics.change(&subscribed).unwrap();
        assert_eq!(
            (change.subscribe, change.unsubscribe),
            (vec![], names(&["a"]))
        );
    }

    #[test]
    fn a_topic_that_comes_back_before_it_went_is_in_force_at_once() {
        let topics = Arc::new(Topics::default());
        let subscribed = HashSet::from(["a".into()]);
        drop(subscribe(&topics, "a"));
        let again = subscribe(&topics, "a");
        assert_eq!(topics.change(&subscribed), None);
        assert!(*again.confirmation().0.borrow());
    }

    #[test]
    fn what_comes_and_goes_without_a_connection_leaves_nothing_behind() {
        let topics = Arc::new(Topics::default());
        let _stays = subscribe(&topics, "a");
        for name in 0..100 {
            drop(subscribe(&topics, &name.to_string()));
        }
        topics.forget_changes();
        assert!(topics.wanted.lock().touched.is_empty());
        assert_eq!(topics.all(), names(&["a"]));
    }

    #[test]
    fn dropping_an_old_subscription_leaves_the_new_one() {
        let topics = Arc::new(Topics::default());
        let old = subscribe(&topics, "a");
        let _new = subscribe(&topics, "a");
        drop(old);
        assert!(topics.handler("a").is_some());
        assert_eq!(topics.all(), names(&["a"]));
    }
}
