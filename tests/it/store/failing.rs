//! What goes wrong, and what is left afterwards: nothing.

use std::time::Duration;

use boardcast::store::{CommitError, StoreError};
use tokio::time::timeout;

use super::*;

/// Makes the database refuse events whose payload says so.
async fn poison(db: &Database) {
    if db.is_sqlite() {
        db.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON events WHEN NEW.payload LIKE '%poison%'
             BEGIN SELECT RAISE(ABORT, 'secret words'); END",
        )
        .await;
    } else {
        db.execute(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'secret words'; END $$;
             CREATE TRIGGER poison BEFORE INSERT ON events FOR EACH ROW
             WHEN (NEW.payload LIKE '%poison%') EXECUTE FUNCTION poison()",
        )
        .await;
    }
}

both_databases! {
    async fn a_refused_row_leaves_nothing_of_its_batch(db: &Database) {
        poison(db).await;
        let name = project("p").channel();
        append(&db.store, &name, &["1"]).await;

        let mut tx = db.store.begin().await.unwrap();
        let channel = tx.channels_lock(std::slice::from_ref(&name)).await.unwrap().remove(0);
        let mut batch = log_of(&channel, &["2", "\"poison\""]);
        batch.entities = vec![Arc::new(task("p", "t", json!({})))];
        let error = tx.write(&batch).await.unwrap_err();
        assert!(error.is_refused(), "{error:?}");
        assert!(!error.to_string().contains("secret"));
        let error = tx.commit().await.unwrap_err();
        assert!(matches!(error, CommitError::NotCommitted(_)), "{error:?}");

        let channel = append(&db.store, &name, &["2"]).await;
        assert_eq!(channel.seq, 1);
        assert_eq!(seqs(&db.store, &channel).await, [1, 2]);
        assert!(db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap().entities.is_empty());
    }
}

both_databases! {
    async fn a_dropped_transaction_leaves_nothing(db: &Database) {
        let name = project("p").channel();
        for _ in 0..10 {
            let mut tx = db.store.begin().await.unwrap();
            let channel = tx.channels_lock(std::slice::from_ref(&name)).await.unwrap().remove(0);
            tx.write(&log_of(&channel, &["1"])).await.unwrap();
            drop(tx);
            assert!(db.store.channel_get(&name).await.unwrap().is_none());
        }
        assert_eq!(append(&db.store, &name, &["1"]).await.seq, 0);
    }
}

both_databases! {
    async fn a_call_that_is_dropped_half_way_does_no_harm(db: &Database) {
        let name = project("p").channel();
        let payload = format!("\"{}\"", "x".repeat(50_000));
        for micros in (0..3000).step_by(60) {
            let attempt = async {
                let mut tx = db.store.begin().await?;
                let channel = tx.channels_lock(std::slice::from_ref(&name)).await?.remove(0);
                tx.write(&log_of(&channel, &[payload.as_str(); 8])).await?;
                tx.commit().await.map_err(CommitError::into_inner)
            };
            if let Ok(done) = timeout(Duration::from_micros(micros), attempt).await {
                done.unwrap();
            }
        }
        let channel = append(&db.store, &name, &["1"]).await;
        assert_eq!(channel.seq % 8, 0, "a batch is there as a whole or not at all");
        assert_eq!(seqs(&db.store, &channel).await, (1..=channel.seq + 1).collect::<Vec<_>>());
    }
}

both_databases! {
    async fn after_a_dropped_call_a_transaction_cannot_be_committed(db: &Database) {
        let name = project("p").channel();
        let mut tx = db.store.begin().await.unwrap();
        let channel = tx.channels_lock(std::slice::from_ref(&name)).await.unwrap().remove(0);
        let payload = format!("\"{}\"", "x".repeat(50_000));
        let batch = log_of(&channel, &[payload.as_str(); 100]);
        let dropped = timeout(Duration::ZERO, tx.write(&batch)).await;
        assert!(dropped.is_err());
        assert!(matches!(tx.commit().await.unwrap_err(), CommitError::NotCommitted(_)));
        assert!(db.store.channel_get(&name).await.unwrap().is_none());
    }
}

both_databases! {
    async fn channels_are_locked_before_anything_is_written(db: &Database) {
        let mut tx = db.store.begin().await.unwrap();
        tx.write(&Batch { entities: vec![Arc::new(task("p", "t", json!({})))], ..Batch::default() })
            .await
            .unwrap();
        assert!(tx.channels_lock(&[project("p").channel()]).await.is_err());
    }
}

both_databases! {
    async fn a_row_that_nobody_can_have_written_is_named(db: &Database) {
        save(&db.store, vec![task("p", "t", json!({}))]).await;
        for unknown in ["riddle", "No kind"] {
            db.execute(&format!("UPDATE entities SET kind = '{unknown}'")).await;
            let snapshot = db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap();
            assert!(snapshot.entities.is_empty(), "nobody is shown what is of a kind that nobody has declared");
        }
        db.execute("UPDATE entities SET kind = 'task', fields = '[1]'").await;
        let error = db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Inconsistent { table: "entities", column: "fields" }),
            "{error:?}"
        );
    }
}

/// SQLite ends a transaction by itself when it runs into its limits; the next one must not notice.
#[tokio::test]
async fn a_full_disk_is_unavailable_until_there_is_room() {
    let db = Database::sqlite().await.migrated().await;
    let name = project("p").channel();
    append(&db.store, &name, &["1"]).await;
    db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.payload LIKE '%full%'
         BEGIN SELECT RAISE(ROLLBACK, 'as a full disk does'); END",
    )
    .await;
    for _ in 0..3 {
        let mut tx = db.store.begin().await.unwrap();
        let channel = tx
            .channels_lock(std::slice::from_ref(&name))
            .await
            .unwrap()
            .remove(0);
        tx.write(&log_of(&channel, &["\"full\""]))
            .await
            .unwrap_err();
        assert!(
            tx.entities_get(&[(project("p"), Kind::Task, id("t"))])
                .await
                .is_err()
        );
    }
    let channel = append(&db.store, &name, &["2"]).await;
    assert_eq!(seqs(&db.store, &channel).await, [1, 2]);
}

#[tokio::test]
async fn a_file_that_another_program_holds_is_unavailable() {
    let db = Database::sqlite().await.migrated().await;
    let mut other = SqliteConnection::connect(&db.url).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    assert!(db.store.begin().await.unwrap_err().is_unavailable());
    db.store.ping().await.unwrap();
    other.execute("COMMIT").await.unwrap();
    append(&db.store, &project("p").channel(), &["1"]).await;
}
