use proptest::prelude::*;
use socketioxide_core::Str;
use socketioxide_core::packet::PacketData;
use socketioxide_core::parser::{Parse, ParseConfig, ParseError, ParserState};
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

/// Reads a message as socketioxide does, with as many attachments as it waits for.
fn read(message: &str) -> Read {
    try_read(message).unwrap_or(Read::Ended)
}

fn try_read(message: &str) -> Option<Read> {
    let config = ParseConfig {
        max_incoming_binaries: MAX_ATTACHMENTS,
        ..ParseConfig::default()
    };
    let state = ParserState::default();
    let text = Str::from(message.strip_prefix('4')?.to_owned());
    let mut packet = CommonParser.decode_str(&config, &state, text);
    while let Err(ParseError::NeedsMoreBinaryData) = packet {
        packet = CommonParser.decode_bin(&config, &state, bytes::Bytes::from_static(b"x"));
    }
    let packet = packet.ok()?;
    let (PacketData::Event(value, ack) | PacketData::BinaryEvent(value, ack)) = packet.inner else {
        return Some(Read::NoEvent);
    };
    Some(Read::Event(Event {
        namespace: packet.ns.to_string(),
        name: CommonParser.read_event(&value).ok()?.to_owned(),
        ack,
        text: value.as_str().expect("a text").to_string(),
    }))
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
        r#"42/admin,7["a"]"#,
        "42/admin,9223372036854775807[ \"a\" , null ] \n",
        "42 [\"a\"]",
        r#"451-3["a",{"_placeholder":true,"num":0}]"#,
        r#"450-["a"]"#,
        "430[]",
        "430[1,",
        r#"461-0[{"_placeholder":true,"num":0}]"#,
        "40",
        "40{",
        "41",
        "2",
        "2probe",
        "",
    ] {
        assert_eq!(replacement(message.as_bytes()), None, "{message}");
    }
    let deep = format!("42[\"a\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(replacement(deep.as_bytes()), None);
}

/// They end the session, as in Node.
#[test]
fn messages_that_are_no_events_pass() {
    let long_namespace = format!("42/{},[", "x".repeat(300));
    for message in [
        "4",
        "47",
        "4x",
        "44{}",
        "451001-[\"a\"]",
        "46x[]",
        &long_namespace,
    ] {
        assert_eq!(replacement(message.as_bytes()), None, "{message}");
    }
    assert_eq!(replacement(b"42[\xff"), None);
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

#[test]
fn a_stand_in_keeps_namespace_and_attachments() {
    for (message, start) in [
        ("42/admin,7[", "42/admin,7["),
        ("42/admin", "42/admin,["),
        ("42/", "42/,["),
        ("4512-/é,7[", "4512-/é,7["),
        ("45-/admin,7[", "42/admin,7["),
    ] {
        let stand_in = replacement(message.as_bytes()).unwrap();
        let expected = format!("{start}\"{MALFORMED}\",");
        assert!(stand_in.starts_with(&expected), "{message}: {stand_in}");
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
            r#"451-1["é",{"_placeholder":true,"num":0}]"#,
        ),
        ("421 \t[\"a\",1]", "421[\"a\",1]"),
        ("42/admin,1 [ \"a\"]", "42/admin,1[\"a\"]"),
    ] {
        assert_eq!(replacement(message.as_bytes()).as_deref(), Some(expected));
        event(expected);
    }
}

#[test]
fn an_answer_without_a_readable_ack_id_is_one_that_nobody_has_asked_for() {
    for message in [
        "43",
        "43[]",
        "43[\"x\"]",
        "43{",
        "439223372036854775808[]",
        "432",
        "461-[{}]",
        "43/a",
    ] {
        let replacement = replacement(message.as_bytes()).unwrap();
        assert!(
            replacement.ends_with("9223372036854775807[]"),
            "{replacement}"
        );
        assert_eq!(read(&replacement), Read::NoEvent, "{message}");
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
        format!("42/{},{}[\"{long}", &long[..250], i64::MAX),
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
    let measured = measured(|| replacement(large.as_bytes()));
    assert_eq!(measured.result, None);
    // Which brackets are open.
    assert!(measured.held < 256, "{}", measured.held);
}

/// Parts of packets, and what makes them malformed.
const PARTS: [&str; 36] = [
    "42",
    "45",
    "451-",
    "43",
    "461-",
    "40",
    "4",
    "/admin,",
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

    /// Whatever a client sends: an event that passes is read by socketioxide, with its ack id, and ends nothing; so is what
    /// replaces it, and a client that wants an answer is told of one.
    #[test]
    fn any_event_is_read_or_replaced(start in prop::sample::select(vec!["42", "451-", "452-", "45", "42/admin,", "421", "", "43"]), rest in any_bytes(&PARTS)) {
        let message = format!("{start}{}", String::from_utf8_lossy(&rest));
        let is_event = matches!(message.as_bytes(), [b'4', b'2' | b'5', ..]);
        match replacement(message.as_bytes()) {
            None if is_event => {
                let Some(packet) = Packet::read(&message) else {
                    // It announces too many attachments, or its namespace is too long.
                    return Ok(());
                };
                let event = event(&message);
                prop_assert_eq!(event.ack.is_some(), !packet.ack.is_empty());
                prop_assert_ne!(event.name, MALFORMED);
            }
            None => {}
            Some(replacement) if is_event => {
                let event = event(&replacement);
                let packet = Packet::read(&message).unwrap();
                prop_assert_eq!(event.ack, packet.ack.parse().ok());
                if event.name == MALFORMED {
                    let raw = RawValue::from_string(event.text).unwrap();
                    prop_assert!(Malformed::read(MALFORMED, Some(&raw)).is_some());
                }
            }
            Some(replacement) => prop_assert_eq!(read(&replacement), Read::NoEvent),
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
