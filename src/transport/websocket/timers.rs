//! When something is to be done for a connection next: one task for all of them, none of which has a timer of its own.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::ConnectionId;
use crate::transport::connection::due_queue::DueQueue;

/// What falls due within so long is done together.
const GRAIN: Duration = Duration::from_millis(20);

/// See the module. `T` is a connection.
#[derive(Debug)]
pub(super) struct Timers<T> {
    /// Guards who is next, and when.
    queue: Mutex<DueQueue<Instant, T>>,
    /// Tells of one that is next sooner than all others.
    sooner: Notify,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        let (queue, sooner) = (Mutex::default(), Notify::new());
        Self { queue, sooner }
    }
}

impl<T> Timers<T> {
    /// Puts a connection in, or elsewhere.
    pub(super) fn put(&self, id: ConnectionId, at: Instant, connection: T) {
        if self.queue.lock().put(id, at, connection) {
            self.sooner.notify_one();
        }
    }

    /// Takes a connection out.
    pub(super) fn remove(&self, id: ConnectionId) {
        self.queue.lock().remove(id);
    }

    /// Does what falls due, for ever. What is done says when the next is to be done, if at all.
    pub(super) async fn run(&self, fall_due: impl Fn(&T) -> Option<Instant>) {
        loop {
            let together = Instant::now() + GRAIN;
            loop {
                let Some((id, connection)) = self.queue.lock().take(together) else {
                    break;
                };
                if let Some(at) = fall_due(&connection) {
                    self.put(id, at.max(together + Duration::from_millis(1)), connection);
                }
            }
            let next = self.queue.lock().next();
            tokio::select! {
                () = self.sooner.notified() => {}
                () = tokio::time::sleep_until(next.unwrap_or(together)), if next.is_some() => {}
            }
        }
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
        assert!(timers.queue.lock().is_empty());
    }
}
