//! How long a connection may stay: no longer than what its client has shown is good for.
//!
//! One task ends those whose token has expired, and warns them before; another one those whose API key is gone. No
//! connection has a task or a timer of its own. Connections own themselves, here they are only found.

mod expiry;
mod keys;

use std::sync::{Arc, Weak};

use super::socket::Socket;
use crate::app::App;
use crate::clock::Clock;
use crate::domain::{ConnectionId, Holder, Identity, Timestamp};
use crate::hub::Subscriber;
use expiry::{Due, Expiry, Terms};
use keys::Keys;

/// Why connections are closed.
const EXPIRED: &str = "token_expired";
const REVOKED: &str = "key_revoked";

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Tenure {
    expiry: Arc<Expiry<Weak<Socket>>>,
    keys: Arc<Keys<Weak<Socket>>>,
}

impl Tenure {
    pub(super) fn start(app: &App) -> Self {
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
            let revoked = |socket: Weak<Socket>| close(&socket, REVOKED);
            keys.run(gone, revoked).await;
        });
        tenure
    }

    /// Watches a connection, by what its client has shown; from now on by that alone.
    pub(super) fn watch(&self, socket: &Arc<Socket>) {
        let Some(identity) = socket.session.identity() else {
            return;
        };
        let connection = socket.session.caller.connection;
        match identity.expires_at {
            Some(at) => self.expiry.watch(connection, at, Arc::downgrade(socket)),
            None => self.expiry.forget(connection),
        }
        if let Holder::Service { key } = &identity.holder {
            self.keys.watch(connection, key, Arc::downgrade(socket));
        }
        // It may have ended in between, and nobody would take it out again.
        if socket.is_gone() {
            self.forget(connection, &identity);
        }
    }

    /// A connection has ended.
    pub(super) fn forget(&self, connection: ConnectionId, identity: &Identity) {
        self.expiry.forget(connection);
        if let Holder::Service { key } = &identity.holder {
            self.keys.forget(connection, key);
        }
    }
}

fn fall_due(socket: &Weak<Socket>, due: Due, expires_at: Timestamp) {
    match due {
        Due::Warning => {
            if let Some(socket) = socket.upgrade() {
                Socket::warn(socket, expires_at);
            }
        }
        Due::End => close(socket, EXPIRED),
    }
}

/// Without a word, so that clients come back by themselves, with what they have by then.
fn close(socket: &Weak<Socket>, reason: &'static str) {
    if let Some(socket) = socket.upgrade() {
        socket.close(reason);
    }
}
