//! The connections of one door that are open now: counted, found, told, and ended, spread over time.
//!
//! Connections own themselves; here they are only found.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::backlog::Backlog;
use super::credential_expiry::CredentialExpiry;
use super::door::Door;
use super::user_connections::UserConnections;
use super::{Close, Connection};
use crate::domain::{Actor, ClientId};
use crate::metrics::Traffic;
use crate::state::AppState;

/// Why a connection ends whose client has another one.
const TAKEN_OVER: &str = "taken_over";

type Found<D> = HashMap<ClientId, Weak<Connection<D>>>;

/// See the module's description.
pub(crate) struct Registry<D: Door> {
    pub(crate) app: AppState,
    pub(crate) expiry: CredentialExpiry,
    pub(crate) users: UserConnections,
    /// What passes through the door.
    pub(crate) traffic: Arc<Traffic>,
    /// Clients that are told of a reset at the same time, at all doors: after an outage it may be all of them, each with a
    /// copy of a whole project.
    pub(crate) reset_turns: Arc<Semaphore>,
    /// Guards the set of connections.
    connections: Mutex<Found<D>>,
}

impl<D: Door> std::fmt::Debug for Registry<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("door", &D::NAME)
            .finish_non_exhaustive()
    }
}

impl<D: Door> Registry<D> {
    /// A registry without connections.
    pub(crate) fn new(
        app: &AppState,
        (expiry, users): (CredentialExpiry, UserConnections),
        reset_turns: Arc<Semaphore>,
    ) -> Arc<Self> {
        Arc::new(Self {
            app: app.clone(),
            traffic: Arc::clone(app.metrics().of(D::NAME)),
            expiry,
            users,
            reset_turns,
            connections: Mutex::default(),
        })
    }

    /// Adds a connection. If its client has another one here, that one was lost without a word, and ends; unless that one
    /// came later and was let in sooner. Whether the connection was added.
    pub(crate) fn insert(&self, connection: &Arc<Connection<D>>) -> bool {
        let mut connections = self.connections.lock();
        let before = connections.get(&connection.client).and_then(Weak::upgrade);
        if before
            .as_ref()
            .is_some_and(|before| before.since > connection.since)
        {
            return false;
        }
        if connections.len() == connections.capacity() {
            // A connection that broke while it was made was never removed.
            connections.retain(|_, found| found.strong_count() > 0);
        }
        connections.insert(connection.client, Arc::downgrade(connection));
        let total = connections.len();
        drop(connections);
        self.traffic.opened.count();
        connection.was_let_in.store(true, Ordering::Relaxed);
        tracing::info!(
            door = D::NAME,
            connection.id = %connection.id,
            client.id = %connection.client,
            total,
            "connection opened"
        );
        // A client may also leave and enter again on one transport.
        if let Some(before) = before
            && !before.door.shares_transport(&connection.door)
        {
            before.abort(Close::TryAgain, TAKEN_OVER);
        }
        true
    }

    /// Removes a connection, unless its client has another one by now. How many are left.
    pub(super) fn remove(&self, connection: &Connection<D>) -> usize {
        let mut connections = self.connections.lock();
        let found = connections.get(&connection.client);
        if found.is_some_and(|found| std::ptr::eq(found.as_ptr(), connection)) {
            connections.remove(&connection.client);
        }
        connections.len()
    }

    /// Frees the place that a client's lost connection has among those of its user: it may not be known to be lost.
    pub(crate) fn give_up_place(&self, client: ClientId, actor: &Actor) {
        let before = self.connections.lock().get(&client).and_then(Weak::upgrade);
        let before = before.and_then(|before| before.subscriber());
        if let Some(before) = before.filter(|before| before.session.caller.actor == *actor) {
            before.give_up_place();
        }
    }

    /// Ends the connection of a client that is connected to another instance now.
    pub(crate) fn moved(&self, client: ClientId) {
        let before = self.connections.lock().remove(&client);
        if let Some(before) = before.and_then(|before| before.upgrade()) {
            before.abort(Close::TryAgain, TAKEN_OVER);
        }
    }

    /// The connection of a client.
    pub(super) fn find(&self, client: ClientId) -> Option<Arc<Connection<D>>> {
        self.connections.lock().get(&client).and_then(Weak::upgrade)
    }

    /// The connections that are open now.
    pub(crate) fn all(&self) -> Vec<Arc<Connection<D>>> {
        let connections = self.connections.lock();
        connections.values().filter_map(Weak::upgrade).collect()
    }

    /// How many connections are open now.
    pub(crate) fn count(&self) -> usize {
        let connections = self.connections.lock();
        let open = connections.values();
        open.filter(|found| found.strong_count() > 0).count()
    }

    /// The connections, with what waits for each.
    pub(crate) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        let all = self.all().into_iter();
        all.map(|connection| connection as Arc<dyn Backlog>)
            .collect()
    }

    /// Ends every connection once its client has taken what waits for it. Their turns come one after the other, evenly
    /// spread over a time, so that they do not all come to other instances at once. Those of one transport have one turn.
    pub(crate) async fn drain(&self, spread: Duration) {
        let transports = self.by_transport();
        let count = u32::try_from(transports.len()).unwrap_or(u32::MAX);
        let pace = spread.checked_div(count).unwrap_or_default();
        let draining = transports
            .iter()
            .zip(0..)
            .map(|(connections, turn)| async move {
                tokio::time::sleep(pace * turn).await;
                let open: Vec<_> = connections.iter().filter_map(Weak::upgrade).collect();
                // None ends the transport before all are through.
                join_all(open.iter().map(|connection| connection.settle())).await;
                join_all(open.iter().map(|connection| connection.restart())).await;
            });
        // Side by side: one that takes nothing keeps no other one waiting.
        join_all(draining).await;
    }

    /// The connections by their transports.
    fn by_transport(&self) -> Vec<Vec<Weak<Connection<D>>>> {
        let connections: Vec<_> = self.connections.lock().values().cloned().collect();
        let (mut transports, mut shared) = (Vec::new(), HashMap::new());
        for found in connections {
            let transport = found.upgrade().and_then(|open| open.door.transport());
            let new = transports.len();
            let at = transport.map_or(new, |shares| *shared.entry(shares).or_insert(new));
            if at == new {
                transports.push(Vec::with_capacity(1));
            }
            transports[at].push(found);
        }
        transports
    }

    /// Ends every connection at once.
    pub(crate) fn abort(&self) {
        for connection in self.all() {
            connection.abort(Close::Restart, "shutdown");
        }
    }
}
