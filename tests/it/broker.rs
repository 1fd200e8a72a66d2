//! What Redis can do to instances that share it: carry the messages of strangers, say what is not so, hang, and
//! move away. Nobody is told anything wrong, and nobody waits for long.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::client::Client;
use crate::support::cluster::{Cluster, admin};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::server::Server;

const TOKEN: &str = "a token for tests";

async fn create(client: &Client, project: &str, title: &str) {
    let task = json!({"projectId": project, "title": title});
    let ack = client.call("task:create", task).await;
    assert_eq!(ack["ok"], true, "{ack}");
}

/// Says something to a Redis as `redis-cli` would, and gives the first line of what it answers.
async fn redis_cli(address: &str, command: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let words = command
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let request = format!("*{}\r\n{}", command.len(), words.collect::<String>());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.unwrap();
    answer
}

/// The topic of a project's channel on this database.
async fn topic(client: &Client, project: &str) -> String {
    let joined = client.join(project).await;
    let cursor = joined["cursor"].as_str().unwrap();
    let (epoch, _) = cursor.split_once('~').unwrap();
    format!("boardcast:{epoch}:channel:project:{project}")
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_that_share_a_redis_and_no_database_do_not_hear_each_other() {
    let redis = tokio::task::block_in_place(Redis::start);
    let settings = [
        ("REDIS_URL", redis.url()),
        ("ADMIN_TOKEN", TOKEN.to_owned()),
    ];
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut servers = Vec::new();
    for _ in 0..2 {
        let database = Postgres::shared().create_database().await;
        let server = Server::start_with(&database, &settings).await;
        server
            .health_becomes("the broker is up", |health| {
                health["broker"]["status"] == "available"
            })
            .await;
        servers.push(server);
    }
    let [ours, theirs] = &servers[..] else {
        panic!("there are two")
    };
    let (client, stranger) = (
        Client::connect(&ours.address).await,
        Client::connect(&theirs.address).await,
    );
    client.join("p").await;
    stranger.join("p").await;
    create(&stranger, "p", "theirs").await;
    let notification = json!({"everyone": true, "title": "theirs"});
    admin(&theirs.address, "/notifications", TOKEN, Some(notification)).await;
    assert_eq!(stranger.next().await.args[0]["title"], "theirs");
    create(&client, "p", "ours").await;
    let heard = client.next().await;
    assert_eq!((heard.seq(), &heard.args[0]["title"]), (1, &json!("ours")));
    let (_, counted) = admin(&ours.address, "/sockets?room=project:p", TOKEN, None).await;
    assert_eq!(counted["sockets"], 1, "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_the_log_reaches_further_holds_nobody_up() {
    let cluster = Cluster::start(1).await;
    let writer = Client::connect(cluster.address(0)).await;
    let first = Client::connect(cluster.address(0)).await;
    let topic = topic(&first, "p").await;
    // More than a feed keeps, so that a replay reads the log.
    let creating =
        (0..1100).map(|n| writer.ask("task:create", &[json!({"projectId": "p", "title": n})]));
    for ack in creating.collect::<Vec<_>>() {
        assert_eq!(ack.await.unwrap()["ok"], true);
    }
    first.take(1100).await;
    let event = json!({"no": 1, "seq": 1_000_000_000_000_i64, "id": "01a1fcc2-937f-718c-ba35-b4475002c67a",
        "type": "task.updated", "actor": "x", "at": 1, "origin": null, "payload": {}});
    let message = format!("ffffffffffff{}", json!({"events": [event]}));
    let heard = redis_cli(&cluster.redis.address(), &["PUBLISH", &topic, &message]).await;
    assert_eq!(heard, ":1\r\n", "{topic}");
    let second = Client::connect(cluster.address(0)).await;
    let ack = second
        .call("join:project", json!({"projectId": "p", "since": 0}))
        .await;
    assert_eq!(ack["ok"], true, "{ack}");
    let replayed = second.take(1100).await;
    assert!((1..).zip(&replayed).all(|(seq, event)| event.seq() == seq));
    create(&writer, "p", "later").await;
    for client in [&first, &second] {
        assert_eq!(client.next().await.seq(), 1101);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_holds_up_neither_operators_nor_a_shutdown() {
    let mut cluster = Cluster::start(1).await;
    let clients = [(); 2].map(|()| Client::connect(cluster.address(0)));
    let clients = futures_util::future::join_all(clients).await;
    cluster.redis.pause();
    // More messages than one round trip takes: each would wait for an attempt to connect.
    let commands: Vec<_> = (0..3000)
        .map(|n| {
            let project = format!("p{n}");
            clients[n % 2].ask("task:create", &[json!({"projectId": project, "title": n})])
        })
        .collect();
    for ack in commands {
        assert_eq!(ack.await.unwrap()["ok"], true);
    }
    let asked = Instant::now();
    let (status, answer) = cluster.admin(0, "/sockets?room=project:p1", None).await;
    assert_eq!((status, &answer["code"]), (503, &json!("unavailable")));
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    let told = Instant::now();
    cluster.instances[0].signal("TERM");
    cluster.instances[0].ended().await;
    assert!(
        told.elapsed() < Duration::from_secs(6),
        "{:?}",
        told.elapsed()
    );
    cluster.redis.resume();
}

/// Leads to one Redis, then to another; connections that are open stay with the first.
async fn name_that_moves(target: watch::Receiver<String>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let target = target.borrow().clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(target).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_moves_away_is_followed() {
    let (old, new) = tokio::task::block_in_place(|| (Redis::start(), Redis::start()));
    let (move_to, target) = watch::channel(old.address());
    let name = name_that_moves(target).await;
    let database = Postgres::shared().create_database().await;
    let server = Server::start_with(&database, &[("REDIS_URL", &format!("redis://{name}"))]).await;
    let is = |status: &'static str| move |health: &Value| health["broker"]["status"] == status;
    server
        .health_becomes("the broker is up", is("available"))
        .await;
    move_to.send_replace(new.address());
    // Who listens must connect again; who speaks could go on for ever, and nobody would hear.
    redis_cli(&old.address(), &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    server
        .health_becomes("the broker is down", |health| !is("available")(health))
        .await;
    server
        .health_becomes("the broker is up again", is("available"))
        .await;
}
