//! The clients that are connected now, for a shutdown that lets each take what waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::future::join_all;

use super::socket::Socket;
use crate::domain::ConnectionId;

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Sockets {
    /// Guards the set of clients; they own themselves, here they are only found.
    connected: Arc<Mutex<HashMap<ConnectionId, Weak<Socket>>>>,
}

impl Sockets {
    pub(super) fn insert(&self, socket: &Arc<Socket>) {
        let id = socket.session.caller.connection;
        let mut connected = self.lock();
        if connected.len() == connected.capacity() {
            // A connection that broke while it was made was never removed.
            connected.retain(|_, socket| socket.strong_count() > 0);
        }
        connected.insert(id, Arc::downgrade(socket));
    }

    pub(super) fn remove(&self, id: ConnectionId) {
        self.lock().remove(&id);
    }

    /// Ends every connection once its client has taken what waits for it.
    pub(super) async fn close(&self) {
        let sockets: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        // Side by side: one that takes nothing keeps no other one waiting.
        join_all(sockets.iter().map(async |socket| {
            socket.drained().await;
            socket.end();
        }))
        .await;
    }

    /// Ends every connection at once.
    pub(super) fn cut(&self) {
        for socket in self.lock().values().filter_map(Weak::upgrade) {
            socket.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Weak<Socket>>> {
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
