//! What cannot be understood is refused by name.

use serde_json::{Value, json};

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::scene::{PROJECT, open};
use crate::support::http;

/// What was asked for, and the code and field of its refusal.
type Case<'a> = (Value, &'a str, Value);

pub(crate) async fn malformed_request_is_refused_with_code_and_field(door: Door) {
    let server = open(&[]).await;
    let get = async |path: &str| {
        let (_, body) = http::get(&server.address, path).await;
        serde_json::from_str::<Value>(&body).expect(&body)
    };
    let paths = match door {
        Door::Sse => [
            ("/api/events?channels=a%20b", "channel"),
            ("/api/events?channels=c&types=a%20b", "types"),
        ],
        Door::LongPoll => [
            ("/api/channels/c/events?since=0&wait=long", "wait"),
            ("/api/channels/c/events?since=0&limit=0", "limit"),
        ],
        _ => return malformed_message(door, &server.address).await,
    };
    for (path, field) in paths {
        let refused = get(path).await;
        assert_refused(
            door,
            &refused,
            (json!(path), "validation_failed", json!(field)),
        );
    }
}

async fn malformed_message(door: Door, address: &str) {
    let mut client = Client::connect(door, address, &Options::to(&[PROJECT])).await;
    let (code, field) = match door {
        // What nobody knows is passed on to a session, and this client is in none.
        Door::WebSocketFlat => ("validation_failed", json!("sessionId")),
        Door::WebSocketEnvelope => ("validation_failed", json!("data.channel")),
        _ => ("unknown_event", json!("event")),
    };
    for (name, payload, code, field) in [
        ("no:such:event", json!({}), code, field),
        (
            "task:update",
            json!({"projectId": "", "taskId": "t"}),
            "validation_failed",
            json!("projectId"),
        ),
        (
            "task:create",
            json!({"projectId": "p", "title": "a\u{0}b"}),
            "validation_failed",
            json!("title"),
        ),
        (
            "comment:update",
            json!({"projectId": "p", "commentId": ""}),
            "validation_failed",
            json!("commentId"),
        ),
        (
            "subtask:create",
            json!({"projectId": "p", "title": "a\u{0}b"}),
            "validation_failed",
            json!("title"),
        ),
        (
            "subscribe",
            json!({"channel": "a b", "resource": "a b"}),
            "validation_failed",
            match door {
                Door::WebSocketEnvelope => json!("data.resource"),
                _ => json!("channel"),
            },
        ),
    ] {
        let answer = client.call(name, payload).await;
        let answer = answer.unwrap_or_else(|| panic!("{door:?}: {name} ends it"));
        assert_refused(door, &answer, (json!(name), code, field));
    }
}

fn assert_refused(door: Door, answer: &Value, (asked, code, field): Case<'_>) {
    assert_eq!(answer["code"], code, "{door:?}: {asked}: {answer}");
    assert_eq!(answer["field"], field, "{door:?}: {asked}: {answer}");
}
