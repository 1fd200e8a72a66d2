//! Who is in a project: the roster in the answer to a join, and what the others are told.

mod asking;
mod cluster;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::Server;

async fn server(grace: &str) -> Server {
    Server::start_with("sqlite::memory:", &[("PRESENCE_GRACE", grace)]).await
}

async fn user(server: &Server, name: &str) -> Client {
    let auth = json!({"userId": name, "presence": true});
    Client::connect_with(&server.address, &auth).await.unwrap()
}

fn users(joined: &Value) -> Vec<&str> {
    let people = joined["presence"].as_array().expect("a roster");
    people
        .iter()
        .map(|person| person["userId"].as_str().unwrap())
        .collect()
}

/// What somebody is told next, of whom.
async fn told(client: &Client) -> (String, String) {
    let signal = client.next_signal().await;
    let [payload] = signal.args.as_slice() else {
        panic!("clients take a trailing string for a cursor: {signal:?}");
    };
    (signal.name, payload["userId"].as_str().unwrap().to_owned())
}

fn says(name: &str, user: &str) -> (String, String) {
    (name.to_owned(), user.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_shows_who_is_there_and_is_told_to_them() {
    let server = server("5s").await;
    let (ada, ben) = (user(&server, "ada").await, user(&server, "ben").await);
    let joined = ada.call("join:project", json!(7)).await;
    assert_eq!(
        (users(&joined), &joined["presenceCount"]),
        (vec!["ada"], &json!(1))
    );
    let joined = ben.call("join:project", json!(7)).await;
    assert_eq!(
        (users(&joined), &joined["presenceCount"]),
        (vec!["ada", "ben"], &json!(2))
    );

    let signal = ada.next_signal().await;
    let mut person = joined["presence"][1].clone();
    person["projectId"] = json!(7);
    assert_eq!(
        (signal.name.as_str(), &signal.args),
        ("presence:join", &vec![person])
    );
    let again = ben.call("join:project", json!(7)).await;
    assert_eq!(again["presence"], joined["presence"]);
    ben.call("leave:project", json!(7)).await;
    let connection = &joined["presence"][1]["connectionId"];
    let left = json!({"projectId": 7, "userId": "ben", "connectionId": connection});
    let signal = ada.next_signal().await;
    assert_eq!(
        (signal.name.as_str(), &signal.args),
        ("presence:leave", &vec![left])
    );
    // Nobody is told of themselves, nor after they left.
    ada.call("leave:project", json!(7)).await;
    ben.call("join:project", json!(7)).await;
    ada.call("join:project", json!(7)).await;
    assert_eq!(told(&ben).await, says("presence:join", "ada"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_two_tabs_is_there_once_and_until_the_last_is_closed() {
    let server = server("100ms").await;
    let (ada, tab) = (user(&server, "ada").await, user(&server, "ben").await);
    let other_tab = user(&server, "ben").await;
    ada.join("p").await;
    let first = tab.join("p").await;
    let second = other_tab.join("p").await;
    assert_eq!(first["presence"], second["presence"]);
    drop(tab);
    server
        .health_becomes("a tab is closed", |health| health["connections"] == 2)
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    other_tab.call("leave:project", json!("p")).await;
    assert_eq!(told(&ada).await, says("presence:join", "ben"));
    assert_eq!(told(&ada).await, says("presence:leave", "ben"));
    user(&server, "cleo").await.join("p").await;
    assert_eq!(told(&ada).await, says("presence:join", "cleo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_soon_was_never_away() {
    let server = server("2s").await;
    let (ada, ben) = (user(&server, "ada").await, user(&server, "ben").await);
    ada.join("p").await;
    let before = ben.join("p").await;
    drop(ben);
    server
        .health_becomes("ben is gone", |health| health["connections"] == 1)
        .await;
    let ben = user(&server, "ben").await;
    let after = ben.join("p").await;
    assert_eq!(after["presence"], before["presence"]);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(users(&ada.join("p").await), ["ada", "ben"]);
    let gone = Instant::now();
    drop(ben);
    assert_eq!(told(&ada).await, says("presence:join", "ben"));
    assert_eq!(told(&ada).await, says("presence:leave", "ben"));
    assert!(
        gone.elapsed() >= Duration::from_secs(2),
        "{:?}",
        gone.elapsed()
    );
    assert_eq!(users(&ada.join("p").await), ["ada"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anonymous_come_back_as_the_same() {
    let server = server("10m").await;
    let ada = user(&server, "ada").await;
    ada.join("p").await;
    let nobody = Client::connect(&server.address).await;
    let joined = nobody.join("p").await;
    let name = users(&joined)[1].to_owned();
    assert_eq!(told(&ada).await, says("presence:join", &name));
    assert!(name.starts_with("anonymous:"), "{name}");
    let pid = nobody.recovery()["pid"].as_str().unwrap().to_owned();
    let secret = pid.split('-').next().unwrap();
    assert!(!name.contains(secret), "a name is public, and {pid} is not");
    nobody.cut().await;
    // With the old connection still there, leaving would leave that one behind.
    server
        .health_becomes("the connection is closed", |health| {
            health["connections"] == 1
        })
        .await;
    let back = Client::connect_with(&server.address, &nobody.recovery()).await;
    let back = back.unwrap();
    assert!(back.recovered());
    back.call("leave:project", json!("p")).await;
    assert_eq!(told(&ada).await, says("presence:leave", &name));
    let again = back.join("p").await;
    assert_eq!(users(&again), ["ada", &name]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_fails_or_comes_too_late_leaves_nobody_behind() {
    let server = server("100ms").await;
    let ada = user(&server, "ada").await;
    for project in 0..256 {
        ada.join(&format!("a{project}")).await;
    }
    let refused = ada.call("join:project", json!("one too many")).await;
    assert_eq!(refused["ok"], false);
    for round in 0..10 {
        let ben = user(&server, &format!("ben{round}")).await;
        for project in 0..200 {
            ben.emit("join:project", &[json!(format!("b{project}"))]);
        }
        ben.join("first").await;
        for project in 200..250 {
            ben.emit("join:project", &[json!(format!("b{project}"))]);
        }
        tokio::time::sleep(Duration::from_millis(round)).await;
    }
    server
        .health_becomes("they are gone", |health| health["feeds"] == 256)
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let cleo = user(&server, "cleo").await;
    assert_eq!(users(&cleo.join("one too many").await), ["cleo"]);
    for project in 0..250 {
        assert_eq!(users(&cleo.join(&format!("b{project}")).await), ["cleo"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_crowd_only_the_first_are_shown() {
    let server = server("5s").await;
    let mut crowd = Vec::new();
    for number in 0..104 {
        let member = user(&server, &format!("u{number:03}")).await;
        crowd.push((member.join("p").await, member));
    }
    let (joined, last) = &crowd[103];
    assert_eq!(
        (users(joined).len(), &joined["presenceCount"]),
        (101, &json!(104))
    );
    assert_eq!(users(joined)[100], "u103", "whoever asks is in the roster");
    let (_, first) = &crowd[0];
    let mut shown = BTreeSet::new();
    for _ in 1..100 {
        let (name, user) = told(first).await;
        assert!(name == "presence:join" && shown.insert(user));
    }
    last.call("leave:project", json!("p")).await;
    crowd[50].1.call("leave:project", json!("p")).await;
    assert_eq!(told(first).await, says("presence:leave", "u050"));
    assert_eq!(told(first).await, says("presence:join", "u100"));
    let joined = first.join("p").await;
    assert_eq!(
        (users(&joined).len(), &joined["presenceCount"]),
        (100, &json!(102))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_the_instance_and_its_cluster() {
    let server = server("5s").await;
    let _ada = user(&server, "ada").await;
    let health = server.health().await;
    assert_eq!(health["cluster"], json!({"instances": 1, "connections": 1}));
    assert_eq!(
        health["broker"],
        json!({"kind": "local", "status": "alone", "circuit": "closed"})
    );
    assert_eq!(
        health["instance"].as_str().map(str::len),
        Some(12),
        "{health}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_says_of_themselves_is_told_and_kept() {
    let server = server("5s").await;
    let (ada, ben) = (user(&server, "ada").await, user(&server, "ben").await);
    ada.join("p").await;
    let joined = ben.join("p").await;
    assert_eq!(told(&ada).await, self::says("presence:join", "ben"));
    let says = json!({"projectId": "p", "status": "away", "userId": "eve"});
    assert_eq!(ben.call("presence:update", says).await["ok"], true);
    let mut person = joined["presence"][1].clone();
    person["status"] = json!("away");
    let listed = person.clone();
    person["projectId"] = json!("p");
    let signal = ada.next_signal().await;
    assert_eq!(
        (signal.name.as_str(), &signal.args),
        ("presence:update", &vec![person])
    );
    assert_eq!(ada.join("p").await["presence"][1], listed);
    let too_much = json!({"projectId": "p", "text": "x".repeat(1024)});
    let cyd = user(&server, "cyd").await;
    cyd.join("p").await;
    let refused = cyd.call("presence:update", too_much).await;
    assert_eq!(refused["code"], "payload_too_large", "{refused}");
}
