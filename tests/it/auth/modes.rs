//! With tokens needed, possible, and unknown.

use serde_json::{Value, json};

use super::line::{Line, Shown, TRANSPORTS};
use super::{UNAUTHENTICATED, start, token};
use crate::support::client::Client;
use crate::support::tokens;

/// The author that a new task of a client has.
async fn author(client: &Client) -> String {
    client.join("p").await;
    let done = client
        .call("task:create", json!({"projectId": "p", "title": "t"}))
        .await;
    assert_eq!(done["ok"], true, "{done}");
    let created = client.next().await;
    let author = &created.args[0]["createdBy"];
    author
        .as_str()
        .unwrap_or_else(|| panic!("{created:?}"))
        .to_owned()
}

async fn enter(address: &str, auth: &Value) -> Client {
    Client::connect_with(address, auth).await.unwrap()
}

/// Frontends send all sorts of tokens to servers that never looked at them.
#[tokio::test(flavor = "multi_thread")]
async fn without_keys_tokens_count_for_nothing_and_users_are_believed() {
    let server = start(&[]).await;
    for transport in TRANSPORTS {
        for (place, shown) in Shown::everywhere("whatever") {
            let (_, answer) = Line::enter(&server.address, transport, &shown).await;
            assert!(
                answer.starts_with("40{"),
                "{transport:?}, {place}: {answer}"
            );
        }
    }
    let ann = json!({"token": token("bob", &json!({})), "userId": "ann"});
    assert_eq!(author(&enter(&server.address, &ann).await).await, "ann");
    // An API key is no such thing.
    let key = format!("bck_ci_{}", "0".repeat(64));
    for shown in [
        Shown::in_auth(json!({"apiKey": key})),
        Shown::in_header("authorization", format!("Bearer {key}")),
    ] {
        let (_, answer) = Line::enter(&server.address, TRANSPORTS[0], &shown).await;
        assert_eq!(answer, UNAUTHENTICATED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_nobody_is_a_user_without_a_token() {
    let server = start(&[("AUTH_SECRET", tokens::SECRET)]).await;
    for auth in [json!({}), json!({"userId": "ann"}), json!({"userId": {}})] {
        let author = author(&enter(&server.address, &auth).await).await;
        assert!(author.starts_with("anonymous:"), "{auth}: {author}");
    }
    let ann = json!({"token": token("ann", &json!({})), "userId": "bob"});
    assert_eq!(author(&enter(&server.address, &ann).await).await, "ann");
    let refused = Client::connect_with(&server.address, &json!({"token": "garbage"})).await;
    let refusal = refused.err().expect("it proves nothing");
    assert_eq!(refusal, json!({"message": "unauthenticated"}));
}

/// Who is anonymous does not become somebody in passing.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_makes_nobody_a_user() {
    let server = start(&[("AUTH_SECRET", tokens::SECRET)]).await;
    let client = Client::connect(&server.address).await;
    let fresh = json!({"token": token("ann", &json!({}))});
    let answer = client.call("auth:refresh", fresh).await;
    assert_eq!(answer["code"], "forbidden", "{answer}");
    assert!(author(&client).await.starts_with("anonymous:"));
}
