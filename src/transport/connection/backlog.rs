//! Ends the connections for which most waits, once too much waits for all of them together.
//!
//! Each connection takes less by itself the less is left (`MemoryBudget::fair_share`), so events alone do not exhaust the
//! memory. Large answers do, if many clients ask for them and do not read. Then those go for which most waits, as slow
//! readers do, and the others notice nothing.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use crate::memory::{FLOOR, MemoryBudget};

/// Pause between two rounds: what a connection holds is given back only when its tasks have ended.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection on which something may wait.
pub(crate) trait Backlog: Send + Sync {
    /// The bytes that wait for the client.
    fn waiting(&self) -> usize;

    /// Ends the connection, because its client does not read. The client can come back.
    fn end_slow(&self);
}

/// Ends connections whenever more than the memory for all of them is used.
pub(crate) async fn watch(memory: &MemoryBudget, all: impl Fn() -> Vec<Arc<dyn Backlog>>) {
    loop {
        memory.pressed().await;
        end_largest(memory, all());
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ends the connections for which most waits, until an eighth of the memory is free without them.
fn end_largest(memory: &MemoryBudget, all: Vec<Arc<dyn Backlog>>) {
    let goal = memory.max() - memory.max() / 8;
    let mut excess = memory.used().saturating_sub(goal);
    if !memory.is_exceeded() {
        return;
    }
    let waiting = all.into_iter().map(|one| (one.waiting(), one));
    let mut waiting: Vec<_> = waiting.filter(|(bytes, _)| *bytes > FLOOR).collect();
    waiting.sort_unstable_by_key(|(bytes, _)| Reverse(*bytes));
    let mut ended = 0_usize;
    for (bytes, one) in &waiting {
        if excess == 0 {
            break;
        }
        one.end_slow();
        excess = excess.saturating_sub(*bytes);
        ended += 1;
    }
    tracing::warn!(
        connections = ended,
        bytes = memory.used(),
        max = memory.max(),
        "more waits for clients than SEND_MEMORY allows; the slowest were disconnected"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::memory::Held;

    struct Client {
        held: Mutex<Held>,
        has_ended: Mutex<bool>,
    }

    impl Backlog for Client {
        fn waiting(&self) -> usize {
            self.held.lock().unwrap().bytes()
        }

        fn end_slow(&self) {
            self.held.lock().unwrap().set(0);
            *self.has_ended.lock().unwrap() = true;
        }
    }

    #[test]
    fn those_with_most_waiting_go_and_the_others_stay() {
        let memory = MemoryBudget::new(100 * FLOOR, 100 * FLOOR);
        let client = |floors: usize| {
            let mut held = memory.holder();
            held.add(floors * FLOOR);
            Arc::new(Client {
                held: Mutex::new(held),
                has_ended: Mutex::default(),
            })
        };
        let mut clients: Vec<_> = [1, 30, 5, 40, 1, 20].map(client).into();
        let all = |clients: &[Arc<Client>]| {
            let all = clients
                .iter()
                .map(|one| Arc::clone(one) as Arc<dyn Backlog>);
            all.collect()
        };
        end_largest(&memory, all(&clients));
        assert!(
            clients
                .iter()
                .all(|client| !*client.has_ended.lock().unwrap())
        );
        clients.push(client(10));
        end_largest(&memory, all(&clients));
        let ended = clients
            .iter()
            .map(|client| *client.has_ended.lock().unwrap());
        let expected = [false, false, false, true, false, false, false];
        assert_eq!(ended.collect::<Vec<_>>(), expected);
    }
}
