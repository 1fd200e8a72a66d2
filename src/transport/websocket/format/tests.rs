//! Both formats, message by message.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::transport::websocket::tests::event;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_123);
const ISO: &str = "2023-11-14T22:13:20.123Z";

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// A message as clients read it; no key is there twice.
fn read(text: &str) -> Value {
    let members = RawObject::read(text).unwrap_or_else(|| panic!("{text}"));
    for (key, _) in &members.0 {
        let times = members.0.iter().filter(|(other, _)| other == key).count();
        assert_eq!(times, 1, "{key} in {text}");
    }
    serde_json::from_str(text).unwrap()
}

fn told(format: Format, event: &Event) -> Value {
    read(&format.with_cursor(&format.event("ai_progress", event, false), "e.7:3"))
}

#[test]
fn an_event_has_its_data_under_data_and_beside_it() {
    let payload =
        r#"{"progress":{"chunksReceived":1.50},"type":"x","timestamp":7,"\u0064ata":1,"cursor":2}"#;
    let event = event("session:s", 3, payload);
    let text = Format::Flat.with_cursor(&Format::Flat.event("ai_progress", &event, false), "e.7:3");
    assert!(
        text.contains(&format!("\"data\":{payload}")),
        "the bytes are those of the payload"
    );
    let expected = json!({"type": "ai_progress", "timestamp": ISO, "channel": "session:s", "sessionId": "s",
        "seq": 3, "data": {"progress": {"chunksReceived": 1.5}, "type": "x", "timestamp": 7, "data": 1, "cursor": 2},
        "progress": {"chunksReceived": 1.5}, "cursor": "e.7:3"});
    assert_eq!(read(&text), expected);
}

#[test]
fn a_payload_that_is_no_object_stands_under_data_alone() {
    let message = told(Format::Flat, &event("user:ann", 3, "[1,{}]"));
    let expected = json!({"type": "ai_progress", "timestamp": ISO, "channel": "user:ann", "userId": "ann",
        "seq": 3, "data": [1, {}], "cursor": "e.7:3"});
    assert_eq!(message, expected);
}

#[test]
fn an_envelope_says_where_it_comes_from() {
    let mut event = event("agent:*", 3, r#"{"agentId":"a"}"#);
    event.source = Some(ChannelName::restore("agent:a"));
    let expected = json!({"id": event.id.0.to_string(), "type": "ai_progress", "timestamp": NOW.as_millis(),
        "data": {"agentId": "a"}, "metadata": {"version": "1.0", "source": "backend", "correlationId": null,
        "compressed": false, "eventId": event.id.0.to_string(), "publishedAt": NOW.as_millis(), "actor": "backend",
        "channel": "agent:a", "pattern": "agent:*", "seq": 3, "cursor": "e.7:3"}});
    assert_eq!(told(Format::Envelope, &event), expected);
}

#[test]
fn an_ack_carries_the_id_of_its_message() {
    let reply = raw(r#"{"ok":true,"seq":1,"id":"event","data":{"a":1.0}}"#);
    let flat = read(&Format::Flat.ack(NOW, &raw("\"x\""), &reply));
    let expected = json!({"type": "ack", "id": "x", "timestamp": ISO, "ok": true, "seq": 1, "eventId": "event",
        "data": {"a": 1.0}});
    assert_eq!(flat, expected);
    let metadata =
        json!({"version": "1.0", "source": "boardcast", "correlationId": 7, "compressed": false});
    let expected = json!({"type": "ack", "id": 7, "timestamp": NOW.as_millis(),
        "data": {"ok": true, "seq": 1, "id": "event", "data": {"a": 1.0}}, "metadata": metadata});
    assert_eq!(
        read(&Format::Envelope.ack(NOW, &raw("7"), &reply)),
        expected
    );
}

#[test]
fn envelope_keeps_what_its_sender_says_and_names_ours_beside_it() {
    let mut event = event("agent:a", 3, r#"{"agentId":"a"}"#);
    let said =
        r#"{"id":"evt-123","timestamp":1703775135000.0,"source":"coder","correlationId":"c-1"}"#;
    event.envelope = Some(Arc::from(raw(said)));
    let text = Format::Envelope.event("ai_progress", &event, false);
    assert!(text.contains("\"timestamp\":1703775135000.0,"), "{text}");
    let expected = json!({"id": "evt-123", "type": "ai_progress", "timestamp": 1_703_775_135_000.0,
        "data": {"agentId": "a"}, "metadata": {"version": "1.0", "source": "coder", "correlationId": "c-1",
        "compressed": false, "eventId": event.id.0.to_string(), "publishedAt": NOW.as_millis(), "actor": "backend",
        "channel": "agent:a", "seq": 3, "cursor": "e.7:3"}});
    assert_eq!(told(Format::Envelope, &event), expected);
}

#[test]
fn what_is_said_in_both_formats() {
    let id = raw("\"x\"");
    let flat = Format::Flat;
    let pong = json!({"type": "pong", "timestamp": ISO});
    assert_eq!(read(&flat.say(ServerWord::Pong, NOW, None, &[])), pong);
    let error = json!({"type": "error", "timestamp": ISO, "error": "Invalid message format"});
    assert_eq!(read(&flat.unreadable(NOW)), error);
    let said = read(&flat.say(
        ServerWord::Subscribed,
        NOW,
        Some(&id),
        &[("sessionId", quoted("s"))],
    ));
    assert_eq!(
        said,
        json!({"type": "subscribed", "timestamp": ISO, "id": "x", "sessionId": "s"})
    );
    let mut enveloped = read(&Format::Envelope.say(ServerWord::Pong, NOW, Some(&id), &[]));
    assert_eq!(enveloped["id"].as_str().unwrap().len(), 36);
    enveloped["id"].take();
    let metadata =
        json!({"version": "1.0", "source": "boardcast", "correlationId": "x", "compressed": false});
    let expected = json!({"id": null, "type": "pong", "timestamp": NOW.as_millis(), "data": {}, "metadata": metadata});
    assert_eq!(enveloped, expected);
}

#[test]
fn what_the_server_tells_says_where_the_client_stands() {
    let said = raw(r#"{"projectId":"p","cursor":"e.1:1"}"#);
    let flat = read(&Format::Flat.tell("project:reset", NOW, Some(&said), Some("e.1:1,2:2")));
    let expected = json!({"type": "project:reset", "timestamp": ISO, "projectId": "p",
        "data": {"projectId": "p", "cursor": "e.1:1"}, "cursor": "e.1:1,2:2"});
    assert_eq!(flat, expected);
    let enveloped =
        read(&Format::Envelope.tell("project:reset", NOW, Some(&said), Some("e.1:1,2:2")));
    assert_eq!(
        enveloped["data"],
        json!({"projectId": "p", "cursor": "e.1:1,2:2"})
    );
}

fn any_payload() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        prop::sample::select(FLAT.to_vec()).prop_map(str::to_owned),
        ".{0,6}"
    ];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    let object = prop::collection::hash_map(key, leaf.clone(), 0..8);
    let object = object.prop_map(|map| Value::Object(map.into_iter().collect()));
    prop_oneof![4 => object, 1 => leaf].prop_map(|value| value.to_string())
}

proptest! {
    /// Whatever the payload is, its bytes stand under `data`, and nothing of it takes the place of what we say.
    #[test]
    fn payloads_are_passed_on_as_they_are(payload in any_payload(), channel in "session:[a-z]{1,5}|agent:[a-z]{1,5}|[a-z]{1,9}") {
        let event = event(&channel, 3, &payload);
        for format in [Format::Flat, Format::Envelope] {
            let text = format.with_cursor(&format.event("ai_progress", &event, false), "e.7:3");
            let message = read(&text);
            let members = RawObject::read(&text).unwrap();
            prop_assert_eq!(members.get("data").unwrap().get(), payload.as_str());
            prop_assert_eq!(&message["type"], "ai_progress");
            let place = if format == Format::Flat { &message } else { &message["metadata"] };
            prop_assert_eq!(&place["cursor"], "e.7:3");
            prop_assert_eq!(&place["channel"], channel.as_str());
        }
    }
}
