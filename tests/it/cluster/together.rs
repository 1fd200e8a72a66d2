//! What is said between instances and never logged: who is here, who is typing, notifications, and questions
//! about the sockets of all instances. Redis carries it; after a restart of Redis it works again by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::block_in_place;
use tokio::time::Instant;

use crate::support::client::{Client, Received};
use crate::support::cluster::Cluster;
use crate::support::eventually;

/// How long a signal may take.
const SOON: Duration = Duration::from_secs(2);
/// How long it may take until those who are gone are known to be gone.
const SWEPT: Duration = Duration::from_secs(10);

/// Three people at one project, each on an instance of their own.
struct Team {
    cluster: Cluster,
    ann: Client,
    bob: Client,
    cyd: Client,
}

async fn connect(cluster: &Cluster, instance: usize, user: &str) -> Client {
    let address = cluster.address(instance);
    let client = Client::connect_with(address, &json!({"userId": user, "presence": true})).await;
    client.expect("the server lets everyone in")
}

async fn arrive(cluster: &Cluster, instance: usize, user: &str) -> Client {
    let client = connect(cluster, instance, user).await;
    client.join("p").await;
    client
}

/// Who is in the project, as an answer to a join tells.
async fn roster(client: &Client) -> BTreeSet<String> {
    let joined = client.join("p").await;
    let present = joined["presence"].as_array();
    let present = present.unwrap_or_else(|| panic!("a roster: {joined}"));
    let users = present.iter().map(|entry| {
        let connection = entry["connectionId"].as_str();
        assert!(connection.is_some_and(|id| !id.is_empty()), "{entry}");
        assert!(!entry["joinedAt"].is_null(), "{entry}");
        entry["userId"].as_str().expect("a user").to_owned()
    });
    let all: Vec<_> = users.collect();
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(all.len(), distinct.len(), "one entry per user: {joined}");
    distinct
}

async fn roster_becomes(client: &Client, users: &[&str]) {
    let expected = users.iter().map(|&user| user.to_owned()).collect();
    eventually(&format!("{users:?} are present"), async || {
        roster(client).await == expected
    })
    .await;
}

/// Waits until a client is told that somebody has come or gone.
async fn told(client: &Client, name: &str, user: &str, patience: Duration) {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let signal = client.try_signal(name, left).await;
        let signal = signal.unwrap_or_else(|| panic!("{name} of {user} within {patience:?}"));
        assert_eq!(signal.args[0]["projectId"], "p", "{signal:?}");
        if signal.args[0]["userId"] == user {
            assert!(signal.args[0]["connectionId"].is_string(), "{signal:?}");
            return;
        }
    }
}

impl Team {
    async fn gather() -> Self {
        let cluster = Cluster::start(3).await;
        let ann = arrive(&cluster, 0, "ann").await;
        let bob = arrive(&cluster, 1, "bob").await;
        let cyd = arrive(&cluster, 2, "cyd").await;
        Self {
            cluster,
            ann,
            bob,
            cyd,
        }
    }

    async fn everything_works(&self, round: &str) {
        for client in [&self.ann, &self.bob, &self.cyd] {
            roster_becomes(client, &["ann", "bob", "cyd"]).await;
        }
        self.typing_is_seen_by_others(round).await;
        self.notifications_reach_whom_they_are_for(round).await;
        self.sockets_are_counted().await;
        self.users_are_disconnected_everywhere(&format!("zoe-{round}"))
            .await;
    }

    async fn typing_is_seen_by_others(&self, round: &str) {
        let typing = |user: &str| json!({"projectId": "p", "taskId": format!("{round}-{user}"), "isTyping": true});
        let is_of = |signal: Option<Received>, user: &str| {
            let signal = signal.unwrap_or_else(|| panic!("{user} types, and nobody sees it"));
            let (told, sent) = (&signal.args[0], typing(user));
            assert_eq!(told["userId"], user, "{signal:?}");
            assert_eq!(told["taskId"], sent["taskId"], "{signal:?}");
            assert_eq!(told["isTyping"], true, "{signal:?}");
        };
        self.ann.emit("typing", &[typing("ann")]);
        is_of(self.bob.try_signal("typing", SOON).await, "ann");
        is_of(self.cyd.try_signal("typing", SOON).await, "ann");
        self.bob.emit("typing", &[typing("bob")]);
        // Ann's own was never sent to her: it would have come before.
        is_of(self.ann.try_signal("typing", SOON).await, "bob");
        is_of(self.cyd.try_signal("typing", SOON).await, "bob");
    }

    async fn notifications_reach_whom_they_are_for(&self, round: &str) {
        let notify = async |to: &str, whom: Value| {
            let title = format!("{round}: {to}");
            let body = json!({to: whom, "title": title, "message": "m"});
            let path = "/notifications";
            let (status, answer) = self.cluster.admin(0, path, Some(body)).await;
            assert_eq!(status, 202, "{answer}");
        };
        notify("projectId", json!("p")).await;
        notify("userId", json!("bob")).await;
        notify("everyone", json!(true)).await;
        for (client, expected) in [
            (&self.ann, &["projectId", "everyone"] as &[&str]),
            (&self.bob, &["projectId", "userId", "everyone"]),
            (&self.cyd, &["projectId", "everyone"]),
        ] {
            for to in expected {
                let signal = client.try_signal("system:notification", SOON).await;
                let signal = signal.unwrap_or_else(|| panic!("a notification for {to}"));
                assert_eq!(signal.args[0]["title"], format!("{round}: {to}"));
                assert_eq!(signal.args[0]["message"], "m", "{signal:?}");
            }
        }
    }

    async fn sockets_are_counted(&self) {
        for instance in 0..3 {
            eventually("the sockets of all instances are counted", async || {
                let path = "/sockets?room=project:p";
                let (status, answer) = self.cluster.admin(instance, path, None).await;
                assert_eq!(status, 200, "{answer}");
                let counts = answer["instances"].as_object().expect("counts");
                answer["room"] == "project:p"
                    && answer["sockets"] == 3
                    && counts.len() == 3
                    && counts.values().all(|count| *count == 1)
            })
            .await;
        }
    }

    async fn users_are_disconnected_everywhere(&self, user: &str) {
        let one = arrive(&self.cluster, 1, user).await;
        told(&self.ann, "presence:join", user, SOON).await;
        let other = arrive(&self.cluster, 2, user).await;
        let elsewhere = connect(&self.cluster, 2, "elsewhere").await;
        let body = json!({"room": format!("user:{user}")});
        let (status, answer) = self.cluster.admin(0, "/disconnect", Some(body)).await;
        assert!((200..300).contains(&status), "{status} {answer}");
        eventually("both connections end", async || {
            one.is_closed() && other.is_closed()
        })
        .await;
        for client in [&self.ann, &self.bob, &self.cyd] {
            told(client, "presence:leave", user, SWEPT).await;
        }
        assert!(!elsewhere.is_closed() && !self.ann.is_closed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_logged_works_again_after_redis_restarts() {
    let team = Team::gather().await;
    let redis = &team.cluster.redis;
    team.everything_works("before").await;
    let dan = arrive(&team.cluster, 2, "dan").await;
    told(&team.ann, "presence:join", "dan", SOON).await;

    block_in_place(|| redis.kill9());
    team.cluster.broker_becomes("unavailable").await;
    // Who comes and goes meanwhile is known at once to those on the same instance, and to the others later.
    let eve = arrive(&team.cluster, 1, "eve").await;
    told(&team.bob, "presence:join", "eve", SOON).await;
    drop(dan);
    told(&team.cyd, "presence:leave", "dan", SWEPT).await;
    block_in_place(|| redis.restart());
    team.cluster.broker_becomes("available").await;

    told(&team.ann, "presence:join", "eve", SWEPT).await;
    roster_becomes(&team.ann, &["ann", "bob", "cyd", "eve"]).await;
    drop(eve);
    told(&team.ann, "presence:leave", "eve", SWEPT).await;
    team.everything_works("after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_an_instance_that_dies_vanish() {
    let mut team = Team::gather().await;
    roster_becomes(&team.ann, &["ann", "bob", "cyd"]).await;
    team.cluster.sees(0, 3).await;
    team.cluster.instances[2].kill().await;
    let killed = Instant::now();
    for client in [&team.ann, &team.bob] {
        let patience = SWEPT.saturating_sub(killed.elapsed());
        told(client, "presence:leave", "cyd", patience).await;
    }
    roster_becomes(&team.ann, &["ann", "bob"]).await;
    team.cluster.sees(0, 2).await;

    team.cluster.instances[2].restart().await;
    team.cyd = arrive(&team.cluster, 2, "cyd").await;
    told(&team.ann, "presence:join", "cyd", SOON).await;
    team.cluster.sees(0, 3).await;
    team.everything_works("again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_wants_its_token() {
    let cluster = Cluster::start(1).await;
    for token in ["", "wrong", "the-token-of-the-testS"] {
        for (path, body) in [
            ("/sockets?room=project:p", None),
            (
                "/notifications",
                Some(json!({"everyone": true, "title": "x"})),
            ),
            ("/disconnect", Some(json!({"room": "user:ann"}))),
        ] {
            let asked = crate::support::cluster::admin(cluster.address(0), path, token, body);
            let (status, answer) = asked.await;
            assert_eq!(status, 401, "{path}: {answer}");
        }
    }
    let (status, answer) = cluster.admin(0, "/sockets?room=project:p", None).await;
    assert_eq!((status, &answer["sockets"]), (200, &json!(0)), "{answer}");
}
