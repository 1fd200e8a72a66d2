//! Messages that mean nothing to the server, on their way to a worker.

use serde_json::{Value, json};

use super::start;
use crate::support::tokens::{REQUIRED, of, with_roles};
use crate::support::websocket::Ws;

const CHANNEL: &str = "ai:worker";
const SETTINGS: [(&str, &str); 1] = [("WORKER_CHANNEL", CHANNEL)];

/// What extensions send without a session.
const TYPES: [&str; 9] = [
    "codeContext",
    "startTDD",
    "analyzeCode",
    "memoryUpdate",
    "context_update",
    "file_changed",
    "selection_changed",
    "suggestion_request",
    "tdd_action",
];

async fn worker(address: &str) -> Ws {
    Ws::connect(address, &format!("/ws?channels={CHANNEL}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn message_without_a_session_reaches_the_worker_with_its_sender() {
    let server = start(&SETTINGS).await;
    let mut worker = worker(&server.address).await;
    let path = "/ws?clientType=vscode&version=1.2";
    let (mut ide, greeting) = Ws::greeted(&server.address, path).await;
    for kind in TYPES {
        let data = r#"{ "file" : "a.ts", "n": 1.50 }"#;
        ide.send_text(format!(
            r#"{{"type":"{kind}","id":"{kind}-1","data":{data}}}"#
        ))
        .await;
        let heard = worker.next().await;
        assert_eq!(
            (&heard["type"], &heard["channel"]),
            (&json!(kind), &json!(CHANNEL))
        );
        let expected = json!({"clientId": greeting["clientId"], "correlationId": format!("{kind}-1"), "userId": null,
            "sessionId": null, "clientType": "vscode", "version": "1.2", "data": {"file": "a.ts", "n": 1.5}});
        assert_eq!(heard["data"], expected);
        assert_eq!(ide.next().await["type"], "ack");
    }
    ide.send(json!({"type": "codeContext", "file": "b.ts"}))
        .await;
    let heard = worker.next().await;
    assert_eq!(heard["data"]["data"], json!({"file": "b.ts"}));
    assert_eq!(heard["data"]["correlationId"].as_str().unwrap().len(), 36);
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    agent.call("note", json!({"number": 1})).await;
    assert_eq!(worker.next().await["data"]["data"]["number"], 1);
    assert_eq!(ide.settled().await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn message_of_a_session_reaches_the_session_and_the_worker() {
    let server = start(&SETTINGS).await;
    let mut worker = worker(&server.address).await;
    let mut ide = Ws::connect(&server.address, "/ws?sessionId=s&userId=ann").await;
    let mut mate = Ws::connect(&server.address, "/ws?sessionId=s").await;
    ide.send(json!({"type": "codeContext", "data": {"file": "a.ts"}}))
        .await;
    assert_eq!(mate.next().await["sessionId"], "s");
    let heard = worker.next().await;
    assert_eq!(
        (&heard["data"]["sessionId"], &heard["data"]["userId"]),
        (&json!("s"), &json!("ann"))
    );
    ide.send(json!({"type": "codeContext", "data": {"__proto__": 1}}))
        .await;
    assert_eq!(ide.next().await["code"], "validation_failed");
    assert_eq!(ide.settled().await, [] as [Value; 0], "it is refused once");
    // What a worker says in the session is not for workers.
    worker
        .send(json!({"type": "suggestions", "sessionId": "s", "data": [1]}))
        .await;
    assert_eq!(ide.next().await["data"], json!([1]));
    assert_eq!(worker.settled().await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_that_was_away_hears_what_was_sent_meanwhile() {
    let server = start(&SETTINGS).await;
    let (_gone, greeting) = {
        let path = format!("/ws?channels={CHANNEL}");
        Ws::greeted(&server.address, &path).await
    };
    let mut ide = Ws::connect(&server.address, "/ws").await;
    ide.call("startTDD", json!({"feature": "login"})).await;
    let cursor = greeting["cursor"].as_str().unwrap();
    let path = format!("/ws?channels={CHANNEL}&cursor={cursor}");
    let mut worker = Ws::connect(&server.address, &path).await;
    assert_eq!(worker.next().await["data"]["data"]["feature"], "login");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_needs_no_right_of_its_own_and_the_channel_stays_closed_to_it() {
    let settings = [&REQUIRED[..], &SETTINGS[..]].concat();
    let server = start(&settings).await;
    let token = with_roles("worker", json!({"*": "member"}));
    let path = format!("/ws?channels={CHANNEL}&token={token}");
    let mut worker = Ws::connect(&server.address, &path).await;
    let mut ide = Ws::connect(&server.address, &format!("/ws?token={}", of("ann"))).await;
    let sent = ide.call("codeContext", json!({"file": "a.ts"})).await;
    assert_eq!(sent["ok"], true, "{sent}");
    assert_eq!(worker.next().await["data"]["userId"], "ann");
    let mut agent = Ws::connect(&server.address, &format!("/ws/v1?token={}", of("ann"))).await;
    let forged = json!({"channel": CHANNEL, "clientId": "client_1_x"});
    assert_eq!(agent.call("note", forged).await["code"], "forbidden");
    let mut stranger = Ws::connect(&server.address, "/ws").await;
    let refused = stranger.call("codeContext", json!({})).await;
    assert_eq!(refused["code"], "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_the_refusal_says_what_to_set() {
    let server = start(&[]).await;
    let mut ide = Ws::connect(&server.address, "/ws").await;
    let refused = ide.call("codeContext", json!({})).await;
    assert_eq!(refused["field"], "sessionId");
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("WORKER_CHANNEL"), "{error}");
}
