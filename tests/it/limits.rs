//! How much clients may do, and that nobody suffers from those who try to do more.

mod abuse;
mod chatter;
mod connections;
mod handshakes;
mod messages;
mod origins;
mod patience;
mod types;
mod users;
mod ways_in;

use serde_json::Value;

use crate::support::server::Server;

/// How often a limit was met.
async fn refused(server: &Server, limit: &str) -> u64 {
    let health = server.health().await;
    let count = health["limits"]["refused"][limit].as_u64();
    count.unwrap_or_else(|| panic!("no {limit} in {health}"))
}

/// Waits until nobody is counted any more.
async fn nobody_is_left(server: &Server) {
    server
        .health_becomes("nobody is counted", |health| {
            health["limits"]["sessions"] == 0 && health["connections"] == 0
        })
        .await;
}

/// The JSON in an answer of HTTP.
fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
    serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"))
}
