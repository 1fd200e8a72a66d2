//! The server's figures, in Redis and over HTTP, and whether what it depends on is there.

use std::process::Command;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::redis::Redis;
use crate::support::server::Server;
use crate::support::sse::{EventStream, publish};
use crate::support::websocket::Ws;
use crate::support::{eventually, http};

/// What `redis-cli` says.
fn ask(redis: &Redis, command: &[&str]) -> String {
    let address = redis.address();
    let (host, port) = address.split_once(':').unwrap();
    let asked = Command::new("redis-cli")
        .args(["-h", host, "-p", port])
        .args(command)
        .output();
    String::from_utf8(asked.expect("redis-cli is there").stdout).unwrap()
}

/// The figures under their key, once they fulfil a condition.
async fn figures(redis: &Redis, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let found = std::cell::RefCell::new(Value::Null);
    eventually(what, async || {
        let text = block_in_place(|| ask(redis, &["GET", "metrics:websocket"]));
        let figures = serde_json::from_str(&text).unwrap_or_default();
        let is_there = condition(&figures);
        found.replace(figures);
        is_there
    })
    .await;
    found.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_published_and_kept_in_redis_and_told_over_http() {
    let redis = block_in_place(Redis::start);
    let url = redis.url();
    let settings = [
        ("REDIS_URL", url.as_str()),
        ("ENABLE_METRICS", "true"),
        ("CORS_ORIGINS", "https://ours.example"),
    ];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let refused = client.call("task:update", json!({"taskId": ""})).await;
    assert_eq!(refused["ok"], false, "{refused}");
    let _socket = Ws::connect(&server.address, "/ws").await;
    let theirs = [("origin", "https://theirs.example")];
    assert!(Ws::open(&server.address, "/ws", &theirs).await.is_err());
    let mut stream = EventStream::open(&server.address, "/api/events", None).await;
    stream.id_after("").await;
    publish(&server.address, "ui:activity", "message", &json!({})).await;
    stream.next().await;

    let found = figures(&redis, "everything is counted", |figures| {
        figures["sse"]["sent"].as_u64() >= Some(1) && figures["connections"]["failed"] == 1
    })
    .await;
    let connections = json!({"active": 2, "total": 2, "failed": 1});
    assert_eq!(found["connections"], connections, "{found}");
    assert_eq!(found["messages"]["received"], 2, "{found}");
    assert_eq!(found["messages"]["errors"], 1, "{found}");
    assert!(found["messages"]["sent"].as_u64() >= Some(3), "{found}");
    let latency = found["latency"].as_array().unwrap();
    assert!((1..=2).contains(&latency.len()), "{found}");
    assert!(found["averageLatency"].as_f64() > Some(0.0), "{found}");
    assert!(found["throughput"].is_number() && found["queueSize"] == 0);
    let error = &found["errors"][0];
    assert_eq!(
        (&error["event"], &error["code"]),
        (&json!("task:update"), &json!("validation_failed"))
    );
    assert_eq!(found["sse"]["subscribers"], 1, "{found}");
    assert_eq!(
        (&found["instances"], &found["reconnects"]),
        (&json!(1), &json!(0))
    );
    let ttl = block_in_place(|| ask(&redis, &["TTL", "metrics:websocket"]));
    assert!(
        (50..=60).contains(&ttl.trim().parse::<i32>().unwrap()),
        "{ttl}"
    );

    let (_, told) = http::get(&server.address, "/api/metrics/websocket").await;
    let told: Value = serde_json::from_str(&told).unwrap();
    for same in ["connections", "sse", "errors", "instances"] {
        assert_eq!(told[same], found[same], "{same}");
    }

    let (_, stats) = http::get(&server.address, "/api/ws/stats").await;
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(
        (&stats["messagesReceived"], &stats["reconnects"]),
        (&json!(0), &json!(0))
    );
    assert!(stats["messagesSent"].as_u64() >= Some(1), "{stats}");
    assert!(stats["averageLatency"].as_f64() > Some(0.0), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_all_instances_are_published_together() {
    let cluster = Cluster::start_with(2, &[("ENABLE_METRICS", "true")]).await;
    let mut sockets = Vec::new();
    for instance in 0..2 {
        sockets.push(Ws::connect(cluster.address(instance), "/ws").await);
    }
    let both = figures(&cluster.redis, "both are counted", |figures| {
        figures["connections"]["active"] == 2 && figures["instances"] == 2
    });
    both.await;
    sockets.pop();
    let one = figures(&cluster.redis, "one has gone", |figures| {
        figures["connections"]["active"] == 1 && figures["connections"]["total"] == 2
    });
    one.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn circuits_open_while_redis_is_away_and_close_by_themselves() {
    let redis = block_in_place(Redis::start);
    let url = redis.url();
    let settings = [("REDIS_URL", url.as_str()), ("ENABLE_METRICS", "true")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let is = |circuit: &'static str| {
        move |health: &Value| {
            health["broker"]["circuit"] == circuit && health["store"]["circuit"] == "closed"
        }
    };
    server.health_becomes("Redis is there", is("closed")).await;
    block_in_place(|| redis.kill9());
    server.health_becomes("Redis is away", is("open")).await;
    block_in_place(|| redis.restart());
    server.health_becomes("Redis is back", is("closed")).await;
    figures(&redis, "figures come again", Value::is_object).await;
}
