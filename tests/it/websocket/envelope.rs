//! The envelope of `/ws/v1`.

use serde_json::{Value, json};

use super::start;
use crate::support::http;
use crate::support::websocket::Ws;

pub(super) async fn subscribe(ws: &mut Ws, data: Value) -> Value {
    ws.send(json!({"id": "s1", "type": "subscribe", "timestamp": 1, "data": data, "metadata": {"version": "1.0"}})).await;
    let update = ws.until("subscription_update").await;
    assert_eq!(update["metadata"]["correlationId"], "s1");
    update["data"].clone()
}

pub(super) async fn publish(ws: &mut Ws, kind: &str, data: Value) {
    let published = ws.call(kind, data).await;
    assert_eq!(published["ok"], true, "{published}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_is_heard_through_one_subscription() {
    let server = start(&[]).await;
    let (mut all, greeting) = Ws::greeted(&server.address, "/ws/v1").await;
    assert_eq!(
        (&greeting["type"], &greeting["data"]["authenticated"]),
        (&json!("connect"), &json!(true))
    );
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    let subscribed = subscribe(
        &mut all,
        json!({"resource": "agent:*", "events": ["agent_status"]}),
    )
    .await;
    assert_eq!(
        (&subscribed["resource"], &subscribed["status"]),
        (&json!("agent:*"), &json!("active"))
    );
    publish(
        &mut agent,
        "agent_status",
        json!({"agentId": "coder-001", "status": "busy"}),
    )
    .await;
    publish(
        &mut agent,
        "agent_log",
        json!({"agentId": "coder-001", "message": "x"}),
    )
    .await;
    publish(
        &mut agent,
        "agent_status",
        json!({"agentId": "tester", "status": "idle"}),
    )
    .await;
    for (agent, seq) in [("coder-001", 1), ("tester", 3)] {
        let heard = all.next().await;
        assert_eq!(heard["type"], "agent_status");
        assert_eq!(heard["data"]["agentId"], agent);
        assert!(
            heard["timestamp"].is_i64() && heard["id"].is_string(),
            "{heard}"
        );
        let metadata = &heard["metadata"];
        assert_eq!(metadata["channel"], format!("agent:{agent}"));
        assert_eq!(
            (&metadata["pattern"], &metadata["seq"]),
            (&json!("agent:*"), &json!(seq))
        );
        assert_eq!(
            (&metadata["version"], &metadata["compressed"]),
            (&json!("1.0"), &json!(false))
        );
    }
}

/// Says one thing of each kind.
pub(super) async fn say(agent: &mut Ws, number: i64) {
    for kind in ["agent_log", "agent_metric", "agent_error"] {
        let data = json!({"agentId": "a", "message": "x", "value": 1, "number": number});
        publish(agent, kind, data).await;
    }
}

async fn end(ws: &mut Ws, id: &Value) {
    ws.send(json!({"id": "u", "type": "unsubscribe", "data": {"subscriptionId": id}}))
        .await;
    let update = ws.next().await;
    let data = &update["data"];
    assert_eq!(
        (&data["status"], &data["subscriptionId"]),
        (&json!("ended"), id),
        "{update}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_subscriptions_to_a_channel_tell_an_event_once() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    let logs = json!({"resource": "agent:a", "events": ["agent_log"]});
    let logs = subscribe(&mut ws, logs).await;
    let both = json!({"resource": "agent:a", "eventTypes": ["agent_log", "agent_metric"]});
    let both = subscribe(&mut ws, both).await;
    assert_ne!(logs["subscriptionId"], both["subscriptionId"]);
    say(&mut agent, 1).await;
    assert_eq!(ws.next().await["type"], "agent_log");
    assert_eq!(ws.next().await["type"], "agent_metric");
    end(&mut ws, &both["subscriptionId"]).await;
    say(&mut agent, 2).await;
    let heard = ws.next().await;
    assert_eq!(
        (&heard["type"], &heard["data"]["number"]),
        (&json!("agent_log"), &json!(2))
    );
    end(&mut ws, &logs["subscriptionId"]).await;
    say(&mut agent, 3).await;
    let nothing = json!({"id": "u", "type": "unsubscribe", "data": {"subscriptionId": "sub_x"}});
    ws.send(nothing).await;
    let error = ws.next().await;
    assert_eq!(
        (&error["type"], &error["data"]["code"]),
        (&json!("error"), &json!("not_found")),
        "{error}"
    );
    assert_eq!(error["metadata"]["correlationId"], "u");
}

/// Also when the answer could not come sooner than the first of many events that were missed.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_subscription_comes_before_what_is_heard_of_it() {
    let server = start(&[]).await;
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    for number in 0..50 {
        say(&mut agent, number).await;
    }
    for _ in 0..20 {
        let mut ws = Ws::connect(&server.address, "/ws/v1").await;
        ws.send(json!({"type": "subscribe", "data": {"resource": "agent:a", "since": 0}}))
            .await;
        assert_eq!(ws.next().await["type"], "subscription_update");
        for seq in 1..=150 {
            assert_eq!(ws.next().await["metadata"]["seq"], seq);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_restores_a_subscription() {
    let server = start(&[]).await;
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    let wish =
        json!({"resource": "workflow:*", "events": ["workflow_started", "workflow_complete"]});
    subscribe(&mut ws, wish.clone()).await;
    publish(&mut agent, "workflow_started", json!({"workflowId": "w"})).await;
    let cursor = ws.next().await["metadata"]["cursor"].clone();
    drop(ws);
    publish(
        &mut agent,
        "workflow_step_complete",
        json!({"workflowId": "w", "step": 1}),
    )
    .await;
    publish(&mut agent, "workflow_complete", json!({"workflowId": "w"})).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    let mut restored = wish;
    restored["cursor"] = cursor;
    let restored = subscribe(&mut ws, restored).await;
    assert!(restored.get("reset").is_none(), "{restored}");
    assert_eq!(ws.next().await["type"], "workflow_complete");
    let lost = subscribe(&mut ws, json!({"resource": "agent:b", "cursor": "e.1:1"})).await;
    assert_eq!(lost["reset"], true, "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_held_to_the_schema_of_its_type() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    for (kind, data, field) in [
        (
            "agent_status",
            json!({"agentId": "a", "status": 7}),
            "data.status",
        ),
        ("agent_status", json!({}), "data.agentId"),
        (
            "agent_status",
            json!({"agentId": "a", "status": "flying"}),
            "data.status",
        ),
        (
            "tdd_phase_change",
            json!({"currentPhase": "blue"}),
            "data.currentPhase",
        ),
        ("workflow_failed", json!({"error": "x"}), "data.workflowId"),
        (
            "coverage_update",
            json!({"percentage": 200}),
            "data.percentage",
        ),
        ("custom", json!({}), "data.channel"),
        (
            "agent_log",
            json!({"agentId": "a", "message": "m", "x": "\0"}),
            "x",
        ),
    ] {
        let refused = ws.call(kind, data).await;
        assert_eq!(
            (&refused["code"], &refused["field"]),
            (&json!("validation_failed"), &json!(field)),
            "{refused}"
        );
    }
    ws.send(json!({"type": "subscribe", "data": {"resource": 7}}))
        .await;
    assert_eq!(ws.next().await["data"]["field"], "data.resource");
    let (status, body) = http::get(&server.address, "/api/schemas").await;
    assert_eq!(status, 200);
    let listed: Value = serde_json::from_str(&body).unwrap();
    for name in listed["types"].as_array().unwrap() {
        let path = format!("/api/schemas/{}", name.as_str().unwrap());
        let (status, body) = http::get(&server.address, &path).await;
        let schema: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &schema["title"]), (200, name));
    }
    assert_eq!(http::get(&server.address, "/api/schemas/x").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_answers_itself() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    for (kind, answer) in [("ping", "pong"), ("connect", "connect")] {
        ws.send(json!({"id": "x", "type": kind, "timestamp": 1, "data": {}}))
            .await;
        let answered = ws.next().await;
        assert_eq!(
            (&answered["type"], &answered["metadata"]["correlationId"]),
            (&json!(answer), &json!("x"))
        );
    }
    ws.send(json!({"id": "x", "type": "auth_request", "data": {"token": "t"}}))
        .await;
    assert_eq!(ws.next().await["type"], "auth_success");
    ws.send_text("x".to_owned()).await;
    assert_eq!(ws.next().await["data"]["error"], "Invalid message format");
    let done = ws
        .call("task:create", json!({"projectId": "p", "title": "x"}))
        .await;
    assert_eq!(
        (&done["ok"], &done["data"]["title"]),
        (&json!(true), &json!("x")),
        "{done}"
    );
    ws.send(json!({"type": "disconnect"})).await;
    assert_eq!(ws.closed().await, (1000, "disconnect".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_left_otherwise_can_be_subscribed_to_again() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    let subscribe = json!({"type": "subscribe", "data": {"resource": "project:p"}});
    ws.send(subscribe.clone()).await;
    let first = ws.until("subscription_update").await["data"]["subscriptionId"].clone();
    ws.send(subscribe.clone()).await;
    ws.until("subscription_update").await;
    ws.call("leave:project", json!("p")).await;
    // Of the two nothing is left, so that the end of one does not bring the other back.
    ws.send(json!({"type": "unsubscribe", "data": {"subscriptionId": first}}))
        .await;
    assert_eq!(
        ws.until("subscription_update").await["data"]["status"],
        "ended"
    );
    let mut other = Ws::connect(&server.address, "/ws").await;
    let task = json!({"projectId": "p", "title": "x"});
    other.call("task:create", task.clone()).await;
    let heard = ws.settled().await;
    assert!(
        heard
            .iter()
            .all(|message| message["type"] != "task:created"),
        "{heard:?}"
    );
    ws.send(subscribe).await;
    ws.until("subscription_update").await;
    other.call("task:create", task).await;
    ws.until("task:created").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_address_asked_for_can_be_left() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1?channels=ui:a").await;
    ws.send(json!({"type": "unsubscribe", "data": {"resource": "ui:a"}}))
        .await;
    let ended = ws.next().await;
    assert_eq!(ended["data"]["status"], "ended", "{ended}");
    let mut other = Ws::connect(&server.address, "/ws/v1").await;
    other.call("note", json!({"channel": "ui:a"})).await;
    assert_eq!(ws.settled().await, [] as [serde_json::Value; 0]);
}

/// An event without what is ours alone.
fn said(event: &Value) -> Value {
    let metadata = &event["metadata"];
    json!({"id": event["id"], "timestamp": event["timestamp"], "data": event["data"], "version": metadata["version"],
        "source": metadata["source"], "correlationId": metadata["correlationId"]})
}

/// Publishes over HTTP.
async fn post_event(address: &str, event: &Value) -> (u16, String) {
    let body = event.to_string();
    let head = "POST /api/publish HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\nConnection: close";
    let text = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    http::request(address, &text).await
}

#[tokio::test(flavor = "multi_thread")]
async fn envelope_of_a_sender_is_kept_live_and_in_replay() {
    let server = start(&[]).await;
    let mut watcher = Ws::connect(&server.address, "/ws/v1").await;
    let wish = json!({"resource": "agent:*", "since": 0});
    subscribe(&mut watcher, wish.clone()).await;
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    let data = json!({"agentId": "coder-001", "status": "busy"});
    let sent = json!({"id": "evt-123", "type": "agent_status", "timestamp": 1_703_775_135_000_i64, "data": data,
        "metadata": {"version": "1.1", "source": "coder", "correlationId": "c-1"}});
    let published = agent.answer_to(sent).await;
    assert_eq!(published["ok"], true, "{published}");
    let event = json!({"channel": "agent:coder-001", "id": 7, "type": "agent_status", "timestamp": 1, "data": data,
        "metadata": {"source": "http"}});
    assert_eq!(post_event(&server.address, &event).await.0, 201);
    let expected = [
        json!({"id": "evt-123", "timestamp": 1_703_775_135_000_i64, "data": data, "version": "1.1", "source": "coder",
            "correlationId": "c-1"}),
        json!({"id": 7, "timestamp": 1, "data": data, "version": "1.0", "source": "http", "correlationId": null}),
    ];
    let mut late = Ws::connect(&server.address, "/ws/v1").await;
    subscribe(&mut late, wish).await;
    for ws in [&mut watcher, &mut late] {
        let first = ws.until("agent_status").await;
        assert_eq!(said(&first), expected[0]);
        let metadata = &first["metadata"];
        assert_eq!(
            (&metadata["eventId"], &metadata["seq"]),
            (&published["id"], &published["seq"])
        );
        assert!(
            metadata["publishedAt"].is_i64() && metadata["actor"].is_string(),
            "{first}"
        );
        assert_eq!(said(&ws.until("agent_status").await), expected[1]);
    }
    let path = "/api/channels/agent:coder-001/events";
    let (_, body) = http::get(&server.address, path).await;
    let replayed: Value = serde_json::from_str(&body).unwrap();
    let envelope = &replayed["events"][0]["envelope"];
    assert_eq!(
        (&envelope["id"], &envelope["source"]),
        (&json!("evt-123"), &json!("coder")),
        "{replayed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn envelope_that_is_not_what_it_must_be_is_refused_by_its_field() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    let sent = |id: i64, rest: &str| {
        let text =
            format!(r#"{{"id":{id},"type":"system_alert","data":{{"message":"x"}},{rest}}}"#);
        serde_json::from_str::<Value>(&text).unwrap()
    };
    for (id, (rest, field)) in (1..).zip([
        (r#""timestamp":"notnum""#, "timestamp"),
        (r#""metadata":{"source":7}"#, "metadata.source"),
        (r#""metadata":"x""#, "metadata"),
    ]) {
        let refused = ws.answer_to(sent(id, rest)).await;
        assert_eq!(
            (&refused["code"], &refused["field"]),
            (&json!("validation_failed"), &json!(field))
        );
    }
    ws.send(json!({"type": "ping", "id": "p", "timestamp": "now"}))
        .await;
    let error = ws.next().await;
    assert_eq!(
        (&error["type"], &error["data"]["field"]),
        (&json!("error"), &json!("timestamp"))
    );
}
