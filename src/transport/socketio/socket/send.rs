//! What must not get lost on its way to a client, and waits for room: answers, and where the client stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::{SendError, SocketError};
use tokio::sync::Notify;

use super::{Outgoing, PACKET_OVERHEAD, Socket};
use crate::clock::Clock;
use crate::contract::{Reply, ServerWord};
use crate::domain::{ChannelName, ConnectionId, EventType, Identity, Target, Timestamp};
use crate::hub::{Offer, SLOW_READER, Subscriber};
use crate::session::{Revoked, Session, unseen};
use crate::transport::backlog::Backlog;
use crate::transport::socketio::outbox::Outbox;
use crate::transport::socketio::{AckSender, IoSocket};
use crate::transport::tenure::Tenant;

/// What a warning weighs, at most.
const EXPIRING_BYTES: usize = 96;

/// Says when a token expires, and how long that is for a client whose clock is wrong.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Expiring {
    expires_at: String,
    expires_in_ms: i64,
}

impl Expiring {
    fn told_now(expires_at: Timestamp) -> Self {
        let left = expires_at
            .as_millis()
            .saturating_sub(Clock.now().as_millis());
        Self {
            expires_at: expires_at.to_string(),
            expires_in_ms: left.max(0),
        }
    }
}

/// Counts an answer as unsent until dropped.
struct Unsent<'a> {
    count: &'a AtomicUsize,
    bytes: usize,
}

impl<'a> Unsent<'a> {
    fn new(count: &'a AtomicUsize, bytes: usize) -> Self {
        count.fetch_add(bytes, Ordering::Relaxed);
        Self { count, bytes }
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Backlog for Socket {
    fn waiting(&self) -> usize {
        self.outgoing().outbox.bytes() + self.unsent.load(Ordering::Relaxed)
    }

    fn end_slow(&self) {
        self.close(SLOW_READER);
    }
}

impl Tenant for Socket {
    fn connection(&self) -> ConnectionId {
        self.session.caller.connection
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.session.identity()
    }

    fn is_gone(&self) -> bool {
        Self::is_gone(self)
    }

    /// The warning waits for room on its own.
    fn warn(self: Arc<Self>, expires_at: Timestamp) {
        let lifecycle = self.app.lifecycle().clone();
        lifecycle.spawn(async move {
            let name = self.session.style.name(&EventType::known("auth.expiring"));
            let emit = |socket: &IoSocket| socket.emit(&name, &Expiring::told_now(expires_at));
            self.send(EXPIRING_BYTES, emit).await;
        });
    }

    fn end(&self, reason: &'static str) {
        self.close(reason);
    }
}

impl Socket {
    /// Sends an answer, waiting for room. Nothing is sent to a client that has gone.
    pub(in super::super) async fn answer(
        &self,
        event: &str,
        ack: Option<AckSender>,
        reply: &Reply,
    ) {
        if reply.is_ok() && ack.is_none() {
            return;
        }
        let raw = encode(reply, event, ack.as_ref());
        self.send(raw.get().len(), answering(ack, &raw)).await;
    }

    /// Answers a join, waiting for room; unless the client is turned out meanwhile, which it may have been told already.
    pub(in super::super) async fn answer_join(
        &self,
        ack: AckSender,
        reply: &Reply,
        room: &ChannelName,
    ) {
        let (joined, refused) = (reply.to_raw(), unseen().to_raw());
        let mut ack = Some(ack);
        let emit = |socket: &IoSocket| {
            let is_in = self.session.has_joined(room);
            let raw = if is_in { &joined } else { &refused };
            answering(ack.take(), raw)(socket)
        };
        self.send(joined.get().len(), emit).await;
    }

    /// Tells a client where it stands, which it may come back with: it may be told of no event for long.
    pub(in super::super) async fn tell_cursor(&self) {
        if !self.recoverable {
            return;
        }
        let name = self.session.style.name(&EventType::known("session.cursor"));
        let bytes = self.session.cursor().len();
        // Taken as it goes out: then it covers exactly what was sent before it.
        let emit = |socket: &IoSocket| socket.emit(&name, &self.session.cursor());
        self.send(bytes, emit).await;
    }

    /// Tells a client what it cannot see any more with the token that it has shown last.
    pub(in super::super) async fn tell_lost(&self, targets: &[Target]) {
        for target in targets {
            self.settle_room(&target.channel);
            let (event_type, said) = Session::revoked(target, Revoked::Token, None);
            let name = self.session.style.name(&event_type);
            let payload = said.to_raw();
            let bytes = payload.get().len() + self.session.cursor().len();
            let emit = |socket: &IoSocket| socket.emit(&name, &(&payload, self.session.cursor()));
            self.send(bytes, emit).await;
        }
    }

    /// Lets channels' events follow the states that have just been sent.
    pub(in super::super) async fn release(&self, channels: &[ChannelName]) {
        let mut were_held = false;
        for channel in channels {
            were_held |= self.session.release(channel);
        }
        // Others may have waited only until it was certain that the client may hear them.
        self.meter.wake_all();
        if were_held {
            self.tell_cursor().await;
        }
    }

    /// Sends something that must not get lost, waiting for room. Until then it counts as waiting for the client, with all
    /// that is kept for it.
    pub(in super::super) async fn send(
        &self,
        bytes: usize,
        mut send: impl FnMut(&IoSocket) -> Result<(), SendError>,
    ) {
        let wake = Arc::new(Notify::new());
        let _unsent = Unsent::new(&self.unsent, bytes);
        while self.try_send(bytes, &mut send) == Offer::Full {
            let low = self.outgoing().outbox.low_mark();
            self.meter.wake_at(low, &wake);
            if self.try_send(bytes, &mut send) != Offer::Full {
                return;
            }
            wake.notified().await;
        }
    }

    /// Waits until there is room for an answer, or nobody takes it.
    pub(in super::super) async fn room_for_answer(&self) {
        let wake = Arc::new(Notify::new());
        loop {
            {
                let mut outgoing = self.outgoing();
                if self.is_gone() || outgoing.outbox.takes_ack(PACKET_OVERHEAD) {
                    return;
                }
                let low = outgoing.outbox.low_mark();
                self.meter.wake_at(low, &wake);
                // It may have left meanwhile.
                if outgoing.outbox.takes_ack(PACKET_OVERHEAD) {
                    return;
                }
            }
            wake.notified().await;
        }
    }

    /// Sends something if there is room for so many bytes.
    pub(super) fn try_send(
        &self,
        bytes: usize,
        send: impl FnOnce(&IoSocket) -> Result<(), SendError>,
    ) -> Offer {
        let mut outgoing = self.outgoing();
        let Outgoing { socket, outbox } = &mut *outgoing;
        let Some(socket) = socket.upgrade().filter(|_| !self.is_gone()) else {
            return Offer::Gone;
        };
        let bytes = bytes + PACKET_OVERHEAD;
        if !outbox.takes_ack(bytes) {
            return Offer::Full;
        }
        outbox.put(bytes);
        if let Err(error) = send(&socket) {
            tracing::debug!(error = %error, "a packet could not be sent");
            if take_back(outbox, &error) {
                // The packet queue is full of what is not ours. An answer is not left out in silence.
                self.close("queue_full");
            }
        }
        Offer::Taken
    }
}

/// Takes back what could not be sent; whether there was no room, although the outbox saw some.
pub(super) fn take_back(outbox: &mut Outbox, error: &SendError) -> bool {
    let full = matches!(error, SendError::Socket(SocketError::InternalChannelFull));
    outbox.take_back();
    if full {
        outbox.found_full();
    }
    full
}

/// Sends an encoded answer. One that nobody waits for goes out as the event `error`.
pub(super) fn answering(
    mut ack: Option<AckSender>,
    raw: &RawValue,
) -> impl FnMut(&IoSocket) -> Result<(), SendError> {
    move |socket| match ack.take() {
        Some(ack) => ack.send(raw),
        None => socket.emit(ServerWord::Error.as_str(), raw),
    }
}

/// An answer as it goes out: to the ack, or else as the event `error`.
pub(super) fn encode(reply: &Reply, event: &str, ack: Option<&AckSender>) -> Box<RawValue> {
    match ack {
        Some(_) => reply.to_raw(),
        None => reply.to_error_event(event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_as_unsent_until_it_is_dropped() {
        let count = AtomicUsize::new(0);
        let first = Unsent::new(&count, 5);
        let second = Unsent::new(&count, 7);
        assert_eq!(count.load(Ordering::Relaxed), 12);
        drop(first);
        assert_eq!(count.load(Ordering::Relaxed), 7);
        drop(second);
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
