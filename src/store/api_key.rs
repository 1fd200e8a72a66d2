//! Keys with which programs show who they are.

use super::read::{in_time, with};
use super::{Store, StoreError};
use super::{postgres, sqlite};
use crate::domain::{Grants, Timestamp};

/// An API key as the database has it: everything but its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name, which no other key ever has.
    pub name: String,
    /// The SHA-256 of its secret, hexadecimal.
    pub hash: String,
    /// What it may do where.
    pub scopes: Grants,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl Store {
    /// Adds a key. False if there is, or was, one of this name.
    ///
    /// # Errors
    ///
    /// Fails when the database does; whether the key was added is then not known.
    pub async fn api_key_insert(&self, key: &ApiKey) -> Result<bool, StoreError> {
        with!(writer of self, api_key::insert(key))
    }

    /// The key of this name, whether it counts or not.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn api_key_get(&self, name: &str) -> Result<Option<ApiKey>, StoreError> {
        with!(reader of self, api_key::get(name))
    }

    /// All keys by name, those that do not count any more included.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        with!(reader of self, api_key::all())
    }

    /// Those of these names whose keys count at a time, in no order.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn api_keys_in_force(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        with!(reader of self, api_key::in_force(names, now))
    }

    /// Takes a key back; the first time it was taken back stays. False if there is none of this name.
    ///
    /// # Errors
    ///
    /// Fails when the database does; whether the key was taken back is then not known.
    pub async fn api_key_revoke(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        with!(writer of self, api_key::revoke(name, now))
    }

    /// Notes that a key was used, unless it was noted after `noted` already.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn api_key_used(
        &self,
        name: &str,
        now: Timestamp,
        noted: Timestamp,
    ) -> Result<(), StoreError> {
        with!(writer of self, api_key::used(name, now, noted))
    }
}
