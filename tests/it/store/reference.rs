//! What tasks and sprints stand beside.

use super::*;

both_databases! {
    async fn finds_all_above_a_task_and_stops_at_a_circle(db: &Database) {
        save(&db.store, vec![
            task("p", "a", json!({})),
            task("p", "b", json!({"parentId": "a"})),
            task("p", "c", json!({"parentId": "b"})),
            task("p", "x", json!({"parentId": "y"})),
            task("p", "y", json!({"parentId": "x"})),
            task("q", "a", json!({"parentId": "c"})),
        ])
        .await;
        let mut tx = db.store.begin().await.unwrap();
        let above = tx.parents_of(&project("p"), &id("c")).await.unwrap();
        let expected = [("c", Some("b")), ("b", Some("a")), ("a", None)];
        let expected = expected.map(|(task, parent)| (id(task), parent.map(id)));
        assert_eq!(above, expected);
        assert!(tx.parents_of(&project("p"), &id("x")).await.unwrap().len() > 100);
        assert!(tx.parents_of(&project("p"), &id("nobody")).await.unwrap().is_empty());
    }
}

both_databases! {
    async fn finds_the_next_and_the_active_sprint(db: &Database) {
        let sprint = |id: &str, fields| entity("p", Kind::Sprint, id, fields);
        save(&db.store, vec![
            sprint("done", json!({"startDate": "2026-01-01", "status": " Completed"})),
            sprint("now", json!({"startDate": "2026-02-01", "status": "Active "})),
            sprint("later", json!({"startDate": "2026-04-01"})),
            sprint("soon", json!({"startDate": "2026-03-01", "status": "planned"})),
            sprint("some day", json!({})),
        ])
        .await;
        let mut tx = db.store.begin().await.unwrap();
        let next = tx.next_sprint(&project("p"), &id("now")).await.unwrap();
        assert_eq!(next.map(|sprint| sprint.id), Some(id("soon")));
        let none = tx.next_sprint(&project("q"), &id("now")).await.unwrap();
        assert_eq!(none, None);
        let active = tx.active_sprint(&project("p"), &id("soon")).await.unwrap();
        assert_eq!(active.map(|sprint| sprint.id), Some(id("now")));
        assert_eq!(tx.active_sprint(&project("p"), &id("now")).await.unwrap(), None);
    }
}

both_databases! {
    async fn finds_a_task_in_other_projects(db: &Database) {
        let mut dead = task("q", "gone", json!({}));
        dead.deleted = Some(stamp(2));
        save(&db.store, vec![task("p", "t", json!({})), dead]).await;
        let mut tx = db.store.begin().await.unwrap();
        let others = [project("p"), project("q")];
        let found = tx.entity_elsewhere(Kind::Task, &id("t"), &others).await.unwrap();
        assert_eq!(found, Some(project("p")));
        for (kind, name) in [(Kind::Task, "gone"), (Kind::Epic, "t"), (Kind::Task, "x")] {
            assert_eq!(tx.entity_elsewhere(kind, &id(name), &others).await.unwrap(), None);
        }
    }
}
