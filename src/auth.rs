//! Who is who: tells from a token or an API key whom it belongs to.
//!
//! Which algorithm a token may be signed with is decided by the key, never by the token.

pub mod api_key;
mod claims;
#[cfg(test)]
mod fuzz;
pub mod issue;
mod jwks;
mod key;
mod token;

use std::sync::Arc;

use jsonwebtoken::Algorithm;

use crate::clock::Clock;
use crate::config::AuthConfig;
use crate::domain::Identity;
use crate::shutdown::Lifecycle;
use crate::store::{Store, StoreError};

use claims::Rules;
use jwks::{Jwks, Known};
use key::Key;
use token::Claims;

/// What may stand before a token.
const SCHEME: &str = "Bearer ";
/// Bytes of the longest token that is looked at.
const MAX_CREDENTIAL: usize = 8 * 1024;

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
    /// The keys that are published elsewhere.
    jwks: Option<Arc<Jwks>>,
    rules: Rules,
    store: Store,
    uses: api_key::Uses,
    lifecycle: Lifecycle,
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
    /// It cannot be found out now: the key may be published, and not read yet.
    #[error("AUTH_JWKS may have a key for it that could not be read yet")]
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
        lifecycle: &Lifecycle,
    ) -> Result<Self, AuthConfigError> {
        let mut keys = Vec::new();
        if let Some(secret) = &config.auth_secret {
            keys.push(Key::secret(secret)?);
        }
        if let Some(public_key) = &config.auth_public_key {
            keys.push(Key::public(public_key)?);
        }
        let jwks = match &config.auth_jwks {
            Some(source) => Some(Jwks::start(source, config.auth_jwks_refresh, lifecycle).await?),
            None => None,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                required: config.auth_required,
                keys,
                jwks,
                rules: Rules::new(config),
                store: store.clone(),
                uses: api_key::Uses::default(),
                lifecycle: lifecycle.clone(),
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
        !self.shared.keys.is_empty() || self.shared.jwks.is_some()
    }

    /// Whether anybody looks at this credential: without keys tokens count for nothing, API keys always do.
    #[must_use]
    pub fn looks_at(&self, credential: &str) -> bool {
        self.is_required() || self.verifies_tokens() || api_key::is_one(without_scheme(credential))
    }

    /// Tells whose token or API key this is; a `Bearer ` before it is no part of it.
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub async fn identify(&self, credential: &str) -> Result<Identity, AuthError> {
        let credential = without_scheme(credential);
        if credential.len() > MAX_CREDENTIAL {
            let reason = format!("it has more than {MAX_CREDENTIAL} bytes");
            return Err(AuthError::Unauthenticated(reason));
        }
        if api_key::is_one(credential) {
            return self.identify_api_key(credential).await;
        }
        let claims = self.verify(credential).await?;
        let now = self.shared.clock.now();
        let identity = self.shared.rules.identity(&claims, now);
        identity.map_err(AuthError::Unauthenticated)
    }

    async fn identify_api_key(&self, credential: &str) -> Result<Identity, AuthError> {
        let (store, now) = (&self.shared.store, self.shared.clock.now());
        let (identity, key) = api_key::identify(credential, store, now).await?;
        if !api_key::is_use_noted(&key, now) {
            let shared = Arc::clone(&self.shared);
            // On SQLite this waits for its turn among the commands: nobody else has to.
            self.shared
                .lifecycle
                .spawn(async move { shared.uses.note(&shared.store, &key, now).await });
        }
        Ok(identity)
    }

    /// Those of these API keys, by name, that do not count any more: revoked, expired, or not there.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn gone_keys(&self, names: &[String]) -> Result<Vec<String>, StoreError> {
        api_key::gone(names, &self.shared.store, self.shared.clock.now()).await
    }

    /// What a token says that is signed by somebody who may.
    async fn verify(&self, token: &str) -> Result<Claims, AuthError> {
        let header = token::header(token).map_err(AuthError::Unauthenticated)?;
        let own = token::verify(token, &header, self.shared.keys.iter());
        let (Err(_), Some(jwks)) = (&own, &self.shared.jwks) else {
            return own.map_err(AuthError::Unauthenticated);
        };
        // Nobody publishes a secret.
        if header.alg == Algorithm::HS256 {
            return own.map_err(AuthError::Unauthenticated);
        }
        let before = jwks.known();
        let mut verified = token::verify(token, &header, before.keys.iter());
        if verified.is_ok() || !before.may_be_without_key_for(&header) {
            return verified.map_err(AuthError::Unauthenticated);
        }
        let since = self.shared.clock.now();
        jwks.read_for_unknown().await;
        let known = jwks.known();
        if !Arc::ptr_eq(&known.keys, &before.keys) {
            verified = token::verify(token, &header, known.keys.iter());
        }
        verified.map_err(|reason| {
            // Others may have used up the reading, with keys that never were: that locks nobody out who has a new one.
            let is_known = known.is_as_of(since) || self.is_older(token, &known);
            if known.may_be_without_key_for(&header) && !is_known {
                AuthError::NoKeysYet
            } else {
                AuthError::Unauthenticated(reason)
            }
        })
    }

    /// Whether a token was signed before keys were read, as it says itself: then its key was there to be read.
    fn is_older(&self, token: &str, known: &Known) -> bool {
        let signed_at = token::says_signed_at(token);
        signed_at.is_some_and(|at| known.is_as_of(self.shared.rules.at_the_latest(at)))
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

#[cfg(test)]
mod tests;
