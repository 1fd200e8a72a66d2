//! How the plain WebSockets stand.

use serde_json::{Value, json};

use super::start;
use crate::support::http;
use crate::support::tokens::{REQUIRED, of, with_roles};
use crate::support::websocket::Ws;

async fn ask(address: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let token = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!("GET {path} HTTP/1.1\r\nHost: it\r\n{token}Connection: close\r\n\r\n");
    http::request(address, &request).await
}

async fn get(address: &str, path: &str, token: Option<&str>) -> Value {
    let (status, body) = ask(address, path, token).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_listed_as_long_as_they_are_there() {
    let server = start(&[]).await;
    let (mut ws, greeting) = Ws::greeted(&server.address, "/ws?userId=ann&sessionId=s").await;
    let mut stats = get(&server.address, "/api/ws/stats", None).await;
    let at = stats["clients"][0]["lastActivity"].take();
    assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
    let client = json!({"id": greeting["clientId"], "type": null, "version": null, "userId": "ann", "sessionId": "s",
        "isAlive": true, "lastActivity": null, "state": 1});
    let version = json!({"type": null, "version": null, "clients": 1});
    assert_eq!(
        stats,
        json!({"totalConnections": 1, "activeConnections": 1, "clients": [client], "clientVersions": [version],
            "otherVersions": 0, "messagesSent": 1, "messagesReceived": 0, "reconnects": 0, "averageLatency": 0.0})
    );
    ws.send(json!({"type": "ping"})).await;
    ws.next().await;
    let answer = get(&server.address, "/api/websocket/status", None).await;
    let data = &answer["data"];
    assert_eq!(
        (&answer["success"], &data["connected"], &data["clients"]),
        (&json!(true), &json!(true), &json!(1))
    );
    assert!(
        data["uptime"].is_u64() && data["messageCount"].as_u64() >= Some(2),
        "{data}"
    );
    assert!(
        data["lastActivity"].as_str().unwrap().ends_with('Z'),
        "{data}"
    );
    assert_eq!(server.health().await["connections"], 1);
    drop(ws);
    server
        .health_becomes("it has gone", |health| health["connections"] == 0)
        .await;
    let stats = get(&server.address, "/api/ws/stats", None).await;
    assert_eq!(stats["clients"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_shown_and_counted_by_the_type_and_version_that_they_say() {
    let server = start(&[]).await;
    let mut ide = Ws::connect(&server.address, "/ws?clientType=vscode&version=1.2.0").await;
    let said = json!({"clientType": "jetbrains", "version": "2026.1"});
    let mut others = Vec::new();
    for path in ["/ws", "/ws?userId=ann"] {
        let mut other = Ws::connect(&server.address, path).await;
        let message = json!({"type": "handshake", "data": said.clone()});
        other.send(message).await;
        assert_eq!(other.until("welcome").await["type"], "welcome");
        others.push(other);
    }
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    agent
        .send(json!({"type": "auth_request", "data": {"client": {"name": "bot", "version": 3}}}))
        .await;
    agent.until("auth_success").await;
    let stats = get(&server.address, "/api/ws/stats", None).await;
    let expected = json!([
        {"type": "jetbrains", "version": "2026.1", "clients": 2},
        {"type": "bot", "version": "3", "clients": 1},
        {"type": "vscode", "version": "1.2.0", "clients": 1},
    ]);
    assert_eq!(stats["clientVersions"], expected, "{stats}");
    let before = activity_of(&stats, "vscode");
    ide.send(json!({"type": "handshake", "version": "1.3.0"}))
        .await;
    ide.until("welcome").await;
    let stats = get(&server.address, "/api/ws/stats", None).await;
    let clients = stats["clients"].as_array().unwrap();
    let ide = clients
        .iter()
        .find(|client| client["type"] == "vscode")
        .unwrap();
    assert_eq!(ide["version"], "1.3.0", "the type stays");
    assert!(activity_of(&stats, "vscode") > before, "{stats}");
}

/// When a client of a type was active last.
fn activity_of(stats: &Value, client_type: &str) -> String {
    let clients = stats["clients"].as_array().unwrap();
    let found = clients.iter().find(|client| client["type"] == client_type);
    found.unwrap()["lastActivity"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_see_who_is_there() {
    const TOKEN: &str = "it-is-a-secret-for-tests";
    let settings = [&REQUIRED[..], &[("ADMIN_TOKEN", TOKEN)]].concat();
    let server = start(&settings).await;
    let mut ws = Ws::connect(&server.address, &format!("/ws?token={}", of("ann"))).await;
    let refused = ws.call("task:update", json!({})).await;
    assert_eq!(refused["ok"], false, "{refused}");
    let (admin, member) = (
        with_roles("root", json!({"*": "admin"})),
        with_roles("m", json!({"*": "member"})),
    );
    for (token, listed) in [
        (None, 0),
        (Some(&*member), 0),
        (Some(&*admin), 1),
        (Some(TOKEN), 1),
    ] {
        let stats = get(&server.address, "/api/ws/stats", token).await;
        assert_eq!(stats["totalConnections"], 1);
        assert_eq!(
            stats["clients"].as_array().unwrap().len(),
            listed,
            "{token:?}"
        );
        let metrics = get(&server.address, "/api/metrics/websocket", token).await;
        assert_eq!(metrics["messages"]["errors"], 1, "{metrics}");
        let errors = metrics["errors"].as_array().unwrap();
        assert_eq!(errors.len(), listed, "{token:?}");
    }
    let wrong = ask(&server.address, "/api/ws/stats", Some("x")).await;
    assert_eq!(wrong.0, 401);
}
