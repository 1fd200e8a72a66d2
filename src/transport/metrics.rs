//! Publishes the figures of all doors in Redis, once a second: those of all instances together.
//!
//! Each instance tells the others its figures through the broker. Of those that were heard of lately the one whose id is the
//! least publishes the sum, so that there is one message a second, however many instances there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};

use crate::clock::Clock;
use crate::contract::schema::metrics::{
    ConnectionMetrics, MessageMetrics, StreamMetrics, WebSocketMetrics, add_errors, mean,
};
use crate::state::AppState;

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

/// The figures of this instance, but for its throughput.
fn figures(app: &AppState, open: Open) -> WebSocketMetrics {
    let metrics = app.metrics();
    let (socketio, websocket) = (metrics.of("socketio"), metrics.of("websocket"));
    let streams = metrics.of("sse");
    let mut errors = socketio.errors();
    add_errors(&mut errors, &websocket.errors());
    let latency = metrics.latency();
    WebSocketMetrics {
        connections: ConnectionMetrics {
            active: open.sockets as u64,
            total: socketio.opened.get() + websocket.opened.get(),
            failed: socketio.failed.get() + websocket.failed.get(),
        },
        messages: MessageMetrics {
            sent: socketio.sent.get() + websocket.sent.get(),
            received: socketio.received.get() + websocket.received.get(),
            errors: socketio.refused.get() + websocket.refused.get(),
        },
        average_latency: mean(&latency),
        latency,
        throughput: 0.0,
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

/// Publishes for ever.
pub(crate) async fn publish(app: AppState, open: impl Fn() -> Open + Send) {
    let others = Arc::<Others>::default();
    let hears = Arc::clone(&others);
    let handler = move |message: Bytes| hears.hear(&message);
    let _subscription = app.broker().subscribe(TOPIC, Arc::new(handler));
    let own = app.instance().to_string();
    let (mut counted, mut at) = (0, Instant::now());
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let mut figures = figures(&app, open());
        let messages = figures.messages.sent + figures.messages.received;
        let passed = at.elapsed().as_secs_f64();
        if passed > 0.0 {
            let new = u32::try_from(messages - counted).unwrap_or(u32::MAX);
            figures.throughput = f64::from(new) / passed;
        }
        (counted, at) = (messages, Instant::now());
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
