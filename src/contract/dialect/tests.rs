//! Dialects are read, and mean what their files say.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;
use crate::contract::EventStyle;
use crate::domain::EventType;

fn dialect(text: &str) -> Dialect {
    let read = Dialect::read("mine", "mine.toml", text, &CustomEvents::default());
    read.unwrap_or_else(|error| panic!("{error}"))
}

fn mistake(text: &str) -> DialectError {
    Dialect::read("mine", "mine.toml", text, &CustomEvents::default()).unwrap_err()
}

fn told(dialect: &Dialect, event_type: &EventType, payload: &Value) -> Vec<(String, Value, bool)> {
    told_to(dialect, event_type, payload, Nouns::default())
}

fn told_to(
    dialect: &Dialect,
    event_type: &EventType,
    payload: &Value,
    nouns: Nouns,
) -> Vec<(String, Value, bool)> {
    let payload: Arc<RawValue> = crate::contract::json_text(payload).into();
    let told = dialect.tell(&Happened {
        event_type,
        style: EventStyle::Colon,
        nouns,
        payload: &payload,
        room: Some(json!("b1")),
        user: &|_| json!({"id": "ann", "name": "Ann"}),
        socket: Some("s1".to_owned()),
        presence: &|| json!({"users": [{"userId": "ann"}], "count": 1}),
        now: &|| json!({"iso": "1970", "ms": 0}),
    });
    let told = told.iter().map(|told| {
        let payload = serde_json::from_str(told.payload.get()).unwrap();
        (told.name.to_string(), payload, told.to_others)
    });
    told.collect()
}

#[test]
fn common_dialect_is_plain() {
    let common = Dialect::common(&CustomEvents::default());
    assert!(common.tells_plainly() && !common.greets());
    assert!(matches!(common.meaning("task:create"), Meaning::Event(_)));
    assert!(matches!(common.meaning("ping"), Meaning::Rules(_)));
    assert!(matches!(common.meaning("nobody:knows"), Meaning::Unknown));
    let custom = Dialect::common(&CustomEvents::all_logged());
    assert!(matches!(
        custom.meaning("nobody:knows"),
        Meaning::Custom(Keep::Log)
    ));
}

#[test]
fn own_rules_come_before_ours() {
    let dialect = dialect(
        "[on.'task:create']\nrelay = 'task:create'\n[on.'tag:*']\nrelay = { keep = 'log' }",
    );
    assert!(matches!(dialect.meaning("task:create"), Meaning::Rules(_)));
    assert!(matches!(dialect.meaning("task:update"), Meaning::Event(_)));
    assert!(matches!(dialect.meaning("tag:x"), Meaning::Rules(_)));
    assert!(matches!(dialect.meaning("ping"), Meaning::Rules(_)));
    assert_eq!(dialect.meaning("tag:x").class(), EventClass::Command);
    assert_eq!(dialect.meaning("task:create").class(), EventClass::Signal);
}

#[test]
fn nouns_of_a_dialect_name_events_and_ids() {
    let dialect = dialect("[kinds.task]\nnames = ['todo']\n[kinds.project]\nnames = ['space']");
    let Meaning::Event(event) = dialect.meaning("todo:update") else {
        panic!("it is known");
    };
    assert_eq!(event.as_str(), "task:update");
    let mut arguments = [json!({"todoId": "t1", "spaceId": "p1", "todo": {"title": "T"}})];
    let original = event.translate(&mut arguments);
    assert_eq!(
        arguments[0],
        json!({"taskId": "t1", "projectId": "p1", "task": {"title": "T"}})
    );
    assert_eq!(original.unwrap()["todoId"], "t1");
}

#[test]
fn events_are_told_as_the_rules_say() {
    let dialect = dialect(
        "[tell.'task:created']\nas = ['a', 'b']\ndata = { task = '$entity', by = '$user.name' }\nto = 'others'\n\
         [tell.'task:deleted']\ndata = '$entity._id'\n\
         [tell.'task:moved']\nas = []\n\
         [[tell.'presence:join']]\nas = 'users'\ndata = '$presence.users'\n\
         [[tell.'presence:join']]\nas = 'count'\ndata = { n = '$presence.count' }\nwhen = '$presence.count'\n\
         [kinds.task]\nshape = { '...' = '$it', _id = '$it.id' }\nfields = { column = 'status' }",
    );
    let entity = json!({"id": "t1", "status": "todo"});
    let shaped = json!({"id": "t1", "_id": "t1", "status": "todo", "column": "todo"});
    let expected = json!({"task": shaped, "by": "Ann"});
    assert_eq!(
        told(&dialect, &EventType::known("task.created"), &entity),
        [
            ("a".to_owned(), expected.clone(), true),
            ("b".to_owned(), expected, true)
        ]
    );
    let updated = told(&dialect, &EventType::known("task.updated"), &entity);
    assert_eq!(updated, [("task:updated".to_owned(), shaped, false)]);
    let deleted = told(&dialect, &EventType::known("task.deleted"), &entity);
    assert_eq!(deleted, [("task:deleted".to_owned(), json!("t1"), false)]);
    assert_eq!(told(&dialect, &EventType::known("task.moved"), &entity), []);
    let joined = told(&dialect, &EventType::known("presence.join"), &json!({}));
    assert_eq!(
        joined,
        [
            ("users".to_owned(), json!([{"userId": "ann"}]), false),
            ("count".to_owned(), json!({"n": 1}), false)
        ]
    );
}

#[test]
fn published_names_of_ours_are_told_as_they_are() {
    let dialect = dialect(
        "[tell.'task:created']\ndata = { task = '$entity' }\n[tell.'note']\ndata = '$data.n'",
    );
    let published = |name: &str, data| told(&dialect, &EventType::restore(name.to_owned()), &data);
    let data = json!({"task": {"_id": "t1"}});
    let expected = [("task:created".to_owned(), data.clone(), false)];
    assert_eq!(published("task:created", data), expected);
    let expected = [("note".to_owned(), json!(7), false)];
    assert_eq!(published("note", json!({"n": 7})), expected);
}

#[test]
fn kept_relays_to_others_leave_out_their_sender() {
    let dialect = dialect(
        "[on.'x']\nrelay = { event = 'y', keep = 'log' }\n[on.'z']\nrelay = { keep = 'log', to = 'all' }",
    );
    let of = |name: &str| told(&dialect, &EventType::restore(name.to_owned()), &json!(1))[0].2;
    assert!(of("y") && !of("z") && !of("x"));
}

#[test]
fn who_speaks_of_cards_hears_of_cards() {
    let common = Dialect::common(&CustomEvents::default());
    let nouns = Nouns {
        task: Some("card"),
        project: Some("board"),
    };
    let told = |name, payload: Value| told_to(&common, &EventType::known(name), &payload, nouns);
    assert_eq!(
        told(
            "task.status_changed",
            json!({"taskId": "t1", "projectId": "p1"})
        ),
        [(
            "card:status_changed".to_owned(),
            json!({"taskId": "t1", "cardId": "t1", "projectId": "p1", "boardId": "p1"}),
            false
        )]
    );
    assert_eq!(told("epic.created", json!({}))[0].0, "epic:created");
}

#[test]
fn events_are_rendered_once() {
    let dialect = dialect("[tell.'x']\ndata = '$data.a'");
    let payload: Arc<RawValue> = crate::contract::json_text(&json!({"a": 1})).into();
    let event_type = EventType::known("x");
    let tell = || {
        dialect.tell(&Happened {
            event_type: &event_type,
            style: EventStyle::Colon,
            nouns: Nouns::default(),
            payload: &payload,
            room: None,
            user: &|_| Value::Null,
            socket: None,
            presence: &|| Value::Null,
            now: &|| Value::Null,
        })
    };
    assert!(Arc::ptr_eq(&tell(), &tell()));
}

#[test]
fn a_dialect_is_chosen_by_what_is_known_of_a_connection() {
    let read =
        |name: &str, text: &str| Dialect::read(name, name, text, &CustomEvents::default()).unwrap();
    let common = || Dialect::common(&CustomEvents::default());
    let dialects = Dialects::new(
        common(),
        vec![
            read("a", "[match]\nnamespaces = ['/n']\norigins = ['https://a']"),
            read("b", "[match]\nnamespaces = ['/n']\npaths = ['/p/']"),
            read("c", ""),
        ],
    );
    let choose = |named, namespace, path, origin| {
        let approach = Approach {
            named,
            namespace,
            path,
            origin,
        };
        dialects
            .choose(&approach)
            .map(|dialect| dialect.name.clone())
    };
    for (named, namespace, path, origin, expected) in [
        (Some("default"), "/n", "/p", None, "default"),
        (None, "/n", "/socket.io", None, "a"),
        (None, "/n", "/p", None, "b"),
        (None, "/", "/p/", None, "b"),
        (None, "/", "/socket.io", Some("https://a"), "a"),
        (None, "/", "/socket.io", None, "c"),
    ] {
        let chosen = choose(named, namespace, path, origin);
        assert_eq!(chosen.as_deref(), Ok(expected));
    }
    let refused = choose(Some("x"), "/", "", None).unwrap_err();
    assert!(refused.contains("there are a, b, c, default"), "{refused}");
    assert_eq!(
        Dialects::new(common(), Vec::new())
            .choose(&Approach::default())
            .unwrap()
            .name,
        "default"
    );
    assert_eq!(
        (dialects.namespaces(), dialects.paths()),
        (vec!["/n"], vec!["/p"])
    );
}

#[test]
fn mistakes_are_named_with_their_line() {
    for (text, line, expected) in [
        (
            "\n[on.x]\nrely = 'y'",
            3,
            "there is no \"rely\" here; write when",
        ),
        ("[on.x]\nis = 'task:explode'", 2, "no such event of ours"),
        ("[on.x]\nroom = '$data'", 1, "says nothing"),
        (
            "[on.x]\nwith = '$data'\nreply = 'y'",
            1,
            "`with` needs `is`",
        ),
        (
            "[on.x]\nrelay = { keep = 'ever' }",
            2,
            "\"signal\" or \"log\"",
        ),
        ("[on.x]\nrelay = { to = 'user' }", 2, "needs `user`"),
        (
            "[on.x]\nreply = { event = 'connect' }",
            2,
            "word of the client library",
        ),
        (
            "[on.x]\nreply = { event = 'y', data = '$dta' }",
            2,
            "there is no $dta",
        ),
        ("[tell.x]\ndata = '$auth.x'", 2, "$auth has no value here"),
        ("[room]\njoin = true", 2, "needs `default`"),
        ("[match]\nnamespaces = ['board']", 2, "must begin with /"),
        ("x = ", 1, "no TOML"),
        ("\nfoo = 1", 2, "there is no \"foo\" here"),
        (
            "[names]\n'task:explode' = { verbs = ['boom'] }",
            2,
            "no event",
        ),
        ("[custom]\n'a*b' = 'log'", 2, "beginning"),
    ] {
        let error = mistake(text);
        assert_eq!(error.line, line, "{error}");
        assert!(error.message.contains(expected), "{error}");
        assert_eq!(error.file, "mine.toml");
    }
}
