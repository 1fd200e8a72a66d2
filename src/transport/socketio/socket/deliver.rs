//! What the hub hands over to a client: events, which wait for room, and signals, which get lost without.

use serde_json::value::RawValue;
use socketioxide::{SendError, SocketError};

use super::send::take_back;
use super::{IoSocket, Outgoing, PACKET_OVERHEAD, Socket};
use crate::contract::schema::is_our_name;
use crate::contract::{ServerWord, payload};
use crate::domain::{ChannelName, ConnectionId, Event, EventType, Signal, Target};
use crate::hub::{Offer, Subscriber, Wake};
use crate::session::{Delivery, Revoked, Session};
use crate::transport::socketio::outbox::Outbox;

impl Socket {
    /// Whether something comes from this connection.
    fn caused(&self, origin: Option<ConnectionId>) -> bool {
        origin == Some(self.session.caller.connection)
    }

    /// Tells a client that it was turned out of a room, in the place of the event that did so: it hears nothing more
    /// from there. [`Offer::Gone`] once it is told.
    fn turn_out(&self, socket: &IoSocket, outbox: &mut Outbox, event: &Event) -> Offer {
        let Some(project) = self.session.project_of(&event.channel) else {
            return Offer::Gone;
        };
        let (event_type, said) = Session::revoked(
            &Target::project(&project),
            Revoked::Removed,
            Some(event.seq),
        );
        let payload = said.to_raw();
        let cursor = self.session.cursor_without(&event.channel);
        let bytes = payload.get().len() + cursor.len() + PACKET_OVERHEAD;
        if !outbox.takes_event(bytes) {
            return Offer::Full;
        }
        outbox.put(bytes);
        let name = self.session.style.name(&event_type);
        match socket.emit(name, &(&payload, cursor)) {
            Ok(()) => {
                self.session.uncover(&event.channel);
                Offer::Gone
            }
            Err(error) => {
                take_back(outbox, &error);
                Offer::Full
            }
        }
    }

    /// Tells a client where it stands that has been told nothing for long, because it wanted to hear of none of the events:
    /// it would else come back to the first of them. If there is no room it will be told later.
    fn tell_overdue_cursor(&self, socket: &IoSocket, outbox: &mut Outbox) {
        let cursor = self.session.overdue_cursor().filter(|_| self.recoverable);
        let Some(cursor) = cursor.filter(|cursor| outbox.takes_signal(cursor.len())) else {
            return;
        };
        outbox.put(cursor.len() + PACKET_OVERHEAD);
        let name = self.session.style.name(&EventType::known("session.cursor"));
        if let Err(error) = socket.emit(name, &cursor) {
            take_back(outbox, &error);
        }
    }

    /// Tells an event of a channel that is no project's: as `event`, with all that is known of it, and under its own name
    /// unless that is reserved.
    /// The cursor comes with the last one, so a client that is cut off in between hears of both again.
    fn tell_of_channel(
        &self,
        socket: &IoSocket,
        outbox: &mut Outbox,
        event: &Event,
        cursor: &str,
    ) -> Offer {
        let style = self.session.style;
        let (message, name) = (
            payload::message(event, style),
            style.name(&event.event_type),
        );
        // Those of the server's own are refused when they are published; the log may have some of before.
        if is_reserved(&name) || is_our_name(&name) {
            return emit(socket, outbox, EVENT, &message, Some(cursor));
        }
        // Both or none: the first one by itself would be told again.
        if !outbox.takes_event(weight(&message, None) + weight(&event.payload, Some(cursor))) {
            return Offer::Full;
        }
        match put(socket, outbox, EVENT, &message, None) {
            Offer::Taken => put(socket, outbox, &name, &event.payload, Some(cursor)),
            refused => refused,
        }
    }
}

/// The event under which clients hear of all that happens in channels that are no projects'.
const EVENT: &str = ServerWord::Event.as_str();
/// What the client library says itself, so that clients would take it for its word.
const OF_THE_LIBRARY: [&str; 13] = [
    "connect",
    "connect_error",
    "connect_timeout",
    "connecting",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
    "reconnect",
    "reconnect_attempt",
    "reconnect_error",
    "reconnect_failed",
    "reconnecting",
];

/// Whether clients would take an event of this name for their library's or the server's word: version 4 even ends the
/// connection, and would do so again each time the event is replayed.
fn is_reserved(name: &str) -> bool {
    OF_THE_LIBRARY.contains(&name) || ServerWord::is_spelled(name)
}

/// Sends an event if there is room for it.
fn emit(
    socket: &IoSocket,
    outbox: &mut Outbox,
    name: &str,
    payload: &RawValue,
    cursor: Option<&str>,
) -> Offer {
    if !outbox.takes_event(weight(payload, cursor)) {
        return Offer::Full;
    }
    put(socket, outbox, name, payload, cursor)
}

/// What an event takes up.
fn weight(payload: &RawValue, cursor: Option<&str>) -> usize {
    payload.get().len() + cursor.map_or(0, str::len) + PACKET_OVERHEAD
}

/// Sends an event for which there is room.
fn put(
    socket: &IoSocket,
    outbox: &mut Outbox,
    name: &str,
    payload: &RawValue,
    cursor: Option<&str>,
) -> Offer {
    outbox.put(weight(payload, cursor));
    let sent = match cursor {
        Some(cursor) => socket.emit(name, &(payload, cursor)),
        None => socket.emit(name, payload),
    };
    match sent {
        Ok(()) => Offer::Taken,
        Err(error) => {
            take_back(outbox, &error);
            match error {
                // `Closed`: it has ended, and is about to be gone.
                SendError::Socket(SocketError::InternalChannelFull | SocketError::Closed) => {
                    Offer::Full
                }
                SendError::Serialize(error) => {
                    tracing::error!(error = %error, "an event cannot be encoded");
                    Offer::Taken
                }
            }
        }
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
        if self.session.heed(event) {
            socket.leave(event.channel.as_str().to_owned());
        }
        let bytes = event.payload.get().len() + PACKET_OVERHEAD;
        if !self.is_welcome() || !outbox.takes_event(bytes) {
            return Offer::Full;
        }
        let cursor = match self.session.deliver(event) {
            Delivery::Told(cursor) => cursor,
            Delivery::Skipped => {
                self.tell_overdue_cursor(&socket, outbox);
                return Offer::Taken;
            }
            Delivery::Wait => return Offer::Full,
            Delivery::Gone => return Offer::Gone,
            Delivery::Revoked => {
                let told = self.turn_out(&socket, outbox, event);
                drop(outgoing);
                if told == Offer::Gone {
                    self.session.expel(&event.channel, Revoked::Removed);
                }
                return told;
            }
        };
        if own && !self.echo {
            return Offer::Taken;
        }
        let name = self.session.style.name(&event.event_type);
        let is_own = event.event_type.is_ours() || !is_reserved(&name);
        let told = if event.channel.is_project() && is_own {
            emit(&socket, outbox, &name, &event.payload, Some(&cursor))
        } else {
            self.tell_of_channel(&socket, outbox, event, &cursor)
        };
        if told == Offer::Full {
            self.session.not_told(event);
        }
        told
    }

    fn replayed(&self, bytes: usize) {
        self.session.charge_read(bytes);
    }

    fn signal(&self, channel: &ChannelName, signal: &Signal) -> Offer {
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
        match self.session.hears(channel) {
            Some(true) => {}
            Some(false) => return Offer::Full,
            None => return Offer::Gone,
        }
        if !self.session.wants(channel, &signal.signal_type) {
            return Offer::Taken;
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
