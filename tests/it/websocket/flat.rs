//! The flat spelling, which is the default.

use serde_json::{Value, json};

use super::{join, publish, start};
use crate::support::client::Client;
use crate::support::websocket::Ws;

/// A message without what changes from one run to the next.
fn without(mut message: Value, keys: &[&str]) -> Value {
    for key in keys {
        let taken = message.as_object_mut().unwrap().remove(*key);
        assert!(
            taken.is_some_and(|value| !value.is_null()),
            "{key} is missing in {message}"
        );
    }
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_says_of_its_own_accord_and_when_asked() {
    let server = start(&[]).await;
    for path in ["/", "/ws", "/ws/", "/ws?x=1"] {
        let (mut ws, greeting) = Ws::greeted(&server.address, path).await;
        let id: Vec<_> = greeting["clientId"].as_str().unwrap().split('_').collect();
        assert_eq!((id[0], id[1].len(), id[2].len()), ("client", 13, 20));
        let greeting = without(greeting, &["timestamp", "clientId"]);
        assert_eq!(
            greeting,
            json!({"type": "connection", "status": "connected"})
        );
        ws.send(json!({"type": "ping"})).await;
        assert_eq!(
            without(ws.next().await, &["timestamp"]),
            json!({"type": "pong"})
        );
        for unreadable in ["", "x", "[]", "{}", r#"{"type":7}"#, "{\"type\":\"ping\""] {
            ws.send_text(unreadable.to_owned()).await;
            let error = without(ws.next().await, &["timestamp"]);
            assert_eq!(
                error,
                json!({"type": "error", "error": "Invalid message format"})
            );
        }
        ws.send(
            json!({"type": "handshake", "data": {"apiKey": "k", "name": "ide", "version": "1.2"}}),
        )
        .await;
        assert_eq!(ws.next().await["type"], "welcome");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_heard_from_its_subscription_to_its_end() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws").await;
    let mut backend = Ws::connect(&server.address, "/ws?sessionId=s").await;
    publish(&mut backend, "ai_start", json!({"task": "early"})).await;
    ws.send(json!({"type": "subscribe", "sessionId": "s"}))
        .await;
    let subscribed = ws.next().await;
    assert_eq!(
        (&subscribed["type"], &subscribed["sessionId"]),
        (&json!("subscribed"), &json!("s"))
    );
    let progress = json!({"progress": {"chunksReceived": 3, "contentLength": 10}});
    publish(&mut backend, "ai_progress", progress).await;
    let heard = without(ws.next().await, &["timestamp", "cursor"]);
    let expected = json!({"type": "ai_progress", "channel": "session:s", "sessionId": "s", "seq": 2,
        "data": {"progress": {"chunksReceived": 3, "contentLength": 10}},
        "progress": {"chunksReceived": 3, "contentLength": 10}});
    assert_eq!(heard, expected);
    ws.send(json!({"type": "unsubscribe", "sessionId": "s"}))
        .await;
    let unsubscribed = ws.next().await;
    assert_eq!(
        (&unsubscribed["type"], &unsubscribed["sessionId"]),
        (&json!("unsubscribed"), &json!("s"))
    );
    publish(&mut backend, "ai_complete", json!({"result": 1})).await;
    assert_eq!(ws.settled().await, [] as [Value; 0]);
    assert_eq!(
        backend.settled().await,
        [] as [Value; 0],
        "nobody hears themselves"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_not_know_is_passed_on_to_the_session() {
    let server = start(&[]).await;
    let mut ide = Ws::connect(&server.address, "/ws?sessionId=s").await;
    let mut other = Ws::connect(&server.address, "/ws?sessionId=s").await;
    let mut stranger = Ws::connect(&server.address, "/ws?sessionId=t").await;
    let bytes = r#"{ "file" : "a.rs", "n": 1.50, "x":"\u00e9" }"#;
    ide.send_text(format!(r#"{{"type":"codeContext","data":{bytes}}}"#))
        .await;
    let heard = other
        .read_text(std::time::Duration::from_secs(30))
        .await
        .unwrap();
    assert!(heard.contains(&format!("\"data\":{bytes}")), "{heard}");
    ide.send(json!({"type": "analyzeCode", "file": "b.rs", "sessionId": "t"}))
        .await;
    let heard = stranger.next().await;
    assert_eq!(
        (&heard["type"], &heard["file"]),
        (&json!("analyzeCode"), &json!("b.rs"))
    );
    assert_eq!(other.settled().await, [] as [Value; 0]);
    let mut lonely = Ws::connect(&server.address, "/ws").await;
    lonely.send(json!({"type": "codeContext"})).await;
    let error = lonely.next().await;
    assert_eq!(
        (&error["type"], &error["field"]),
        (&json!("error"), &json!("sessionId"))
    );
    for reserved in ["connection", "welcome", "subscribed", "batchUpdate"] {
        ide.send(json!({"type": reserved, "data": {}})).await;
        let error = ide.next().await;
        assert_eq!(
            (&error["type"], &error["event"]),
            (&json!("error"), &json!(reserved))
        );
    }
    for ignored in ["pong", "heartbeat", "ack", "error"] {
        ide.send(json!({"type": ignored})).await;
    }
    assert_eq!(ide.settled().await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_answered_in_order_and_heard_at_every_door() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws?userId=ann").await;
    let socket = Client::connect(&server.address).await;
    socket.join("p").await;
    join(&mut ws, "p").await;
    for number in 0..300 {
        let data = json!({"projectId": "p", "taskId": "t", "number": number});
        ws.send(json!({"type": "task:update", "id": number, "data": data}))
            .await;
    }
    let (mut acks, mut seqs) = (0, 0);
    while acks < 300 || seqs < 300 {
        let message = ws.next().await;
        if message["type"] == "ack" {
            assert_eq!(
                (&message["id"], &message["ok"]),
                (&json!(acks), &json!(true))
            );
            acks += 1;
        } else {
            seqs += 1;
            assert_eq!(message["seq"], seqs, "{message}");
            let same = socket.next().await;
            assert_eq!(same.args[0], message["data"]);
            assert_eq!(message["updatedBy"], "ann");
        }
    }
    ws.send(json!({"type": "task:update", "projectId": "p", "taskId": "t", "number": "flat"}))
        .await;
    assert_eq!(ws.next().await["number"], "flat");
    ws.send(json!({"type": "task:update", "data": {"projectId": "", "taskId": "t"}}))
        .await;
    let error = ws.next().await;
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("error"), &json!("validation_failed"))
    );
    assert_eq!(
        (&error["event"], &error["field"]),
        (&json!("task:update"), &json!("projectId"))
    );
    socket
        .call(
            "task:update",
            json!({"projectId": "p", "taskId": "t", "number": "io"}),
        )
        .await;
    assert_eq!(ws.next().await["number"], "io");
    socket.emit("typing", &[json!({"projectId": "p"})]);
    assert_eq!(ws.until("typing").await["projectId"], "p");
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_subscribed_to_by_name_and_filtered() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws?channels=ai:jobs,project:p").await;
    ws.send(json!({"type": "subscribe", "id": 1, "channels": ["session:s", "user:u"], "types": ["wanted"]})).await;
    let subscribed = ws.next().await;
    assert_eq!(
        (&subscribed["type"], &subscribed["id"]),
        (&json!("subscribed"), &json!(1))
    );
    assert_eq!(
        subscribed["channels"].as_array().unwrap().len(),
        2,
        "{subscribed}"
    );
    let mut backend = Ws::connect(&server.address, "/ws?sessionId=s").await;
    publish(&mut backend, "unwanted", json!({})).await;
    publish(&mut backend, "wanted", json!({})).await;
    assert_eq!(ws.next().await["type"], "wanted");
    backend
        .call("task:create", json!({"projectId": "p", "title": "x"}))
        .await;
    assert_eq!(ws.until("task:created").await["title"], "x");
    for (channel, field) in [("a b", "channel"), ("agent:x*", "channel"), ("", "channel")] {
        ws.send(json!({"type": "subscribe", "channel": channel}))
            .await;
        let error = ws.until("error").await;
        assert_eq!(error["field"], field, "{error}");
    }
    ws.send(json!({"type": "subscribe"})).await;
    assert_eq!(ws.next().await["code"], "validation_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_spelled_as_the_client_wants_them() {
    let server = start(&[]).await;
    let path = "/ws?eventStyle=snake&echo=false&channels=project:p";
    let mut ws = Ws::connect(&server.address, path).await;
    ws.call("task:create", json!({"projectId": "p", "id": "t"}))
        .await;
    let mut other = Ws::connect(&server.address, "/ws").await;
    other
        .call(
            "task:update",
            json!({"projectId": "p", "taskId": "t", "status": "done"}),
        )
        .await;
    let heard = ws.next().await;
    assert_eq!(
        (&heard["type"], &heard["seq"]),
        (&json!("task_updated"), &json!(2)),
        "not its own"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn payload_that_names_users_and_sessions_stands_under_data_alone() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws?sessionId=s&channels=ui:a").await;
    let mut other = Ws::connect(&server.address, "/ws/v1").await;
    let data =
        json!({"channel": "ui:a", "userId": "u", "sessionId": "t", "pattern": "p", "seq": -1});
    other.call("note", data).await;
    let heard = ws.next().await;
    for key in ["userId", "sessionId", "pattern"] {
        assert_eq!(heard.get(key), None, "{heard}");
    }
    assert_eq!(heard["data"]["userId"], "u", "{heard}");
    assert_eq!(heard["seq"], 1);
    let mut sender = Ws::connect(&server.address, "/ws?sessionId=s").await;
    let message = json!({"type": "codeContext", "userId": "u", "data": {"sessionId": "t"}});
    sender.send(message).await;
    let heard = ws.next().await;
    assert_eq!(heard.get("userId"), None, "{heard}");
    assert_eq!(heard["sessionId"], "s", "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsubscribe_without_a_name_leaves_the_session_and_is_always_answered() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws").await;
    ws.send(json!({"type": "subscribe", "sessionId": "s"}))
        .await;
    ws.next().await;
    ws.send(json!({"type": "unsubscribe"})).await;
    let left = ws.next().await;
    assert_eq!(
        (&left["type"], &left["sessionId"]),
        (&json!("unsubscribed"), &json!("s")),
        "{left}"
    );
    ws.send(json!({"type": "unsubscribe"})).await;
    let left = without(ws.next().await, &["timestamp", "cursor"]);
    assert_eq!(left, json!({"type": "unsubscribed"}), "it is in none");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribe_to_another_session_leaves_the_first_and_channels_stay() {
    let server = start(&[]).await;
    let mut ws = Ws::connect(&server.address, "/ws?sessionId=a&channels=ui:x").await;
    ws.send(json!({"type": "subscribe", "channels": ["session:c"]}))
        .await;
    ws.until("subscribed").await;
    ws.send(json!({"type": "subscribe", "sessionId": "b"}))
        .await;
    assert_eq!(ws.until("subscribed").await["sessionId"], "b");
    let mut others = Vec::new();
    for session in ["a", "b", "c"] {
        let mut other = Ws::connect(&server.address, &format!("/ws?sessionId={session}")).await;
        publish(&mut other, "ai_start", json!({"in": session})).await;
        others.push(other);
    }
    let mut agent = Ws::connect(&server.address, "/ws/v1").await;
    agent
        .call("ai_start", json!({"channel": "ui:x", "in": "x"}))
        .await;
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(ws.until("ai_start").await["in"].clone());
    }
    heard.sort_by_key(Value::to_string);
    assert_eq!(heard, ["b", "c", "x"]);
    assert_eq!(
        ws.settled().await,
        [] as [Value; 0],
        "not the first session"
    );
    publish(&mut ws, "mine", json!({})).await;
    assert_eq!(others[1].until("mine").await["sessionId"], "b");
    ws.send(json!({"type": "subscribe", "sessionId": "b", "channel": "session:c"}))
        .await;
    ws.until("subscribed").await;
    publish(&mut others[1], "again", json!({})).await;
    assert_eq!(
        ws.until("again").await["sessionId"],
        "b",
        "it was in it already"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handshake_as_first_message_is_answered_with_welcome_alone() {
    let server = start(&[("GREETING_DELAY", "30s")]).await;
    for path in [
        "/ws",
        "/",
        "/ws?clientType=vscode&version=1&token=&sessionId=",
    ] {
        let mut ws = Ws::open(&server.address, path, &[]).await.unwrap();
        ws.send(json!({"type": "handshake", "data": {"apiKey": "k"}}))
            .await;
        let welcome = ws.next().await;
        assert_eq!(welcome["type"], "welcome", "{path}: {welcome}");
        let id = welcome["clientId"].as_str().unwrap();
        assert!(id.starts_with("client_"), "{welcome}");
        assert_eq!(ws.settled().await, [] as [Value; 0], "{path}");
    }
    for first in [
        json!({"type": "ping"}),
        json!({"type": "subscribe", "sessionId": "s"}),
        json!(7),
    ] {
        let mut ws = Ws::open(&server.address, "/ws", &[]).await.unwrap();
        ws.send(first.clone()).await;
        assert_eq!(ws.next().await["type"], "connection", "{first}");
        let answer = ws.next().await;
        assert!(
            matches!(
                answer["type"].as_str(),
                Some("pong" | "subscribed" | "error")
            ),
            "{answer}"
        );
    }
    // Whose address tells what it wants is greeted at once.
    for path in [
        "/ws?sessionId=s",
        "/ws?userId=u",
        "/ws?channels=ui:a",
        "/ws/v1",
    ] {
        Ws::connect(&server.address, path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_says_nothing_is_greeted_after_the_delay() {
    for delay in ["0s", "20ms"] {
        let server = start(&[("GREETING_DELAY", delay)]).await;
        let (_ws, greeting) = Ws::greeted(&server.address, "/ws").await;
        assert_eq!(greeting["status"], "connected", "{delay}");
    }
}
