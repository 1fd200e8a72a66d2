//! What all connections of this instance share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;

use super::connection::Connection;
use super::rendered::Rendered;
use super::timetable::Timetable;
use crate::app::App;
use crate::clock::Clock;
use crate::domain::{ConnectionId, Timestamp};
use crate::transport::backlog::Backlog;
use crate::transport::tenure::Tenure;

/// See the module.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) app: App,
    pub(super) tenure: Tenure,
    pub(super) rendered: Rendered,
    pub(super) timetable: Timetable<Weak<Connection>>,
    /// Guards the connections; they own themselves, here they are only found.
    connections: Mutex<HashMap<ConnectionId, Weak<Connection>>>,
    /// Connections since the start.
    opened: AtomicU64,
    /// Messages that have come in and gone out.
    messages: AtomicU64,
    /// When the last one did; 0 if none has.
    last_activity: AtomicI64,
}

impl Gateway {
    /// Starts to look after connections.
    pub(super) fn start(app: &App, tenure: Tenure) -> Arc<Self> {
        let gateway = Arc::new(Self {
            app: app.clone(),
            tenure,
            rendered: Rendered::default(),
            timetable: Timetable::default(),
            connections: Mutex::default(),
            opened: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            last_activity: AtomicI64::new(0),
        });
        let watching = Arc::clone(&gateway);
        app.lifecycle().spawn_service(async move {
            let fall_due = |connection: &Weak<Connection>| connection.upgrade()?.fall_due();
            watching.timetable.run(fall_due).await;
        });
        gateway
    }

    pub(super) fn insert(&self, connection: &Arc<Connection>) {
        let weak = Arc::downgrade(connection);
        self.lock().insert(connection.id, weak);
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, id: ConnectionId) {
        self.lock().remove(&id);
        self.timetable.remove(id);
    }

    /// Those who are connected now.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// The connections, with what waits for each.
    pub(super) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        let all = self.all().into_iter();
        all.map(|connection| connection as Arc<dyn Backlog>)
            .collect()
    }

    /// Notes that a message has come in, or goes out.
    pub(super) fn note_message(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        let now = Clock.now().as_millis();
        self.last_activity.fetch_max(now, Ordering::Relaxed);
    }

    /// Connections since the start.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Messages that have come in and gone out.
    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// When the last message came or went.
    pub(super) fn last_activity(&self) -> Option<Timestamp> {
        let at = self.last_activity.load(Ordering::Relaxed);
        (at > 0).then(|| Timestamp::from_millis(at))
    }

    /// Ends every connection once its client has taken what waits for it. Their turns come one after the other, evenly
    /// spread over a time, so that they do not all come to other instances at once.
    pub(super) async fn close(&self, spread: Duration) {
        let connections: Vec<_> = self.lock().values().cloned().collect();
        let count = u32::try_from(connections.len()).unwrap_or(u32::MAX);
        let pace = spread.checked_div(count).unwrap_or_default();
        let closing = connections
            .iter()
            .zip(0..)
            .map(|(connection, place)| async move {
                tokio::time::sleep(pace * place).await;
                if let Some(connection) = connection.upgrade() {
                    connection.retire().await;
                }
            });
        // Side by side: one that takes nothing keeps no other one waiting.
        join_all(closing).await;
    }

    /// Ends every connection at once.
    pub(super) fn cut(&self) {
        for connection in self.all() {
            connection.cut(super::close::RESTART, "shutdown");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Weak<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
