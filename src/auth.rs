//! Who is who: tells from a token or an API key whom it belongs to.
//!
//! Which algorithm a token may be signed with is decided by the key, never by the token.

mod claims;
mod key;
mod token;

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::AuthConfig;
use crate::domain::Identity;
use crate::lifecycle::Lifecycle;
use crate::store::{Store, StoreError};

use claims::Rules;
use key::Key;

/// What may stand before a token.
const SCHEME: &str = "Bearer ";
/// Bytes of the longest token that is looked at.
const MAX_TOKEN: usize = 8 * 1024;

/// Tells who somebody is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Authenticator {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    required: bool,
    /// The keys of the settings.
    keys: Vec<Key>,
    rules: Rules,
    store: Store,
    clock: Clock,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// What was shown proves nothing. The reason is for the log.
    #[error("{0}")]
    Unauthenticated(String),
    /// It cannot be found out now: the database cannot be asked.
    #[error("it cannot be found out now")]
    Unavailable(#[source] StoreError),
    /// It cannot be found out now: the keys have never been read.
    #[error("the keys of AUTH_JWKS could not be read yet")]
    NoKeysYet,
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
        _lifecycle: &Lifecycle,
    ) -> Result<Self, AuthConfigError> {
        let mut keys = Vec::new();
        if let Some(secret) = &config.auth_secret {
            keys.push(Key::secret(secret));
        }
        if let Some(public_key) = &config.auth_public_key {
            keys.push(Key::public(public_key)?);
        }
        Ok(Self {
            shared: Arc::new(Shared {
                required: config.auth_required,
                keys,
                rules: Rules::new(config),
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
        !self.shared.keys.is_empty()
    }

    /// Tells whose token or API key this is; a `Bearer ` before it is no part of it.
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub async fn identify(&self, credential: &str) -> Result<Identity, AuthError> {
        self.identify_token(without_scheme(credential))
            .map_err(AuthError::Unauthenticated)
    }

    /// Of these API keys, those that are revoked or have expired.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn gone_keys(&self, _keys: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn identify_token(&self, token: &str) -> Result<Identity, String> {
        if token.len() > MAX_TOKEN {
            return Err(format!("the token has more than {MAX_TOKEN} bytes"));
        }
        let header = token::header(token)?;
        let claims = token::verify(token, &header, self.shared.keys.iter())?;
        self.shared.rules.identity(&claims, self.shared.clock.now())
    }
}

/// The credential alone. The scheme may be written in any case.
fn without_scheme(credential: &str) -> &str {
    let credential = credential.trim();
    match credential.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => credential[SCHEME.len()..].trim(),
        _ => credential,
    }
}
