//! How long a connection may stay: no longer than what its client has shown is good for.
//!
//! One task ends those whose token has expired, and warns them before; another one those whose API key is gone. No
//! connection has a task or a timer of its own. Connections own themselves, here they are only found.

mod expiry;
mod keys;

use std::sync::{Arc, Weak};

use crate::app::App;
use crate::clock::Clock;
use crate::domain::{ConnectionId, Holder, Identity, Timestamp};
use expiry::{Due, Expiry, Terms};
use keys::Keys;

/// Why connections are closed.
const EXPIRED: &str = "token_expired";
const REVOKED: &str = "key_revoked";

/// A connection that stays for as long as what its client has shown is good for.
pub(crate) trait Tenant: std::fmt::Debug + Send + Sync {
    /// Which one it is.
    fn connection(&self) -> ConnectionId;

    /// What its client has shown last.
    fn identity(&self) -> Option<Arc<Identity>>;

    /// Whether it has ended.
    fn is_gone(&self) -> bool;

    /// Warns its client that its token expires.
    fn warn(self: Arc<Self>, expires_at: Timestamp);

    /// Ends it without a word, so that its client comes back by itself, with what it has by then.
    fn end(&self, reason: &'static str);
}

type Found = Weak<dyn Tenant>;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tenure {
    expiry: Arc<Expiry<Found>>,
    keys: Arc<Keys<Found>>,
}

impl Tenure {
    /// Starts to watch.
    #[must_use]
    pub fn start(app: &App) -> Self {
        let tenure = Self {
            expiry: Arc::new(Expiry::new(Clock, Terms::new(&app.config().auth))),
            keys: Arc::default(),
        };
        let (expiry, keys) = (Arc::clone(&tenure.expiry), Arc::clone(&tenure.keys));
        app.lifecycle()
            .spawn_service(async move { expiry.run(fall_due).await });
        let auth = app.auth().clone();
        app.lifecycle().spawn_service(async move {
            let gone = |names: Vec<String>| {
                let auth = auth.clone();
                async move { auth.gone_keys(&names).await }
            };
            let revoked = |tenant: Found| end(&tenant, REVOKED);
            keys.run(gone, revoked).await;
        });
        tenure
    }

    /// Watches a connection, by what its client has shown; from now on by that alone.
    pub(crate) fn watch<T: Tenant + 'static>(&self, tenant: &Arc<T>) {
        let Some(identity) = tenant.identity() else {
            return;
        };
        let connection = tenant.connection();
        let found = || Arc::downgrade(tenant) as Found;
        match identity.expires_at {
            Some(at) => self.expiry.watch(connection, at, found()),
            None => self.expiry.forget(connection),
        }
        match &identity.holder {
            Holder::Service { key } => self.keys.watch(connection, key, found()),
            Holder::User { .. } => self.keys.forget(connection),
        }
        // It may have ended in between, and nobody would take it out again.
        if tenant.is_gone() {
            self.forget(connection);
        }
    }

    /// A connection has ended.
    pub(crate) fn forget(&self, connection: ConnectionId) {
        self.expiry.forget(connection);
        self.keys.forget(connection);
    }
}

fn fall_due(tenant: &Found, due: Due, expires_at: Timestamp) {
    match due {
        Due::Warning => {
            if let Some(tenant) = tenant.upgrade() {
                tenant.warn(expires_at);
            }
        }
        Due::End => end(tenant, EXPIRED),
    }
}

fn end(tenant: &Found, reason: &'static str) {
    if let Some(tenant) = tenant.upgrade() {
        tenant.end(reason);
    }
}
