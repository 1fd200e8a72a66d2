//! API keys: `bck_<name>_<secret>`, with which programs show who they are.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::AuthError;
use crate::config::is_same;
use crate::domain::{Actor, Grants, Holder, Id, Identity, Role, Timestamp};
use crate::store::{ApiKey, Store, StoreError};
use crate::telemetry::causes;

/// What tells an API key from a token.
const PREFIX: &str = "bck_";
/// What the actors of API keys begin with.
const ACTOR: &str = "apikey:";
/// Hexadecimal digits of a secret: 244 bits of chance.
const SECRET_LENGTH: usize = 64;
const MAX_NAME: usize = 64;
/// How often it is noted that a key is used, in milliseconds.
const NOTED_EVERY: i64 = 60_000;

/// The name of an API key: 1 to 64 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// A text is no [`KeyName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 64 lower-case letters, digits and hyphens")]
pub struct KeyNameError;

/// A role in a project, or in all: `<project>:<role>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The project's id, or [`Grants::EVERYWHERE`].
    pub project: String,
    /// The role there.
    pub role: Role,
}

/// A text is no [`Scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be <project>:<role>, such as demo:member or *:viewer; roles are viewer, member, admin and owner"
)]
pub struct ScopeError;

/// What a program shows.
pub(super) struct Shown<'a> {
    name: &'a str,
    hash: String,
}

/// A new key and, for the only time, its text.
pub struct Made {
    /// What is kept of it.
    pub key: ApiKey,
    /// What its program is given.
    pub text: String,
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        let is_allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fits = (1..=MAX_NAME).contains(&text.len());
        if fits && text.bytes().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyNameError)
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    /// Ids may have colons, roles have none.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let (project, role) = text.rsplit_once(':').ok_or(ScopeError)?;
        let is_project = (project == Grants::EVERYWHERE || Id::from_text(project).is_ok())
            && !project.contains('\0');
        let role = role.parse().ok().filter(|_| is_project);
        Ok(Self {
            project: project.to_owned(),
            role: role.ok_or(ScopeError)?,
        })
    }
}

/// The roles of several scopes. If one project is named twice, that is returned.
///
/// # Errors
///
/// The project that is named twice.
pub fn grants(scopes: &[Scope]) -> Result<Grants, &str> {
    let mut grants = Grants::default();
    for scope in scopes {
        if grants.iter().any(|(project, _)| project == scope.project) {
            return Err(&scope.project);
        }
        grants.insert(&scope.project, scope.role);
    }
    Ok(grants)
}

/// Makes a key.
#[must_use]
pub fn make(name: &KeyName, scopes: Grants, now: Timestamp, expires_at: Option<Timestamp>) -> Made {
    // All of it is chance, as in the secrets of clients.
    let (half, other) = (Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let secret = format!("{half}{other}");
    let key = ApiKey {
        name: name.to_string(),
        hash: hash(&secret),
        scopes,
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    Made {
        text: format!("{PREFIX}{name}_{secret}"),
        key,
    }
}

fn hash(secret: &str) -> String {
    let hash = Sha256::digest(secret.as_bytes());
    hash.iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Whether this is meant as an API key.
pub(super) fn is_one(credential: &str) -> bool {
    credential.starts_with(PREFIX)
}

/// Whose key this is.
pub(super) async fn identify(
    credential: &str,
    store: &Store,
    now: Timestamp,
) -> Result<(Identity, ApiKey), AuthError> {
    let refused = |reason: &str| AuthError::Unauthenticated(reason.to_owned());
    let shown = Shown::parse(credential).ok_or_else(|| refused("the API key is malformed"))?;
    let key = store.api_key_get(shown.name).await;
    let key = key.map_err(AuthError::Unavailable)?;
    let key = key
        .filter(|key| is_same(&key.hash, &shown.hash))
        .ok_or_else(|| refused("there is no such API key"))?;
    if key.revoked_at.is_some() {
        return Err(refused("the API key was revoked"));
    }
    if key.expires_at.is_some_and(|at| at <= now) {
        return Err(refused("the API key has expired"));
    }
    let identity = Identity {
        actor: Actor::new(&format!("{ACTOR}{}", key.name)),
        holder: Holder::Service {
            key: key.name.clone(),
        },
        grants: key.scopes.clone(),
        expires_at: key.expires_at,
    };
    Ok((identity, key))
}

/// Notes now and then that keys are used.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Keys of which it is being noted: when all clients come back at once, one of them is enough.
    noting: Mutex<HashSet<String>>,
}

impl Uses {
    /// Notes that a key is used, unless that was done a moment ago.
    pub(super) async fn note(&self, store: &Store, key: &ApiKey, now: Timestamp) {
        if !self.noting.lock().insert(key.name.clone()) {
            return;
        }
        let noted = Timestamp::from_millis(now.as_millis().saturating_sub(NOTED_EVERY));
        if let Err(error) = store.api_key_used(&key.name, now, noted).await {
            tracing::warn!(
                key = key.name,
                error = %causes(&error),
                "cannot note that an API key is used"
            );
        }
        self.noting.lock().remove(&key.name);
    }
}

/// Whether it was noted a moment ago that a key is used.
pub(super) fn is_use_noted(key: &ApiKey, now: Timestamp) -> bool {
    let noted_until = |at: Timestamp| at.as_millis().saturating_add(NOTED_EVERY);
    key.last_used_at
        .is_some_and(|at| now.as_millis() < noted_until(at))
}

/// Those of these names whose keys do not count any more.
pub(super) async fn gone(
    names: &[String],
    store: &Store,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let in_force = store.api_keys_in_force(names, now).await?;
    let gone = names.iter().filter(|name| !in_force.contains(name));
    Ok(gone.cloned().collect())
}

impl<'a> Shown<'a> {
    fn parse(credential: &'a str) -> Option<Self> {
        let (name, secret) = credential.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_secret = secret.len() == SECRET_LENGTH && secret.bytes().all(is_hex);
        let is_name = name.parse::<KeyName>().is_ok();
        (is_name && is_secret).then(|| Self {
            name,
            hash: hash(secret),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str) -> Made {
        let now = Timestamp::from_millis(0);
        make(&name.parse().unwrap(), Grants::default(), now, None)
    }

    #[test]
    fn a_key_is_read_back_and_its_secret_is_not_kept() {
        let made = made("ci-2");
        let shown = Shown::parse(&made.text).unwrap();
        assert_eq!((shown.name, &shown.hash), ("ci-2", &made.key.hash));
        let secret = made.text.rsplit_once('_').unwrap().1;
        assert_eq!(secret.len(), SECRET_LENGTH);
        assert!(!format!("{:?}", made.key).contains(secret));
        assert_ne!(made.text, self::made("ci-2").text);
    }

    #[test]
    fn other_texts_are_no_keys() {
        let secret = "0123456789abcdef".repeat(4);
        assert!(Shown::parse(&format!("bck_ci_{secret}")).is_some());
        for other in [
            "bck_".to_owned(),
            "bck_ci".to_owned(),
            "bck_ci_".to_owned(),
            format!("bck__{secret}"),
            format!("ci_{secret}"),
            format!("bck_Ci_{secret}"),
            format!("bck_c_i_{secret}"),
            format!("bck_{}_{secret}", "c".repeat(65)),
            format!("bck_ci_{secret}0"),
            format!("bck_ci_{}", secret.to_uppercase()),
        ] {
            assert!(Shown::parse(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_scope_is_split_at_its_last_colon() {
        let scope: Scope = "team:1:admin".parse().unwrap();
        assert_eq!(
            (scope.project.as_str(), scope.role),
            ("team:1", Role::Admin)
        );
        assert_eq!("*:viewer".parse::<Scope>().unwrap().project, "*");
        for wrong in ["", "demo", ":admin", "demo:", "demo:boss", "demo:Admin"] {
            assert_eq!(wrong.parse::<Scope>(), Err(ScopeError), "{wrong}");
        }
        let twice = [
            "demo:admin".parse().unwrap(),
            "demo:viewer".parse().unwrap(),
        ];
        assert_eq!(grants(&twice), Err("demo"));
    }
}
