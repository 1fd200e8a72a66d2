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
    let stats = get(&server.address, "/api/ws/stats", None).await;
    let client = json!({"id": greeting["clientId"], "userId": "ann", "sessionId": "s", "isAlive": true, "state": "open"});
    assert_eq!(
        stats,
        json!({"totalConnections": 1, "activeConnections": 1, "clients": [client]})
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
async fn only_administrators_see_who_is_there() {
    const TOKEN: &str = "it-is-a-secret-for-tests";
    let settings = [&REQUIRED[..], &[("ADMIN_TOKEN", TOKEN)]].concat();
    let server = start(&settings).await;
    let _ws = Ws::connect(&server.address, &format!("/ws?token={}", of("ann"))).await;
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
    }
    let wrong = ask(&server.address, "/api/ws/stats", Some("x")).await;
    assert_eq!(wrong.0, 401);
}
