//! Who asks.

use crate::domain::{Actor, ClientId, ConnectionId};

/// Who asks, and over which connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The connection.
    pub connection: ConnectionId,
    /// Who is written down as author.
    pub actor: Actor,
    /// Whether the actor is known by a name of its own, and not only as this client.
    named: bool,
}

impl Caller {
    /// A caller who gave a user id, or an anonymous one.
    #[must_use]
    pub fn new(connection: ConnectionId, client: ClientId, user_id: Option<&str>) -> Self {
        let actor = match user_id {
            Some(user_id) => Actor::new(user_id),
            None => Actor::new(&format!("anonymous:{client}")),
        };
        Self {
            connection,
            actor,
            named: user_id.is_some(),
        }
    }

    /// An idempotency key as it is stored: two users may well number their requests 1, 2, 3. Anonymous
    /// callers share one scope, because nothing tells one that comes back from another.
    #[must_use]
    pub fn scoped_key(&self, key: &str) -> String {
        if self.named {
            format!("{}\n{key}", self.actor.as_str())
        } else {
            key.to_owned()
        }
    }

    /// In whose name its keys count: its own, or that of all who are anonymous.
    #[must_use]
    pub fn key_holder(&self) -> Actor {
        if self.named {
            self.actor.clone()
        } else {
            Actor::new("anonymous")
        }
    }
}
