//! `GET /health`: whether the server is well, and what is wrong if it is not.
//!
//! The answer is 200 even while the database or the broker is away: connections and deliveries go on, and restarting
//! the server would end them without helping. `status` then says `degraded`.

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use super::{ask_store, ask_writes, plain};
use crate::broker::BrokerStatus;
use crate::ingress::{self, Ingress};
use crate::limits::Report;
use crate::presence::instances::Cluster;
use crate::state::AppState;
use crate::telemetry;
use crate::transport::http::endpoint::{Answer, Endpoint, of};
use crate::writer::WriterReport;

/// Whether the server is well. More fields may follow.
#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// `healthy` or `degraded`.
    status: Wellbeing,
    /// Of this start of the server.
    instance: String,
    /// Clients that are connected to it.
    connections: usize,
    /// All instances together.
    cluster: Cluster,
    /// Of the server.
    version: &'static str,
    /// Since its start.
    uptime_seconds: u64,
    /// Channels that somebody hears.
    feeds: usize,
    /// Pages that were read from the log for them since the start.
    log_reads: u64,
    /// The database.
    store: Part,
    /// What writes to it.
    writer: WriterReport,
    /// What connects the instances.
    broker: Part,
    /// Only if backends are heard through Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<ingress::Report>,
    /// Whom limits met.
    limits: Report,
    /// What was not logged.
    log: telemetry::Report,
}

/// How the server is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wellbeing {
    /// All is well.
    Healthy,
    /// Something is away, or writes fail.
    Degraded,
}

/// What the server depends on.
#[derive(Debug, Serialize, JsonSchema)]
struct Part {
    /// Such as `sqlite`, `postgres`, `local`, `redis`.
    kind: &'static str,
    /// `available`, `unavailable`, `alone`, and for the database `failing`.
    status: &'static str,
    /// `closed` while requests go through, `open` while they fail at once, `half-open` while one is tried.
    circuit: &'static str,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// The endpoint.
pub(super) fn endpoint() -> Endpoint {
    Endpoint {
        answers: vec![Answer::ok("How it is.", of::<Health>)],
        ..plain(
            "/health",
            "health",
            "Whether the server is well",
            get(health),
        )
    }
}

async fn health(State(app): State<AppState>) -> Json<Health> {
    let store = store(&app).await;
    let is_heard = app.ingress().is_none_or(Ingress::is_listening);
    let well =
        store.error.is_none() && app.broker().redis_status() != BrokerStatus::Down && is_heard;
    Json(Health {
        status: if well {
            Wellbeing::Healthy
        } else {
            Wellbeing::Degraded
        },
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

async fn store(app: &AppState) -> Part {
    let (reads, writes) = tokio::join!(ask_store(app), ask_writes(app));
    let (status, error) = match (reads, writes) {
        (Err(error), _) => ("unavailable", Some(error)),
        (Ok(()), Err(error)) => ("failing", Some(error)),
        (Ok(()), Ok(())) => ("available", None),
    };
    Part {
        kind: app.store().name(),
        status,
        circuit: match error {
            None => "closed",
            Some(_) if app.store().writes().is_trying() => "half-open",
            Some(_) => "open",
        },
        error,
    }
}

fn broker(app: &AppState) -> Part {
    let (status, circuit) = match app.broker().redis_status() {
        BrokerStatus::Alone => ("alone", "closed"),
        BrokerStatus::Up => ("available", "closed"),
        BrokerStatus::Down => ("unavailable", "open"),
    };
    Part {
        kind: app.broker().name(),
        status,
        circuit,
        error: None,
    }
}
