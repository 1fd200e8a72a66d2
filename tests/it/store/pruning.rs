//! Removing old events while others write and read.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use boardcast::retention::{Sweep, Swept};
use boardcast::store::{PruneLimits, Pruned};
use futures_util::future::{join, join_all};
use tokio::time::timeout;

use super::*;

/// Events are made at `stamp(seq)`.
fn before(seq: Seq) -> Timestamp {
    stamp(seq).at
}

/// Later than anything that a test writes.
const END: Seq = 1_000_000;

const fn at_most(events: i64) -> PruneLimits {
    PruneLimits {
        events,
        bytes: i64::MAX,
    }
}

fn pruned(events: u64, more: bool) -> Pruned {
    Pruned { events, more }
}

async fn get(db: &Database, channel: &Channel) -> Channel {
    db.store.channel_get(&channel.name).await.unwrap().unwrap()
}

both_databases! {
    async fn the_oldest_go_first_a_step_at_a_time(db: &Database) {
        let name = project("p").channel();
        save(&db.store, vec![task("p", "t", json!({"title": "stays"}))]).await;
        let channel = append(&db.store, &name, &["1"; 10]).await;
        let other = append(&db.store, &project("q").channel(), &["1"; 3]).await;
        let prune = async |to, limits| db.store.events_prune(channel.no, before(to), limits).await.unwrap();

        assert_eq!(prune(8, at_most(3)).await, pruned(3, true));
        assert_eq!(seqs(&db.store, &channel).await, (4..=10).collect::<Vec<_>>());
        assert_eq!(get(db, &channel).await.pruned_seq, 3);
        assert_eq!(prune(8, at_most(3)).await, pruned(3, true));
        assert_eq!(prune(8, at_most(3)).await, pruned(1, false));
        assert_eq!(prune(8, at_most(3)).await, pruned(0, false));
        assert_eq!(get(db, &channel).await, Channel { seq: 10, pruned_seq: 7, ..channel.clone() });
        assert_eq!(prune(END, PruneLimits { events: 10, bytes: 2 }).await, pruned(2, true));

        assert_eq!(prune(END, at_most(10)).await, pruned(1, false));
        assert!(seqs(&db.store, &channel).await.is_empty());
        assert_eq!(append(&db.store, &name, &["1"]).await.seq, 10, "the numbers go on");
        assert_eq!(seqs(&db.store, &channel).await, [11]);
        assert_eq!(seqs(&db.store, &other).await, [1, 2, 3]);
        let snapshot = db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap();
        assert_eq!((snapshot.channel.unwrap().seq, snapshot.entities.len()), (11, 1));
    }
}

both_databases! {
    async fn clocks_that_differ_make_no_hole(db: &Database) {
        let channel = append(&db.store, &project("p").channel(), &["1"; 6]).await;
        db.execute("UPDATE events SET created_at = created_at + 3600000 WHERE seq = 3").await;
        let prune = async |to| db.store.events_prune(channel.no, before(to), at_most(9)).await.unwrap();
        assert_eq!(prune(END - 1).await, pruned(2, false));
        assert_eq!(seqs(&db.store, &channel).await, [3, 4, 5, 6]);
        assert_eq!(prune(3_700_000).await, pruned(4, false));
    }
}

both_databases! {
    async fn many_that_remove_and_write_and_read_do_not_collide(db: &Database) {
        const BATCHES: usize = 40;
        let stores = join_all((0..3).map(|_| db.other_instance())).await;
        let name = project("p").channel();
        let no = append(&db.store, &name, &["1"; 50]).await.no;
        let last = 50 + Seq::try_from(3 * 2 * BATCHES).unwrap();
        let writers = join_all(stores.iter().map(async |store| {
            for _ in 0..BATCHES {
                append(store, &name, &["1", "2"]).await;
            }
        }));
        let sweepers = join_all(stores.iter().map(async |store| {
            let mut removed = 0;
            loop {
                removed += store.events_prune(no, before(END), at_most(7)).await.unwrap().events;
                let channel = store.channel_get(&name).await.unwrap().unwrap();
                if channel.pruned_seq == last {
                    return removed;
                }
            }
        }));
        let reader = async {
            let mut known = 0;
            while known < last {
                let page = db.store.events_page(&name, no, known, 20, usize::MAX).await.unwrap();
                let channel = db.store.channel_get(&name).await.unwrap().unwrap();
                assert!(known <= channel.pruned_seq, "it never moves back");
                let found: Vec<_> = page.iter().map(|event| event.seq).collect();
                if let Some(first) = found.first() {
                    assert_eq!(found, (*first..).take(found.len()).collect::<Vec<_>>());
                    assert!(*first == known + 1 || *first <= channel.pruned_seq + 1, "nothing else is missing");
                }
                known = channel.pruned_seq;
            }
        };
        let all = Box::pin(async { tokio::join!(writers, sweepers, reader) });
        let (_, removed, ()) = timeout(Duration::from_mins(1), all).await.expect("nobody waits for ever");
        assert_eq!(removed.iter().sum::<u64>(), last.unsigned_abs(), "each is removed once");
        assert_eq!(db.texts("SELECT CAST(count(*) AS text) FROM events").await, [Some("0".to_owned())]);
    }
}

both_databases! {
    async fn a_writer_gets_its_turn_between_the_steps(db: &Database) {
        let name = project("p").channel();
        for _ in 0..40 {
            append(&db.store, &name, &["{\"title\":\"something to remove\"}"; 500]).await;
        }
        let sweep = Sweep { projects: Some(before(20_001)), others: None };
        let sweeping = sweep.run(&db.store);
        let (mut seen, mut slowest) = (BTreeSet::new(), Duration::ZERO);
        let writing = async {
            loop {
                let started = Instant::now();
                let pruned_seq = append(&db.store, &name, &["1"]).await.pruned_seq;
                slowest = slowest.max(started.elapsed());
                seen.insert(pruned_seq);
                if pruned_seq == 20_000 {
                    return;
                }
            }
        };
        let (swept, ()) = timeout(Duration::from_mins(1), join(sweeping, writing)).await.unwrap();
        assert_eq!(swept.unwrap(), Swept { events: 20_000, channels: 1 });
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        assert!(seen.len() > 10, "it was let in between: {seen:?}");
    }
}

both_databases! {
    async fn each_family_of_channels_has_its_own_time(db: &Database) {
        let names = ["project:p", "agent:x", "project"].map(ChannelName::restore);
        let mut channels = Vec::new();
        for name in &names {
            channels.push(append(&db.store, name, &["1"; 4]).await);
        }
        let kept = async || {
            let mut kept = Vec::new();
            for channel in &channels {
                kept.push(seqs(&db.store, channel).await.len());
            }
            kept
        };
        let sweep = async |projects, others| {
            let sweep = Sweep { projects, others };
            sweep.run(&db.store).await.unwrap()
        };
        assert_eq!(sweep(None, None).await, Swept::default());
        assert_eq!(sweep(Some(before(1)), Some(before(1))).await, Swept::default());
        assert_eq!(sweep(None, Some(before(3))).await, Swept { events: 4, channels: 2 });
        assert_eq!(kept().await, [4, 2, 2]);
        assert_eq!(sweep(Some(before(4)), None).await, Swept { events: 3, channels: 1 });
        assert_eq!(kept().await, [1, 2, 2]);
        assert_eq!(sweep(Some(before(9)), Some(before(9))).await, Swept { events: 5, channels: 3 });
    }
}

both_databases! {
    async fn more_channels_than_fit_on_a_page_are_all_found(db: &Database) {
        let names: Vec<_> = (0..1001).map(|n| project(&n.to_string()).channel()).collect();
        let mut tx = db.store.begin().await.unwrap();
        let channels = tx.channels_lock(&names).await.unwrap();
        let batch = Batch {
            events: channels.iter().map(|channel| (event(channel, 1, "1"), None)).collect(),
            heads: channels.iter().map(|channel| (channel.no, 1)).collect(),
            ..Batch::default()
        };
        tx.write(&batch).await.unwrap();
        tx.commit().await.unwrap();
        let sweep = Sweep { projects: Some(before(END)), others: None };
        assert_eq!(sweep.run(&db.store).await.unwrap(), Swept { events: 1001, channels: 1001 });
        assert_eq!(sweep.run(&db.store).await.unwrap(), Swept::default());
    }
}

both_databases! {
    async fn a_channel_in_trouble_is_left_for_later(db: &Database) {
        let names = ["a", "b", "c"].map(|id| project(id).channel());
        let mut channels = Vec::new();
        for name in &names {
            channels.push(append(&db.store, name, &["1", "2"]).await);
        }
        let no = channels[1].no.0;
        if db.is_sqlite() {
            db.execute(&format!(
                "CREATE TRIGGER trouble BEFORE DELETE ON events WHEN OLD.channel_no = {no}
                 BEGIN SELECT RAISE(ABORT, 'trouble'); END"
            )).await;
        } else {
            db.execute(&format!(
                "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'trouble'; END $$;
                 CREATE TRIGGER trouble BEFORE DELETE ON events FOR EACH ROW
                 WHEN (OLD.channel_no = {no}) EXECUTE FUNCTION trouble()"
            )).await;
        }
        let sweep = Sweep { projects: Some(before(END)), others: None };
        assert_eq!(sweep.run(&db.store).await.unwrap(), Swept { events: 4, channels: 2 });
        assert_eq!(get(db, &channels[1]).await.pruned_seq, 0);
        assert_eq!(seqs(&db.store, &channels[1]).await, [1, 2]);
    }
}

/// The queries of a database that wait for a lock, once there are any.
async fn waiting(db: &Database) -> String {
    let waiting = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'
         AND datname = current_database()";
    loop {
        if let Some(Some(query)) = db.texts(waiting).await.pop() {
            return query;
        }
    }
}

#[tokio::test]
async fn while_events_are_being_removed_writers_go_on() {
    let db = Database::postgres().await.migrated().await;
    let name = project("p").channel();
    let channel = append(&db.store, &name, &["1"; 9]).await;
    let mut other = PgConnection::connect(&db.url).await.unwrap();
    let lock = "BEGIN; SELECT * FROM events WHERE seq = 3 FOR UPDATE";
    other.execute(lock).await.unwrap();
    let step = Box::pin(db.store.events_prune(channel.no, before(6), at_most(9)));
    let meanwhile = Box::pin(async {
        let waits = waiting(&db).await;
        assert!(waits.starts_with("DELETE FROM events"), "{waits}");
        append(&db.other_instance().await, &name, &["1"]).await;
        assert_eq!(get(&db, &channel).await.pruned_seq, 0);
        other.execute("ROLLBACK").await.unwrap();
    });
    assert_eq!(join(step, meanwhile).await.0.unwrap(), pruned(5, false));
    assert_eq!(seqs(&db.store, &channel).await, [6, 7, 8, 9, 10]);
}

/// A writer that has locked the channel is waited for at the very end, so nobody else is held up by a step, and
/// nobody sees half of one.
#[tokio::test]
async fn a_step_waits_for_a_writer_and_holds_up_nobody() {
    let db = Database::postgres().await.migrated().await;
    let name = project("p").channel();
    let channel = append(&db.store, &name, &["1"; 9]).await;
    let other = append(&db.store, &project("q").channel(), &["1"; 9]).await;
    let mut writer = db.store.begin().await.unwrap();
    let locked = writer
        .channels_lock(std::slice::from_ref(&name))
        .await
        .unwrap();

    let second = db.other_instance().await;
    let step = Box::pin(second.events_prune(channel.no, before(6), at_most(9)));
    let meanwhile = Box::pin(async {
        let waits = waiting(&db).await;
        assert!(waits.starts_with("UPDATE channels"), "{waits}");
        let prune = db.store.events_prune(other.no, before(6), at_most(9));
        assert_eq!(prune.await.unwrap(), pruned(5, false));
        assert_eq!(seqs(&db.store, &channel).await.len(), 9);
        writer.write(&log_of(&locked[0], &["1"])).await.unwrap();
        writer.commit().await.unwrap();
    });
    let both = timeout(Duration::from_secs(30), join(step, meanwhile));
    assert_eq!(both.await.unwrap().0.unwrap(), pruned(5, false));
    assert_eq!(seqs(&db.store, &channel).await, [6, 7, 8, 9, 10]);
    let now = get(&db, &channel).await;
    assert_eq!((now.seq, now.pruned_seq), (10, 5));
}
