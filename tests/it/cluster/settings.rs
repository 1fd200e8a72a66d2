//! How instances are told of one another, and what they tell their operator: `/health`, `/ready`, `/live`,
//! settings that do not go together, and the ways to reach Redis.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::task::block_in_place;

use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::server::Server;
use crate::support::{eventually, http};

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_of_the_whole_cluster() {
    let cluster = Cluster::start(3).await;
    let mut clients = Vec::new();
    for instance in [0, 1, 1] {
        clients.push(Client::connect(cluster.address(instance)).await);
    }
    let mut names = BTreeSet::new();
    for (server, own) in cluster.instances.iter().zip([1, 2, 0]) {
        server
            .health_becomes("all are counted", |health| {
                health["cluster"] == json!({"instances": 3, "connections": 3})
                    && health["connections"] == own
            })
            .await;
        let health = server.health().await;
        assert_eq!(health["status"], "healthy", "{health}");
        assert_eq!(health["store"]["status"], "available", "{health}");
        names.insert(health["instance"].as_str().unwrap().to_owned());
        probes_become(server, 200).await;
    }
    assert_eq!(names.len(), 3, "each has a name of its own: {names:?}");

    // Without Redis an instance serves on; without Postgres it can accept nothing and wants no traffic.
    block_in_place(|| cluster.redis.kill9());
    cluster.broker_becomes("unavailable").await;
    probes_become(&cluster.instances[0], 200).await;
    block_in_place(|| cluster.postgres.kill9());
    for server in &cluster.instances {
        probes_become(server, 503).await;
    }
    block_in_place(|| cluster.postgres.restart());
    block_in_place(|| cluster.redis.restart());
    cluster.broker_becomes("available").await;
    for server in &cluster.instances {
        probes_become(server, 200).await;
        server
            .health_becomes("healthy", |health| health["status"] == "healthy")
            .await;
    }
}

/// `/ready` becomes so; `/live` is fine all the time.
async fn probes_become(server: &Server, ready: u16) {
    eventually(&format!("/ready says {ready}"), async || {
        let (live, body) = http::get(&server.address, "/live").await;
        assert_eq!(live, 200, "{body}");
        http::get(&server.address, "/ready").await.0 == ready
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_instances_on_sqlite_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("it.db").display());
    // Nobody listens there. One instance may hear backends through Redis; a second one cannot share the database.
    let redis = ("REDIS_URL", "redis://user:geheim@127.0.0.1:1");
    let _first = Server::start_with(&file, &[redis]).await;
    for settings in [
        &[("DATABASE_URL", &*file)][..],
        &[("DATABASE_URL", &file), redis],
    ] {
        let output = run(settings).await;
        assert!(!output.status.success(), "two instances on one file");
        let said = said(&output);
        assert!(said.contains("SQLite") || said.contains("it.db"), "{said}");
        assert!(!said.contains("geheim"), "a password is printed: {said}");
    }
}

/// Runs the program, which ends by itself and soon.
async fn run(settings: &[(&str, &str)]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_boardcast"))
        .env_clear()
        .envs(settings.iter().copied())
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
        .wait_with_output();
    let output = tokio::time::timeout(Duration::from_secs(10), output).await;
    output.expect("it ends at once").unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_want_a_user_and_a_password() {
    let flags = "--user default off --user ann on >p@ss ~* &* +@all";
    let redis = Redis::start_with(&flags.split(' ').collect::<Vec<_>>());
    let postgres = Postgres::start();
    let database = postgres.create_database().await;
    let url = format!("redis://ann:p%40ss@{}/3", redis.address());
    talk(&database, &[("REDIS_URL", &url)]).await;
    let url = format!("redis://ann:wrong@{}/3", redis.address());
    does_not_talk(&database, &[("REDIS_URL", &url)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_speak_tls() {
    let folder = tempfile::tempdir().unwrap();
    let [issuer, certificate, key] = certificates(folder.path()).await;
    let redis = Redis::start_tls(&[
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &issuer,
    ]);
    let postgres = Postgres::start();
    let database = postgres.create_database().await;
    let url = format!("rediss://{}", redis.address());
    talk(
        &database,
        &[("REDIS_URL", &url), ("SSL_CERT_FILE", &issuer)],
    )
    .await;
    // A certificate of somebody unknown proves nothing.
    does_not_talk(&database, &[("REDIS_URL", &url)]).await;
}

/// Two instances with these settings hear one another: what is not in the log can only come through Redis.
async fn talk(database: &str, settings: &[(&str, &str)]) {
    let one = Server::start_with(database, settings).await;
    let other = Server::start_with(database, settings).await;
    for server in [&one, &other] {
        server
            .health_becomes("the broker is available", |health| {
                health["broker"]["status"] == "available"
            })
            .await;
    }
    let (ann, bob) = (user(&one, "ann").await, user(&other, "bob").await);
    let typing = json!({"projectId": "p", "taskId": "t", "isTyping": true});
    ann.emit("typing", &[typing]);
    let signal = bob.try_signal("typing", Duration::from_secs(2)).await;
    assert_eq!(signal.expect("a signal").args[0]["userId"], "ann");
}

/// An instance that Redis does not let in serves alone, and says so.
async fn does_not_talk(database: &str, settings: &[(&str, &str)]) {
    let server = Server::start_with(database, settings).await;
    let mut statuses = BTreeSet::new();
    eventually("the broker was looked at a few times", async || {
        let health: Value = server.health().await;
        statuses.insert((health["broker"]["status"].to_string(), statuses.len()));
        statuses.len() > 20
    })
    .await;
    assert!(
        statuses
            .iter()
            .all(|(status, _)| status == "\"unavailable\"")
    );
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let change = json!({"projectId": "p", "taskId": "t", "title": "x"});
    assert_eq!(client.call("task:update", change).await["ok"], true);
}

async fn user(server: &Server, name: &str) -> Client {
    let client = Client::connect_with(&server.address, &json!({"userId": name})).await;
    let client = client.expect("the server lets everyone in");
    client.join("p").await;
    client
}

/// An issuer's certificate, one that it has issued for this machine, and that one's key.
async fn certificates(folder: &Path) -> [String; 3] {
    let make = async |name: &str, more: &[&str]| {
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj"])
            .args([&format!("/CN={name}"), "-keyout", &format!("{name}.key")])
            .args(["-out", &format!("{name}.crt")])
            .args(more)
            .current_dir(folder)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    make("issuer", &[]).await;
    let issued = "-CA issuer.crt -CAkey issuer.key -addext subjectAltName=IP:127.0.0.1 \
                  -addext basicConstraints=critical,CA:FALSE";
    make("redis", &issued.split_whitespace().collect::<Vec<_>>()).await;
    ["issuer.crt", "redis.crt", "redis.key"]
        .map(|file| folder.join(file).to_str().expect("it is UTF-8").to_owned())
}
