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

    /// Whether the caller is the user of this name, and not an anonymous one.
    #[must_use]
    pub fn is_named(&self, user: &str) -> bool {
        self.named && self.actor.as_str() == user
    }

    /// An idempotency key as it is stored: two users may well number their requests 1, 2, 3. Anonymous
    /// callers share one scope, because nothing tells one that comes back from another. No two scopes and keys are
    /// stored as the same text: with a line break in either, the text begins with one, and says where the scope ends.
    #[must_use]
    pub fn scoped_key(&self, key: &str) -> String {
        let scope = if self.named { self.actor.as_str() } else { "" };
        if scope.contains('\n') || key.contains('\n') {
            format!("\n{}:{scope}{key}", scope.len())
        } else if self.named {
            format!("{scope}\n{key}")
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
            // Nobody is named so.
            Actor::new("")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::PrivateId;

    #[test]
    fn key_is_scoped_without_ambiguity() {
        let mut stored = HashMap::new();
        let parts = [
            "a",
            "a\n",
            "\na",
            "b\na",
            "a\nb",
            "\n",
            "1:a",
            "\n1:a",
            "0:",
            "a\n1:",
            "anonymous",
        ];
        for user in parts.into_iter().map(Some).chain([None]) {
            let client = PrivateId::generate().client();
            let caller = Caller::new(ConnectionId::generate(), client, user);
            for key in parts {
                let other = stored.insert(caller.scoped_key(key), (user, key));
                assert_eq!(other, None, "{user:?} {key:?}");
            }
        }
    }

    /// Answers that an older version has stored are found again.
    #[test]
    fn plain_key_is_stored_as_ever() {
        let caller = |user| {
            let client = PrivateId::generate().client();
            Caller::new(ConnectionId::generate(), client, user)
        };
        assert_eq!(caller(Some("ann")).scoped_key("k"), "ann\nk");
        assert_eq!(caller(None).scoped_key("k"), "k");
    }
}
