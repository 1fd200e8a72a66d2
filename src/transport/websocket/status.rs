//! How the plain WebSockets of this instance stand.

use std::sync::Arc;

use axum::Json;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::connection::Connection;
use super::gateway::Gateway;
use crate::contract::schema::http::{SocketStats, SocketStatus};
use crate::transport::rest::endpoint::{Answer, Endpoint, of, serve_public};
use crate::transport::visitor::PublicCaller;

/// A client, for administrators.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    id: String,
    user_id: Option<String>,
    session_id: Option<String>,
    is_alive: bool,
    state: &'static str,
}

impl Client {
    fn of(connection: &Connection) -> Self {
        let seat = connection.seat();
        let state = match (connection.outlet.is_closed(), &seat) {
            (true, _) => "closing",
            (false, None) => "connecting",
            (false, Some(_)) => "open",
        };
        Self {
            id: connection.client.to_string(),
            user_id: seat.as_deref().and_then(super::seat::Seat::user),
            session_id: connection.session_id(),
            is_alive: connection.vitals.is_alive(),
            state,
        }
    }
}

/// The endpoints.
pub(super) fn endpoints(gateway: &Arc<Gateway>) -> Vec<Endpoint> {
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
    let (counted, asked) = (Arc::clone(gateway), Arc::clone(gateway));
    vec![
        endpoint(
            "/ws/stats",
            "websocketStats",
            "Who is connected",
            of::<SocketStats>,
            serve_public(&Method::GET, move |caller, _| stats(&counted, caller)),
        ),
        endpoint(
            "/websocket/status",
            "websocketStatus",
            "How busy the WebSockets are",
            of::<SocketStatus>,
            serve_public(&Method::GET, move |_, _| status(&asked)),
        ),
    ]
}

/// Who is connected. The list is for administrators once people have to show who they are.
fn stats(gateway: &Gateway, caller: &PublicCaller) -> Response {
    let connections = gateway.all();
    let is_active = |connection: &&Arc<Connection>| !connection.outlet.is_closed();
    let active = connections.iter().filter(is_active).count();
    let clients: Vec<_> = if caller.is_administrator {
        connections
            .iter()
            .map(|connection| Client::of(connection))
            .collect()
    } else {
        Vec::new()
    };
    let stats = json!({
        "totalConnections": gateway.opened(),
        "activeConnections": active,
        "clients": clients,
    });
    Json(stats).into_response()
}

fn status(gateway: &Gateway) -> Response {
    let last_activity = gateway.last_activity().map(|at| at.to_string());
    let status = json!({
        "success": true,
        "data": {
            "connected": !gateway.app.lifecycle().is_retiring(),
            "clients": gateway.all().len(),
            "lastActivity": last_activity,
            "uptime": gateway.app.uptime().as_secs(),
            "messageCount": gateway.messages(),
        },
    });
    Json(status).into_response()
}
