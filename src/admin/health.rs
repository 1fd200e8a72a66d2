//! `GET /health`: whether the server is well, and what is wrong if it is not.
//!
//! The answer is 200 even while the database or the broker is away: connections and deliveries go on, and restarting
//! the server would end them without helping. `status` then says `degraded`.

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::{ask_store, ask_writes, plain};
use crate::app::App;
use crate::broker::BrokerStatus;
use crate::cluster::Cluster;
use crate::contract::schema::http as schema;
use crate::ingress::{self, Ingress};
use crate::limits::Report;
use crate::telemetry;
use crate::transport::rest::endpoint::{Answer, Endpoint, of};
use crate::writer::WriterReport;

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    instance: String,
    /// Of this instance.
    connections: usize,
    cluster: Cluster,
    version: &'static str,
    uptime_seconds: u64,
    /// Channels with subscribers.
    feeds: usize,
    /// Pages that these have read from the log since the start.
    log_reads: u64,
    store: StoreHealth,
    writer: WriterReport,
    broker: BrokerHealth,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<ingress::Report>,
    limits: Report,
    log: telemetry::Report,
}

#[derive(Debug, Serialize)]
struct BrokerHealth {
    kind: &'static str,
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct StoreHealth {
    kind: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// The endpoint.
pub(super) fn endpoint() -> Endpoint {
    Endpoint {
        answers: vec![Answer::ok("How it is.", of::<schema::Health>)],
        ..plain(
            "/health",
            "health",
            "Whether the server is well",
            get(health),
        )
    }
}

async fn health(State(app): State<App>) -> Json<Health> {
    let store = store(&app).await;
    let is_heard = app.ingress().is_none_or(Ingress::is_listening);
    let well = store.error.is_none() && app.broker().status() != BrokerStatus::Down && is_heard;
    Json(Health {
        status: if well { "healthy" } else { "degraded" },
        instance: app.instance().to_string(),
        connections: app.connections().count(),
        cluster: app.presence().cluster(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.uptime().as_secs(),
        feeds: app.hub().feed_count(),
        log_reads: app.hub().log_reads(),
        store,
        writer: app.writer().report(),
        broker: broker(&app),
        ingress: app.ingress().map(Ingress::report),
        limits: app.limits().report(),
        log: telemetry::report(),
    })
}

async fn store(app: &App) -> StoreHealth {
    let (reads, writes) = tokio::join!(ask_store(app), ask_writes(app));
    let (status, error) = match (reads, writes) {
        (Err(error), _) => ("unavailable", Some(error)),
        (Ok(()), Err(error)) => ("failing", Some(error)),
        (Ok(()), Ok(())) => ("available", None),
    };
    StoreHealth {
        kind: app.store().name(),
        status,
        error,
    }
}

fn broker(app: &App) -> BrokerHealth {
    BrokerHealth {
        kind: app.broker().name(),
        status: match app.broker().status() {
            BrokerStatus::Alone => "alone",
            BrokerStatus::Up => "available",
            BrokerStatus::Down => "unavailable",
        },
    }
}
