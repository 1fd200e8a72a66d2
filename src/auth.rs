//! Who is who: tells from a token or an API key whom it belongs to.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::AuthConfig;
use crate::domain::Identity;
use crate::lifecycle::Lifecycle;
use crate::store::{Store, StoreError};

/// Tells who somebody is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Authenticator {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    required: bool,
    store: Store,
    clock: Clock,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// What was shown proves nothing. The reason is for the log.
    #[error("{0}")]
    Unauthenticated(String),
    /// It cannot be found out now.
    #[error("it cannot be found out now")]
    Unavailable(#[source] StoreError),
}

/// Settings with which nobody can be told apart. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AuthConfigError(String);

impl Authenticator {
    /// Reads the keys, and keeps them up to date.
    ///
    /// # Errors
    ///
    /// Fails when a key cannot be read.
    pub async fn start(
        config: &AuthConfig,
        store: &Store,
        lifecycle: &Lifecycle,
    ) -> Result<Self, AuthConfigError> {
        Ok(Self {
            shared: Arc::new(Shared {
                required: config.auth_required,
                store: store.clone(),
                clock: Clock,
            }),
        })
    }

    /// Whether everybody must show who they are, and has only what is theirs.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.shared.required
    }

    /// Whether tokens can be verified at all: without any key they are looked at by nobody.
    #[must_use]
    pub fn verifies_tokens(&self) -> bool {
        false
    }

    /// Tells whose token or API key this is; a `Bearer ` before it is no part of it.
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub async fn identify(&self, credential: &str) -> Result<Identity, AuthError> {
        Err(AuthError::Unauthenticated("no keys".to_owned()))
    }
}
