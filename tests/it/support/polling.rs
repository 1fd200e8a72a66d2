//! A client on long-polling, each of whose requests is a connection of its own.

use serde_json::Value;

use super::http;

/// Where a session begins.
pub(crate) const OPENING: &str = "/socket.io/?EIO=4&transport=polling";

/// A session that is in the namespace.
pub(crate) struct Polling {
    address: String,
    pub(crate) sid: String,
}

impl Polling {
    pub(crate) async fn connect(address: &str) -> Self {
        let (_, opened) = http::get(address, OPENING).await;
        let opened: Value = serde_json::from_str(&opened[1..]).expect("an open packet");
        let polling = Self {
            address: address.to_owned(),
            sid: opened["sid"].as_str().expect("a session id").to_owned(),
        };
        assert_eq!(polling.post("40").await.0, 200);
        while !polling.poll().await.1.contains("40{") {}
        polling
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
