//! A client on long-polling, each of whose requests is a connection of its own.

use serde_json::Value;

use super::http;

/// Where a session begins.
pub(crate) const OPENING: &str = "/socket.io/?EIO=4&transport=polling";

/// A session.
#[derive(Clone)]
pub(crate) struct Polling {
    address: String,
    pub(crate) sid: String,
}

impl Polling {
    /// Begins a session and enters the namespace.
    pub(crate) async fn connect(address: &str) -> Self {
        let polling = Self::open(address).await;
        assert_eq!(polling.post("40").await.0, 200);
        while !polling.poll().await.1.contains("40{") {}
        polling
    }

    /// Begins a session.
    pub(crate) async fn open(address: &str) -> Self {
        let (_, opened) = http::get(address, OPENING).await;
        let opened: Value = serde_json::from_str(&opened[1..]).expect("an open packet");
        Self {
            address: address.to_owned(),
            sid: opened["sid"].as_str().expect("a session id").to_owned(),
        }
    }

    /// Sends packets.
    pub(crate) async fn post(&self, packets: &str) -> (u16, String) {
        http::post(&self.address, &self.path(), packets).await
    }

    /// Waits for packets.
    pub(crate) async fn poll(&self) -> (u16, String) {
        http::get(&self.address, &self.path()).await
    }

    fn path(&self) -> String {
        format!("{OPENING}&sid={}", self.sid)
    }
}
