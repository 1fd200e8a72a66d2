//! The server's figures, as they are published in Redis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Latencies that are told.
pub const MAX_LATENCIES: usize = 100;
/// Errors that are told.
pub const MAX_ERRORS: usize = 20;

/// What is published on `metrics:websocket`: the figures of all instances together, since their start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebSocketMetrics {
    /// Connections of Socket.IO and plain WebSockets.
    pub connections: ConnectionMetrics,
    /// What went over them.
    pub messages: MessageMetrics,
    /// How long the latest answers took, in milliseconds; at most 100, the latest last.
    pub latency: Vec<f64>,
    /// The mean of these.
    pub average_latency: f64,
    /// Messages in both directions per second, in the last second.
    pub throughput: f64,
    /// Commands that wait for the database.
    pub queue_size: u64,
    /// Connections whose clients had been connected before, and said where to go on.
    pub reconnects: u64,
    /// The latest messages that were refused, at most 20, the latest last.
    pub errors: Vec<LoggedError>,
    /// Event streams.
    pub sse: StreamMetrics,
    /// How many instances these are the figures of.
    pub instances: u64,
    /// When these were the figures.
    pub timestamp: String,
}

/// Connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionMetrics {
    /// Now.
    pub active: u64,
    /// Since the start.
    pub total: u64,
    /// Clients that were refused since the start.
    pub failed: u64,
}

/// Messages since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageMetrics {
    /// Events, signals, notices and answers to clients.
    pub sent: u64,
    /// From clients.
    pub received: u64,
    /// From clients, and refused.
    pub errors: u64,
}

/// Event streams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamMetrics {
    /// Streams that are open now.
    pub subscribers: u64,
    /// Streams since the start.
    pub total: u64,
    /// Requests for a stream that were refused since the start.
    pub failed: u64,
    /// Messages since the start, the beginnings of streams included.
    pub sent: u64,
    /// The latest refusals.
    pub errors: Vec<LoggedError>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoggedError {
    /// When.
    pub timestamp: String,
    /// Of which message.
    pub event: String,
    /// As in an answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// For a person.
    pub message: String,
}

impl WebSocketMetrics {
    /// Adds the figures of another instance.
    pub fn add(&mut self, other: &Self) {
        self.connections.active += other.connections.active;
        self.connections.total += other.connections.total;
        self.connections.failed += other.connections.failed;
        self.messages.sent += other.messages.sent;
        self.messages.received += other.messages.received;
        self.messages.errors += other.messages.errors;
        self.latency = interleaved(&self.latency, &other.latency);
        self.average_latency = mean(&self.latency);
        self.throughput += other.throughput;
        self.queue_size += other.queue_size;
        self.reconnects += other.reconnects;
        add_errors(&mut self.errors, &other.errors);
        self.sse.subscribers += other.sse.subscribers;
        self.sse.total += other.sse.total;
        self.sse.failed += other.sse.failed;
        self.sse.sent += other.sse.sent;
        add_errors(&mut self.sse.errors, &other.sse.errors);
        self.instances += other.instances;
    }
}

/// The latest of both, as many as are told.
fn interleaved(one: &[f64], other: &[f64]) -> Vec<f64> {
    let longest = one.len().max(other.len());
    let mut latest = Vec::with_capacity(MAX_LATENCIES);
    for back in 1..=longest {
        for list in [one, other] {
            let place = list.len().checked_sub(back);
            latest.extend(place.and_then(|place| list.get(place)));
        }
    }
    latest.truncate(MAX_LATENCIES);
    latest.reverse();
    latest
}

/// The mean, 0 of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
    values.iter().sum::<f64>() / f64::from(count)
}

/// The latest of both, as many as are told.
pub fn add_errors(errors: &mut Vec<LoggedError>, more: &[LoggedError]) {
    errors.extend_from_slice(more);
    errors.sort_by(|a, b| a.timestamp.cmp(&b.timestamp));
    let old = errors.len().saturating_sub(MAX_ERRORS);
    errors.drain(..old);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_two_instances_are_added_and_lists_stay_short() {
        let error = |second: u32| LoggedError {
            timestamp: format!("2026-11-30T00:00:{second:02}.000Z"),
            event: "task:update".to_owned(),
            code: Some("not_found".to_owned()),
            message: String::new(),
        };
        let mut one = WebSocketMetrics {
            latency: vec![1.0; 80],
            errors: (0..15).map(error).collect(),
            instances: 1,
            ..WebSocketMetrics::default()
        };
        let other = WebSocketMetrics {
            latency: vec![3.0; 80],
            errors: (10..25).map(error).collect(),
            throughput: 1.5,
            instances: 1,
            ..WebSocketMetrics::default()
        };
        one.add(&other);
        assert_eq!((one.latency.len(), one.instances), (MAX_LATENCIES, 2));
        assert!((one.average_latency - 2.0).abs() < 1e-9 && (one.throughput - 1.5).abs() < 1e-9);
        assert_eq!(one.errors.len(), MAX_ERRORS);
        assert_eq!(one.errors.last(), Some(&error(24)));
    }
}
