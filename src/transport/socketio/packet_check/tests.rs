use proptest::prelude::*;
use socketioxide_core::Str;
use socketioxide_core::packet::PacketData;
use socketioxide_core::parser::{Parse, ParseConfig, ParserState};
use socketioxide_parser_common::CommonParser;

use super::*;
use crate::test_support::fuzz::{any_bytes, budget, measured};

/// An event as socketioxide reads it.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    namespace: String,
    name: String,
    ack: Option<i64>,
    text: String,
}

/// What socketioxide makes of a message.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Event(Event),
    NoEvent,
    /// It ends the connection.
    Ended,
}

/// Reads a message as socketioxide does. It is to wait for no attachments.
fn read(message: &str) -> Read {
    try_read(message).unwrap_or(Read::Ended)
}

fn try_read(message: &str) -> Option<Read> {
    let (config, state) = (ParseConfig::default(), ParserState::default());
    let text = Str::from(message.strip_prefix('4')?.to_owned());
    let packet = CommonParser.decode_str(&config, &state, text).ok()?;
    let PacketData::Event(value, ack) = packet.inner else {
        return Some(Read::NoEvent);
    };
    Some(Read::Event(Event {
        namespace: packet.ns.to_string(),
        name: CommonParser.read_event(&value).ok()?.to_owned(),
        ack,
        text: value.as_str().expect("a text").to_string(),
    }))
}

/// What becomes of a packet of a client that is in two namespaces.
fn fate_inside(packet: &[u8]) -> Fate {
    let counter = PacketCounter::default();
    counter.namespaces.enter("/");
    counter.namespaces.enter("/board");
    fate(packet, &counter)
}

/// What takes the place of a packet; `None` if it passes.
fn replacement(packet: &[u8]) -> Option<String> {
    match fate_inside(packet) {
        Fate::Pass => None,
        Fate::Replace(text) => Some(text),
        Fate::Drop => panic!("it is dropped: {}", String::from_utf8_lossy(packet)),
    }
}

fn event(message: &str) -> Event {
    match read(message) {
        Read::Event(event) => event,
        other => panic!("{other:?}: {message}"),
    }
}

fn replaced(message: &str) -> Event {
    let replacement = replacement(message.as_bytes());
    event(&replacement.unwrap_or_else(|| panic!("it passes: {message}")))
}

/// What a stand-in says.
fn malformed(message: &str) -> (Event, Malformed) {
    let event = replaced(message);
    let raw = RawValue::from_string(event.text.clone()).unwrap();
    let malformed = Malformed::read(&event.name, Some(&raw));
    let malformed = malformed.unwrap_or_else(|| panic!("no stand-in: {message} {event:?}"));
    assert_eq!(malformed.bytes, message.len());
    (event, malformed)
}

#[test]
fn packets_that_can_be_read_pass() {
    for message in [
        r#"42["a"]"#,
        r#"420["a",{"b":[1,2.5e-3,"\u00e9\ud800"]}]"#,
        "42/,7[\"a\"]",
        "42/board,7[\"a\"]",
        "42/board,[\"a\",{\"b\":\"/c,\"}]",
        "429223372036854775807[ \"a\" , null ] \n",
        "42 [\"a\"]",
        r#"42["a",{"_placeholder":true,"num":0}]"#,
        "40",
        "40{",
        "40/admin,{}",
        "41",
        "41/",
        "41/board,",
        "41/board",
        "1",
        "2",
        "3",
        // It ends the session.
        "7",
        "nonsense",
    ] {
        assert_eq!(fate_inside(message.as_bytes()), Fate::Pass, "{message}");
    }
    let deep = format!("42[\"a\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(fate_inside(deep.as_bytes()), Fate::Pass);
}

#[test]
fn packets_that_ask_for_nothing_are_left_out() {
    let long_namespace = format!("42/{},[\"a\"]", "x".repeat(300));
    for message in [
        "",
        "0{}",
        "2probe",
        "3probe",
        "5",
        "6",
        "bAQID",
        "42/admin,1[\"a\"]",
        "42/admin,1[",
        "451-/admin,1[\"a\"]",
        "42/board/x,1[\"a\"]",
        "42/boar,1[\"a\"]",
        "42/board[\"a\"]",
        "43/board,1[]",
        "41/admin",
        "41/admin,",
        &long_namespace,
        "43",
        "430[]",
        "43[\"x\"]",
        "439223372036854775808[]",
        "461-0[{}]",
        "46x",
    ] {
        assert_eq!(fate_inside(message.as_bytes()), Fate::Drop, "{message}");
    }
}

#[test]
fn who_is_not_in_the_namespace_can_only_enter_it() {
    let counter = PacketCounter::default();
    for message in ["42[\"a\"]", "421[]", "451-[\"a\"]", "41", "47", "430[]"] {
        assert_eq!(fate(message.as_bytes(), &counter), Fate::Drop, "{message}");
    }
    assert_eq!(fate(b"40", &counter), Fate::Pass);
    counter.namespaces.enter("/");
    assert_eq!(fate(b"42[\"a\"]", &counter), Fate::Pass);
    assert_eq!(fate(b"41", &counter), Fate::Pass);
    assert_eq!(fate(b"42[\"a\"]", &counter), Fate::Drop);
}

#[test]
fn leaving_one_namespace_leaves_the_others() {
    let counter = PacketCounter::default();
    let fates = |counter: &PacketCounter| {
        ["42[\"a\"]", "42/board,[\"a\"]", "42/chat,[\"a\"]"]
            .map(|event| fate(event.as_bytes(), counter) == Fate::Pass)
    };
    assert_eq!(fates(&counter), [false, false, false]);
    counter.namespaces.enter("/board");
    assert_eq!(fates(&counter), [false, true, false]);
    assert_eq!(fate(b"47", &counter), Fate::Drop, "nobody would answer");
    counter.namespaces.enter("/chat");
    counter.namespaces.enter("/");
    assert_eq!(fates(&counter), [true, true, true]);
    assert_eq!(fate(b"41/board,", &counter), Fate::Pass);
    assert_eq!(fate(b"41/board,", &counter), Fate::Drop);
    assert_eq!(fates(&counter), [true, false, true]);
    assert_eq!(fate(b"41", &counter), Fate::Pass);
    assert_eq!(fates(&counter), [false, false, true]);
}

#[test]
fn what_takes_the_place_of_an_event_stays_in_its_namespace() {
    for (message, expected) in [
        ("42/board,1[21,{}]", "42/board,1[\"21\",{}]"),
        (
            "451-/board,1[\"a\",{\"_placeholder\":true,\"num\":0}]",
            "42/board,1[\"a\",{\"_placeholder\":true,\"num\":0}]",
        ),
        ("42/board,1 [ \"a\"]", "42/board,1[\"a\"]"),
    ] {
        assert_eq!(replacement(message.as_bytes()).as_deref(), Some(expected));
        assert_eq!(event(expected).namespace, "/board");
    }
    for (message, ack) in [
        ("42/board,7[\"a\",NaN]", Some(7)),
        ("42/board,", None),
        ("42/board", None),
        ("45x/board,[\"a\"]", None),
    ] {
        let (event, _) = malformed(message);
        let named = if message.starts_with("45x") {
            "/"
        } else {
            "/board"
        };
        assert_eq!((&*event.namespace, event.ack), (named, ack), "{message}");
    }
}

/// Clients of version 2 say there what they say for one namespace.
#[test]
fn a_query_is_taken_out_of_connect() {
    let counter = PacketCounter::default();
    for (connect, expected, query) in [
        ("40/board?a=1&b=%2C,", "40/board,", "a=1&b=%2C"),
        ("40/board?a=1", "40/board,", "a=1"),
        ("40/board?,{\"x\":\"?\"}", "40/board,{\"x\":\"?\"}", ""),
    ] {
        let replaced = Fate::Replace(expected.to_owned());
        assert_eq!(fate(connect.as_bytes(), &counter), replaced);
        let kept = counter.namespaces.take_query("/board");
        assert_eq!(kept.as_deref(), Some(query), "{connect}");
    }
    for connect in ["40/board,{\"x\":\"?\"}", "40{\"x\":\"?\"}", "40", "40?x"] {
        assert_eq!(fate(connect.as_bytes(), &counter), Fate::Pass, "{connect}");
    }
}

#[test]
fn a_message_that_is_no_packet_is_refused() {
    for message in ["4", "44{}", "47", "4x", "4é"] {
        let (event, malformed) = malformed(message);
        assert_eq!(
            (event.ack, &*malformed.field),
            (None, "packet"),
            "{message}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let stand_in = replacement(b"427[\"a\",\"\xff\"]").unwrap();
    let expected = format!("427[\"{MALFORMED}\",\"a\",\"payload\",\"must be UTF-8\",");
    assert!(stand_in.starts_with(&expected), "{stand_in}");
    let entering = replacement(b"40{\"a\":\"\xff\"}").unwrap();
    assert_eq!(entering, "40{\"a\":\"\u{fffd}\"}");
}

#[test]
fn a_malformed_event_is_replaced_by_one_that_says_what_is_wrong() {
    for (message, ack, name, field) in [
        ("42", None, "", "payload"),
        ("421", Some(1), "", "payload"),
        ("421{}", Some(1), "", "payload"),
        ("421[]", Some(1), "", "payload"),
        ("421null", Some(1), "", "payload"),
        ("42-1[\"x\"]", None, "", "payload"),
        ("421[\"task:create\",{]", Some(1), "task:create", "payload"),
        ("421[\"a\",NaN]", Some(1), "a", "payload"),
        ("421[\"a\",Infinity]", Some(1), "a", "payload"),
        ("421[\"a\",01]", Some(1), "a", "payload"),
        ("421[\"a\",\"\t\"]", Some(1), "a", "payload"),
        ("421[\"a\",'b']", Some(1), "a", "payload"),
        ("421[\"a\",\"\\x\"]", Some(1), "a", "payload"),
        ("421[\"a\",]", Some(1), "a", "payload"),
        ("421[\"a\"]]", Some(1), "a", "payload"),
        ("421[\"a\"] x", Some(1), "a", "payload"),
        ("421[\"a\"", Some(1), "a", "payload"),
        ("421[ \"a", Some(1), "", "payload"),
        ("421[null]", Some(1), "", "event"),
        ("421[[\"a\"]]", Some(1), "", "event"),
        ("421[\"\\ud800\"]", Some(1), "", "event"),
        ("421[\"a\\nb\"]", Some(1), "a", "event"),
        (
            "421[\"boardcast:malformed\",\"x\"]",
            Some(1),
            MALFORMED,
            "event",
        ),
        (
            "421[\"boardcast\\u003amalformed\"]",
            Some(1),
            "boardcast",
            "event",
        ),
        ("429223372036854775808[\"a\"]", None, "a", "ack"),
        ("4299999999999999999999999[\"a\"]", None, "a", "ack"),
        ("452-7[\"a\",{]", Some(7), "a", "payload"),
        ("45[\"a\"]", None, "a", "attachments"),
        ("45-7[\"a\"]", Some(7), "a", "attachments"),
        ("45x[\"a\"]", None, "", "attachments"),
        ("4599999999999999999999-[\"a\"]", None, "a", "attachments"),
    ] {
        let (event, malformed) = malformed(message);
        assert_eq!(event.namespace, "/");
        assert_eq!(
            (event.ack, &*malformed.event, &*malformed.field),
            (ack, name, field),
            "{message}"
        );
    }
}

/// They are refused for their placeholders, before the attachments come.
#[test]
fn an_event_with_attachments_does_not_wait_for_them() {
    let placeholder = r#"["a",{"_placeholder":true,"num":0}]"#;
    for count in ["0", "1", "1001", "18446744073709551615"] {
        let message = format!("45{count}-3{placeholder}");
        let expected = format!("423{placeholder}");
        assert_eq!(replacement(message.as_bytes()), Some(expected), "{message}");
    }
}

#[test]
fn an_event_whose_meaning_is_clear_is_written_anew() {
    for (message, expected) in [
        ("421[21,{}]", "421[\"21\",{}]"),
        ("42[ -1.5e3 ]", "42[\"-1.5e3\" ]"),
        (
            r#"421["task\u003acreate",{"a":"\n"}]"#,
            r#"421["task:create",{"a":"\n"}]"#,
        ),
        (
            r#"451-1["\u00e9",{"_placeholder":true,"num":0}]"#,
            r#"421["é",{"_placeholder":true,"num":0}]"#,
        ),
        ("421 \t[\"a\",1]", "421[\"a\",1]"),
        ("42/,1 [ \"a\"]", "421[\"a\"]"),
    ] {
        assert_eq!(replacement(message.as_bytes()).as_deref(), Some(expected));
        event(expected);
    }
}

#[test]
fn a_refusal_names_what_is_wrong() {
    let (_, malformed) = malformed("421[\"a\",NaN]");
    assert_eq!(
        malformed.refusal().message(),
        "payload is not valid JSON: expected value at line 1 column 6"
    );
    assert_eq!(
        malformed.refusal().code(),
        Some(crate::contract::ErrorCode::ValidationFailed)
    );
}

/// It keeps its place in a message of the largest size, whatever it was.
#[test]
fn a_replacement_is_small() {
    let long = "é".repeat(100_000);
    for message in [
        format!("42/,{}[\"{long}", i64::MAX),
        format!("421[\"{long}\",]"),
        format!("42{}[\"{}\"]", "9".repeat(100_000), "\u{1}".repeat(1000)),
    ] {
        let replacement = replacement(message.as_bytes()).unwrap();
        assert!(replacement.len() < 1024, "{replacement}");
    }
}

#[test]
fn what_passes_costs_no_memory() {
    let large = format!(
        "421[\"task:create\",{{\"a\":[{}1]}}]",
        "{\"b\":\"c\"},".repeat(100_000)
    );
    let counter = PacketCounter::default();
    counter.namespaces.enter("/");
    let measured = measured(|| fate(large.as_bytes(), &counter));
    assert_eq!(measured.result, Fate::Pass);
    // Which brackets are open.
    assert!(measured.held < 256, "{}", measured.held);
}

/// Parts of packets, and what makes them malformed.
const PARTS: [&str; 38] = [
    "42",
    "45",
    "451-",
    "43",
    "461-",
    "40",
    "4",
    "/admin,",
    "/board,",
    "/board",
    "/",
    ",",
    "-",
    "1",
    "9223372036854775807",
    "9223372036854775808",
    "0",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "[\"a\"",
    "\"task:create\"",
    ":",
    "\\u003a",
    "\\ud800",
    "\\",
    "null",
    "NaN",
    "01",
    "1e999",
    "\t",
    " ",
    "\u{1e}",
    "é",
    "boardcast:malformed",
    "[\"boardcast:malformed\"]",
];

proptest! {
    #![proptest_config(budget())]

    /// Whatever a client sends: what passes is read by socketioxide, with its ack id, and ends nothing; so is what replaces it,
    /// and a client that wants an answer is told of one.
    #[test]
    fn any_event_is_read_or_replaced(start in prop::sample::select(vec!["42", "451-", "452-", "45", "42/admin,", "42/board,", "451-/board,", "421", "", "43"]), rest in any_bytes(&PARTS)) {
        let message = format!("{start}{}", String::from_utf8_lossy(&rest));
        let packet = message.strip_prefix('4').and_then(Packet::read);
        match fate_inside(message.as_bytes()) {
            Fate::Pass if message.starts_with("42") => {
                let (event, packet) = (event(&message), packet.unwrap());
                prop_assert_eq!(event.ack.is_some(), !packet.ack.is_empty());
                prop_assert_ne!(event.name, MALFORMED);
            }
            Fate::Pass => prop_assert!(!message.starts_with('4') || matches!(read(&message), Read::NoEvent)),
            Fate::Replace(replacement) => {
                let event = event(&replacement);
                let named = packet.as_ref().map_or("/", |packet| packet.namespace);
                prop_assert_eq!(&event.namespace, named);
                let ack = packet.and_then(|packet| packet.ack.parse().ok());
                prop_assert_eq!(event.ack, ack);
                if event.name == MALFORMED {
                    let raw = RawValue::from_string(event.text).unwrap();
                    prop_assert!(Malformed::read(MALFORMED, Some(&raw)).is_some());
                }
            }
            Fate::Drop => {
                let is_answered = packet.is_some_and(|packet| packet.kind == Kind::Event && matches!(packet.namespace, "/" | "/board"));
                prop_assert!(!is_answered, "{message}");
            }
        }
    }

    /// What a client means is never changed: JSON that passes is JSON.
    #[test]
    fn an_event_passes_just_if_it_is_json(rest in any_bytes(&PARTS)) {
        let payload = format!("[\"a\",{}", String::from_utf8_lossy(&rest));
        let passes = replacement(format!("421{payload}").as_bytes()).is_none();
        prop_assert_eq!(passes, serde_json::from_str::<Box<RawValue>>(&payload).is_ok());
    }
}
