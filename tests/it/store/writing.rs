//! What a transaction reads and writes.

use std::collections::BTreeSet;

use boardcast::domain::FieldStamp;
use boardcast::store::{StoreError, StoredAnswer};
use futures_util::future::join_all;

use super::*;

/// An entity with something in every column.
fn elaborate() -> Entity {
    let mut task = task(
        "p",
        "unused",
        json!({
            "title": "Größe 🎈 \"quoted\" \\ back\nslash \u{1} '; DROP TABLE entities; --",
            "status": "in progress", "sprintId": 7, "epicId": "e1", "storyPoints": 2.5,
            "big": 9_007_199_254_740_993_i64, "tiny": 1.5e-7, "huge": 1e300,
            "nested": {"a": [1, null, true, {"b": ""}]}, "nothing": null,
        }),
    );
    task.project = ProjectId(number(42));
    task.id = EntityId(number(7));
    task.version = 3;
    task.updated = Stamp {
        at: Timestamp::from_millis(1_700_000_000_999),
        by: Actor::new("anonymous:Ünïcode"),
    };
    let change = FieldStamp {
        version: 3,
        by: Actor::new("ada"),
        was: Some(json!({"old": "Größe"}).into()),
        was_version: 1,
    };
    task.history.insert("title", Arc::new(change));
    task
}

both_databases! {
    async fn entities_come_back_as_they_were(db: &Database) {
        let first = elaborate();
        let mut tombstone = entity("p", Kind::Epic, "7", json!({}));
        tombstone.deleted = Some(stamp(5));
        save(&db.store, vec![first.clone(), tombstone.clone()]).await;

        let keys = [
            (first.project.clone(), Kind::Task, id("7")),
            (project("p"), Kind::Epic, EntityId(number(7))),
            (project("p"), Kind::Task, id("missing")),
        ];
        let mut tx = db.store.begin().await.unwrap();
        let mut found = tx.entities_get(&keys).await.unwrap();
        found.sort_by_key(|entity| entity.kind);
        assert_eq!(found, [first.clone(), tombstone.clone()]);
        assert!(found[0].id.is_numeric() && found[0].project.is_numeric());
        assert!(!found[1].id.is_numeric());

        let mut changed = first;
        changed.version = 4;
        changed.fields.insert("status", json!("done"));
        changed.rank = None;
        changed.deleted = Some(stamp(9));
        let batch = Batch { entities: vec![Arc::new(changed.clone())], ..Batch::default() };
        tx.write(&batch).await.unwrap();
        assert_eq!(tx.entities_get(&keys[..1]).await.unwrap(), [changed]);
    }
}

both_databases! {
    async fn payloads_keep_every_byte(db: &Database) {
        let long = format!("{{\"text\" : \"{}\"}}", "ä\\n\\u00e4🎈".repeat(30_000));
        let payloads = [
            r#"{ "b":1,  "a":1.0e5, "b":"\u0041\ud83c\udf88\\\"", "n":-0, "u":"\u0000\u0001" }"#,
            "[1.10,10000000000000000000000000000,\t{}]",
            &long,
            "null",
        ];
        let name = project("p").channel();
        let channel = append(&db.store, &name, &payloads).await;
        let events = db.store.events_page(&name, channel.no, 0, 100, usize::MAX).await.unwrap();
        let found: Vec<_> = events.iter().map(|event| event.payload.get()).collect();
        assert_eq!(found, payloads);
        let (event, seq) = (&events[1], 2);
        assert_eq!((&event.channel, event.channel_no, event.seq), (&name, channel.no, seq));
        assert_eq!((event.event_type.as_str(), event.actor.as_str()), ("task.updated", "ada"));
        assert_eq!(event.created_at, stamp(seq).at);
        let envelopes = events.iter().map(|event| event.envelope.as_deref().map(RawValue::get));
        let envelopes: Vec<_> = envelopes.collect();
        assert_eq!(envelopes, [None, Some(r#"{"id" : "e2"}"#), None, Some(r#"{"id" : "e4"}"#)]);
        assert_eq!(db.store.event_id(channel.no, seq).await.unwrap(), Some(event.id));
        assert_eq!(db.store.event_id(channel.no, 5).await.unwrap(), None);
    }
}

both_databases! {
    async fn channels_are_made_and_locked_in_order(db: &Database) {
        let names: Vec<_> = ["b", "Z", "a", "b"].iter().map(|id| project(id).channel()).collect();
        let mut tx = db.store.begin().await.unwrap();
        let channels = tx.channels_lock(&names).await.unwrap();
        let found: Vec<_> = channels.iter().map(|channel| channel.name.as_str()).collect();
        assert_eq!(found, ["project:Z", "project:a", "project:b"]);
        tx.commit().await.unwrap();
        let numbers: BTreeSet<_> = channels.iter().map(|channel| channel.no).collect();
        assert_eq!(numbers.len(), 3);

        let mut tx = db.store.begin().await.unwrap();
        let more = [names[2].clone(), project("c").channel()];
        assert_eq!(tx.channels_lock(&more).await.unwrap()[0], channels[1]);
        drop(tx);
        let heads = db.store.channel_heads(&more).await.unwrap();
        assert_eq!(heads, [channels[1].clone()], "what was not committed is not there");
    }
}

both_databases! {
    async fn instances_that_lock_the_same_channels_do_not_deadlock(db: &Database) {
        let writers = join_all((0..4).map(|_| db.other_instance())).await;
        let rounds = writers.iter().enumerate().map(|(writer, store)| async move {
            for round in 0..10_usize {
                // New channels in each round, and each writer names them in another order.
                let mut names: Vec<_> =
                    (0..6).map(|n| project(&format!("{}", round + n)).channel()).collect();
                names.rotate_left(writer);
                let mut tx = store.begin().await.unwrap();
                let channels = tx.channels_lock(&names).await.unwrap();
                let heads = channels.iter().map(|channel| (channel.no, channel.seq + 1)).collect();
                tx.write(&Batch { heads, ..Batch::default() }).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
        join_all(rounds).await;
        let first = db.store.channel_get(&project("0").channel()).await.unwrap().unwrap();
        assert_eq!(first.seq, 4);
    }
}

both_databases! {
    async fn seqs_have_no_gaps_whoever_writes(db: &Database) {
        let writers = join_all((0..4).map(|_| db.other_instance())).await;
        let name = project("p").channel();
        join_all(writers.iter().map(async |store| {
            for _ in 0..10 {
                append(store, &name, &["1", "2"]).await;
            }
        }))
        .await;
        let channel = db.store.channel_get(&name).await.unwrap().unwrap();
        assert_eq!(channel.seq, 80);
        assert_eq!(seqs(&db.store, &channel).await, (1..=80).collect::<Vec<_>>());
    }
}

both_databases! {
    async fn a_head_only_moves_forward(db: &Database) {
        let channel = append(&db.store, &project("p").channel(), &["1", "2"]).await;
        for head in [(channel.no, 2), (channel.no, 1), (NOWHERE, 1)] {
            let mut tx = db.store.begin().await.unwrap();
            let batch = Batch { heads: vec![head], ..Batch::default() };
            let error = tx.write(&batch).await.unwrap_err();
            let StoreError::Inconsistent { table, .. } = error else { panic!("{error:?}") };
            assert_eq!(table, "channels");
        }
    }
}

both_databases! {
    async fn answers_are_found_by_their_keys_until_they_are_pruned(db: &Database) {
        let answer = |no, key: &str, reply: &str| StoredAnswer {
            channel_no: ChannelNo(no),
            key: key.to_owned(),
            fingerprint: i64::MIN,
            reply: reply.to_owned(),
        };
        let write = async |answers, at| {
            let mut tx = db.store.begin().await.unwrap();
            let now = Some(Timestamp::from_millis(at));
            tx.write(&Batch { answers, now, ..Batch::default() }).await.unwrap();
            tx.commit().await.unwrap();
        };
        let get = async |keys: &[(i64, &str)]| {
            let keys: Vec<_> = keys.iter().map(|(no, key)| (ChannelNo(*no), (*key).to_owned())).collect();
            let mut found = db.store.begin().await.unwrap().answers_get(&keys).await.unwrap();
            found.sort_by(|a, b| a.key.cmp(&b.key));
            found
        };
        let first = answer(1, "k'1", r#"{"ok":true, "é":1}"#);
        let second = answer(1, "k2", "{}");
        write(vec![first.clone(), second.clone()], 10).await;
        write(vec![answer(1, "k2", "later"), answer(2, "k2", "null")], 20).await;
        assert_eq!(get(&[(1, "k2"), (1, "k'1"), (1, "k3"), (2, "k'1")]).await, [first, second]);

        assert_eq!(db.store.answers_prune(Timestamp::from_millis(20), 1).await.unwrap(), 1);
        assert_eq!(db.store.answers_prune(Timestamp::from_millis(20), 10).await.unwrap(), 1);
        assert_eq!(db.store.answers_prune(Timestamp::from_millis(20), 10).await.unwrap(), 0);
        assert_eq!(get(&[(1, "k2"), (2, "k2")]).await, [answer(2, "k2", "null")]);
    }
}

both_databases! {
    async fn a_full_batch_is_written_at_once(db: &Database) {
        let count = 512;
        let name = project("p").channel();
        let channel = commit(&db.store, &name, |channel| {
            let mut batch = log_of(channel, &vec!["{}"; count]);
            let tasks = (0..count).map(|n| task("p", &n.to_string(), json!({"title": n})));
            batch.entities = tasks.map(Arc::new).collect();
            batch.events.iter_mut().enumerate().for_each(|(n, (_, key))| *key = Some(n.to_string()));
            batch
        })
        .await;
        assert_eq!(seqs(&db.store, &channel).await.len(), count);
        assert_eq!(db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap().entities.len(), count);
    }
}

both_databases! {
    async fn channel_that_is_made_for_nothing_leaves_no_row(db: &Database) {
        let names = ["used", "answered", "unused"].map(|name| project(name).channel());
        let mut tx = db.store.begin().await.unwrap();
        let locked = tx.channels_lock(&names).await.unwrap();
        let by_name = |name: &ChannelName| locked.iter().find(|channel| channel.name == *name).unwrap();
        let answer = StoredAnswer {
            channel_no: by_name(&names[1]).no,
            key: "k".to_owned(),
            fingerprint: 1,
            reply: "{}".to_owned(),
        };
        let batch = Batch { answers: vec![answer], ..log_of(by_name(&names[0]), &["1"]) };
        tx.write(&batch).await.unwrap();
        tx.commit().await.unwrap();
        let found = db.store.channel_heads(&names).await.unwrap();
        let mut found: Vec<_> = found.into_iter().map(|channel| channel.name).collect();
        found.sort_unstable();
        assert_eq!(found, [names[1].clone(), names[0].clone()]);
        // One that was there before stays, whatever is written.
        let mut tx = db.store.begin().await.unwrap();
        tx.channels_lock(&names).await.unwrap();
        tx.write(&Batch::default()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(db.store.channel_heads(&names).await.unwrap().len(), 2);
    }
}
