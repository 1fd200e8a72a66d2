//! How the plain WebSockets of this instance stand.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::http::Method;
use axum::response::{IntoResponse, Response};

use super::door::{Shared, WebSocketConnection, WebSocketDoor};
use crate::contract::schema::http::{
    SocketClient, SocketClientVersion, SocketFigures, SocketStats, SocketStatus,
};
use crate::contract::schema::metrics::mean;
use crate::contract::schema::types::{Nullable, Time, True};
use crate::transport::connection::client_info::{self, ClientInfo};
use crate::transport::connection::registry::Registry;
use crate::transport::http::endpoint::{Answer, Endpoint, of, serve_public};
use crate::transport::http_caller::PublicCaller;

/// The states of a connection, in the numbers of a `WebSocket`'s `readyState`.
const CONNECTING: u8 = 0;
const OPEN: u8 = 1;
const CLOSING: u8 = 2;
const CLOSED: u8 = 3;

impl SocketClient {
    fn of(connection: &WebSocketConnection) -> Self {
        let subscriber = connection.subscriber();
        let state = match (connection.queue.is_closed(), &subscriber) {
            _ if connection.is_gone() => CLOSED,
            (true, _) => CLOSING,
            (false, None) => CONNECTING,
            (false, Some(_)) => OPEN,
        };
        let info = connection.client_info();
        Self {
            id: connection.client.to_string(),
            client_type: Nullable(info.client_type.map(String::from)),
            version: Nullable(info.version.map(String::from)),
            user_id: Nullable(subscriber.and_then(|subscriber| connection.user_of(&subscriber))),
            session_id: Nullable(connection.door.session_id()),
            is_alive: connection.door.heartbeat.is_alive(),
            last_activity: Time(connection.last_activity()),
            state,
        }
    }
}

impl SocketClientVersion {
    fn of((info, clients): (ClientInfo, usize)) -> Self {
        Self {
            client_type: Nullable(info.client_type.map(String::from)),
            version: Nullable(info.version.map(String::from)),
            clients: clients as u64,
        }
    }
}

/// The endpoints.
pub(super) fn endpoints(
    registry: &Arc<Registry<WebSocketDoor>>,
    shared: &Arc<Shared>,
) -> Vec<Endpoint> {
    let endpoint = |path, name: &str, summary: &str, schema, routes| Endpoint {
        method: Method::GET,
        path,
        name: name.to_owned(),
        group: "WebSockets",
        summary: summary.to_owned(),
        about: "Of the instance that is asked.",
        parameters: Vec::new(),
        body: None,
        answers: vec![Answer::ok("How it is.", schema)],
        refusals: &[],
        routes,
    };
    let instance = (Arc::clone(registry), Arc::clone(shared));
    let other = instance.clone();
    vec![
        endpoint(
            "/ws/stats",
            "websocketStats",
            "Who is connected",
            of::<SocketStats>,
            serve_public(&Method::GET, move |caller, _| {
                stats(&instance.0, &instance.1, caller)
            }),
        ),
        endpoint(
            "/websocket/status",
            "websocketStatus",
            "How busy the WebSockets are",
            of::<SocketStatus>,
            serve_public(&Method::GET, move |_, _| status(&other.0, &other.1)),
        ),
    ]
}

/// Who is connected. The list is for administrators once people have to show who they are.
fn stats(registry: &Registry<WebSocketDoor>, shared: &Shared, caller: &PublicCaller) -> Response {
    let (connections, traffic) = (registry.all(), &registry.traffic);
    let is_active = |connection: &&Arc<WebSocketConnection>| !connection.queue.is_closed();
    let active = connections.iter().filter(is_active).count();
    let clients: Vec<_> = if caller.is_administrator {
        connections
            .iter()
            .map(|connection| SocketClient::of(connection))
            .collect()
    } else {
        Vec::new()
    };
    let infos = connections
        .iter()
        .map(|connection| connection.client_info());
    let (versions, others) = client_info::count(infos);
    Json(SocketStats {
        total_connections: shared.opened.load(Ordering::Relaxed),
        active_connections: active as u64,
        messages_sent: traffic.sent.get(),
        messages_received: traffic.received.get(),
        reconnects: traffic.resumed.get(),
        average_latency: mean(&registry.app.metrics().latency()),
        clients: Some(clients),
        client_versions: versions.into_iter().map(SocketClientVersion::of).collect(),
        other_versions: others as u64,
    })
    .into_response()
}

fn status(registry: &Registry<WebSocketDoor>, shared: &Shared) -> Response {
    let figures = SocketFigures {
        connected: !registry.app.lifecycle().is_retiring(),
        clients: registry.all().len() as u64,
        last_activity: Nullable(shared.last_activity().map(Time)),
        uptime: registry.app.uptime().as_secs(),
        message_count: shared.messages.load(Ordering::Relaxed),
    };
    Json(SocketStatus {
        success: True,
        data: figures,
    })
    .into_response()
}
