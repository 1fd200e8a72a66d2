//! Rates of single types of messages.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::http;
use crate::support::server::Server;
use crate::support::websocket::Ws;

fn assert_limited(refused: &Value, name: &str) {
    assert_eq!(refused["code"], "rate_limited", "{refused}");
    assert_eq!(refused["field"], "type", "{refused}");
    let sentence = refused["error"].as_str().or(refused["detail"].as_str());
    assert!(sentence.unwrap().ends_with(name), "{refused}");
}

async fn publish(server: &Server, event: &Value) -> (u16, Value) {
    let body = event.to_string();
    let head = "POST /api/publish HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\nConnection: close";
    let text = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (status, body) = http::request(&server.address, &text).await;
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_of_a_type_is_kept_at_every_door_for_each_client() {
    let rates = "agent_log=2/60s, task_update=1/60s";
    let server = Server::start_with("sqlite::memory:", &[("TYPE_RATES", rates)]).await;
    let log = json!({"agentId": "a", "message": "x"});
    for path in ["/ws/v1", "/ws?sessionId=s"] {
        let mut ws = Ws::connect(&server.address, path).await;
        for _ in 0..2 {
            assert_eq!(
                ws.call("agent_log", log.clone()).await["ok"],
                true,
                "{path}"
            );
        }
        let refused = ws.call("agent_log", log.clone()).await;
        assert_limited(&refused, "agent_log");
        assert!(
            refused["retryAfterMs"].as_u64().unwrap() <= 60_001,
            "{refused}"
        );
        let status = json!({"agentId": "a", "status": "idle"});
        assert_eq!(ws.call("agent_status", status).await["ok"], true, "{path}");
        // Whatever a command's spelling, it is of one type.
        let task = json!({"projectId": "p", "taskId": "t", "title": "x"});
        assert_eq!(ws.call("updateTask", task.clone()).await["ok"], true);
        assert_limited(&ws.call("task:update", task).await, "task:update");
    }
    let event = json!({"channel": "agent:a", "type": "agent_log", "data": log});
    for _ in 0..2 {
        assert_eq!(publish(&server, &event).await.0, 201);
    }
    let (status, refused) = publish(&server, &event).await;
    assert_eq!(status, 429);
    assert_limited(&refused, "agent_log");
    let (_, several) = publish(&server, &json!([event, {"channel": "c", "type": "t"}])).await;
    assert_limited(&several["results"][0], "agent_log");
    assert_eq!(several["results"][1]["ok"], true, "{several}");
    let client = Client::connect(&server.address).await;
    let task = json!({"projectId": "p", "taskId": "u", "title": "x"});
    assert_eq!(client.call("task:update", task.clone()).await["ok"], true);
    assert_limited(&client.call("task-update", task).await, "task:update");
    assert_eq!(super::refused(&server, "types").await, 7);
}
