//! The send queue of a Socket.IO connection: socketioxide's own, of which we count what lies in it. It is the transport's, so all
//! namespaces that a client is in over one transport share it.
//!
//! On a WebSocket packets go past it ([`Wire`](super::wire::Wire)): those that somebody puts in together leave with one write,
//! and no task is woken. The order stays, by two rules. While a packet lies in socketioxide's queue, later ones go there as
//! well. And what waits below is written before anything that engineioxide writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::MappedMutexGuard;
use serde_json::value::RawValue;
use socketioxide::{ProtocolVersion, SendError, SocketError};

use super::IoSocket;
use super::ack::Ack;
use super::direct_write::{DirectWrite, Written};
use super::emitted::Emitted;
use super::frame_batch::FrameBatch;
use super::namespaces::DEFAULT;
use super::packet_counter::PacketCounter;
use super::send_window::{Ahead, SendWindow};
use crate::hub::{Offer, Wake};
use crate::memory::MemoryBudget;
use crate::transport::connection::send_queue::{Intake, Kind, SendQueue};

/// An event, as a message of Engine.IO, and an answer.
const EVENT: &[u8] = b"42";
const ANSWER: &[u8] = b"43";
/// What a packet weighs besides its payload.
pub(super) const PACKET_OVERHEAD: usize = 64;

/// See the module's description.
pub(crate) struct SocketQueue {
    counter: Arc<PacketCounter>,
    is_closed: AtomicBool,
    socket: Weak<IoSocket>,
}

/// The only one who emits over a transport, for as long as it is kept: what is counted and what is emitted stay in step,
/// whatever namespace it is emitted in.
pub(crate) struct SocketIntake<'a> {
    counter: &'a PacketCounter,
    /// `None` once nothing more is taken.
    socket: Option<Arc<IoSocket>>,
    window: MappedMutexGuard<'a, SendWindow>,
    /// Where packets are written past socketioxide's queue, as far as that was asked.
    direct: Option<Arc<dyn DirectWrite>>,
    /// Packets that are not written yet.
    batch: Option<FrameBatch>,
}

impl SocketQueue {
    pub(super) fn new(
        socket: Weak<IoSocket>,
        counter: Arc<PacketCounter>,
        max_message: usize,
        memory: &MemoryBudget,
    ) -> Self {
        counter.open_window(max_message, memory);
        Self {
            counter,
            is_closed: AtomicBool::new(false),
            socket,
        }
    }
}

impl SendQueue for SocketQueue {
    type Intake<'a> = SocketIntake<'a>;

    fn intake(&self) -> SocketIntake<'_> {
        let window = self.counter.window();
        let is_open = !self.is_closed.load(Ordering::Acquire);
        SocketIntake {
            counter: &self.counter,
            socket: is_open.then(|| self.socket.upgrade()).flatten(),
            window,
            direct: None,
            batch: None,
        }
    }

    fn left(&self) -> u64 {
        self.counter.left()
    }

    /// The connection's part of what waits: all namespaces of a transport have an equal one, so that nothing counts twice.
    fn bytes(&self) -> usize {
        let mut window = self.counter.window();
        window.settle(self.counter.left());
        window.bytes() / self.counter.namespaces.count().max(1)
    }

    fn wake_at(&self, left: u64, wake: &Wake) {
        self.counter.wake_at(left, wake);
    }

    fn forget(&self, wake: &Wake) {
        self.counter.forget(wake);
    }

    fn wake_all(&self) {
        self.counter.wake_all();
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.counter.wake_all();
    }
}

impl Intake for SocketIntake<'_> {
    fn is_closed(&self) -> bool {
        self.socket.is_none()
    }

    fn is_empty(&mut self) -> bool {
        self.is_closed() || self.settled().is_empty()
    }

    fn has_room(&mut self, kind: Kind, bytes: usize) -> bool {
        let weight = bytes + PACKET_OVERHEAD;
        self.window.settle(self.counter.left());
        let Some(batch) = &self.batch else {
            return self.window.takes_after(Ahead::default(), kind, weight);
        };
        // What waits here may leave at once.
        self.window.takes_after(batch.ahead(), kind, weight)
            || self.settled().takes_after(Ahead::default(), kind, weight)
    }

    fn half_mark(&mut self) -> u64 {
        self.settled().low_mark()
    }

    fn empty_mark(&mut self) -> u64 {
        self.settled().empty_mark()
    }
}

impl Drop for SocketIntake<'_> {
    fn drop(&mut self) {
        self.write();
    }
}

impl SocketIntake<'_> {
    /// The window, after what is written now and what has left.
    fn settled(&mut self) -> &SendWindow {
        self.write();
        self.window.settle(self.counter.left());
        &self.window
    }

    /// The socket, while it takes anything.
    pub(super) fn socket(&self) -> Option<&IoSocket> {
        self.socket.as_deref()
    }

    /// The socket, for its end. What its client still sends to the namespace is left out from now on if it is in another one:
    /// socketioxide would end the whole transport over it.
    pub(super) fn take_socket(mut self) -> Option<Arc<IoSocket>> {
        self.write();
        let socket = self.socket.take();
        if let Some(socket) = &socket {
            self.counter.namespaces.turn_out(socket.ns());
        }
        socket
    }

    /// Emits an event with a payload of so many bytes.
    pub(super) fn emit(&mut self, bytes: usize, name: &str, arguments: &Emitted<'_>) -> Offer {
        if self.batch().is_none() {
            return self.send(bytes, |socket| arguments.emit(socket, name));
        }
        let mut packet = Vec::with_capacity(bytes + PACKET_OVERHEAD);
        match arguments.write(name, &mut packet) {
            Ok(()) => self.push(bytes, EVENT, &[&packet]),
            Err(error) => tracing::error!(%error, "a packet cannot be encoded"),
        }
        Offer::Taken
    }

    /// Emits the event of which a cache has the beginning, `["name",payload`, and the cursor, if there is one. `false` if packets
    /// go through socketioxide's queue now.
    pub(super) fn emit_head(&mut self, bytes: usize, head: &[u8], cursor: Option<&str>) -> bool {
        if self.batch().is_none() {
            return false;
        }
        match cursor {
            Some(cursor) => self.push(bytes, EVENT, &[head, b",\"", cursor.as_bytes(), b"\"]"]),
            None => self.push(bytes, EVENT, &[head, b"]"]),
        }
        true
    }

    /// Answers with a payload of so many bytes.
    pub(super) fn answer(&mut self, bytes: usize, ack: Ack, answer: &RawValue) -> Offer {
        if self.batch().is_none() {
            return self.send(bytes, |_| ack.sender.send(answer));
        }
        let id = ack.id.to_string();
        let list: [&[u8]; 4] = [id.as_bytes(), b"[", answer.get().as_bytes(), b"]"];
        self.push(bytes, ANSWER, &list);
        Offer::Taken
    }

    /// Whether packets are written past socketioxide's queue now.
    pub(super) fn is_direct(&mut self) -> bool {
        self.batch().is_some()
    }

    /// The packets that are about to be written past socketioxide's queue; nothing if they go through it.
    fn batch(&mut self) -> Option<&mut FrameBatch> {
        if self.batch.is_none() {
            let socket = self.socket.as_ref()?;
            self.window.settle(self.counter.left());
            let is_ours = socket.protocol() == ProtocolVersion::V5 && socket.connected();
            if !is_ours || self.window.is_queueing() {
                return None;
            }
            self.direct = Some(self.counter.direct()?);
            self.batch = Some(FrameBatch::take());
        }
        self.batch.as_mut()
    }

    /// Adds a packet with a payload of so many bytes: its type, and these pieces after its namespace.
    fn push(&mut self, bytes: usize, packet_type: &[u8], pieces: &[&[u8]]) {
        let (Some(socket), Some(batch)) = (&self.socket, &mut self.batch) else {
            return;
        };
        let weight = bytes + PACKET_OVERHEAD;
        let ns = socket.ns();
        let start: [&[u8]; 3] = match ns {
            DEFAULT => [packet_type, b"", b""],
            named => [packet_type, named.as_bytes(), b","],
        };
        batch.push(weight, &start, pieces);
        if batch.is_full() {
            self.write();
        }
    }

    /// Writes what was put in. What the socket does not take waits, and counts.
    fn write(&mut self) {
        let (Some(mut batch), Some(direct)) = (self.batch.take(), self.direct.take()) else {
            return;
        };
        if batch.is_empty() {
            return batch.give_back();
        }
        let (window, counter) = (&mut *self.window, self.counter);
        window.settle(counter.left());
        let packets = batch.weights.len() as u64;
        let left = match direct.write(&batch.frames) {
            Written::All => packets,
            Written::Part(left) => left,
        };
        if left == packets && window.holds_nothing() {
            window.passed(packets);
            counter.count(left);
        } else {
            for weight in batch.weights.drain(..) {
                window.keep(weight);
            }
            counter.count(left);
            window.settle(counter.left());
        }
        batch.give_back();
    }

    /// Sends a packet with a payload of so many bytes through socketioxide's queue. [`Offer::Full`] if that is full of what
    /// was not counted.
    pub(super) fn send(
        &mut self,
        bytes: usize,
        send: impl FnOnce(&IoSocket) -> Result<(), SendError>,
    ) -> Offer {
        // It must not overtake them.
        self.write();
        let Some(socket) = &self.socket else {
            return Offer::Gone;
        };
        let window = &mut self.window;
        window.put(bytes + PACKET_OVERHEAD);
        let Err(error) = send(socket) else {
            return Offer::Taken;
        };
        window.take_back();
        match error {
            SendError::Socket(SocketError::InternalChannelFull) => {
                window.found_full();
                Offer::Full
            }
            SendError::Socket(SocketError::Closed) => Offer::Gone,
            SendError::Serialize(error) => {
                tracing::error!(%error, "a packet cannot be encoded");
                Offer::Taken
            }
        }
    }
}
