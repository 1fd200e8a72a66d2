//! Whoever gets hold of somebody else's private session id gets nothing by it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{required, start, token};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_no_connection_over() {
    let server = start(&required(&[])).await;
    nothing_is_taken(&server, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_no_connection_over_on_another_instance() {
    let cluster = Cluster::start_with(2, &required(&[])).await;
    nothing_is_taken(&cluster.instances[0], &cluster.instances[1]).await;
}

async fn enter(server: &Server, user: &str, mut auth: Value) -> Client {
    auth["token"] = json!(token(user, &json!({})));
    Client::connect_with(&server.address, &auth).await.unwrap()
}

async fn nothing_is_taken(from: &Server, to: &Server) {
    let ann = enter(from, "ann", json!({})).await;
    ann.join("p").await;
    let stolen = ann.recovery();
    let bob = enter(to, "bob", stolen.clone()).await;
    // Without anything to show it is no use at all.
    let nobody = Client::connect_with(&to.address, &stolen).await;
    assert_eq!(nobody.err().unwrap()["message"], "unauthenticated");
    // What would end ann's connection has long arrived when bob hears of it.
    let fence = bob
        .call("task:create", json!({"projectId": "p", "title": "t"}))
        .await;
    assert_eq!(fence["ok"], true, "{fence}");
    assert_eq!(ann.next().await.seq(), fence["seq"].as_i64().unwrap());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!ann.is_closed());
    // To ann it is as good as ever, and bob's connection is not ended by it.
    ann.sleep().await;
    let back = enter(to, "ann", ann.recovery()).await;
    assert!(back.recovered());
    from.health_becomes("ann's old connection is closed", |health| {
        let left = if from.address == to.address { 2 } else { 0 };
        health["connections"] == left
    })
    .await;
    assert!(!bob.is_closed());
    back.call("leave:project", json!("p")).await;
}
