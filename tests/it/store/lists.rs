//! Entities one by one, and lists of them.

use boardcast::domain::{Filter, Mark, Page, Whose};

use super::*;

fn page(limit: usize) -> Page {
    Page {
        limit,
        ..Page::default()
    }
}

fn ids(entities: &[Entity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.id.as_str()).collect()
}

both_databases! {
    async fn an_entity_comes_with_its_projects_log(db: &Database) {
        let get = async |of: &str, kind, which: &str| {
            db.store.entity_get(&project(of), kind, &id(which)).await.unwrap()
        };
        let nowhere = get("p", Kind::Task, "t").await;
        assert!(nowhere.channel.is_none() && nowhere.entities.is_empty());
        let mut dead = task("p", "dead", json!({}));
        dead.deleted = Some(stamp(2));
        save(&db.store, vec![task("p", "t", json!({"a": 1})), dead, task("q", "t", json!({"a": 2}))]).await;
        append(&db.store, &project("p").channel(), &["1", "2"]).await;
        let found = get("p", Kind::Task, "t").await;
        assert_eq!(found.channel.unwrap().seq, 2);
        assert_eq!(found.entities[0].fields["a"], 1);
        assert!(get("p", Kind::Task, "dead").await.entities[0].deleted.is_some());
        assert!(get("p", Kind::Epic, "t").await.entities.is_empty());
        assert!(get("q", Kind::Task, "t").await.channel.is_none());
    }
}

both_databases! {
    async fn a_list_goes_on_after_its_mark(db: &Database) {
        let mut tasks: Vec<_> = (0..7).map(|number| task("p", &format!("t{number}"), json!({}))).collect();
        tasks[2].deleted = Some(stamp(2));
        // Made at the same time, and without a rank.
        let epics = ["z", "É", "a"].map(|id| entity("p", Kind::Epic, id, json!({})));
        tasks.extend(epics);
        tasks.push(task("q", "t9", json!({})));
        save(&db.store, tasks).await;
        for limit in 1..8 {
            for (kind, expected) in [
                (Kind::Task, &["t0", "t1", "t3", "t4", "t5", "t6"][..]),
                (Kind::Epic, &["a", "z", "É"]),
                (Kind::Sprint, &[]),
            ] {
                let (mut all, mut page) = (Vec::new(), page(limit));
                loop {
                    let found = db.store.entities_page(&project("p"), kind, &page, &Gather::entities()).await.unwrap();
                    assert!(found.channel.is_none() && found.entities.len() <= limit);
                    let Some(last) = found.entities.last() else { break };
                    page.after = Some(Mark::of(last));
                    all.extend(found.entities);
                }
                assert_eq!(ids(&all), expected, "{kind} by {limit}");
            }
        }
    }
}

both_databases! {
    async fn a_filter_means_all_that_it_names(db: &Database) {
        save(&db.store, vec![
            task("p", "1", json!({"title": "Sow", "status": "todo", "epicId": "e", "sprintId": 7})),
            task("p", "2", json!({"title": "100%", "status": "todo", "assignee": "ann"})),
            task("p", "3", json!({"description": "SOWN", "status": ["todo"], "assigneeId": 5})),
            task("p", "4", json!({"title": {"a": "sow"}, "status": null, "assignedTo": "ann"})),
        ])
        .await;
        let text = |text: &str| Some(text.to_owned());
        let none = Filter::default;
        for (filter, expected) in [
            (none(), &["1", "2", "3", "4"][..]),
            (Filter { status: text("todo"), ..none() }, &["1", "2"]),
            (Filter { status: text("todo"), epic: text("e"), ..none() }, &["1"]),
            (Filter { sprint: text("7"), ..none() }, &["1"]),
            (Filter { assignee: text("ann"), ..none() }, &["2", "4"]),
            (Filter { assignee: text("5"), ..none() }, &["3"]),
            (Filter { text: text("sow"), ..none() }, &["1", "3", "4"]),
            (Filter { text: text("%"), ..none() }, &["2"]),
            (Filter { text: text("'"), ..none() }, &[]),
        ] {
            let page = Page { filter: filter.clone(), ..page(10) };
            let found = db.store.entities_page(&project("p"), Kind::Task, &page, &Gather::entities()).await.unwrap();
            assert_eq!(ids(&found.entities), expected, "{filter:?}");
        }
    }
}

both_databases! {
    async fn projects_are_everybodys_or_somebodys(db: &Database) {
        let of = |id: &str| entity(id, Kind::Project, id, json!({"title": format!("Board {id}")}));
        let member = |project: &str, user: &str| entity(project, Kind::Member, user, json!({"role": "viewer"}));
        let (mut dead, mut removed) = (of("c"), member("e", "ann"));
        dead.deleted = Some(stamp(2));
        removed.deleted = Some(stamp(2));
        save(&db.store, vec![
            of("b"), of("a"), dead, of("d"), of("e"), member("b", "ann"), member("c", "ann"), removed,
            member("a", "bob"), task("f", "ann", json!({})),
        ])
        .await;
        let list = async |whose: &Whose, page: &Page| {
            let found = db.store.projects_page(whose, page, &Gather::entities()).await.unwrap().entities;
            found.iter().map(|project| project.id.as_str().to_owned()).collect::<Vec<_>>()
        };
        let everybodys = Whose::Everybodys;
        assert_eq!(list(&everybodys, &page(9)).await, ["a", "b", "d", "e"]);
        assert_eq!(list(&everybodys, &page(2)).await, ["a", "b"]);
        let named = ["d", "nowhere"].map(str::to_owned).to_vec();
        let anns = Whose::Of { member: id("ann"), named };
        assert_eq!(list(&anns, &page(9)).await, ["b", "d", "e"], "who was removed is looked at elsewhere");
        let strangers = Whose::Of { member: id("eve"), named: Vec::new() };
        assert!(list(&strangers, &page(9)).await.is_empty());
        let after = Mark { rank: String::new(), created_at: 0, id: "b".to_owned() };
        let next = Page { after: Some(after), ..page(9) };
        assert_eq!(list(&everybodys, &next).await, ["d", "e"]);
        let found = Page { filter: Filter { text: Some("BOARD D".to_owned()), ..Filter::default() }, ..page(9) };
        assert_eq!(list(&everybodys, &found).await, ["d"]);
    }
}
