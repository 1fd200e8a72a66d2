//! API keys, and the store beside a server.

use boardcast::domain::{Grants, Role};
use boardcast::store::{ApiKey, StoreError};

use super::*;

fn key(name: &str, expires_at: Option<Timestamp>) -> ApiKey {
    let mut scopes = Grants::default();
    scopes.insert(Grants::EVERYWHERE, Role::Viewer);
    scopes.insert("a \"project\":1", Role::Owner);
    ApiKey {
        name: name.to_owned(),
        hash: "ab".repeat(32),
        scopes,
        created_at: stamp(1).at,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    }
}

both_databases! {
    async fn a_key_is_found_by_its_name_as_it_was_written(db: &Database) {
        let ci = key("ci", None);
        let backup = key("backup", Some(stamp(9).at));
        assert!(db.store.api_key_insert(&ci).await.unwrap());
        assert!(db.store.api_key_insert(&backup).await.unwrap());
        let other = ApiKey { hash: "cd".repeat(32), ..ci.clone() };
        assert!(!db.store.api_key_insert(&other).await.unwrap(), "the name is taken");
        assert_eq!(db.store.api_key_get("ci").await.unwrap(), Some(ci.clone()));
        assert_eq!(db.store.api_key_get("Ci").await.unwrap(), None);
        assert_eq!(db.store.api_keys().await.unwrap(), [backup, ci]);
    }
}

both_databases! {
    async fn a_key_counts_until_it_expires_or_is_revoked(db: &Database) {
        for (name, expires_at) in [("now", Some(stamp(5).at)), ("later", Some(stamp(6).at)), ("never", None)] {
            db.store.api_key_insert(&key(name, expires_at)).await.unwrap();
        }
        let names = ["now", "later", "never", "nobody"].map(str::to_owned);
        let in_force = async || {
            let mut in_force = db.store.api_keys_in_force(&names, stamp(5).at).await.unwrap();
            in_force.sort();
            in_force
        };
        assert_eq!(in_force().await, ["later", "never"]);
        assert!(db.store.api_keys_in_force(&[], stamp(5).at).await.unwrap().is_empty());
        assert!(db.store.api_key_revoke("never", stamp(7).at).await.unwrap());
        assert!(db.store.api_key_revoke("never", stamp(8).at).await.unwrap());
        assert!(!db.store.api_key_revoke("nobody", stamp(7).at).await.unwrap());
        let revoked = db.store.api_key_get("never").await.unwrap().unwrap();
        assert_eq!(revoked.revoked_at, Some(stamp(7).at), "the first time stays");
        assert!(!db.store.api_key_insert(&key("never", None)).await.unwrap());
        assert_eq!(in_force().await, ["later"]);
    }
}

both_databases! {
    async fn a_use_is_noted_once_in_a_while(db: &Database) {
        db.store.api_key_insert(&key("ci", None)).await.unwrap();
        for (at, noted, expected) in [(10, 0, 10), (20, 9, 10), (20, 10, 20)] {
            db.store.api_key_used("ci", stamp(at).at, stamp(noted).at).await.unwrap();
            let found = db.store.api_key_get("ci").await.unwrap().unwrap();
            assert_eq!(found.last_used_at, Some(stamp(expected).at));
        }
    }
}

both_databases! {
    async fn roles_that_nobody_knows_are_none(db: &Database) {
        db.store.api_key_insert(&key("ci", None)).await.unwrap();
        for scopes in [r#"{"p":"boss"}"#, "[]", ""] {
            db.execute(&format!("UPDATE api_keys SET scopes = '{scopes}'")).await;
            let error = db.store.api_key_get("ci").await.unwrap_err();
            assert!(matches!(error, StoreError::Inconsistent { column: "scopes", .. }), "{error:?}");
        }
    }
}

both_databases! {
    async fn keys_are_managed_beside_a_server_of_the_same_version_only(db: &Database) {
        let url = db.url.parse().unwrap();
        let beside = Store::open_beside(&url).await.unwrap();
        // The server is in the middle of something.
        let mut tx = db.store.begin().await.unwrap();
        tx.channels_lock(&[project("p").channel()]).await.unwrap();
        assert!(beside.api_keys().await.unwrap().is_empty());
        tx.commit().await.unwrap();
        assert!(beside.api_key_insert(&key("ci", None)).await.unwrap());
        beside.close().await;
        assert!(db.store.api_key_get("ci").await.unwrap().is_some());
        append(&db.store, &project("p").channel(), &["1"]).await;

        db.execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 99, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
        let error = Store::open_beside(&url).await.unwrap_err();
        assert!(matches!(error, StoreError::NewerDatabase { version: 99 }), "{error:?}");
        db.execute("DELETE FROM _sqlx_migrations WHERE version > 2").await;
        let error = Store::open_beside(&url).await.unwrap_err();
        assert!(matches!(error, StoreError::OlderDatabase { version: 2 }), "{error:?}");
        assert!(error.to_string().contains("boardcast migrate"), "{error}");
    }
}

async fn a_new_database_is_made_ready(db: Database) {
    let url = db.url.parse().unwrap();
    if db.is_sqlite() {
        let error = Store::open_beside(&url).await.unwrap_err();
        assert!(
            matches!(error, StoreError::InUse { .. }),
            "a server is about to: {error:?}"
        );
        db.store.close().await;
    }
    let beside = Store::open_beside(&url).await.unwrap();
    assert!(beside.api_key_insert(&key("ci", None)).await.unwrap());
    let server = open(&db.url).await;
    server.migrate().await.unwrap();
    assert!(server.api_key_get("ci").await.unwrap().is_some());
    let error = Store::open_beside(&"sqlite::memory:".parse().unwrap()).await;
    assert!(matches!(error.unwrap_err(), StoreError::InMemory));
}

#[tokio::test]
async fn a_new_database_is_made_ready_on_sqlite() {
    a_new_database_is_made_ready(Database::sqlite().await).await;
}

#[tokio::test]
async fn a_new_database_is_made_ready_on_postgres() {
    a_new_database_is_made_ready(Database::postgres().await).await;
}
