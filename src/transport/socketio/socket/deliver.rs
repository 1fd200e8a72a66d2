//! What the hub hands over to a client: events, which wait for room, and signals, which get lost without.

use socketioxide::{SendError, SocketError};

use super::send::take_back;
use super::{Outgoing, PACKET_OVERHEAD, Socket};
use crate::domain::{ConnectionId, Event, Signal};
use crate::hub::{Offer, Subscriber, Wake};

impl Socket {
    /// Whether something comes from this connection.
    fn caused(&self, origin: Option<ConnectionId>) -> bool {
        origin == Some(self.session.caller.connection)
    }
}

impl Subscriber for Socket {
    fn offer(&self, event: &Event) -> Offer {
        let own = self.caused(event.origin);
        let mut outgoing = self.outgoing();
        let Outgoing { socket, outbox } = &mut *outgoing;
        let Some(socket) = socket.upgrade().filter(|_| !self.is_gone()) else {
            return Offer::Gone;
        };
        let bytes = event.payload.get().len() + PACKET_OVERHEAD;
        if !self.is_welcome() || !outbox.takes_event(bytes) {
            return Offer::Full;
        }
        let Some(cursor) = self.session.cursor_after(event) else {
            return Offer::Full;
        };
        if own && !self.echo {
            return Offer::Taken;
        }
        let bytes = bytes + cursor.len();
        if !outbox.takes_event(bytes) {
            self.session.not_told(event);
            return Offer::Full;
        }
        let name = self.session.style.name(&event.event_type);
        outbox.put(bytes);
        match socket.emit(name, &(&*event.payload, cursor)) {
            Ok(()) => Offer::Taken,
            Err(error) => {
                take_back(outbox, &error);
                match error {
                    // `Closed`: it has ended, and is about to be gone.
                    SendError::Socket(SocketError::InternalChannelFull | SocketError::Closed) => {
                        self.session.not_told(event);
                        Offer::Full
                    }
                    SendError::Serialize(error) => {
                        tracing::error!(error = %error, seq = event.seq, "an event cannot be encoded");
                        Offer::Taken
                    }
                }
            }
        }
    }

    fn signal(&self, signal: &Signal) -> Offer {
        if self.caused(signal.origin) {
            return Offer::Taken;
        }
        let mut outgoing = self.outgoing();
        let Outgoing { socket, outbox } = &mut *outgoing;
        let Some(socket) = socket.upgrade().filter(|_| !self.is_gone()) else {
            return Offer::Gone;
        };
        let bytes = signal.payload.get().len() + PACKET_OVERHEAD;
        if !self.is_welcome() || !outbox.takes_signal(bytes) {
            return Offer::Full;
        }
        let name = self.session.style.name(&signal.signal_type);
        outbox.put(bytes);
        match socket.emit(name, &*signal.payload) {
            Ok(()) => Offer::Taken,
            Err(error) => {
                take_back(outbox, &error);
                tracing::debug!(error = %error, "a signal finds no room");
                match error {
                    SendError::Socket(_) => Offer::Full,
                    SendError::Serialize(_) => Offer::Taken,
                }
            }
        }
    }

    fn taken(&self) -> u64 {
        self.meter.left()
    }

    fn wake_when_writable(&self, wake: &Wake) {
        let low = self.outgoing().outbox.low_mark();
        self.meter.wake_at(low, wake);
        // Whatever lies in the queue will wake it by leaving; so will a welcome, and a state that is on its way.
        let has_room =
            self.is_welcome() && !self.session.is_holding() && self.outgoing().outbox.is_empty();
        if self.is_gone() || has_room {
            wake.notify_one();
        }
    }

    fn close(&self, reason: &'static str) {
        tracing::info!(connection.id = %self.session.caller.connection, reason, "closing the transport");
        self.end();
    }
}
