//! What those who watch agents ask of `/ws/v1`: short names of events, and compression.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::envelope::{publish, say, subscribe};
use super::start;
use crate::support::websocket::Ws;

#[tokio::test(flavor = "multi_thread")]
async fn subscription_to_an_agent_by_its_id_understands_short_names() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    let wish = json!({"agentId": "a", "events": ["status", "task_update", "metrics"]});
    let subscribed = subscribe(&mut ws, wish).await;
    let events = json!(["agent_status", "agent_task_update", "agent_metric"]);
    assert_eq!(
        (&subscribed["resource"], &subscribed["events"]),
        (&json!("agent:a"), &events)
    );
    let workflow = subscribe(&mut ws, json!({"workflowId": 7, "events": ["failed"]})).await;
    assert_eq!(
        (&workflow["resource"], &workflow["events"]),
        (&json!("workflow:7"), &json!(["workflow_failed"]))
    );
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    say(&mut agent, 1).await;
    let status = json!({"agentId": "a", "status": "busy"});
    publish(&mut agent, "agent_status", status).await;
    publish(&mut agent, "workflow_started", json!({"workflowId": 7})).await;
    let failed = json!({"workflowId": 7, "error": "x"});
    publish(&mut agent, "workflow_failed", failed).await;
    for kind in ["agent_metric", "agent_status", "workflow_failed"] {
        assert_eq!(ws.next().await["type"], kind);
    }
    ws.send(json!({"id": "u", "type": "unsubscribe", "data": {"agentId": "a"}}))
        .await;
    let ended = ws.until("subscription_update").await;
    assert_eq!(
        (&ended["data"]["status"], &ended["data"]["resource"]),
        (&json!("ended"), &json!("agent:a"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn subscription_to_what_can_never_come_is_refused_by_its_name() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    for (wish, named) in [
        (
            json!({"agentId": "a", "events": ["status", "bogus"]}),
            "bogus",
        ),
        (
            json!({"agentId": "a", "events": ["workflow_failed"]}),
            "workflow_failed",
        ),
        (
            json!({"resource": "agent:a", "events": ["workflow_failed"]}),
            "workflow_failed",
        ),
        (json!({"resource": "system", "events": ["pong"]}), "pong"),
    ] {
        ws.send(json!({"id": "s2", "type": "subscribe", "data": wish}))
            .await;
        let error = ws.until("error").await["data"].clone();
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("validation_failed"), &json!("data.events"))
        );
        assert!(
            error["error"]
                .as_str()
                .unwrap()
                .contains(&format!("{named:?}")),
            "{error}"
        );
    }
}

fn packed(json: &str) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(json.as_bytes()).unwrap();
    STANDARD.encode(gzip.finish().unwrap())
}

fn unpacked(data: &Value) -> Value {
    let bytes = STANDARD.decode(data.as_str().expect("a text")).unwrap();
    let mut json = String::new();
    GzDecoder::new(&bytes[..])
        .read_to_string(&mut json)
        .unwrap();
    serde_json::from_str(&json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_data_is_compressed_for_those_who_ask_for_it() {
    let server = start(&[]).await;
    let path = "/ws/v1?channels=agent:a";
    let mut plain = Ws::connect(&server.address, path).await;
    let asked = format!("{path}&compressed=1");
    let mut by_address = Ws::connect(&server.address, &asked).await;
    let mut by_message = Ws::connect(&server.address, path).await;
    let wish =
        json!({"type": "connect", "data": {}, "metadata": {"version": "1.0", "compressed": true}});
    by_message.send(wish).await;
    by_message.until("connect").await;
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    let large = json!({"agentId": "a", "message": "x".repeat(5000)});
    // What comes compressed is published as it was before.
    let sent = json!({"id": "e", "type": "agent_log", "timestamp": 1, "data": packed(&large.to_string()),
        "metadata": {"version": "1.0", "compressed": true}});
    let published = agent.answer_to(sent).await;
    assert_eq!(published["ok"], true, "{published}");
    publish(
        &mut agent,
        "agent_log",
        json!({"agentId": "a", "message": "small"}),
    )
    .await;
    let heard = plain.next().await;
    assert_eq!(
        (&heard["data"], &heard["metadata"]["compressed"]),
        (&large, &json!(false))
    );
    for ws in [&mut by_address, &mut by_message] {
        let heard = ws.next().await;
        assert_eq!(heard["metadata"]["compressed"], true, "{heard}");
        assert_eq!(
            (unpacked(&heard["data"]), &heard["id"]),
            (large.clone(), &json!("e"))
        );
        let small = ws.next().await;
        assert_eq!(
            (&small["data"]["message"], &small["metadata"]["compressed"]),
            (&json!("small"), &json!(false))
        );
    }
    let task = json!({"projectId": "p", "taskId": "t", "title": "x".repeat(3000)});
    by_address
        .send(json!({"id": "c", "type": "task:create", "data": task}))
        .await;
    let ack = by_address.until("ack").await;
    assert_eq!(
        (&ack["id"], &ack["metadata"]["compressed"]),
        (&json!("c"), &json!(true))
    );
    assert_eq!(unpacked(&ack["data"])["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn bomb_is_refused_and_the_connection_goes_on() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws/v1").await;
    let bomb = packed(&" ".repeat(300 * 1024 * 1024 / 10));
    for (data, code) in [
        (json!(bomb), "payload_too_large"),
        (json!("no gzip"), "validation_failed"),
        (json!({"agentId": "a"}), "validation_failed"),
    ] {
        let sent =
            json!({"id": "b", "type": "agent_log", "data": data, "metadata": {"compressed": true}});
        let refused = ws.answer_to(sent).await;
        assert_eq!(
            (&refused["code"], &refused["field"]),
            (&json!(code), &json!("data")),
            "{refused}"
        );
    }
    publish(
        &mut ws,
        "agent_log",
        json!({"agentId": "a", "message": "x"}),
    )
    .await;
}
