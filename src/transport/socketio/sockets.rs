//! The clients that are connected now, for a shutdown that lets each take what waits for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;

use super::socket::Socket;
use crate::domain::ClientId;
use crate::hub::Subscriber;
use crate::transport::backlog::Backlog;

/// How long a client must have sent nothing before its connection ends: what it sent before is on its way, and is
/// to be answered.
const LINGER: Duration = Duration::from_millis(100);
/// How often that is waited for: some clients never stop, and what they send after that is not taken.
const LINGER_ROUNDS: usize = 10;
/// A client that takes nothing for so long will not take more. One on long-polling has nowhere left to ask once its
/// HTTP connection has ended.
const STALLED: Duration = Duration::from_secs(2);

/// Why a connection ends in whose place there is another.
const TAKEN_OVER: &str = "taken_over";

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Sockets {
    /// Guards the set of clients; they own themselves, here they are only found.
    connected: Arc<Mutex<HashMap<ClientId, Weak<Socket>>>>,
}

impl Sockets {
    /// Adds a client. If it is here already it has lost that connection without a word, and that one ends; unless that
    /// one came later and was let in sooner. Whether it was added.
    pub(super) fn insert(&self, socket: &Arc<Socket>) -> bool {
        let mut connected = self.lock();
        let before = connected.get(&socket.client).and_then(Weak::upgrade);
        let is_late = before
            .as_ref()
            .is_some_and(|before| before.came_after(socket));
        if is_late {
            return false;
        }
        if connected.len() == connected.capacity() {
            // A connection that broke while it was made was never removed.
            connected.retain(|_, socket| socket.strong_count() > 0);
        }
        connected.insert(socket.client, Arc::downgrade(socket));
        drop(connected);
        // A client may also leave the namespace and enter it again.
        if let Some(before) = before
            && !before.shares_transport(socket)
        {
            before.close(TAKEN_OVER);
        }
        true
    }

    /// Takes a place for a connection among those of its user; whether there is one. A client that comes back has that of
    /// its old connection, which may not be known to be lost.
    pub(super) fn has_place_for(&self, socket: &Socket) -> bool {
        let before = self.lock().get(&socket.client).and_then(Weak::upgrade);
        if let Some(before) = before
            && before.session.caller.actor == socket.session.caller.actor
        {
            before.give_up_place();
        }
        socket.take_place()
    }

    /// Removes a client that is gone, unless it has another connection by now.
    pub(super) fn remove(&self, socket: &Arc<Socket>) {
        let mut connected = self.lock();
        if let Entry::Occupied(found) = connected.entry(socket.client)
            && found.get().as_ptr() == Arc::as_ptr(socket)
        {
            found.remove();
        }
    }

    /// A client is connected elsewhere now.
    pub(super) fn moved(&self, client: ClientId) {
        let before = self.lock().remove(&client);
        if let Some(before) = before.and_then(|before| before.upgrade()) {
            before.close(TAKEN_OVER);
        }
    }

    /// Ends every connection once its client has taken what waits for it. Their turns come one after the other,
    /// evenly spread over a time, so that they do not all come to other instances at once.
    pub(super) async fn close(&self, spread: Duration) {
        let sockets: Vec<_> = self.lock().values().cloned().collect();
        let count = u32::try_from(sockets.len()).unwrap_or(u32::MAX);
        let pace = spread.checked_div(count).unwrap_or_default();
        let closing = sockets.iter().zip(0..).map(|(socket, place)| async move {
            tokio::time::sleep(pace * place).await;
            if let Some(socket) = socket.upgrade() {
                finish(&socket).await;
                self.remove(&socket);
            }
        });
        // Side by side: one that takes nothing keeps no other one waiting.
        join_all(closing).await;
    }

    /// The clients, with what waits for each.
    pub(super) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        let connected = self.lock();
        let sockets = connected.values().filter_map(Weak::upgrade);
        sockets.map(|socket| socket as Arc<dyn Backlog>).collect()
    }

    /// Ends every connection at once.
    pub(super) fn cut(&self) {
        for socket in self.lock().values().filter_map(Weak::upgrade) {
            socket.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId, Weak<Socket>>> {
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers what a client has sent, lets it take what waits for it, and ends its connection.
async fn finish(socket: &Socket) {
    let mut rounds = 0;
    loop {
        rounds += 1;
        if rounds == LINGER_ROUNDS {
            socket.close_inbox();
        }
        let received = socket.received();
        tokio::time::sleep(LINGER).await;
        let answered = socket.is_resting();
        let is_last = socket.received() == received || rounds >= LINGER_ROUNDS;
        if !has_drained(socket).await || (answered && is_last) {
            break;
        }
    }
    socket.end();
}

/// Waits until a client has taken all that waits for it; whether it did.
async fn has_drained(socket: &Socket) -> bool {
    loop {
        let taken = socket.taken();
        if tokio::time::timeout(STALLED, socket.drained())
            .await
            .is_ok()
        {
            return true;
        }
        if socket.taken() == taken {
            return false;
        }
    }
}
