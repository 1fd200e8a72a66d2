//! Opening, migrating, telling databases apart.

use std::error::Error as _;

use boardcast::store::StoreError;
use futures_util::future::join_all;

use super::*;

async fn migrates_once_when_all_start_at_once(db: Database) {
    let stores = join_all((0..4).map(|_| db.other_instance())).await;
    for result in join_all(stores.iter().map(Store::migrate)).await {
        result.unwrap();
    }
    let epoch = db.store.epoch().await.unwrap();
    for store in &stores {
        store.migrate().await.unwrap();
        assert_eq!(store.epoch().await.unwrap(), epoch);
    }
    assert_eq!(epoch.as_str().len(), 12);
    db.store.ping().await.unwrap();
}

#[tokio::test]
async fn migrates_once_when_all_start_at_once_on_sqlite() {
    migrates_once_when_all_start_at_once(Database::sqlite().await).await;
}

#[tokio::test]
async fn migrates_once_when_all_start_at_once_on_postgres() {
    migrates_once_when_all_start_at_once(Database::postgres().await).await;
}

both_databases! {
    async fn a_newer_database_is_refused_with_advice(db: &Database) {
        db.execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 99, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
        // Twice: the first must not keep the migration lock.
        for _ in 0..2 {
            let error = db.other_instance().await.migrate().await.unwrap_err();
            assert!(matches!(error, StoreError::NewerDatabase { version: 99 }), "{error:?}");
            assert!(error.to_string().contains("start the version that made it"), "{error}");
        }
        db.execute("DELETE FROM _sqlx_migrations WHERE version = 99").await;
        db.store.migrate().await.unwrap();
    }
}

both_databases! {
    async fn a_migration_of_somebody_else_is_named(db: &Database) {
        db.execute("UPDATE _sqlx_migrations SET checksum = 'abc' WHERE version = 1").await;
        let error = db.store.migrate().await.unwrap_err();
        assert!(matches!(error, StoreError::ForeignMigration { version: 1 }), "{error:?}");
    }
}

both_databases! {
    async fn a_closed_store_is_unavailable(db: &Database) {
        db.store.close().await;
        assert!(db.store.ping().await.unwrap_err().is_unavailable());
        assert!(db.store.begin().await.unwrap_err().is_unavailable());
    }
}

#[tokio::test]
async fn a_file_is_opened_by_one_process_only() {
    let db = Database::sqlite().await.migrated().await;
    let epoch = db.store.epoch().await.unwrap();
    let error = Store::open(&db.url.parse().unwrap(), 4).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    assert!(
        error.to_string().contains("in use by another process"),
        "{error}"
    );

    db.store.close().await;
    let again = open(&db.url).await;
    assert_eq!(again.epoch().await.unwrap(), epoch);
}

#[tokio::test]
async fn a_file_is_opened_once_whatever_name_it_is_opened_by() {
    let db = Database::sqlite().await.migrated().await;
    let path = std::path::PathBuf::from(db.url.strip_prefix("sqlite:").unwrap());
    let [hard, soft] = ["hard.db", "soft.db"].map(|name| path.with_file_name(name));
    std::fs::hard_link(&path, &hard).unwrap();
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    std::fs::remove_file(path.with_file_name("board.db.lock")).unwrap();
    for name in [&path, &hard, &soft] {
        let url = format!("sqlite:{}", name.display());
        let error = Store::open(&url.parse().unwrap(), 4).await.unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    }
    // What was refused has taken no lock away from who has it.
    append(&db.store, &project("p").channel(), &["1"]).await;
    db.store.close().await;
    let again = open(&db.url).await;
    let channel = again.channel_get(&project("p").channel()).await.unwrap();
    assert_eq!(channel.unwrap().seq, 1);
}

#[tokio::test]
async fn nothing_is_written_to_a_file_that_has_lost_its_name() {
    let db = Database::sqlite().await.migrated().await;
    let path = std::path::PathBuf::from(db.url.strip_prefix("sqlite:").unwrap());
    let away = path.with_file_name("away.db");
    std::fs::rename(&path, &away).unwrap();
    assert!(db.store.begin().await.unwrap_err().is_unavailable());
    std::fs::write(&path, "").unwrap();
    assert!(db.store.begin().await.unwrap_err().is_unavailable());
    std::fs::rename(&away, &path).unwrap();
    append(&db.store, &project("p").channel(), &["1"]).await;
}

#[tokio::test]
async fn says_why_it_cannot_open() {
    for url in [
        "sqlite:/nowhere/at/all/board.db".to_owned(),
        "postgres://u:s3cret@127.0.0.1:1/board".to_owned(),
        Postgres::shared().url("missing"),
    ] {
        let error = Store::open(&url.parse().unwrap(), 4).await.unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
        assert!(error.source().is_some());
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_database_in_memory_lives_as_long_as_its_store() {
    let store = open("sqlite::memory:").await;
    store.migrate().await.unwrap();
    let epoch = store.epoch().await.unwrap();
    let name = project("p").channel();
    append(&store, &name, &["1"]).await;
    for _ in 0..10 {
        let mut tx = store.begin().await.unwrap();
        tx.channels_lock(&[project("other").channel()])
            .await
            .unwrap();
    }
    assert_eq!(store.epoch().await.unwrap(), epoch);
    assert_eq!(store.channel_get(&name).await.unwrap().unwrap().seq, 1);
    assert!(
        store
            .channel_get(&project("other").channel())
            .await
            .unwrap()
            .is_none()
    );

    let another = open("sqlite::memory:").await;
    another.migrate().await.unwrap();
    assert_ne!(another.epoch().await.unwrap(), epoch);
}

/// The writer and the feeds are tasks that may run on any thread.
#[test]
fn every_future_can_be_sent() {
    fn is_send<T: Send>(_: T) {}

    fn check(store: &Store, name: &ChannelName, project: &ProjectId, batch: &Batch) {
        is_send(store.migrate());
        is_send(store.snapshot(project, &Gather::entities()));
        is_send(store.events_page(name, NOWHERE, 0, 1, 1));
        is_send(store.channel_get(name));
        is_send(async move {
            let mut tx = store.begin().await.unwrap();
            tx.channels_lock(std::slice::from_ref(name)).await.unwrap();
            tx.entities_get(&[]).await.unwrap();
            tx.other_owner(project, &id("ann")).await.unwrap();
            tx.entities_put(&[]).await.unwrap();
            tx.answers_get(&[]).await.unwrap();
            tx.write(batch).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    let _ = check;
}
