//! Keys with which programs show who they are.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::row::{API_KEYS, Row};
use super::{Store, StoreError, in_time};
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
        in_time(async {
            let mut db = self.writer().await?;
            let statement = db.statement(
                "INSERT INTO api_keys (name, hash, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT DO NOTHING",
            );
            let statement = statement
                .bind(&key.name)
                .bind(&key.hash)
                .bind(scopes_text(&key.scopes))
                .bind(key.created_at.as_millis())
                .bind(key.expires_at.map(Timestamp::as_millis));
            Ok(statement.execute().await? == 1)
        })
        .await
    }

    /// The key of this name, whether it counts or not.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn api_key_get(&self, name: &str) -> Result<Option<ApiKey>, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let statement = db.statement("SELECT * FROM api_keys WHERE name = $1");
            statement.bind(name).first(api_key).await
        })
        .await
    }

    /// All keys by name, those that do not count any more included.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let statement = db.statement("SELECT * FROM api_keys ORDER BY name");
            statement.all(api_key).await
        })
        .await
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
        in_time(async {
            let mut db = self.reader().await?;
            let sql = format!(
                "SELECT name FROM api_keys
                 WHERE name {} AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
                db.in_list()
            );
            let statement = db.statement(AssertSqlSafe(sql));
            let statement = statement.bind_list(names.iter().map(String::as_str).collect());
            statement.bind(now.as_millis()).all(api_key_name).await
        })
        .await
    }

    /// Takes a key back; the first time it was taken back stays. False if there is none of this name.
    ///
    /// # Errors
    ///
    /// Fails when the database does; whether the key was taken back is then not known.
    pub async fn api_key_revoke(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        in_time(async {
            let mut db = self.writer().await?;
            let statement = db.statement(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE name = $1",
            );
            let statement = statement.bind(name).bind(now.as_millis());
            Ok(statement.execute().await? == 1)
        })
        .await
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
        in_time(async {
            let mut db = self.writer().await?;
            let statement = db.statement(
                "UPDATE api_keys SET last_used_at = $2
                 WHERE name = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
            );
            let statement = statement.bind(name).bind(now.as_millis());
            statement.bind(noted.as_millis()).execute().await.map(drop)
        })
        .await
    }
}

fn api_key(row: &Row) -> Result<ApiKey, StoreError> {
    let time = |column| -> Result<Option<Timestamp>, StoreError> {
        let millis: Option<i64> = row.get(API_KEYS, column)?;
        Ok(millis.map(Timestamp::from_millis))
    };
    Ok(ApiKey {
        name: api_key_name(row)?,
        hash: row.get(API_KEYS, "hash")?,
        scopes: scopes(row.get(API_KEYS, "scopes")?)
            .ok_or_else(|| API_KEYS.inconsistent("scopes"))?,
        created_at: Timestamp::from_millis(row.get(API_KEYS, "created_at")?),
        expires_at: time("expires_at")?,
        revoked_at: time("revoked_at")?,
        last_used_at: time("last_used_at")?,
    })
}

fn api_key_name(row: &Row) -> Result<String, StoreError> {
    row.get(API_KEYS, "name")
}

fn scopes(text: &str) -> Option<Grants> {
    let roles: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    let mut scopes = Grants::default();
    for (project, role) in roles {
        scopes.insert(&project, role.parse().ok()?);
    }
    Some(scopes)
}

fn scopes_text(scopes: &Grants) -> String {
    let roles = scopes
        .iter()
        .map(|(project, role)| (project, role.as_str()));
    let roles: BTreeMap<_, _> = roles.collect();
    serde_json::to_string(&roles).expect("a map with text keys is JSON")
}
