//! What belongs to a user who has shown who they are.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::refused;
use crate::support::client::{self, Client};
use crate::support::eventually;
use crate::support::server::Server;
use crate::support::tokens;

async fn connect(server: &Server, user: &str) -> Result<Client, Value> {
    let auth = json!({"token": tokens::of(user)});
    Client::connect_with(&server.address, &auth).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_connections() {
    let settings = [
        ("AUTH_SECRET", tokens::SECRET),
        ("MAX_CONNECTIONS_PER_USER", "2"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let first = connect(&server, "ann").await.unwrap();
    let second = connect(&server, "ann").await.unwrap();
    let refusal = connect(&server, "ann").await.err().unwrap();
    assert_eq!(refusal["message"], "rate_limited", "{refusal}");
    assert_eq!(refused(&server, "connections_per_user").await, 1);
    // Others are not meant, and those without a name are not counted.
    connect(&server, "bob").await.unwrap();
    for _ in 0..5 {
        Client::connect(&server.address).await;
    }
    // Whoever comes back has the place of the connection that is not known to be lost.
    first.join("p").await;
    first.sleep().await;
    let mut back = first.recovery();
    back["token"] = json!(tokens::of("ann"));
    let again = Client::connect_with(&server.address, &back).await.unwrap();
    assert!(again.recovered());
    assert!(connect(&server, "ann").await.is_err());
    drop(second);
    eventually("there is room again", async || {
        connect(&server, "ann").await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_anybody_can_take_keeps_nobody_out() {
    let settings = [("MAX_CONNECTIONS_PER_USER", "1")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let auth = json!({"userId": "ann"});
        clients.push(Client::connect_with(&server.address, &auth).await.unwrap());
    }
    assert_eq!(refused(&server, "connections_per_user").await, 0);
}

/// To enter costs more than a message: a session does not do it for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_enters_so_often() {
    let server = Server::start("sqlite::memory:").await;
    let mut stream = client::open(&server.address).await;
    let mut entered = 0;
    while let Some(answer) = enter(&mut stream).await {
        assert!(answer.starts_with("40{"), "{answer}");
        entered += 1;
        stream.send(Message::text("41")).await.unwrap();
        // Until it has left, it cannot enter again.
        server
            .health_becomes("it has left", |health| health["connections"] == 0)
            .await;
    }
    assert_eq!(entered, 100);
    drop(stream);
    super::nobody_is_left(&server).await;
}

/// Asks to enter; `None` if the connection ends.
async fn enter(stream: &mut client::Stream) -> Option<String> {
    stream.send(Message::text("40")).await.ok()?;
    loop {
        let answer = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
        let answer = answer.expect("an answer, or the end")?.ok()?;
        match answer.into_text().ok()?.as_str() {
            "2" => stream.send(Message::text("3")).await.ok()?,
            answer => return Some(answer.to_owned()),
        }
    }
}
