//! What the tests stand on.

pub(crate) mod chance;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod http;
pub(crate) mod polling;
pub(crate) mod postgres;
pub(crate) mod postgres_proxy;
pub(crate) mod redis;
pub(crate) mod rest;
pub(crate) mod server;
pub(crate) mod sse;
pub(crate) mod tokens;
pub(crate) mod websocket;

use std::time::Duration;

/// Waits until something is so, at most half a minute.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("not in time: {what}"));
}
