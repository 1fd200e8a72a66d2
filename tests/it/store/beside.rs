//! What stands beside the tasks of a board: comments, and entities of declared kinds.

use boardcast::domain::{FieldFilter, Filter, Mark, Page};

use super::*;

/// Comments of one task in a state, and entities of one kind.
const OF_TASK: usize = 20;
const OF_KIND: usize = 1000;

/// An entity that was made at this moment.
fn made_at(at: i64, kind: Kind, id: &str, fields: Value) -> Entity {
    let mut entity = entity("p", kind, id, fields);
    entity.created = stamp(at);
    entity
}

fn note() -> Kind {
    Kind::declare("note", "notes", false).unwrap()
}

fn is(field: &str, value: Value) -> FieldFilter {
    FieldFilter {
        field: field.to_owned(),
        value,
    }
}

fn ids(entities: &[Entity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.id.as_str()).collect()
}

both_databases! {
    async fn a_state_has_the_newest_comments_of_each_task(db: &Database) {
        let (note, count) = (note(), i64::try_from(OF_KIND + 5).unwrap());
        let mut all = vec![task("p", "t", json!({})), entity("q", Kind::Comment, "elsewhere", json!({}))];
        all.extend((0..25).map(|at| made_at(at, Kind::Comment, &format!("c{at:02}"), json!({"taskId": "t"}))));
        all.extend((0..3).map(|at| made_at(at, Kind::Comment, &format!("d{at}"), json!({"taskId": 7}))));
        all.push(made_at(99, Kind::Comment, "of nothing", json!({})));
        all.push(Entity { deleted: Some(stamp(3)), ..made_at(99, Kind::Comment, "dead", json!({"taskId": "t"})) });
        all.extend((0..count).map(|at| made_at(at, note, &format!("n{at:04}"), json!({}))));
        all.push(entity("p", Kind::stored("unheard_of").unwrap(), "x", json!({})));
        save(&db.store, all).await;
        let state = db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap();
        let of = |kind: Kind| {
            let found = state.entities.iter().filter(|entity| entity.kind == kind);
            found.map(|entity| entity.id.as_str().to_owned()).collect::<Vec<_>>()
        };
        let mut comments: Vec<_> = (5..25).map(|at| format!("c{at:02}")).collect();
        assert_eq!(comments.len(), OF_TASK);
        comments.splice(0..0, (0..3).map(|at| format!("d{at}")));
        comments.push("of nothing".to_owned());
        assert_eq!(of(Kind::Comment), comments);
        let notes = of(note);
        assert_eq!((notes.len(), &*notes[0], &*notes[OF_KIND - 1]), (OF_KIND, "n0005", "n1004"));
        assert_eq!(of(Kind::Task), ["t"]);
        assert_eq!(state.entities.len(), 1 + comments.len() + notes.len());
        let counts: Vec<_> = state.counts.iter().map(|(kind, number)| (kind.as_str(), *number)).collect();
        assert_eq!(counts, [("comment", 29), ("note", OF_KIND as u64 + 5)]);
    }
}

both_databases! {
    async fn a_state_has_no_more_than_a_thousand_comments(db: &Database) {
        let all = (0..OF_KIND + 30).map(|at| {
            let task = format!("t{}", at % 60);
            made_at(i64::try_from(at).unwrap(), Kind::Comment, &format!("c{at:04}"), json!({"taskId": task}))
        });
        save(&db.store, all.collect()).await;
        let state = db.store.snapshot(&project("p"), &Gather::entities()).await.unwrap();
        assert_eq!(state.entities.len(), OF_KIND);
        assert_eq!(state.entities[0].id.as_str(), "c0030");
        assert_eq!(state.counts["comment"], OF_KIND as u64 + 30);
    }
}

both_databases! {
    async fn entities_are_found_by_the_values_of_their_fields(db: &Database) {
        save(&db.store, vec![
            made_at(1, Kind::Comment, "1", json!({"taskId": "t", "pinned": true, "mood": "good", "stars": 3})),
            made_at(2, Kind::Comment, "2", json!({"taskId": "t", "epicId": "e", "pinned": false, "mood": null})),
            made_at(3, Kind::Comment, "3", json!({"taskId": 7, "mood": "it's", "stars": 2.5, "grün": "ja"})),
            made_at(4, Kind::Comment, "4", json!({"epicId": "e", "mood": ["good"]})),
            Entity { deleted: Some(stamp(9)), ..made_at(5, Kind::Comment, "5", json!({"taskId": "t"})) },
            task("p", "t", json!({"status": "todo"})),
        ])
        .await;
        append(&db.store, &project("p").channel(), &["1"]).await;
        for (filters, expected) in [
            (vec![], &["1", "2", "3", "4"][..]),
            (vec![is("taskId", json!("t"))], &["1", "2"]),
            (vec![is("taskId", json!(7))], &["3"]),
            (vec![is("taskId", json!("7"))], &["3"]),
            (vec![is("taskId", json!("t")), is("epicId", json!("e"))], &["2"]),
            (vec![is("epicId", json!("e"))], &["2", "4"]),
            (vec![is("taskId", json!(null))], &["4"]),
            (vec![is("pinned", json!(true))], &["1"]),
            (vec![is("pinned", json!(false))], &["2"]),
            (vec![is("pinned", json!(null))], &["3", "4"]),
            (vec![is("mood", json!(null))], &["2"]),
            (vec![is("mood", json!("good")), is("stars", json!(3))], &["1"]),
            (vec![is("mood", json!("it's"))], &["3"]),
            (vec![is("stars", json!(2.5))], &["3"]),
            (vec![is("grün", json!("ja"))], &["3"]),
            (vec![is("mood", json!(["good"]))], &[]),
            (vec![is("", json!("t"))], &[]),
            (vec![is("$.taskId", json!("t"))], &[]),
            (vec![is("task\"Id", json!("t"))], &[]),
            (vec![is("nothing", json!("t"))], &[]),
        ] {
            let (project, all) = (project("p"), Gather::entities());
            let found = db.store.entities_where(&project, Kind::Comment, &filters, 10, &all).await.unwrap();
            assert_eq!(ids(&found.entities), expected, "{filters:?}");
            assert_eq!(found.channel.unwrap().seq, 1);
            let page = Page { filter: Filter { fields: filters.clone(), ..Filter::default() }, limit: 10, after: None };
            let found = db.store.entities_page(&project, Kind::Comment, &page, &all).await.unwrap();
            assert_eq!(ids(&found.entities), expected, "{filters:?}");
        }
    }
}

both_databases! {
    async fn of_many_the_newest_are_found_and_of_tasks_the_first(db: &Database) {
        let mut all: Vec<_> = (0..5).map(|at| made_at(at, Kind::Comment, &at.to_string(), json!({"taskId": "t"}))).collect();
        all.extend((0..5).map(|at| task("p", &at.to_string(), json!({"status": "todo"}))));
        save(&db.store, all).await;
        let found = async |kind, filter| {
            let found = db.store.entities_where(&project("p"), kind, &[filter], 2, &Gather::entities()).await.unwrap();
            ids(&found.entities).join(" ")
        };
        assert_eq!(found(Kind::Comment, is("taskId", json!("t"))).await, "3 4");
        assert_eq!(found(Kind::Task, is("status", json!("todo"))).await, "0 1");
        let mut page = Page { limit: 2, ..Page::default() };
        page.filter.fields.push(is("taskId", json!("t")));
        let mut listed = Vec::new();
        loop {
            let found = db.store.entities_page(&project("p"), Kind::Comment, &page, &Gather::entities()).await.unwrap();
            let Some(last) = found.entities.last() else { break };
            page.after = Some(Mark::of(last));
            listed.extend(found.entities.iter().map(|entity| entity.id.as_str().to_owned()));
        }
        assert_eq!(listed, ["0", "1", "2", "3", "4"]);
    }
}

both_databases! {
    async fn a_comment_is_written_and_read_whatever_it_says(db: &Database) {
        let note = note();
        let long = "x".repeat(100_000);
        let said = json!({"taskId": long, "text": "Größe", "parentId": 5, "column": [1]});
        let mut comment = entity("p", Kind::Comment, "c", said.clone());
        let of_note = entity("p", note, "c", json!({"body": "b"}));
        save(&db.store, vec![comment.clone(), of_note.clone()]).await;
        let read = async |kind| {
            let found = db.store.entity_get(&project("p"), kind, &id("c")).await.unwrap();
            found.entities.into_iter().next().unwrap()
        };
        assert_eq!((read(Kind::Comment).await, read(note).await), (comment.clone(), of_note));
        let text = db.texts("SELECT text || '|' || parent_id || '|' || belongs_to || '|' || created_by FROM comments").await;
        assert_eq!(text, [Some("Größe|5|5|ada".to_owned())], "a longer id is none");
        comment.deleted = Some(stamp(2));
        save(&db.store, vec![comment]).await;
        assert!(db.texts("SELECT id FROM comments").await.is_empty());
    }
}
