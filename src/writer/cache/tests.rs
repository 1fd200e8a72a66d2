//! What is known, what is forgotten, and how much memory it takes.

use serde_json::json;

use super::*;
use crate::domain::{Actor, Id, ProjectId, Seq, Stamp, Timestamp};

const ENOUGH: usize = 1024 * 1024;

fn project(id: &str) -> ProjectId {
    ProjectId(Id::from_text(id).unwrap())
}

fn channel(id: &str, seq: Seq) -> Channel {
    Channel {
        no: ChannelNo(id.len().try_into().unwrap()),
        name: project(id).channel(),
        seq,
        pruned_seq: 0,
    }
}

fn id(id: &str) -> EntityId {
    EntityId(Id::from_text(id).unwrap())
}

fn task(name: &str, title: &str) -> Arc<Entity> {
    let stamp = Stamp {
        at: Timestamp::from_millis(0),
        by: Actor::new("ada"),
    };
    let mut task = Entity::blank(project("p"), Kind::Task, id(name), stamp);
    task.fields.insert("title", json!(title));
    Arc::new(task)
}

fn put(cache: &mut Cache, known: &Known, task: &Arc<Entity>) {
    cache.put_entity(known, Kind::Task, &task.id, Some(Arc::clone(task)));
}

fn get(cache: &mut Cache, name: &str) -> Lookup {
    match cache.head(&project("p").channel()).cloned() {
        Some(known) => cache.entity(&known, Kind::Task, &id(name)),
        None => Lookup::Unknown,
    }
}

#[test]
fn what_is_missing_is_told_from_what_is_not_known() {
    let mut cache = Cache::new(ENOUGH);
    let known = cache.load_head(channel("p", 1));
    put(&mut cache, &known, &task("a", "one"));
    cache.put_entity(&known, Kind::Task, &id("b"), None);
    assert_eq!(get(&mut cache, "a"), Lookup::Found(task("a", "one")));
    assert_eq!(get(&mut cache, "b"), Lookup::Missing);
    assert_eq!(get(&mut cache, "c"), Lookup::Unknown);
}

#[test]
fn entities_count_as_long_as_their_head_is_where_it_was() {
    let mut cache = Cache::new(ENOUGH);
    let known = cache.load_head(channel("p", 1));
    put(&mut cache, &known, &task("a", "one"));
    cache.load_head(channel("p", 1));
    assert_ne!(
        get(&mut cache, "a"),
        Lookup::Unknown,
        "loaded again, and the same"
    );
    let head = Head {
        channel: channel("p", 1),
        is_stored: true,
        next: 2,
    };
    cache.committed(&[head], &[task("b", "two")]);
    assert_eq!(cache.head(&project("p").channel()).unwrap().channel.seq, 2);
    assert_ne!(
        get(&mut cache, "a"),
        Lookup::Unknown,
        "this queue has moved it"
    );
    assert_eq!(get(&mut cache, "b"), Lookup::Found(task("b", "two")));
    cache.load_head(channel("p", 3));
    assert_eq!(
        get(&mut cache, "a"),
        Lookup::Unknown,
        "somebody else has moved it"
    );
    cache.forget(&project("p").channel());
    assert!(cache.head(&project("p").channel()).is_none());
    cache.load_head(channel("p", 3));
    assert_eq!(get(&mut cache, "b"), Lookup::Unknown);
}

#[test]
fn a_channel_without_an_event_is_not_kept() {
    let mut cache = Cache::new(ENOUGH);
    cache.load_head(channel("p", 0));
    let head = Head {
        channel: channel("p", 0),
        is_stored: false,
        next: 0,
    };
    cache.committed(&[head], &[]);
    assert!(cache.head(&project("p").channel()).is_none());
}

#[test]
fn the_memory_is_bounded_and_what_is_used_stays() {
    const MAX: usize = 64 * 1024;
    let mut cache = Cache::new(MAX);
    let known = cache.load_head(channel("p", 1));
    put(&mut cache, &known, &task("used", "always"));
    for number in 0..1000 {
        put(
            &mut cache,
            &known,
            &task(&format!("t{number}"), &"x".repeat(500)),
        );
        assert_ne!(get(&mut cache, "used"), Lookup::Unknown, "after {number}");
        cache.trim();
        assert!(cache.bytes() <= MAX, "{} bytes", cache.bytes());
    }
    assert_eq!(get(&mut cache, "t0"), Lookup::Unknown);
    assert_ne!(get(&mut cache, "t999"), Lookup::Unknown);
    put(&mut cache, &known, &task("large", &"x".repeat(2 * MAX)));
    cache.trim();
    assert_eq!(cache.bytes(), 0, "one that alone is too large");
}

#[test]
fn entities_count_with_what_they_use_and_not_with_their_text() {
    let text = "[]".repeat(1000);
    let nested = json!(vec![json!([]); 1000]);
    let mut many = (*task("a", "one")).clone();
    many.fields.insert("nested", nested);
    assert!(entity_bytes(&many) > 10 * text.len());
}
