//! `*` stands for all of a family, or for all projects; it is no name.

use serde_json::json;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::Door;
use crate::conformance::scene::{SESSION, open};
use crate::support::http;
use crate::support::rest::Rest;

pub(crate) async fn star_as_a_project_is_refused(door: Door) {
    let server = open(&[]).await;
    let address = &server.address;
    if !door.takes_commands() {
        let path = match door {
            Door::Sse => "/api/events?channels=project:*",
            _ => "/api/channels/project:%2A/events?since=0",
        };
        let (status, body) = http::get(address, path).await;
        assert_eq!(status, 422, "{door:?}: {path}: {body}");
        return;
    }
    let mut client = Client::connect(door, address, &Options::to(&[SESSION])).await;
    for (name, payload) in [
        (
            "subscribe",
            json!({"channel": "project:*", "resource": "project:*"}),
        ),
        ("join:project", json!("*")),
        ("project:create", json!({"projectId": "*", "title": "All"})),
        ("task:create", json!({"projectId": "*", "title": "Sow"})),
        ("comment:create", json!({"projectId": "*", "title": "Sow"})),
        ("subtask:create", json!({"projectId": "*", "title": "Sow"})),
    ] {
        let answer = client.call(name, payload).await.unwrap();
        assert_eq!(
            answer["code"], "validation_failed",
            "{door:?}: {name}: {answer}"
        );
    }
    let listed = Rest::new(address).get("/projects").await.expect(200);
    assert_eq!(listed["items"], json!([]), "{door:?}");
}
