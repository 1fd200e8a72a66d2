//! Presence on several instances.

use std::time::Duration;

use serde_json::json;

use super::{says, told, users};
use crate::support::client::Client;
use crate::support::cluster::Cluster;

async fn user(cluster: &Cluster, instance: usize, name: &str) -> Client {
    let auth = json!({"userId": name, "presence": true});
    let client = Client::connect_with(cluster.address(instance), &auth).await;
    client.unwrap()
}

/// Nothing was told so far: somebody else comes, and that is what is told next.
async fn nothing_was_told(cluster: &Cluster, client: &Client, marker: &str) {
    user(cluster, 0, marker).await.join("p").await;
    assert_eq!(told(client).await, says("presence:join", marker));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moves_to_another_instance_was_never_away() {
    let cluster = Cluster::start(3).await;
    cluster.sees(0, 3).await;
    let (ada, ben) = (
        user(&cluster, 0, "ada").await,
        user(&cluster, 1, "ben").await,
    );
    ada.join("p").await;
    ben.join("p").await;
    assert_eq!(told(&ada).await, says("presence:join", "ben"));
    let away = json!({"projectId": "p", "status": "away"});
    assert_eq!(ben.call("presence:update", away).await["ok"], true);
    assert_eq!(told(&ada).await, says("presence:update", "ben"));
    let before = ada.join("p").await;
    assert_eq!(before["presence"][1]["status"], "away");

    drop(ben);
    let ben = user(&cluster, 2, "ben").await;
    assert_eq!(ben.join("p").await["presence"], before["presence"]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ada.join("p").await["presence"], before["presence"]);
    nothing_was_told(&cluster, &ada, "cyd").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_stands_still_is_met_again() {
    let cluster = Cluster::start(2).await;
    cluster.sees(0, 2).await;
    let (ada, ben) = (
        user(&cluster, 0, "ada").await,
        user(&cluster, 1, "ben").await,
    );
    ada.join("p").await;
    ben.join("p").await;
    assert_eq!(told(&ada).await, says("presence:join", "ben"));
    cluster.instances[1].signal("STOP");
    assert_eq!(told(&ada).await, says("presence:leave", "ben"));
    cluster.sees(0, 1).await;
    cluster.instances[1].signal("CONT");
    assert_eq!(told(&ada).await, says("presence:join", "ben"));
    cluster.sees(0, 2).await;
    cluster.sees(1, 2).await;
    let joined = ben.join("p").await;
    assert_eq!(users(&joined), ["ada", "ben"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_of_many_projects_are_known_to_an_instance_that_starts() {
    let mut cluster = Cluster::start(2).await;
    let mut all = Vec::new();
    for number in 0..40 {
        let client = user(&cluster, 0, &format!("u{number:02}")).await;
        for project in 0..10 {
            client.join(&format!("p{project}")).await;
        }
        all.push(client);
    }
    cluster.instances[1].kill().await;
    cluster.instances[1].restart().await;
    cluster.broker_becomes("available").await;
    cluster.sees(1, 2).await;
    let eve = user(&cluster, 1, "eve").await;
    for project in 0..10 {
        crate::support::eventually("all are there", async || {
            users(&eve.join(&format!("p{project}")).await).len() == 41
        })
        .await;
    }
}
