//! How the plain WebSockets of this instance stand.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Value, json};

use super::connection::Connection;
use super::gateway::Gateway;
use crate::contract::schema::http::{SocketStats, SocketStatus};
use crate::domain::{ConnectionId, Role};
use crate::transport::credential::{Credential, Heads, IN_QUERY};
use crate::transport::query::from_query;
use crate::transport::rest::endpoint::{Answer, Endpoint, of};
use crate::transport::visitor;

/// What the routes need.
#[derive(Debug, Clone)]
struct Desk {
    gateway: Arc<Gateway>,
    heads: Heads,
}

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
pub(super) fn endpoints(gateway: &Arc<Gateway>, heads: Heads) -> Vec<Endpoint> {
    let gateway = Arc::clone(gateway);
    let desk = Extension(Desk { gateway, heads });
    let endpoint = |path, name: &str, summary: &str, schema| Endpoint {
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
        routes: MethodRouter::new(),
    };
    vec![
        Endpoint {
            routes: get(stats).layer(desk.clone()),
            ..endpoint(
                "/ws/stats",
                "websocketStats",
                "Who is connected",
                of::<SocketStats>,
            )
        },
        Endpoint {
            routes: get(status).layer(desk),
            ..endpoint(
                "/websocket/status",
                "websocketStatus",
                "How busy the WebSockets are",
                of::<SocketStatus>,
            )
        },
    ]
}

/// Who is connected. The list is for administrators once people have to show who they are.
async fn stats(Extension(desk): Extension<Desk>, uri: Uri, headers: HeaderMap) -> Json<Value> {
    let connections = desk.gateway.all();
    let is_active = |connection: &&Arc<Connection>| !connection.outlet.is_closed();
    let active = connections.iter().filter(is_active).count();
    let clients: Vec<_> = if desk.is_for_administrator(&headers, uri.query()).await {
        connections
            .iter()
            .map(|connection| Client::of(connection))
            .collect()
    } else {
        Vec::new()
    };
    Json(json!({
        "totalConnections": desk.gateway.opened(),
        "activeConnections": active,
        "clients": clients,
    }))
}

async fn status(Extension(desk): Extension<Desk>) -> Json<Value> {
    let Desk { gateway, .. } = desk;
    let last_activity = gateway.last_activity().map(|at| at.to_string());
    Json(json!({
        "success": true,
        "data": {
            "connected": !gateway.app.lifecycle().is_retiring(),
            "clients": gateway.all().len(),
            "lastActivity": last_activity,
            "uptime": gateway.app.uptime().as_secs(),
            "messageCount": gateway.messages(),
        },
    }))
}

impl Desk {
    /// Whether the request comes from somebody who may know who is here.
    async fn is_for_administrator(&self, headers: &HeaderMap, query: Option<&str>) -> bool {
        let app = &self.gateway.app;
        if !app.auth().is_required() {
            return true;
        }
        let said = headers.get(header::AUTHORIZATION);
        let said = said.map(HeaderValue::to_str).and_then(Result::ok);
        let said = said.and_then(|said| said.strip_prefix("Bearer "));
        if let (Some(token), Some(said)) = (&app.config().admin_token, said)
            && token.is(said)
        {
            return true;
        }
        let shown = self.heads.find(headers, query);
        let shown = shown.or_else(|| Credential::new(&from_query(query, IN_QUERY)?));
        let Some(shown) = shown else {
            return false;
        };
        let identity = visitor::identify(app, Some(&shown), ConnectionId::generate()).await;
        let identity = identity.ok().flatten();
        identity.is_some_and(|identity| identity.grants.everywhere() >= Some(Role::Admin))
    }
}
