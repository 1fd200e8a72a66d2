//! Ends connections when the credential that their clients have shown last is good no longer.
//!
//! One task ends those whose token has expired, and warns them before; another one those whose API key is gone. No
//! connection has a task or a timer of its own. Connections own themselves, here they are only found.

mod expiry;
mod keys;

use std::sync::{Arc, Weak};

use crate::clock::Clock;
use crate::domain::{ConnectionId, Holder, Identity, Timestamp};
use crate::state::AppState;
use expiry::{Due, Expiry, Terms};
use keys::Keys;

/// Why connections are closed.
const EXPIRED: &str = "token_expired";
const REVOKED: &str = "key_revoked";

/// A connection that stays for as long as what its client has shown is good for.
pub(crate) trait Expiring: std::fmt::Debug + Send + Sync {
    /// Which one it is.
    fn id(&self) -> ConnectionId;

    /// What its client has shown last.
    fn identity(&self) -> Option<Arc<Identity>>;

    /// Whether it has ended.
    fn is_gone(&self) -> bool;

    /// Warns its client that its token expires.
    fn warn(self: Arc<Self>, expires_at: Timestamp);

    /// Ends it without a word, so that its client comes back by itself, with what it has by then.
    fn end(&self, reason: &'static str);
}

type Found = Weak<dyn Expiring>;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct CredentialExpiry {
    expiry: Arc<Expiry<Found>>,
    keys: Arc<Keys<Found>>,
}

impl CredentialExpiry {
    /// Starts to watch.
    #[must_use]
    pub(crate) fn start(app: &AppState) -> Self {
        let watcher = Self {
            expiry: Arc::new(Expiry::new(Clock, Terms::new(&app.config().auth))),
            keys: Arc::default(),
        };
        let (expiry, keys) = (Arc::clone(&watcher.expiry), Arc::clone(&watcher.keys));
        app.lifecycle()
            .spawn_service(async move { expiry.run(fall_due).await });
        let auth = app.auth().clone();
        app.lifecycle().spawn_service(async move {
            let gone = |names: Vec<String>| {
                let auth = auth.clone();
                async move { auth.gone_keys(&names).await }
            };
            let revoked = |connection: Found| end(&connection, REVOKED);
            keys.run(gone, revoked).await;
        });
        watcher
    }

    /// Watches a connection, by what its client has shown; from now on by that alone.
    pub(crate) fn watch<T: Expiring + 'static>(&self, connection: &Arc<T>) {
        let Some(identity) = connection.identity() else {
            return;
        };
        let id = connection.id();
        let found = || Arc::downgrade(connection) as Found;
        match identity.expires_at {
            Some(at) => self.expiry.watch(id, at, found()),
            None => self.expiry.forget(id),
        }
        match &identity.holder {
            Holder::Service { key } => self.keys.watch(id, key, found()),
            Holder::User { .. } => self.keys.forget(id),
        }
        // It may have ended in between, and nobody would take it out again.
        if connection.is_gone() {
            self.forget(id);
        }
    }

    /// A connection has ended.
    pub(crate) fn forget(&self, id: ConnectionId) {
        self.expiry.forget(id);
        self.keys.forget(id);
    }
}

fn fall_due(connection: &Found, due: Due, expires_at: Timestamp) {
    match due {
        Due::Warning => {
            if let Some(connection) = connection.upgrade() {
                connection.warn(expires_at);
            }
        }
        Due::End => end(connection, EXPIRED),
    }
}

fn end(connection: &Found, reason: &'static str) {
    if let Some(connection) = connection.upgrade() {
        connection.end(reason);
    }
}
