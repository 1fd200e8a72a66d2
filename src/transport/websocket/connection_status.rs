//! What clients are told of how the server is, where a setting wants it: `connectionStatus` when they connect, and
//! `connectionStateChanged` when that changes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tokio::time::sleep;

use super::door::{Packet, Shared, WebSocketConnection, WebSocketDoor};
use super::raw_object::{RawObject, put};
use crate::broker::BrokerStatus;
use crate::clock::Clock;
use crate::direct::CONNECTION_STATUS;
use crate::domain::Timestamp;
use crate::state::AppState;
use crate::transport::connection::registry::Registry;
use crate::transport::connection::send_queue::{Intake as _, Kind, SendQueue as _};

const STATE_CHANGED: &str = "connectionStateChanged";
/// How often it is looked at whether the other instances can be reached, in case a change was missed.
const LOOK: std::time::Duration = std::time::Duration::from_secs(5);
/// Connections that are told before others get their turn.
const AT_ONCE: usize = 256;

impl WebSocketConnection {
    /// Tells a client how the server is, once it is known who it is.
    pub(super) async fn say_status(&self) {
        let is_wanted =
            self.app().config().notices.connection_status && self.subscriber().is_some();
        if !is_wanted || self.door.was_told_status.swap(true, Ordering::Relaxed) {
            return;
        }
        let data = status(self.app(), &self.door.shared);
        let text = self.door.format.own(CONNECTION_STATUS, Clock.now(), &data);
        self.send(Packet::other(text)).await;
    }
}

/// What backends have said of it last with a broadcast, and what the server knows that they have not said.
fn status(app: &AppState, shared: &Shared) -> String {
    let last_activity = shared.last_activity().map(|at| at.to_string());
    let known = [
        ("connected", json!(!app.lifecycle().is_retiring())),
        ("lastActivity", json!(last_activity)),
    ];
    let published = app.direct().last_status();
    let published = published
        .as_ref()
        .and_then(|said| RawObject::read(said.get()))
        .unwrap_or_default();
    let mut data = "{".to_owned();
    for (key, raw) in &published.0 {
        put(&mut data, key, raw.get());
    }
    for (key, value) in known {
        if published.get(key).is_none() {
            put(&mut data, key, &value.to_string());
        }
    }
    data.push('}');
    data
}

/// Tells all clients when other instances cannot be reached any more or can be again, until the server shuts down, which
/// they are told as well.
pub(super) async fn watch(registry: Arc<Registry<WebSocketDoor>>) {
    let app = registry.app.clone();
    let mut before = app.broker().status();
    let mut last_connected = Clock.now();
    loop {
        let now = app.broker().status();
        let is_down = now == BrokerStatus::Down;
        if !is_down {
            last_connected = Clock.now();
        }
        if is_down != (std::mem::replace(&mut before, now) == BrokerStatus::Down) {
            tell(&registry, true, is_down, last_connected).await;
        }
        tokio::select! {
            () = app.broker().status_changed() => {}
            () = sleep(LOOK) => {}
            () = app.lifecycle().retiring() => break,
        }
    }
    tell(&registry, false, true, Clock.now()).await;
}

async fn tell(
    registry: &Registry<WebSocketDoor>,
    connected: bool,
    reconnecting: bool,
    last_connected: Timestamp,
) {
    let data = json!({
        "connected": connected,
        "reconnecting": reconnecting,
        "lastConnected": last_connected.to_string(),
        "reconnectAttempts": 0,
    });
    let data = data.to_string();
    for connections in registry.all().chunks(AT_ONCE) {
        for connection in connections {
            let mut out = connection.queue.intake();
            let subscriber = connection.subscriber();
            let is_greeted = subscriber.is_some_and(|subscriber| subscriber.was_greeted());
            if is_greeted && out.has_room(Kind::Signal, data.len()) {
                let format = connection.door.format;
                let text = format.own(STATE_CHANGED, Clock.now(), &data);
                out.push(Packet::other(text));
            }
        }
        tokio::task::yield_now().await;
    }
}
