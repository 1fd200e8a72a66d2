//! Who may send to clients that are connected now, and who hears it.

use serde_json::json;

use super::{SILENCE, say};
use crate::support::rest::Rest;
use crate::support::server::Server;
use crate::support::tokens::{REQUIRED, of, with_roles};
use crate::support::websocket::Ws;

async fn connect(server: &Server, token: &str) -> (Ws, String) {
    let path = format!("/ws?token={token}");
    let (ws, greeting) = Ws::greeted(&server.address, &path).await;
    (ws, greeting["clientId"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_all_projects_send_and_nobody_else() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let (mut ws, id) = connect(&server, &of("ann")).await;
    let rest = Rest::new(&server.address);
    let of_role = |role: &str| with_roles("bob", json!({"*": role}));
    let body = |channel: &str| json!({"channel": channel, "type": "note", "data": {}});
    for channel in ["broadcast", &format!("client:{id}")] {
        let body = body(channel);
        let refused = rest.post("/publish", &body).await;
        refused.problem(401, "unauthenticated");
        for token in [
            of("bob"),
            of_role("viewer"),
            with_roles("bob", json!({"p": "owner"})),
        ] {
            let refused = rest.showing(&token).post("/publish", &body).await;
            refused.problem(403, "forbidden");
        }
        let member = rest.showing(&of_role("member"));
        let sent = member.post("/publish", &body).await.expect(201);
        assert_eq!(sent["reached"], 1, "{sent}");
        assert_eq!(ws.next().await["channel"], channel);
    }
    let (mut viewer, _) = connect(&server, &of("carl")).await;
    for channel in ["broadcast", &format!("client:{id}")] {
        let answer = say(&mut viewer, channel, "note", json!({})).await;
        assert_eq!(answer["code"], "forbidden", "{answer}");
    }
    assert_eq!(ws.try_next(SILENCE).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_shown_who_they_are_neither_hears_nor_sends() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let (mut nobody, greeting) = Ws::greeted(&server.address, "/ws").await;
    let id = greeting["clientId"].as_str().unwrap();
    let token = with_roles("bob", json!({"*": "member"}));
    let rest = Rest::new(&server.address).showing(&token);
    for channel in ["broadcast", &format!("client:{id}")] {
        let body = json!({"channel": channel, "type": "note"});
        let sent = rest.post("/publish", &body).await.expect(201);
        assert_eq!(sent["reached"], 0, "{channel}");
        let refused = say(&mut nobody, channel, "note", json!({})).await;
        assert_eq!(refused["code"], "unauthenticated", "{refused}");
    }
    assert_eq!(nobody.try_next(SILENCE).await, None);
    nobody
        .send(json!({"type": "handshake", "data": {"token": of("ann")}}))
        .await;
    nobody.until("welcome").await;
    let body = json!({"channel": "broadcast", "type": "note"});
    let sent = rest.post("/publish", &body).await.expect(201);
    assert_eq!(sent["reached"], 1);
    nobody.until("note").await;
}
