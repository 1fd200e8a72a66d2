//! Messages to clients that are connected now, which no log keeps: `client:<id>` and `broadcast`.

mod conditions;
mod instances;
mod rights;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::rest::Rest;
use crate::support::server::{Server, UNLIMITED};
use crate::support::sse::EventStream;
use crate::support::websocket::Ws;

/// For how long nothing must come that is not meant.
const SILENCE: Duration = Duration::from_millis(100);

async fn start() -> Server {
    Server::start_with("sqlite::memory:", &UNLIMITED).await
}

/// Connects; the connection, and the id by which it is reached.
async fn connect(address: &str, path: &str) -> (Ws, String) {
    let (ws, greeting) = Ws::greeted(address, path).await;
    let flat = greeting["clientId"].as_str();
    let id = flat.or_else(|| greeting["data"]["clientId"].as_str());
    let id = id.expect("a client is told its id").to_owned();
    (ws, id)
}

/// Sends a message to connected clients over a connection; the answer.
async fn say(ws: &mut Ws, channel: &str, kind: &str, data: Value) -> Value {
    ws.send(
        json!({"type": kind, "id": "m", "channel": channel, "data": data, "correlationId": "q-1"}),
    )
    .await;
    loop {
        let message = ws.next().await;
        if message["id"] == "m" {
            return message;
        }
    }
}

/// Publishes; the answer.
async fn publish(address: &str, body: &Value) -> Value {
    let answer = Rest::new(address).post("/publish", body).await;
    answer.expect(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn client_id_reaches_its_connection_alone_with_the_correlation_id() {
    let server = start().await;
    let (mut one, id) = connect(&server.address, "/").await;
    let (mut other, _) = connect(&server.address, "/ws").await;
    let body = json!({
        "channel": format!("client:{id}"), "type": "privateMessage", "correlationId": "q-7",
        "data": {"content": "Private message for you", "clientId": "forged", "correlationId": "forged"},
    });
    let answer = publish(&server.address, &body).await;
    let expected = json!({
        "ok": true, "success": true, "channel": format!("client:{id}"), "reached": 1,
    });
    assert_eq!(answer, expected);
    let got = one.next().await;
    assert_eq!(got["type"], "privateMessage");
    assert_eq!(got["data"], body["data"]);
    assert_eq!(got["content"], "Private message for you");
    assert_eq!(got["correlationId"], "q-7");
    assert_eq!(got["channel"], body["channel"]);
    for absent in ["seq", "cursor", "clientId"] {
        assert!(got.get(absent).is_none(), "{got}");
    }
    assert_eq!(other.try_next(SILENCE).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_id_reaches_an_envelope_with_the_correlation_id_in_its_metadata() {
    let server = start().await;
    let (mut ws, id) = connect(&server.address, "/ws/v1").await;
    let channel = format!("client:{id}");
    let body = json!({"channel": channel, "type": "note", "data": [1, 2.50], "correlationId": "q"});
    assert_eq!(publish(&server.address, &body).await["reached"], 1);
    let got = ws.next().await;
    assert_eq!(
        (&got["type"], &got["data"]),
        (&json!("note"), &body["data"])
    );
    assert_eq!(got["metadata"]["correlationId"], "q");
    assert_eq!(got["metadata"]["channel"], channel.as_str());
    assert!(
        got["id"].is_string() && got["timestamp"].is_number(),
        "{got}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_is_not_connected_is_not_reached() {
    let server = start().await;
    let (ws, id) = connect(&server.address, "/").await;
    drop(ws);
    server
        .health_becomes("nobody is connected", |health| health["connections"] == 0)
        .await;
    for id in [id.as_str(), "nobody", "client_1_00000000000000000000"] {
        let body = json!({"channel": format!("client:{id}"), "type": "note"});
        assert_eq!(publish(&server.address, &body).await["reached"], 0, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broadcast_reaches_every_plain_connection_and_others_that_subscribe() {
    let server = start().await;
    let address = &server.address;
    let (mut bare, _) = connect(address, "/").await;
    let (mut envelope, _) = connect(address, "/ws/v1").await;
    let (mut picky, _) = connect(address, "/ws").await;
    let wish = json!({"channels": ["broadcast"], "types": ["other"]});
    picky.send(json!({"type": "subscribe", "data": wish})).await;
    picky.until("subscribed").await;
    let deaf = Client::connect(address).await;
    let socket = Client::connect(address).await;
    let joined = socket.call("subscribe", json!("broadcast")).await;
    assert_eq!(joined["ok"], true, "{joined}");
    let mut stream = EventStream::open(address, "/api/events?channels=broadcast", None).await;
    let data = json!({"id": "msg-123", "content": "Hello, everyone!"});
    let body = json!({"channel": "broadcast", "type": "messageReceived", "data": data});
    let answer = publish(address, &body).await;
    assert_eq!(answer["reached"], 4, "{answer}");
    let got = bare.next().await;
    assert_eq!(got["type"], "messageReceived");
    assert_eq!(
        (&got["data"], &got["channel"]),
        (&data, &json!("broadcast"))
    );
    assert_eq!(envelope.next().await["data"], data);
    let got = socket.next_signal().await;
    assert_eq!(
        (got.name.as_str(), &got.args[0]),
        ("messageReceived", &data)
    );
    assert_eq!(got.args[1]["channel"], "broadcast");
    let got = stream.next().await.json();
    assert_eq!(got["channel"], "broadcast");
    assert_eq!(got["message"], data, "{got}");
    assert_eq!(picky.try_next(SILENCE).await, None, "its types are others");
    assert!(deaf.try_signal("messageReceived", SILENCE).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_publish_as_backends_do_and_do_not_hear_their_own_broadcasts() {
    let server = start().await;
    let (mut sender, id) = connect(&server.address, "/").await;
    let (mut other, _) = connect(&server.address, "/ws").await;
    let answer = say(
        &mut sender,
        "broadcast",
        "workspaceChanged",
        json!({"port": 9222}),
    )
    .await;
    assert_eq!(
        (&answer["ok"], &answer["reached"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(other.next().await["port"], 9222);
    let to_itself = json!({
        "type": "note", "id": "n", "channel": format!("client:{id}"), "correlationId": "q-1",
    });
    sender.send(to_itself).await;
    assert_eq!(sender.until("note").await["correlationId"], "q-1");
    assert_eq!(sender.until("ack").await["reached"], 1);
    let mut envelope = Ws::connect(&server.address, "/ws/v1").await;
    let metadata = json!({"correlationId": "q-2", "where": {"subscribed": "none"}});
    for (metadata, reached) in [(json!({"correlationId": "q-2"}), 2), (metadata, 0)] {
        let said = json!({
            "id": "m", "type": "note", "data": {"channel": "broadcast"}, "metadata": metadata,
        });
        envelope.send(said).await;
        assert_eq!(envelope.until("ack").await["data"]["reached"], reached);
    }
    assert_eq!(other.next().await["correlationId"], "q-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_sender_arrive_in_their_order() {
    const MESSAGES: i64 = 300;
    let server = start().await;
    let (mut sender, _) = connect(&server.address, "/").await;
    let (mut one, id) = connect(&server.address, "/").await;
    for number in 0..MESSAGES {
        let channel = match number % 3 {
            0 => "broadcast".to_owned(),
            _ => format!("client:{id}"),
        };
        let said = json!({"channel": channel, "type": "step", "data": {"n": number}});
        sender.send(said).await;
    }
    for number in 0..MESSAGES {
        assert_eq!(one.next().await["data"]["n"], number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_logged_and_nothing_that_needs_a_log_is_taken() {
    let server = start().await;
    let rest = Rest::new(&server.address);
    let (mut ws, id) = connect(&server.address, "/").await;
    let body = json!({"channel": "broadcast", "type": "note"});
    assert_eq!(publish(&server.address, &body).await["reached"], 1);
    ws.until("note").await;
    let log = rest.get("/channels/broadcast/events").await.expect(200);
    assert_eq!(log["events"], json!([]));
    for channel in ["broadcast".to_owned(), format!("client:{id}")] {
        let body = json!({"channel": channel, "type": "note"});
        let with_key = rest.with("Idempotency-Key", "k");
        let refused = with_key.post("/publish", &body).await;
        let refused = refused.problem(422, "validation_failed");
        assert_eq!(refused["field"], "idempotencyKey");
    }
    let wish = json!({"type": "subscribe", "channel": format!("client:{id}")});
    ws.send(wish).await;
    assert_eq!(ws.until("error").await["field"], "channel");
    for (wrong, field) in [
        (json!({"correlationId": 7}), "correlationId"),
        (json!({"correlationId": "x".repeat(257)}), "correlationId"),
        (json!({"channel": "client:"}), "channel"),
        (json!({"type": "ack"}), "type"),
    ] {
        let mut body = json!({"channel": "broadcast", "type": "note"});
        for (key, value) in wrong.as_object().unwrap() {
            body[key] = value.clone();
        }
        let refused = rest.post("/publish", &body).await;
        assert_eq!(refused.problem(422, "validation_failed")["field"], field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_answered_one_by_one() {
    let server = start().await;
    let (mut ws, id) = connect(&server.address, "/").await;
    let body = json!([
        {"channel": "broadcast", "type": "a"},
        {"channel": format!("client:{id}"), "type": "b"},
        {"channel": "client:gone", "type": "c"},
        {"channel": "logged", "type": "d"},
    ]);
    let answer = Rest::new(&server.address).post("/publish", &body).await;
    let results = answer.expect(200)["results"].clone();
    let reached: Vec<_> = (0..3).map(|at| results[at]["reached"].clone()).collect();
    assert_eq!(reached, [json!(1), json!(1), json!(0)]);
    assert_eq!(results[3]["seq"], 1);
    assert_eq!(ws.next().await["type"], "a");
    assert_eq!(ws.next().await["type"], "b");
}
