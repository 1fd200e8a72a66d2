//! A commit in one statement: all of it, or nothing once somebody else was faster.

use std::time::Duration;

use boardcast::domain::Seq;
use boardcast::store::{CommitConnection, Compared, Head, StoredAnswer, Wanted};

use super::*;

/// Loads a channel as a writer does.
async fn load(conn: &mut CommitConnection, name: &ChannelName) -> Head {
    let wanted = Wanted {
        channels: vec![name.clone()],
        ..Wanted::default()
    };
    conn.load(&wanted).await.unwrap().heads.remove(0)
}

/// One event, one task and one answer more.
fn change(head: &mut Head, key: &str) -> Batch {
    let seq = head.channel.seq + 1;
    head.next = seq;
    Batch {
        events: vec![(event(&head.channel, seq, "{}"), Some(key.to_owned()))],
        entities: vec![Arc::new(task(
            "p",
            key,
            json!({"title": key, "status": "open"}),
        ))],
        answers: vec![answer(head, key)],
        now: Some(stamp(0).at),
        ..Batch::default()
    }
}

fn answer(head: &Head, key: &str) -> StoredAnswer {
    StoredAnswer {
        channel_no: head.channel.no,
        key: key.to_owned(),
        fingerprint: 1,
        reply: "{}".to_owned(),
    }
}

fn keys(head: &Head, key: &str) -> Vec<(ChannelNo, String)> {
    vec![(head.channel.no, key.to_owned())]
}

async fn commit_change(conn: &mut CommitConnection, mut head: Head, key: &str) -> Compared {
    let batch = change(&mut head, key);
    let keys = keys(&head, key);
    conn.commit(&[head], &keys, &batch).await.unwrap()
}

/// The head, and the numbers of events, entities and answers.
async fn written(db: &Database) -> (Option<Seq>, [String; 3]) {
    let name = project("p").channel();
    let head = db.store.channel_get(&name).await.unwrap();
    let mut counts = Vec::new();
    for table in ["events", "entities", "answers"] {
        let sql = format!("SELECT CAST(count(*) AS text) FROM {table}");
        counts.extend(db.texts(&sql).await.remove(0));
    }
    let counts = counts.try_into().unwrap();
    (head.map(|channel| channel.seq), counts)
}

fn of_each(count: usize) -> [String; 3] {
    [(); 3].map(|()| count.to_string())
}

both_databases! {
    async fn what_is_as_expected_is_written_at_once(db: &Database) {
        let name = project("p").channel();
        let mut conn = db.store.commit_connection();
        let new = load(&mut conn, &name).await;
        assert!(!new.is_stored);
        assert_eq!(commit_change(&mut conn, new.clone(), "a").await, Compared::Same);
        let stored = load(&mut conn, &name).await;
        assert!(stored.is_stored);
        assert_eq!((stored.channel.no, stored.channel.seq), (new.channel.no, 1));
        assert_eq!(commit_change(&mut conn, stored.clone(), "b").await, Compared::Same);
        assert_eq!(written(db).await, (Some(2), of_each(2)));
        assert_eq!(seqs(&db.store, &stored.channel).await, [1, 2]);

        let wanted = Wanted {
            channels: vec![name.clone()],
            entities: vec![(project("p"), Kind::Task, id("a")), (project("p"), Kind::Task, id("missing"))],
            keys: vec![(name.clone(), "b".to_owned()), (name.clone(), "missing".to_owned())],
        };
        let found = conn.load(&wanted).await.unwrap();
        assert_eq!(found.heads[0].channel.seq, 2);
        assert_eq!(found.entities, [task("p", "a", json!({"title": "a", "status": "open"}))]);
        assert_eq!(found.answers, [answer(&stored, "b")]);
        assert!(found.bytes > 10);
    }
}

both_databases! {
    async fn a_head_that_has_moved_is_named_and_nothing_is_written(db: &Database) {
        let (p, q) = (project("p").channel(), project("q").channel());
        let mut conn = db.store.commit_connection();
        append(&db.store, &p, &["1"]).await;
        append(&db.store, &q, &["1"]).await;
        let (mut old, same) = (load(&mut conn, &p).await, load(&mut conn, &q).await);
        append(&db.store, &p, &["2"]).await;
        let batch = change(&mut old, "a");
        let heads = [same.clone(), old.clone()];
        let compared = conn.commit(&heads, &keys(&old, "a"), &batch).await.unwrap();
        if !db.is_sqlite() {
            assert_eq!(compared, Compared::Moved(vec![old.channel.no]));
        }
        assert_ne!(compared, Compared::Same);
        let counts = ["3", "0", "0"].map(str::to_owned);
        assert_eq!(written(db).await, (Some(2), counts.clone()));

        // A batch that writes nothing compares as well.
        let nothing = Batch::default();
        let compared = conn.commit(&heads, &[], &nothing).await.unwrap();
        assert_eq!(compared, Compared::Moved(vec![old.channel.no]));
        assert_eq!(conn.commit(&[same], &[], &nothing).await.unwrap(), Compared::Same);
        assert_eq!(written(db).await, (Some(2), counts));
    }
}

both_databases! {
    async fn a_key_that_has_an_answer_stops_the_commit(db: &Database) {
        let name = project("p").channel();
        let mut conn = db.store.commit_connection();
        let head = load(&mut conn, &name).await;
        commit_change(&mut conn, head, "a").await;
        let mut head = load(&mut conn, &name).await;
        assert_eq!(commit_change(&mut conn, head.clone(), "a").await, Compared::Moved(Vec::new()));
        let nothing = Batch::default();
        let compared = conn.commit(&[head.clone()], &keys(&head, "a"), &nothing).await.unwrap();
        assert_eq!(compared, Compared::Moved(Vec::new()));
        // Stored in the meantime, which only the key's uniqueness tells.
        let batch = change(&mut head, "a");
        assert_eq!(conn.commit(&[head.clone()], &[], &batch).await.unwrap(), Compared::Moved(Vec::new()));
        assert_eq!(written(db).await, (Some(1), of_each(1)));
        assert_eq!(commit_change(&mut conn, head, "b").await, Compared::Same);
    }
}

both_databases! {
    async fn a_channel_that_others_have_made_is_not_made_again(db: &Database) {
        let name = project("p").channel();
        let mut conn = db.store.commit_connection();
        let new = load(&mut conn, &name).await;
        append(&db.store, &name, &["1"]).await;
        assert_eq!(commit_change(&mut conn, new.clone(), "a").await, Compared::Moved(Vec::new()));
        let compared = conn.commit(&[new], &[], &Batch::default()).await.unwrap();
        assert_eq!(compared, Compared::Moved(Vec::new()));
        assert_eq!(written(db).await.0, Some(1));
    }
}

both_databases! {
    async fn data_that_the_database_refuses_leaves_nothing_and_the_connection_goes_on(db: &Database) {
        let name = project("p").channel();
        let mut conn = db.store.commit_connection();
        let mut head = load(&mut conn, &name).await;
        let mut batch = change(&mut head, "a");
        db.execute("CREATE TABLE answers_now AS SELECT * FROM answers").await;
        db.execute("DROP TABLE answers").await;
        let refused = conn.commit(&[head.clone()], &[], &batch).await.unwrap_err();
        assert!(matches!(refused, boardcast::store::CommitError::NotCommitted(_)), "{refused:?}");
        batch.answers.clear();
        assert!(db.store.channel_get(&name).await.unwrap().is_none());
        if !db.is_sqlite() {
            assert_eq!(conn.commit(&[head], &[], &batch).await.unwrap(), Compared::Same);
        }
    }
}

/// Runs a commit that has to wait for what another transaction does meanwhile.
async fn beside(db: &Database, sql: &str, key: &str) -> Compared {
    let name = project("p").channel();
    let mut conn = db.store.commit_connection();
    let head = load(&mut conn, &name).await;
    let mut other = PgConnection::connect(&db.url).await.unwrap();
    other
        .execute("BEGIN; SELECT * FROM channels FOR UPDATE")
        .await
        .unwrap();
    let committing = tokio::spawn({
        let (head, key) = (head.clone(), key.to_owned());
        async move { commit_change(&mut conn, head, &key).await }
    });
    let waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while db.texts(waiting).await[0].as_deref() != Some("1") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sql = sql.replace("$no", &head.channel.no.0.to_string());
    other.execute(AssertSqlSafe(sql)).await.unwrap();
    other.execute("COMMIT").await.unwrap();
    committing.await.unwrap()
}

#[tokio::test]
async fn a_commit_that_waited_compares_the_head_as_it_is_then() {
    let db = Database::postgres().await.migrated().await;
    let channel = append(&db.store, &project("p").channel(), &["1"]).await;
    let moved = "UPDATE channels SET seq = seq + 1";
    assert_eq!(
        beside(&db, moved, "a").await,
        Compared::Moved(vec![channel.no])
    );
    assert_eq!(
        written(&db).await,
        (Some(2), ["1", "0", "0"].map(str::to_owned))
    );
}

#[tokio::test]
async fn a_commit_that_waited_writes_to_a_row_that_was_pruned_meanwhile() {
    let db = Database::postgres().await.migrated().await;
    append(&db.store, &project("p").channel(), &["1"]).await;
    let pruned = "DELETE FROM events; UPDATE channels SET pruned_seq = 1";
    assert_eq!(beside(&db, pruned, "a").await, Compared::Same);
    assert_eq!(written(&db).await, (Some(2), of_each(1)));
}

/// The answer to a refused command moves no head, and is not seen by a statement that began before it.
#[tokio::test]
async fn a_commit_that_waited_finds_an_answer_that_was_stored_meanwhile() {
    let db = Database::postgres().await.migrated().await;
    append(&db.store, &project("p").channel(), &["1"]).await;
    let answered = "INSERT INTO answers VALUES ($no, 'a', 1, 'first', 0)";
    assert_eq!(
        beside(&db, answered, "a").await,
        Compared::Moved(Vec::new())
    );
    assert_eq!(
        written(&db).await,
        (Some(1), ["1", "0", "1"].map(str::to_owned))
    );
}

/// What was sent over a connection that broke, and was not found, must not be committed later.
#[tokio::test]
async fn a_backend_that_was_ended_commits_nothing_more() {
    let db = Database::postgres().await.migrated().await;
    let name = project("p").channel();
    append(&db.store, &name, &["1"]).await;
    let mut conn = db.store.commit_connection();
    let head = load(&mut conn, &name).await;
    let backend = conn.backend().unwrap();
    db.store.end_backend(&backend).await.unwrap();
    db.store.end_backend(&backend).await.unwrap();
    let mut head = head;
    let batch = change(&mut head, "a");
    let lost = conn.commit(&[head.clone()], &[], &batch).await.unwrap_err();
    assert!(
        matches!(lost, boardcast::store::CommitError::Unknown(_)),
        "{lost:?}"
    );
    assert_eq!(written(&db).await.0, Some(1));
    conn.discard();
    assert_eq!(
        commit_change(
            &mut conn,
            load(&mut db.store.commit_connection(), &name).await,
            "a"
        )
        .await,
        Compared::Same
    );
}
