//! What stands in for the pong of a client that is held back: the messages that it sent before are still to be read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::PacketCounter;

/// Time between two of them.
const INTERVAL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(super) struct Heartbeat {
    counter: Arc<PacketCounter>,
    packet: &'static str,
    sent: Option<Instant>,
}

impl Heartbeat {
    /// The client's heartbeat is this packet.
    pub(super) fn new(counter: Arc<PacketCounter>, packet: &'static str) -> Self {
        let sent = None;
        Self {
            counter,
            packet,
            sent,
        }
    }

    /// The packet, if it is time for one.
    pub(super) fn due(&mut self) -> Option<&'static str> {
        if !self.counter.take_held_back() {
            return None;
        }
        let is_due = self.sent.is_none_or(|sent| sent.elapsed() >= INTERVAL);
        is_due.then(|| {
            self.sent = Some(Instant::now());
            self.packet
        })
    }
}
