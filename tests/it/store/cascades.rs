//! Cascades, and the tasks that they change.

use boardcast::domain::{Cascade, CascadeKey, Cause, Reference};
use boardcast::store::TaskLimits;

use super::*;

const ALL: TaskLimits = TaskLimits {
    tasks: 100,
    bytes: usize::MAX,
};

fn key(reference: Reference, of: EntityId) -> CascadeKey {
    CascadeKey {
        project: project("p"),
        reference,
        id: of,
    }
}

/// The ids of the tasks that are found, in order, and the number that is counted.
async fn found(
    db: &Database,
    key: &CascadeKey,
    cause: Cause,
    limits: TaskLimits,
) -> (Vec<String>, usize) {
    found_but(db, key, cause, limits, &[]).await
}

/// The same, where other statuses are finished as well.
async fn found_but(
    db: &Database,
    key: &CascadeKey,
    cause: Cause,
    limits: TaskLimits,
    done: &[String],
) -> (Vec<String>, usize) {
    let mut tx = db.store.begin().await.unwrap();
    let found = tx.tasks_of(key, cause, done, limits, 1000).await.unwrap();
    let mut ids: Vec<_> = found.tasks.iter().map(|task| task.id.to_string()).collect();
    ids.sort();
    (ids, found.count)
}

both_databases! {
    async fn finds_the_live_tasks_of_epics_and_sprints(db: &Database) {
        let mut dead = task("p", "dead", json!({"epicId": "e"}));
        dead.deleted = Some(stamp(2));
        save(&db.store, vec![
            task("p", "both", json!({"epicId": "e", "sprintId": 7})),
            task("p", "sprint", json!({"sprintId": "7", "status": "Done"})),
            task("p", "other", json!({"epicId": "f", "sprintId": "8"})),
            task("p", "long", json!({"epicId": "e".repeat(10_000)})),
            task("q", "elsewhere", json!({"epicId": "e"})),
            entity("p", Kind::Sprint, "no task", json!({"epicId": "e"})),
            dead,
        ])
        .await;
        let epic = key(Reference::Epic, id("e"));
        let sprint = key(Reference::Sprint, EntityId(number(7)));
        let ids = |ids: &[&str]| (ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), ids.len());
        assert_eq!(found(db, &epic, Cause::Deleted, ALL).await, ids(&["both"]));
        assert_eq!(found(db, &sprint, Cause::Deleted, ALL).await, ids(&["both", "sprint"]));
        assert_eq!(found(db, &sprint, Cause::Completed, ALL).await, ids(&["both"]));
        assert_eq!(found(db, &key(Reference::Epic, id("7")), Cause::Deleted, ALL).await, ids(&[]));
    }
}

// Else a cascade would find tasks that it does not change.
both_databases! {
    async fn unfinished_tasks_are_those_that_the_rules_mean(db: &Database) {
        let statuses = ["todo", "DONE", "done ", "Complete", "completed", "CLOSED", "finiſhed", "Resolved", "cancelled",
            "Canceled", "archived", "\u{212a}", "", "İ", "Erledigt ", "ФИНИШ"];
        let done = ["erledigt".to_owned(), "финиш".to_owned()];
        let mut tasks = vec![
            task("p", "number", json!({"sprintId": "s", "status": 1})),
            task("p", "object", json!({"sprintId": "s", "status": {"a": 1}})),
            task("p", "none", json!({"sprintId": "s"})),
        ];
        for (n, status) in statuses.iter().enumerate() {
            tasks.push(task("p", &n.to_string(), json!({"sprintId": "s", "status": status})));
        }
        save(&db.store, tasks.clone()).await;
        for done in [&done[..], &[]] {
            let mut expected: Vec<_> = tasks.iter().filter(|task| Cause::Completed.changes(task, done)).collect();
            expected.sort_by(|a, b| a.id.cmp(&b.id));
            let expected: Vec<_> = expected.iter().map(|task| task.id.to_string()).collect();
            let (ids, count) = found_but(db, &key(Reference::Sprint, id("s")), Cause::Completed, ALL, done).await;
            assert_eq!(ids, expected);
            assert_eq!(count, expected.len());
        }
    }
}

both_databases! {
    async fn tasks_come_by_id_within_their_limits_and_at_least_one(db: &Database) {
        let tasks = ["b", "a", "d", "c"].map(|id| task("p", id, json!({"epicId": "e", "text": "x".repeat(1000)})));
        save(&db.store, tasks.into()).await;
        let epic = key(Reference::Epic, id("e"));
        let ids = async |tasks, bytes| {
            found(db, &epic, Cause::Deleted, TaskLimits { tasks, bytes }).await
        };
        assert_eq!(ids(2, usize::MAX).await, (vec!["a".to_owned(), "b".to_owned()], 4));
        assert_eq!(ids(100, 3000).await, (vec!["a".to_owned(), "b".to_owned()], 4));
        assert_eq!(ids(100, 1).await, (vec!["a".to_owned()], 4));
        let mut tx = db.store.begin().await.unwrap();
        assert_eq!(tx.tasks_of(&epic, Cause::Deleted, &[], ALL, 3).await.unwrap().count, 3);
    }
}

both_databases! {
    async fn cascades_are_kept_until_nothing_is_left(db: &Database) {
        let cascade = |reference, from: &str, target: Option<EntityId>, left| Cascade {
            key: key(reference, id(from)),
            cause: if target.is_some() { Cause::Completed } else { Cause::Deleted },
            target,
            done: vec!["erledigt".to_owned()],
            actor: Actor::new("ada"),
            left,
        };
        let write = async |cascades: Vec<Cascade>, at| {
            let mut tx = db.store.begin().await.unwrap();
            let now = Some(Timestamp::from_millis(at));
            tx.write(&Batch { cascades, now, ..Batch::default() }).await.unwrap();
            tx.commit().await.unwrap();
        };
        let epic = cascade(Reference::Epic, "a", None, 5);
        let sprint = cascade(Reference::Sprint, "a", Some(EntityId(number(7))), 6);
        write(vec![epic.clone(), sprint.clone()], 10).await;
        let mut tx = db.store.begin().await.unwrap();
        assert_eq!(tx.cascade_get(&epic.key).await.unwrap(), Some(epic.clone()));
        let about = tx.cascades_about(&project("p"), &id("7")).await.unwrap();
        assert_eq!(about, std::slice::from_ref(&sprint));
        assert!(about[0].target.as_ref().unwrap().is_numeric());
        assert_eq!(tx.cascades_about(&project("p"), &id("a")).await.unwrap().len(), 2);
        assert!(tx.cascades_about(&project("q"), &id("a")).await.unwrap().is_empty());
        drop(tx);

        write(vec![Cascade { left: 1, ..epic.clone() }], 20).await;
        let waiting = async |since| db.store.cascades_waiting(Timestamp::from_millis(since), 10).await.unwrap();
        assert_eq!(waiting(10).await, std::slice::from_ref(&sprint));
        assert_eq!(waiting(20).await, [sprint.clone(), Cascade { left: 1, ..epic.clone() }]);
        write(vec![Cascade { left: 0, ..epic }, Cascade { left: 0, ..sprint }], 30).await;
        assert!(waiting(99).await.is_empty());
    }
}

both_databases! {
    async fn another_owner_is_found(db: &Database) {
        let member = |id, role| entity("p", Kind::Member, id, json!({"role": role}));
        let mut gone = member("gone", "owner");
        gone.deleted = Some(stamp(2));
        save(&db.store, vec![member("ann", "owner"), member("bob", "admin"), gone]).await;
        let other = async |than| {
            let mut tx = db.store.begin().await.unwrap();
            tx.other_owner(&project("p"), &id(than)).await.unwrap().map(|owner| owner.id.to_string())
        };
        assert_eq!(other("ann").await, None);
        assert_eq!(other("bob").await, Some("ann".to_owned()));
        save(&db.store, vec![member("bob", "owner")]).await;
        assert_eq!(other("ann").await, Some("bob".to_owned()));
    }
}
