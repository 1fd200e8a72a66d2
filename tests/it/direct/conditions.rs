//! Broadcasts to some of the connected clients.

use serde_json::{Value, json};

use super::{SILENCE, connect, publish, start};
use crate::support::rest::Rest;

/// Sends a note to those of whom a condition holds; how many it has reached.
async fn reached(address: &str, condition: &Value) -> Value {
    let body = json!({
        "channel": "broadcast", "type": "ideStatusChanged", "data": {"of": condition}, "where": condition,
    });
    publish(address, &body).await["reached"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn condition_says_who_is_meant() {
    let server = start().await;
    let address = &server.address;
    let (mut ide, _) = connect(address, "/ws?userId=ann&channels=ide").await;
    let (mut other, _) = connect(address, "/ws?userId=bob&sessionId=s1").await;
    for (condition, to_ide, to_other) in [
        (json!({"subscribed": "ide"}), true, false),
        (json!({"subscribed": ["none", "session:s1"]}), false, true),
        (json!({"userId": "ann"}), true, false),
        (json!({"sessionId": "s1"}), false, true),
        (json!({"subscribed": "ide", "userId": "bob"}), false, false),
        (json!({"userId": "bob", "sessionId": "s1"}), false, true),
    ] {
        let count = usize::from(to_ide) + usize::from(to_other);
        assert_eq!(reached(address, &condition).await, count, "{condition}");
        for (ws, is_meant) in [(&mut ide, to_ide), (&mut other, to_other)] {
            if is_meant {
                assert_eq!(ws.next().await["data"]["of"], condition);
            }
        }
    }
    assert_eq!(ide.try_next(SILENCE).await, None);
    assert_eq!(other.try_next(SILENCE).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn condition_chooses_by_client_type_and_version() {
    let server = start().await;
    let address = &server.address;
    let (mut old, _) = connect(address, "/ws?clientType=vscode&version=1.9.3").await;
    let (mut new, _) = connect(address, "/ws?clientType=vscode&version=2.0").await;
    let (mut other, _) = connect(address, "/ws/v1?clientType=cursor&version=1.10").await;
    let (mut silent, _) = connect(address, "/ws").await;
    for (condition, meant) in [
        (json!({"clientType": "vscode"}), [true, true, false]),
        (json!({"version": "<2.0"}), [true, false, true]),
        (
            json!({"clientType": "vscode", "version": "<2.0"}),
            [true, false, false],
        ),
        (
            json!({"clientType": ["cursor", "vim"]}),
            [false, false, true],
        ),
        (json!({"version": ">=1.10 <=2"}), [false, true, true]),
    ] {
        let count = meant.into_iter().filter(|meant| *meant).count();
        assert_eq!(reached(address, &condition).await, count, "{condition}");
        for (ws, is_meant) in [&mut old, &mut new, &mut other].into_iter().zip(meant) {
            if is_meant {
                assert_eq!(ws.next().await["data"]["of"], condition);
            }
        }
    }
    let said = json!({"type": "handshake", "data": {"type": "vscode", "version": "0.1"}});
    silent.send(said).await;
    silent.until("welcome").await;
    assert_eq!(reached(address, &json!({"version": "<1"})).await, 1);
    silent.until("ideStatusChanged").await;
    for ws in [&mut old, &mut new, &mut other] {
        assert_eq!(ws.try_next(SILENCE).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn condition_that_is_not_understood_is_refused_by_name() {
    let server = start().await;
    let rest = Rest::new(&server.address);
    for (channel, condition, field) in [
        ("broadcast", json!({"mood": "good"}), "where.mood"),
        ("broadcast", json!({"version": "^1"}), "where.version"),
        ("broadcast", json!(null), "where"),
        ("client:x", json!({"userId": "ann"}), "where"),
        ("session:s", json!({"userId": "ann"}), "where"),
    ] {
        let body = json!({"channel": channel, "type": "note", "where": condition});
        let refused = rest.post("/publish", &body).await;
        assert_eq!(refused.problem(422, "validation_failed")["field"], field);
    }
}
