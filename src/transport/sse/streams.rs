//! The streams that are open now, for a shutdown that lets each client take what waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;

use super::listener::Listener;
use crate::domain::ConnectionId;
use crate::transport::backlog::Backlog;

/// Why streams end with the server; their clients come back by themselves.
const RETIRING: &str = "retiring";

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    /// Guards the set of streams; they own themselves, here they are only found.
    open: Arc<Mutex<HashMap<ConnectionId, Weak<Listener>>>>,
}

impl Streams {
    pub(super) fn insert(&self, listener: &Arc<Listener>) {
        let mut open = self.lock();
        open.insert(listener.connection(), Arc::downgrade(listener));
    }

    pub(super) fn remove(&self, connection: ConnectionId) {
        self.lock().remove(&connection);
    }

    /// Ends every stream once its client has taken what waits for it, one after the other over a time.
    pub(super) async fn close(&self, spread: Duration) {
        let streams: Vec<_> = self.lock().values().cloned().collect();
        let count = u32::try_from(streams.len()).unwrap_or(u32::MAX);
        let pace = spread.checked_div(count).unwrap_or_default();
        let closing = streams.iter().zip(0..).map(|(stream, place)| async move {
            tokio::time::sleep(pace * place).await;
            if let Some(stream) = stream.upgrade() {
                stream.finish(RETIRING).await;
            }
        });
        // Side by side: one that takes nothing keeps no other one waiting.
        join_all(closing).await;
    }

    /// The streams, with what waits for each.
    pub(super) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        let open = self.lock();
        let streams = open.values().filter_map(Weak::upgrade);
        streams.map(|stream| stream as Arc<dyn Backlog>).collect()
    }

    /// Ends every stream at once.
    pub(super) fn cut(&self) {
        let streams: Vec<_> = self.lock().values().cloned().collect();
        for stream in streams.iter().filter_map(Weak::upgrade) {
            stream.cut(RETIRING);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Weak<Listener>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
