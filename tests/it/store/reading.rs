//! Reads outside of transactions, and the views.

use futures_util::future::join;

use super::*;

both_databases! {
    async fn a_page_ends_before_it_is_too_large(db: &Database) {
        let name = project("p").channel();
        let payload = format!("\"{}\"", "é".repeat(49)); // 100 bytes
        let channel = append(&db.store, &name, &[payload.as_str(); 10]).await;
        let page = async |after, max_events, max_bytes| {
            let page = db.store.events_page(&name, channel.no, after, max_events, max_bytes).await.unwrap();
            page.iter().map(|event| event.seq).collect::<Vec<_>>()
        };
        assert_eq!(page(0, 100, 100_000).await, (1..=10).collect::<Vec<_>>());
        assert_eq!(page(3, 2, 100_000).await, [4, 5]);
        assert_eq!(page(3, 100, 299).await, [4, 5]);
        assert_eq!(page(3, 100, 300).await, [4, 5, 6]);
        assert_eq!(page(3, 100, 1).await, [4], "there is always one");
        assert_eq!(page(3, 0, 0).await, [4]);
        assert!(page(10, 100, 100_000).await.is_empty());
        let nowhere = db.store.events_page(&name, NOWHERE, 0, 10, 1000).await.unwrap();
        assert!(nowhere.is_empty());
    }
}

both_databases! {
    async fn targets_are_found_by_their_numbers(db: &Database) {
        let name = project("p").channel();
        assert_eq!(db.store.channel_get(&name).await.unwrap(), None, "nothing has happened there");
        let first = append(&db.store, &name, &["1"]).await;
        let other = append(&db.store, &project("q").channel(), &["1"]).await;
        let numeric = ProjectId(Id::from_json(&json!(7)).unwrap());
        let task = Entity { project: numeric.clone(), ..task("7", "t", json!({})) };
        let seventh = commit(&db.store, &numeric.channel(), |channel| Batch {
            entities: vec![Arc::new(task)],
            ..log_of(channel, &["1"])
        })
        .await;
        let elsewhere = append(&db.store, &ChannelName::restore("agent:x"), &["1"]).await;
        let numbers = [other.no, NOWHERE, first.no, seventh.no, elsewhere.no];
        let mut found = db.store.targets(&numbers).await.unwrap();
        found.sort_by_key(|(no, _)| *no);
        let told = |(no, target): (_, Target)| {
            (no, target.channel, target.project.map(|project| project.to_json()))
        };
        let found: Vec<_> = found.into_iter().map(told).collect();
        let expected = [
            (first.no, name.clone(), Some(json!("p"))),
            (other.no, other.name.clone(), Some(json!("q"))),
            (seventh.no, numeric.channel(), Some(json!(7))),
            (elsewhere.no, elsewhere.name.clone(), None),
        ];
        assert_eq!(found, expected);
    }
}

both_databases! {
    async fn a_snapshot_holds_what_lives_in_order(db: &Database) {
        let empty = db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap();
        assert!(empty.channel.is_none() && empty.entities.is_empty());

        let name = project("p").channel();
        let mut dead = task("p", "dead", json!({}));
        dead.deleted = Some(stamp(2));
        let entities = vec![
            task("p", "2", json!({})),
            task("p", "1", json!({})),
            entity("p", Kind::Sprint, "s", json!({})),
            entity("p", Kind::Epic, "e", json!({})),
            entity("p", Kind::Project, "p", json!({"title": "P"})),
            task("q", "elsewhere", json!({})),
            dead,
        ];
        let made = commit(&db.store, &name, |channel| Batch {
            entities: entities.into_iter().map(Arc::new).collect(),
            ..log_of(channel, &["1", "2"])
        })
        .await;
        let snapshot = db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap();
        assert_eq!(snapshot.channel.unwrap(), Channel { seq: 2, ..made });
        let ids: Vec<_> = snapshot.entities.iter().map(|entity| entity.id.as_str()).collect();
        assert_eq!(ids, ["p", "e", "s", "1", "2"]);
    }
}

both_databases! {
    async fn a_snapshot_belongs_to_its_seq(db: &Database) {
        let name = project("p").channel();
        let write = async {
            for _ in 0..40 {
                commit(&db.store, &name, |channel| {
                    let mut task = task("p", "t", json!({}));
                    task.version = channel.seq + 1;
                    Batch { entities: vec![Arc::new(task)], ..log_of(channel, &["{}"]) }
                })
                .await;
            }
        };
        let read = async {
            loop {
                let snapshot = db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap();
                let seq = snapshot.channel.map_or(0, |channel| channel.seq);
                let version = snapshot.entities.first().map_or(0, |task| task.version);
                assert_eq!(seq, version);
                if seq == 40 {
                    break;
                }
            }
        };
        join(write, read).await;
    }
}

both_databases! {
    async fn knows_which_projects_have_an_entity(db: &Database) {
        let mut dead = task("b", "t", json!({}));
        dead.deleted = Some(stamp(2));
        let mut numeric = task("unused", "t", json!({}));
        numeric.project = ProjectId(number(1));
        save(&db.store, vec![
            task("a", "t", json!({})), dead, numeric, task("c", "t", json!({})),
            entity("d", Kind::Epic, "t", json!({})),
        ])
        .await;
        let among = ["b", "a", "d", "1", "none"].map(project);
        let found = db.store.entity_projects(Kind::Task, &id("t"), &among).await.unwrap();
        assert_eq!(found, [project("1"), project("a"), project("b")]);
        assert!(found[0].is_numeric() && !found[1].is_numeric());
        assert!(db.store.entity_projects(Kind::Task, &id("t"), &[]).await.unwrap().is_empty());
    }
}

both_databases! {
    async fn the_views_show_what_lives_whatever_its_type(db: &Database) {
        let mut dead = task("p", "dead", json!({"title": "dead"}));
        dead.deleted = Some(stamp(2));
        save(&db.store, vec![
            dead,
            task("p", "t", json!({
                "title": "Größe", "status": "todo", "priority": 3, "assignee": {"name": "Ada"},
                "epicId": "e", "sprintId": 7, "position": 1.5, "dueDate": "whenever",
            })),
            task("p", "u", json!({"title": ["a"], "due_date": null, "status": true, "position": {}})),
            entity("p", Kind::Project, "p", json!({"name": "P", "title": null})),
            entity("p", Kind::Epic, "e", json!({"title": "E", "dueDate": {"a": 1}})),
            entity("p", Kind::Sprint, "s", json!({"title": "S", "goal": 5, "endDate": "2026-12-24"})),
        ])
        .await;
        let row = async |sql: &str| db.texts(sql).await.into_iter().map(Option::unwrap).collect::<Vec<_>>();
        assert_eq!(
            row("SELECT title || '|' || status || '|' || priority || '|' || epic_id || '|' || sprint_id
                 || '|' || position || '|' || due_date || '|' || created_by || '|' || project_id
                 FROM tasks WHERE id = 't'").await,
            ["Größe|todo|3|e|7|1.5|whenever|ada|p"]
        );
        assert_eq!(row("SELECT title FROM projects").await, ["P"]);
        assert_eq!(row("SELECT title FROM epics WHERE due_date IS NOT NULL").await, ["E"]);
        assert_eq!(row("SELECT title || goal || end_date FROM sprints").await, ["S52026-12-24"]);
        assert_eq!(row("SELECT CAST(count(*) AS text) FROM tasks").await, ["2"]);
        assert_eq!(db.texts("SELECT due_date FROM tasks WHERE id = 'u'").await, [None]);
        let made = if db.is_sqlite() {
            "SELECT created_at FROM tasks WHERE id = 't'"
        } else {
            "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM tasks
             WHERE id = 't'"
        };
        assert_eq!(row(made).await, [stamp(1).at.to_string()]);
    }
}
