//! What the hub needs of a connection.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::domain::{ChannelName, Event, Signal};

/// What became of an event that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is on its way.
    Taken,
    /// There is no room now; ask for a [`Wake`] and offer it again.
    Full,
    /// The connection has ended.
    Gone,
}

/// Why a connection ends whose client does not read.
pub const SLOW_READER: &str = "slow_reader";

/// Wakes a feed when a subscriber has room again.
pub type Wake = Arc<Notify>;

/// Somebody who is told of events, in order.
pub trait Subscriber: fmt::Debug + Send + Sync {
    /// Hands an event over, or says why not. Must not block.
    fn offer(&self, event: &Event) -> Offer;

    /// Hands events over that follow one another, as many as there is room for, so that they leave together: how many were
    /// taken, and what became of the next one. Must not block.
    fn offer_all(&self, events: &[Arc<Event>]) -> (usize, Offer) {
        for (taken, event) in events.iter().enumerate() {
            let offered = self.offer(event);
            if offered != Offer::Taken {
                return (taken, offered);
            }
        }
        (events.len(), Offer::Taken)
    }

    /// Notes that an event of so many bytes was handed over that had happened before the subscription: it is a part of
    /// what was asked for.
    fn replayed(&self, _bytes: usize) {}

    /// Tells something ephemeral that is said in a channel, if there is plenty of room; what is the subscriber's own
    /// counts as told. Must not block.
    fn signal(&self, channel: &ChannelName, signal: &Signal) -> Offer;

    /// How much has left for it so far, whatever it was: only a change means something.
    fn taken(&self) -> u64;

    /// Asks to be woken once there is room; at once if there is room already.
    fn wake_when_writable(&self, wake: &Wake);

    /// Ends a connection that takes too long. Its client can come back.
    fn close(&self, reason: &'static str);
}
