//! The send queue of a Socket.IO connection: socketioxide's own, of which we count what lies in it. It is the transport's, so all
//! namespaces that a client is in over one transport share it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::MappedMutexGuard;
use serde::Serialize;
use socketioxide::{SendError, SocketError};

use super::IoSocket;
use super::packet_counter::PacketCounter;
use super::send_window::SendWindow;
use crate::hub::{Offer, Wake};
use crate::memory::MemoryBudget;
use crate::transport::connection::send_queue::{Intake, Kind, SendQueue};

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
        self.settled().takes(kind, bytes + PACKET_OVERHEAD)
    }

    fn half_mark(&mut self) -> u64 {
        self.settled().low_mark()
    }

    fn empty_mark(&mut self) -> u64 {
        self.settled().empty_mark()
    }
}

impl SocketIntake<'_> {
    /// The window, after what has left.
    fn settled(&mut self) -> &SendWindow {
        self.window.settle(self.counter.left());
        &self.window
    }

    /// The socket, while it takes anything.
    pub(super) fn socket(&self) -> Option<&IoSocket> {
        self.socket.as_deref()
    }

    /// The socket, for its end. What its client still sends to the namespace is left out from now on if it is in another one:
    /// socketioxide would end the whole transport over it.
    pub(super) fn take_socket(self) -> Option<Arc<IoSocket>> {
        if let Some(socket) = &self.socket {
            self.counter.namespaces.turn_out(socket.ns());
        }
        self.socket
    }

    /// Emits an event with a payload of so many bytes.
    pub(super) fn emit<T: Serialize + ?Sized>(
        &mut self,
        bytes: usize,
        name: &str,
        arguments: &T,
    ) -> Offer {
        self.send(bytes, |socket| socket.emit(name, arguments))
    }

    /// Sends a packet with a payload of so many bytes. [`Offer::Full`] if the queue is full of what was not counted.
    pub(super) fn send(
        &mut self,
        bytes: usize,
        send: impl FnOnce(&IoSocket) -> Result<(), SendError>,
    ) -> Offer {
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
