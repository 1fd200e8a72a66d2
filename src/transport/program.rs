//! Which program a client is, and with which keys it connects, for those who learn a frontend's words.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde_json::value::RawValue;

use super::query::from_query;
use crate::contract::Arguments;
use crate::learn::{Client, ClientDescription, Shape};
use crate::state::AppState;

/// Keys of a query that Engine.IO and its clients use.
const OF_THE_PROTOCOL: [&str; 6] = ["EIO", "transport", "sid", "t", "b64", "j"];

/// The program of a client of Socket.IO.
pub(super) fn of_socketio(app: &AppState, parts: &Parts) -> Client {
    let query = parts.uri.query();
    let said = |key: &str| from_query(query, key).unwrap_or_default();
    let transport = format!("socketio EIO={} {}", said("EIO"), said("transport"));
    of(app, &parts.headers, &transport)
}

/// A client's program, as far as the head of its request tells.
pub(super) fn of(app: &AppState, headers: &HeaderMap, transport: &str) -> Client {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (agent, origin) = (header(header::USER_AGENT), header(header::ORIGIN));
    let description = ClientDescription::new(agent, origin, transport);
    app.recorder().client(description)
}

/// Records with which keys a client of Socket.IO connects.
pub(super) fn record(app: &AppState, namespace: &str, parts: &Parts, auth: Option<&RawValue>) {
    if !app.recorder().is_learning() {
        return;
    }
    let shapes = auth.map(|auth| Shape::of_arguments(Arguments::One(auth.get())));
    let shape = shapes.and_then(|shapes| shapes.into_iter().next());
    let auth = shape.iter().flat_map(Shape::keys).map(|(key, _)| key);
    let pairs = parts.uri.query().unwrap_or_default().split('&');
    let query = pairs.filter_map(|pair| pair.split('=').next());
    let query = query.filter(|key| !key.is_empty() && !OF_THE_PROTOCOL.contains(key));
    let path = parts.uri.path();
    app.recorder().connected(namespace, path, auth, query);
}
