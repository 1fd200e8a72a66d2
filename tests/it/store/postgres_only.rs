//! A server that dies, hangs and comes back.

use std::time::{Duration, Instant};

use boardcast::store::CommitError;
use futures_util::future::join;
use tokio::time::timeout;

use super::*;

/// A server to be ill-treated, and a database on it.
async fn own_server() -> (Postgres, Database) {
    let server = Postgres::start();
    let url = server.create_database().await;
    let store = open(&url).await;
    let db = Database {
        store,
        url,
        _directory: None,
    };
    (server, db.migrated().await)
}

#[tokio::test]
async fn a_server_that_dies_is_unavailable_and_heals() {
    let (server, db) = own_server().await;
    let name = project("p").channel();
    let channel = append(&db.store, &name, &["1", "2"]).await;
    let mut read = db.store.begin().await.unwrap();
    let mut write = db.store.begin().await.unwrap();
    let locked = write
        .channels_lock(std::slice::from_ref(&name))
        .await
        .unwrap();
    write.write(&log_of(&locked[0], &["3"])).await.unwrap();

    server.kill9();
    let error = read
        .other_owner(&project("p"), &id("ann"))
        .await
        .unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let error = write.commit().await.unwrap_err();
    assert!(matches!(error, CommitError::Unknown(_)), "{error:?}");
    let started = Instant::now();
    assert!(db.store.begin().await.unwrap_err().is_unavailable());
    assert!(
        db.store
            .channel_get(&name)
            .await
            .unwrap_err()
            .is_unavailable()
    );
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "nobody waits for long"
    );

    server.restart();
    timeout(Duration::from_secs(5), async {
        while db.store.ping().await.is_err() {}
    })
    .await
    .expect("it heals");
    assert_eq!(
        seqs(&db.store, &channel).await,
        [1, 2],
        "what was committed is there, and nothing else"
    );
    append(&db.store, &name, &["3"]).await;
}

#[tokio::test]
async fn a_server_that_hangs_does_not_use_up_the_pool() {
    let (server, db) = own_server().await;
    let name = project("p").channel();
    append(&db.store, &name, &["1"]).await;
    server.pause();
    for _ in 0..10 {
        let call = timeout(Duration::from_millis(50), db.store.channel_get(&name)).await;
        assert!(call.is_err());
    }
    server.resume();
    timeout(Duration::from_secs(10), async {
        while db.store.channel_get(&name).await.is_err() {}
    })
    .await
    .expect("it heals");
}

#[tokio::test]
async fn a_lock_that_somebody_keeps_is_unavailable_in_time() {
    let db = Database::postgres().await.migrated().await;
    let name = project("p").channel();
    append(&db.store, &name, &["1"]).await;
    let mut keeper = db.store.begin().await.unwrap();
    keeper
        .channels_lock(std::slice::from_ref(&name))
        .await
        .unwrap();

    let other = db.other_instance().await;
    let mut tx = other.begin().await.unwrap();
    let error = tx
        .channels_lock(std::slice::from_ref(&name))
        .await
        .unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    drop(keeper);
    append(&other, &name, &["2"]).await;
}

/// One transaction is making `m` when `z`, which it wants as well, appears and is locked by another one
/// that wants `m`: whoever waits for a row to be made must not hold a lock.
#[tokio::test]
async fn no_lock_is_held_while_a_channel_is_made() {
    let db = Database::postgres().await.migrated().await;
    let names = ["m", "z"].map(|id| project(id).channel());
    db.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON channels FOR EACH ROW
         WHEN (NEW.name = 'project:z') EXECUTE FUNCTION slow()",
    )
    .await;
    let lock = async || {
        let mut tx = db.store.begin().await.unwrap();
        let channels = tx.channels_lock(&names).await.unwrap();
        tx.commit().await.unwrap();
        channels.len()
    };
    let second = async {
        let sleeping = "SELECT wait_event FROM pg_stat_activity WHERE wait_event = 'PgSleep'
             AND datname = current_database()";
        while db.texts(sleeping).await.is_empty() {}
        db.execute(
            "SET session_replication_role = replica;
             INSERT INTO channels (name) VALUES ('project:z')",
        )
        .await;
        lock().await
    };
    assert_eq!(join(lock(), second).await, (2, 2));
}
