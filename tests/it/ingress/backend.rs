//! A backend: the real `redis-cli`, which is told on its input what to publish.

use std::process::Stdio;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::CHANNELS;
use crate::support::redis::Redis;

/// See the module.
pub(super) struct Backend(Child);

impl Backend {
    pub(super) fn start(redis: &Redis) -> Self {
        let address = redis.address();
        let (host, port) = address.split_once(':').unwrap();
        let child = Command::new("redis-cli")
            .args(["-h", host, "-p", port])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        Self(child.expect("redis-cli is there"))
    }

    /// Publishes a message, which is written as `redis-cli` wants it.
    pub(super) async fn say(&mut self, channel: &str, message: &str) {
        let line = format!("PUBLISH {channel} {message}\n");
        let input = self.0.stdin.as_mut().unwrap();
        input.write_all(line.as_bytes()).await.unwrap();
        input.flush().await.unwrap();
    }

    /// Waits until everything is published.
    pub(super) async fn finish(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().await.unwrap().success());
    }
}

/// What a publisher says as its n-th message.
pub(super) fn step(publisher: usize, n: usize) -> Value {
    json!({"publisher": publisher, "n": n})
}

/// Several backends, each with messages of its own, numbered on.
pub(super) struct Backends {
    pub(super) said: Vec<usize>,
}

impl Backends {
    pub(super) fn new(publishers: usize) -> Self {
        Self {
            said: vec![0; publishers],
        }
    }

    /// The channel of a publisher.
    pub(super) fn channel_of(publisher: usize) -> &'static str {
        CHANNELS[publisher % CHANNELS.len()]
    }

    /// Each publishes so many messages, all at the same time, with pauses between them.
    pub(super) async fn say(&mut self, redis: &Redis, messages: usize, pause: Duration) {
        let saying = self
            .said
            .iter_mut()
            .enumerate()
            .map(async |(publisher, said)| {
                let mut backend = Backend::start(redis);
                for n in *said..*said + messages {
                    let message = json!({"type": "step", "data": step(publisher, n)});
                    backend
                        .say(Self::channel_of(publisher), &format!("'{message}'"))
                        .await;
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
                *said += messages;
                backend.finish().await;
            });
        join_all(saying).await;
    }

    /// Messages of all publishers.
    pub(super) fn total(&self) -> usize {
        self.said.iter().sum()
    }
}
