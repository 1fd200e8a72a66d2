//! Whatever a client sends, reading it neither panics nor hangs nor takes up much memory.

use proptest::prelude::*;

use super::format::Format;
use super::message::Message;
use super::params::Params;
use super::raw_object::MAX_MEMBERS;
use super::routing;
use super::tests::event;
use crate::test_support::fuzz::{any_bytes, budget, measured};

/// For what is found, and for the list of members.
const SOME: usize = 4 * 1024 + 2 * MAX_MEMBERS * MEMBER;
/// What a member takes up in a list, which may be as long again.
const MEMBER: usize = 2 * 40;
/// Copies of what was said: an object is put together of its parts, which grows, and is checked.
const COPIES: usize = 6;
const LARGE: usize = 256 * 1024;

fn reading_costs_little(text: &str) {
    for format in [Format::Flat, Format::Envelope] {
        let measured = measured(|| {
            let message = Message::read(format, text).ok()?;
            let channel = routing::route(format, &message, Some("s"), None);
            Some((message, channel))
        });
        let start: String = text.chars().take(100).collect();
        let most = COPIES * text.len() + SOME;
        assert!(
            measured.held <= most,
            "{} bytes for {} of {start}",
            measured.held,
            text.len()
        );
        if let Some((message, _)) = measured.result {
            // It is what commands are understood from: whatever was sent, it is JSON.
            serde_json::from_str::<serde::de::IgnoredAny>(message.data.get()).unwrap();
        }
    }
}

/// Values that take up much more than their text, and others.
const VALUES: [&str; 9] = [
    "{\"\":0}",
    "[0]",
    "0",
    "[]",
    "\"\\ud800\"",
    "\"\\u0061\"",
    "\"\"",
    "9e999",
    "null",
];

#[test]
fn large_messages_cost_little() {
    for key in ["type", "id", "data", "metadata", "sessionId", "x"] {
        for value in VALUES {
            let many = vec![value; LARGE / value.len()].join(",");
            for (begin, end) in [("[", "]"), ("{\"a\":[", "]}"), ("\"", "\"")] {
                reading_costs_little(&format!("{{\"type\":\"x\",\"{key}\":{begin}{many}{end}}}"));
            }
        }
        for text in ["x", "\\ud800", "\\u0061", "\\\\", "é"] {
            let text = text.repeat(LARGE / text.len());
            reading_costs_little(&format!("{{\"type\":\"x\",\"{key}\":\"{text}\"}}"));
        }
        for unit in ["[", "{\"a\":", "{\"\":0,", "\"a\":1,", "{\"data\":"] {
            let text = unit.repeat(LARGE / unit.len());
            reading_costs_little(&format!("{{\"type\":\"x\",\"{key}\":{text}"));
            reading_costs_little(&text);
        }
    }
    let members: Vec<_> = (0..LARGE / 10).map(|no| format!("\"{no:x}\":0")).collect();
    for count in [100, MAX_MEMBERS - 1, members.len()] {
        let members = members[..count.min(members.len())].join(",");
        reading_costs_little(&format!("{{\"type\":\"x\",{members}}}"));
        reading_costs_little(&format!(
            "{{\"type\":\"x\",\"y\":1,\"data\":{{{members}}}}}"
        ));
    }
}

const PARTS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"type\":",
    "\"x\"",
    "\"subscribe\"",
    "\"agent_log\"",
    "\"data\":",
    "\"id\":",
    "\"metadata\":",
    "\"resource\":",
    "\"agent:*\"",
    "\"sessionId\":",
    "\"s\"",
    "\"agentId\":",
    "7",
    "1e999",
    "null",
    "\\u0000",
    "\"\\ud800\"",
    " ",
];

proptest! {
    #![proptest_config(budget())]

    #[test]
    fn any_text_is_a_message_or_not(bytes in any_bytes(&PARTS)) {
        reading_costs_little(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mistakes_in_a_message_are_survived(at in 0_usize..120, bytes in any_bytes(&PARTS)) {
        let message = r#"{"id":"m1","type":"agent_log","data":{"agentId":"a","message":"x"},"metadata":{"resource":"agent:a"}}"#;
        let (before, after) = message.split_at(at.min(message.len()));
        reading_costs_little(&format!("{before}{}{after}", String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn any_query_is_read(bytes in any_bytes(&["userId=", "&", "=", "%", "%41", "channels=", ",", "batch=", "9", "heartbeat="])) {
        let query = String::from_utf8_lossy(&bytes);
        let measured = measured(|| Params::read(Some(&query)));
        prop_assert!(measured.held <= 64 * query.len() + 4096, "{} for {}", measured.held, query.len());
    }

    /// What was published was checked, but the log may be older than the check.
    #[test]
    fn any_payload_is_told(bytes in any_bytes(&PARTS)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if serde_json::value::RawValue::from_string(text.clone()).is_ok() {
            let event = event("session:s", 1, text.trim());
            for format in [Format::Flat, Format::Envelope] {
                let message = format.with_cursor(&format.event("x", &event, true), "e.1:1");
                serde_json::from_str::<serde::de::IgnoredAny>(&message).unwrap();
            }
        }
    }
}
