//! When something is to be done for a connection next: one task for all of them, none of which has a timer of its own.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::ConnectionId;

/// What falls due within so long is done together.
const GRAIN: Duration = Duration::from_millis(20);

/// See the module. `T` is a connection.
#[derive(Debug)]
pub(super) struct Timers<T> {
    /// Guards who is next, and when.
    entries: Mutex<Entries<T>>,
    /// Tells of one that is next sooner than all others.
    sooner: Notify,
}

#[derive(Debug)]
struct Entries<T> {
    by_id: HashMap<ConnectionId, (Instant, T)>,
    by_time: BTreeSet<(Instant, ConnectionId)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            entries: Mutex::new(Entries {
                by_id: HashMap::new(),
                by_time: BTreeSet::new(),
            }),
            sooner: Notify::new(),
        }
    }
}

impl<T> Timers<T> {
    /// Puts a connection in, or elsewhere.
    pub(super) fn put(&self, id: ConnectionId, at: Instant, connection: T) {
        let mut entries = self.entries.lock();
        entries.remove(id);
        entries.by_id.insert(id, (at, connection));
        entries.by_time.insert((at, id));
        let is_next = entries.by_time.first() == Some(&(at, id));
        drop(entries);
        if is_next {
            self.sooner.notify_one();
        }
    }

    /// Takes a connection out.
    pub(super) fn remove(&self, id: ConnectionId) {
        self.entries.lock().remove(id);
    }

    /// Does what falls due, for ever. What is done says when the next is to be done, if at all.
    pub(super) async fn run(&self, fall_due: impl Fn(&T) -> Option<Instant>) {
        loop {
            let now = Instant::now();
            let (due, next) = self.entries.lock().take(now + GRAIN);
            for (id, connection) in due {
                if let Some(at) = fall_due(&connection) {
                    self.put(id, at.max(now + GRAIN), connection);
                }
            }
            if self.entries.lock().has_due(now + GRAIN) {
                continue;
            }
            let pause = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.sooner.notified() => {}
                () = pause => {}
            }
        }
    }
}

impl<T> Entries<T> {
    fn remove(&mut self, id: ConnectionId) {
        if let Some((at, _)) = self.by_id.remove(&id) {
            self.by_time.remove(&(at, id));
        }
        if self.by_id.is_empty() {
            self.by_id = HashMap::new();
        }
    }

    fn has_due(&self, now: Instant) -> bool {
        self.by_time.first().is_some_and(|(at, _)| *at <= now)
    }

    /// What is due, and when the next one is.
    fn take(&mut self, now: Instant) -> (Vec<(ConnectionId, T)>, Option<Instant>) {
        let mut due = Vec::new();
        while let Some(&(at, id)) = self.by_time.first() {
            if at > now {
                return (due, Some(at));
            }
            self.by_time.pop_first();
            due.extend(
                self.by_id
                    .remove(&id)
                    .map(|(_, connection)| (id, connection)),
            );
        }
        (due, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_is_called_when_it_is_due_and_not_after_it_has_gone() {
        let (timers, start) = (Timers::default(), Instant::now());
        let ids: Vec<_> = (0..3).map(|_| ConnectionId::generate()).collect();
        for (id, (name, seconds)) in ids.iter().zip([("once", 4), ("always", 1), ("gone", 2)]) {
            timers.put(*id, start + SECOND * seconds, name);
        }
        timers.remove(ids[2]);
        let seen = std::cell::RefCell::new(Vec::new());
        let running = timers.run(|name| {
            seen.borrow_mut().push((*name, start.elapsed().as_secs()));
            (*name == "always").then(|| start + start.elapsed() + SECOND * 2)
        });
        let waiting = async {
            tokio::time::sleep(SECOND / 2).await;
            timers.put(ConnectionId::generate(), Instant::now(), "late");
            tokio::time::sleep(SECOND * 5).await;
        };
        tokio::select! {
            () = running => unreachable!(),
            () = waiting => {}
        }
        let expected = [
            ("late", 0),
            ("always", 1),
            ("always", 3),
            ("once", 4),
            ("always", 5),
        ];
        assert_eq!(*seen.borrow(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_those_who_have_gone() {
        let timers = Timers::default();
        let id = ConnectionId::generate();
        timers.put(id, Instant::now(), 1);
        timers.put(id, Instant::now() + SECOND, 2);
        timers.remove(id);
        let entries = timers.entries.lock();
        assert!(entries.by_id.is_empty() && entries.by_time.is_empty());
    }
}
