//! Messages to clients that are connected to other instances.

use std::time::Instant;

use serde_json::{Value, json};
use tokio::process::Command;

use super::{SILENCE, connect, publish};
use crate::support::cluster::Cluster;
use crate::support::websocket::Ws;

async fn reached(cluster: &Cluster, instance: usize, channel: &str, number: usize) -> Value {
    let body = json!({"channel": channel, "type": "step", "data": {"n": number}});
    publish(cluster.address(instance), &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_all_instances_are_reached_and_counted() {
    let cluster = Cluster::start(2).await;
    cluster.sees(0, 2).await;
    let (mut here, _) = connect(cluster.address(0), "/").await;
    let (mut there, id) = connect(cluster.address(1), "/ws?channels=ide").await;
    let answer = reached(&cluster, 0, "broadcast", 1).await;
    assert_eq!(answer["reached"], 2, "{answer}");
    assert!(answer.get("unanswered").is_none(), "{answer}");
    assert_eq!(here.next().await["n"], 1);
    assert_eq!(there.next().await["n"], 1);
    let channel = format!("client:{id}");
    for instance in 0..2 {
        assert_eq!(reached(&cluster, instance, &channel, 2).await["reached"], 1);
        assert_eq!(there.next().await["n"], 2);
    }
    let nobody = "client:00000000000000000000000000000000";
    assert_eq!(reached(&cluster, 0, nobody, 3).await["reached"], 0);
    let some = json!({
        "channel": "broadcast", "type": "step", "data": {"n": 4}, "where": {"subscribed": "ide"},
    });
    assert_eq!(publish(cluster.address(0), &some).await["reached"], 1);
    assert_eq!(there.next().await["n"], 4);
    assert_eq!(here.try_next(SILENCE).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn order_of_a_sender_is_kept_across_instances() {
    const MESSAGES: usize = 200;
    let cluster = Cluster::start(2).await;
    let (mut there, id) = connect(cluster.address(1), "/").await;
    let mut sender = Ws::connect(cluster.address(0), "/").await;
    for number in 0..MESSAGES {
        let channel = match number % 3 {
            0 => "broadcast".to_owned(),
            _ => format!("client:{id}"),
        };
        let said = json!({"channel": channel, "type": "step", "data": {"n": number}});
        sender.send(said).await;
    }
    for number in 0..MESSAGES {
        assert_eq!(there.next().await["n"], number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_names_what_could_not_be_asked() {
    let cluster = Cluster::start(2).await;
    cluster.sees(0, 2).await;
    let (mut here, id) = connect(cluster.address(0), "/").await;
    cluster.instances[1].signal("STOP");
    let asked = Instant::now();
    let answer = reached(&cluster, 0, "broadcast", 1).await;
    assert!(asked.elapsed().as_secs() < 10);
    assert_eq!(answer["reached"], 1, "{answer}");
    let unanswered = answer["unanswered"].as_array().unwrap();
    assert_eq!(unanswered.len(), 1, "{answer}");
    assert_ne!(unanswered[0], "redis");
    // Who is here is reached without the others.
    let asked = Instant::now();
    let answer = reached(&cluster, 0, &format!("client:{id}"), 2).await;
    assert!(asked.elapsed().as_millis() < 1500, "nobody else is asked");
    assert_eq!(
        (&answer["reached"], answer.get("unanswered")),
        (&json!(1), None)
    );
    cluster.instances[1].signal("CONT");
    cluster.redis.kill9();
    cluster.broker_becomes("unavailable").await;
    let answer = reached(&cluster, 0, "broadcast", 3).await;
    assert_eq!(
        (&answer["reached"], &answer["unanswered"]),
        (&json!(1), &json!(["redis"]))
    );
    for number in 1..=3 {
        assert_eq!(here.next().await["n"], number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_backends_publish_in_redis_reaches_each_client_once() {
    let settings = [("INGRESS_CHANNELS", "broadcast")];
    let cluster = Cluster::start_with(2, &settings).await;
    for server in &cluster.instances {
        server
            .health_becomes("backends are heard", |health| {
                health["ingress"]["status"] == "available"
            })
            .await;
    }
    let (mut here, _) = connect(cluster.address(0), "/").await;
    let (mut there, _) = connect(cluster.address(1), "/ws?channels=ide").await;
    let redis = cluster.redis.address();
    let (host, port) = redis.split_once(':').unwrap();
    for number in 0..3 {
        let message = json!({
            "type": "step", "data": {"n": number}, "correlationId": "q", "where": {"subscribed": "ide"},
        });
        let mut message = message.as_object().unwrap().clone();
        if number != 1 {
            message.remove("where");
        }
        let said = Command::new("redis-cli")
            .args(["-h", host, "-p", port, "PUBLISH", "broadcast"])
            .arg(Value::from(message).to_string())
            .output()
            .await;
        assert!(said.unwrap().status.success());
    }
    for number in 0..3 {
        let got = there.next().await;
        assert_eq!(
            (&got["n"], &got["correlationId"]),
            (&json!(number), &json!("q"))
        );
    }
    for number in [0, 2] {
        assert_eq!(here.next().await["n"], number);
    }
    assert_eq!(here.try_next(SILENCE).await, None);
    assert_eq!(there.try_next(SILENCE).await, None);
}
