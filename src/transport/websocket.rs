//! Plain WebSockets: JSON text messages, in one of two spellings of the envelope. The gateway behind them is one, and what
//! clients ask for goes the way of everybody's requests.
//!
//! A connection has one task, which reads and writes (`line`), and for as long as there is something to answer a second
//! one (`pump`). Nothing is done for an idle one but a ping now and then, which one task sees to for all (`timetable`).

mod close;
mod connection;
mod door;
#[cfg(test)]
mod fuzz;
mod gateway;
mod line;
mod members;
mod message;
mod pump;
mod relay;
mod rendered;
mod schemas;
mod seat;
mod spelling;
mod status;
mod subscriptions;
#[cfg(test)]
mod tests;
mod timetable;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use crate::app::App;
use crate::contract::{ErrorCode, Reply};
use crate::transport::backlog::Backlog;
use crate::transport::credential::Heads;
use crate::transport::gate::Gate;
use crate::transport::pacer::Pacer;
use crate::transport::rest::endpoint::Endpoint;
use crate::transport::tenure::Tenure;
use crate::transport::upgrade;
use door::Door;
use gateway::Gateway;
use spelling::Spelling;

/// The gateway for plain WebSockets.
#[derive(Debug, Clone)]
pub struct Server {
    gateway: Arc<Gateway>,
    door: Door,
}

impl Server {
    /// Builds the gateway.
    #[must_use]
    pub fn new(app: &App, tenure: Tenure, pacer: Option<Arc<Pacer>>) -> Self {
        let gateway = Gateway::start(app, tenure);
        let door = Door {
            gateway: Arc::clone(&gateway),
            heads: Heads::new(app.auth(), app.config().auth.auth_cookie.as_deref()),
            gate: Gate::new(app),
            pacer,
        };
        Self { gateway, door }
    }

    /// The routes of the door.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let serve = |spelling| {
            let door = self.door.clone();
            move |request: Request| door.serve(spelling, request)
        };
        let at_root = self.door.clone();
        let root = move |request: Request| async move {
            if upgrade::asks(request.headers()) {
                at_root.serve(Spelling::Flat, request).await
            } else {
                nothing()
            }
        };
        Router::new()
            .route("/", get(root))
            .route("/ws", any(serve(Spelling::Flat)))
            .route("/ws/", any(serve(Spelling::Flat)))
            .route("/ws/v1", any(serve(Spelling::Envelope)))
    }

    /// How the connections are, and what their messages look like, over HTTP.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoints = status::endpoints(&self.gateway);
        endpoints.extend(schemas::endpoints());
        endpoints
    }

    /// Ends every connection after its client has taken what waits for it, one after the other over a time.
    pub async fn close(&self, spread: Duration) {
        self.gateway.close(spread).await;
    }

    /// The clients, with what waits for each.
    pub(crate) fn backlogs(&self) -> Vec<Arc<dyn Backlog>> {
        self.gateway.backlogs()
    }

    /// Ends every connection at once.
    pub fn cut(&self) {
        self.gateway.cut();
    }
}

fn nothing() -> Response {
    Reply::refused(ErrorCode::NotFound, "there is nothing here").into_response()
}
