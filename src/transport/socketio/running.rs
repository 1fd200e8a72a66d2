//! `GET /api/socketio`: frontends whose server starts with the first request ask for it before they connect.

use axum::http::Method;
use axum::response::IntoResponse;

use crate::transport::http::endpoint::{Answer, Endpoint, of, serve_public};

const TEXT: &str = "text/plain";

/// The endpoint.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint {
        method: Method::GET,
        path: "/socketio",
        name: "socketioRunning".to_owned(),
        group: "operations",
        summary: "Says that the Socket.IO server runs".to_owned(),
        about: "For frontends that start their own server by asking for this. Here it runs already.",
        parameters: Vec::new(),
        body: None,
        answers: vec![Answer {
            media: TEXT,
            ..Answer::ok("It runs.", of::<String>)
        }],
        refusals: &[],
        routes: serve_public(&Method::GET, |_, _| {
            "WebSocket server running".into_response()
        }),
    }
}
