//! What a session's client may do, by what it has shown.

use std::sync::{Arc, Mutex, PoisonError};

use super::Session;
use crate::auth::AuthError;
use crate::contract::{ErrorCode, Reply};
use crate::domain::{Fields, Identity};

/// See the module.
#[derive(Debug)]
pub(super) struct Access {
    /// Guards who the client is; a newer token takes the place of an older one.
    identity: Mutex<Option<Arc<Identity>>>,
}

impl Access {
    pub(super) fn new(identity: Option<Identity>) -> Self {
        Self {
            identity: Mutex::new(identity.map(Arc::new)),
        }
    }
}

impl Session {
    /// Who the client has shown to be, if it has.
    #[must_use]
    pub fn identity(&self) -> Option<Arc<Identity>> {
        let identity = self.access.identity.lock();
        identity.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on with a new token of the same user.
    pub(super) async fn refresh(&self, token: &str) -> Reply {
        let fresh = match self.app.auth().identify(token).await {
            Ok(fresh) => fresh,
            Err(error) => return refused(&error),
        };
        if self
            .identity()
            .is_none_or(|known| known.actor != fresh.actor)
        {
            let message = "the token is another user's; connect anew with it";
            return Reply::refused(ErrorCode::Forbidden, message);
        }
        let mut answer = Fields::new();
        answer.insert("userId".to_owned(), fresh.actor.as_str().into());
        let expires_at = fresh.expires_at.map(|at| at.to_string());
        answer.insert("expiresAt".to_owned(), expires_at.into());
        let identity = &self.access.identity;
        *identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(fresh));
        Reply::done(answer)
    }
}

fn refused(error: &AuthError) -> Reply {
    match error {
        AuthError::Unauthenticated(_) => {
            Reply::refused(ErrorCode::Unauthenticated, "the token is not valid")
        }
        AuthError::Unavailable(error) => super::unavailable(error),
        AuthError::NoKeysYet => {
            let message = "tokens cannot be verified now; try again in a moment";
            Reply::refused(ErrorCode::Unavailable, message)
        }
    }
}
