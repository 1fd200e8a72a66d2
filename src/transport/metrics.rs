//! Tells the figures of all doors: over HTTP those of this instance, in Redis, once a second, those of all instances together.
//!
//! Each instance tells the others its figures through the broker. Of those that were heard of lately the one whose id is the
//! least publishes the sum, so that there is one message a second, however many instances there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};

use crate::clock::Clock;
use crate::contract::schema::metrics::{
    ConnectionMetrics, MessageMetrics, StreamMetrics, WebSocketMetrics, add_errors, mean,
};
use crate::state::AppState;
use crate::transport::http::endpoint::{Answer, Endpoint, of, serve_public};
use crate::transport::http_caller::PublicCaller;

/// The channel of Redis, and the key.
const NAME: &str = "metrics:websocket";
/// The topic on which instances tell one another.
const TOPIC: &str = "metrics";
/// How often figures are published.
const INTERVAL: Duration = Duration::from_secs(1);
/// For how long the latest are kept under the key.
const KEPT: Duration = Duration::from_mins(1);
/// For how long the figures of another instance count.
const FRESH: Duration = Duration::from_secs(3);
/// Instances whose figures are kept.
const MAX_INSTANCES: usize = 1024;

/// Messages per second, over the last second or more between two readings.
#[derive(Debug)]
struct Throughput {
    /// Messages at the last reading that counted.
    messages: u64,
    at: Instant,
    per_second: f64,
}

impl Default for Throughput {
    fn default() -> Self {
        Self {
            messages: 0,
            at: Instant::now(),
            per_second: 0.0,
        }
    }
}

impl Throughput {
    /// Readings within a second of another get its answer, so that several readers do not shorten each other's time.
    fn read(&mut self, messages: u64) -> f64 {
        let passed = self.at.elapsed();
        if passed >= INTERVAL {
            let new = u32::try_from(messages.saturating_sub(self.messages)).unwrap_or(u32::MAX);
            self.per_second = f64::from(new) / passed.as_secs_f64();
            (self.messages, self.at) = (messages, Instant::now());
        }
        self.per_second
    }
}

/// How many connections are open now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    /// Socket.IO and plain WebSockets.
    pub(crate) sockets: usize,
    /// Event streams.
    pub(crate) streams: usize,
}

/// The latest figures of other instances, by their ids.
#[derive(Debug, Default)]
struct Others(Mutex<BTreeMap<String, (Instant, WebSocketMetrics)>>);

impl Others {
    fn hear(&self, message: &[u8]) {
        let heard = serde_json::from_slice::<(String, WebSocketMetrics)>(message);
        let Ok((instance, figures)) = heard else {
            return tracing::debug!("figures of another instance are not understood");
        };
        let mut others = self.0.lock();
        if others.len() < MAX_INSTANCES || others.contains_key(&instance) {
            others.insert(instance, (Instant::now(), figures));
        }
    }

    /// Adds what was heard lately to an instance's own figures. `None`: another instance publishes the sum.
    fn sum(&self, own: &str, mut figures: WebSocketMetrics) -> Option<WebSocketMetrics> {
        let mut others = self.0.lock();
        others.retain(|_, (heard, _)| heard.elapsed() < FRESH);
        if others.keys().next().is_some_and(|first| &**first < own) {
            return None;
        }
        for (_, other) in others.values() {
            figures.add(other);
        }
        Some(figures)
    }
}

/// The figures of this instance.
fn figures(app: &AppState, open: Open, throughput: &Mutex<Throughput>) -> WebSocketMetrics {
    let metrics = app.metrics();
    let (socketio, websocket) = (metrics.of("socketio"), metrics.of("websocket"));
    let streams = metrics.of("sse");
    let mut errors = socketio.errors();
    add_errors(&mut errors, &websocket.errors());
    let latency = metrics.latency();
    let messages = MessageMetrics {
        sent: socketio.sent.get() + websocket.sent.get(),
        received: socketio.received.get() + websocket.received.get(),
        errors: socketio.refused.get() + websocket.refused.get(),
    };
    WebSocketMetrics {
        connections: ConnectionMetrics {
            active: open.sockets as u64,
            total: socketio.opened.get() + websocket.opened.get(),
            failed: socketio.failed.get() + websocket.failed.get(),
        },
        throughput: throughput.lock().read(messages.sent + messages.received),
        messages,
        average_latency: mean(&latency),
        latency,
        queue_size: app.writer().waiting() as u64,
        reconnects: socketio.resumed.get() + websocket.resumed.get(),
        errors,
        sse: StreamMetrics {
            subscribers: open.streams as u64,
            total: streams.opened.get(),
            failed: streams.failed.get(),
            sent: streams.sent.get(),
            errors: streams.errors(),
        },
        instances: 1,
        timestamp: Clock.now().to_string(),
    }
}

/// The endpoint that tells the figures of this instance.
pub(crate) fn endpoint(
    app: &AppState,
    open: impl Fn() -> Open + Clone + Send + Sync + 'static,
) -> Endpoint {
    let (app, throughput) = (app.clone(), Arc::<Mutex<Throughput>>::default());
    Endpoint {
        method: Method::GET,
        path: "/metrics/websocket",
        name: "websocketMetrics".to_owned(),
        group: "WebSockets",
        summary: "What passes through the doors".to_owned(),
        about: "Of the instance that is asked. Administrators alone are told of refusals once people have to show who they are.",
        parameters: Vec::new(),
        body: None,
        answers: vec![Answer::ok("How it is.", of::<WebSocketMetrics>)],
        refusals: &[],
        routes: serve_public(&Method::GET, move |caller, _| {
            answer(figures(&app, open(), &throughput), caller)
        }),
    }
}

/// Refusals name what clients have sent.
fn answer(mut figures: WebSocketMetrics, caller: &PublicCaller) -> Response {
    if !caller.is_administrator {
        figures.errors.clear();
        figures.sse.errors.clear();
    }
    Json(figures).into_response()
}

/// Publishes for ever.
pub(crate) async fn publish(app: AppState, open: impl Fn() -> Open + Send) {
    let others = Arc::<Others>::default();
    let hears = Arc::clone(&others);
    let handler = move |message: Bytes| hears.hear(&message);
    let _subscription = app.broker().subscribe(TOPIC, Arc::new(handler));
    let own = app.instance().to_string();
    let throughput = Mutex::<Throughput>::default();
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let figures = figures(&app, open(), &throughput);
        if let Ok(told) = serde_json::to_vec(&(&own, &figures)) {
            app.broker().publish(TOPIC, told.into());
        }
        let Some(sum) = others.sum(&own, figures) else {
            continue;
        };
        if let Ok(json) = serde_json::to_vec(&sum) {
            app.broker().show(NAME, json.into(), KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(active: u64) -> WebSocketMetrics {
        let mut figures = WebSocketMetrics {
            instances: 1,
            ..WebSocketMetrics::default()
        };
        figures.connections.active = active;
        figures
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_instance_tells_the_sum_of_those_that_were_heard_lately() {
        let others = Others::default();
        let told = serde_json::to_vec(&("b", figures(2))).unwrap();
        others.hear(&told);
        others.hear(b"nonsense");
        let sum = others.sum("a", figures(1)).unwrap();
        assert_eq!((sum.connections.active, sum.instances), (3, 2));
        assert_eq!(others.sum("c", figures(1)), None);
        tokio::time::advance(FRESH).await;
        let sum = others.sum("c", figures(1)).unwrap();
        assert_eq!((sum.connections.active, sum.instances), (1, 1));
    }
}
