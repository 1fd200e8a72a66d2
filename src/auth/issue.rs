//! Tokens for development: what an application's backend makes for its users.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value};

use super::claims::Rules;
use crate::config::AuthConfig;
use crate::domain::{Grants, Timestamp};

/// Why no token can be made. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is nothing to sign with.
    #[error("AUTH_SECRET is not set: tokens for development are signed with it")]
    NoSecret,
    /// Nobody would read the roles.
    #[error(
        "--project needs AUTH_PROJECTS_CLAIM, which names the claim in which the server looks for roles"
    )]
    NoProjectsClaim,
    /// The server would refuse it.
    #[error("{0}")]
    Refused(String),
}

/// A token for a user, as this server would accept it.
///
/// # Errors
///
/// See [`IssueError`].
pub fn token(
    config: &AuthConfig,
    user: &str,
    roles: &Grants,
    lifetime: Duration,
    now: Timestamp,
) -> Result<String, IssueError> {
    let mut claims = Map::new();
    let mut roles = roles.iter().peekable();
    if roles.peek().is_some() {
        let claim = config.auth_projects_claim.as_ref();
        let claim = claim.ok_or(IssueError::NoProjectsClaim)?;
        let roles = roles.map(|(project, role)| (project.to_owned(), role.as_str().into()));
        claims.insert(claim.clone(), Value::Object(roles.collect()));
    }
    token_with_claims(config, user, claims, lifetime, now)
}

/// A token for a user with claims besides those that this server needs.
///
/// # Errors
///
/// See [`IssueError`].
pub(crate) fn token_with_claims(
    config: &AuthConfig,
    user: &str,
    mut claims: Map<String, Value>,
    lifetime: Duration,
    now: Timestamp,
) -> Result<String, IssueError> {
    let secret = config.auth_secret.as_ref().ok_or(IssueError::NoSecret)?;
    let issued_at = now.as_millis() / 1000;
    let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    claims.insert("iat".to_owned(), issued_at.into());
    claims.insert("exp".to_owned(), issued_at.saturating_add(lifetime).into());
    if let Some(issuer) = &config.auth_issuer {
        claims.insert("iss".to_owned(), issuer.as_str().into());
    }
    if let Some(audience) = &config.auth_audience {
        claims.insert("aud".to_owned(), audience.as_str().into());
    }
    claims.insert(config.auth_user_claim.clone(), user.into());
    let accepted = Rules::new(config).identity(&claims, now);
    accepted.map_err(IssueError::Refused)?;
    EncodingKey::from_secret(secret.reveal().as_bytes())
        .and_then(|key| jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key))
        .map_err(|error| IssueError::Refused(error.to_string()))
}
