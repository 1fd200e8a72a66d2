//! The send queue of a Socket.IO connection: socketioxide's own, of which we count what lies in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};
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
    /// Guards the order of what goes out: what is counted and what is emitted stay in step.
    outgoing: Mutex<Outgoing>,
}

struct Outgoing {
    socket: Weak<IoSocket>,
    window: SendWindow,
}

/// The only one who emits to a socket, for as long as it is kept.
pub(crate) struct SocketIntake<'a> {
    /// `None` once nothing more is taken.
    socket: Option<Arc<IoSocket>>,
    outgoing: MutexGuard<'a, Outgoing>,
}

impl SocketQueue {
    pub(super) fn new(
        socket: Weak<IoSocket>,
        counter: Arc<PacketCounter>,
        max_message: usize,
        memory: &MemoryBudget,
    ) -> Self {
        Self {
            is_closed: AtomicBool::new(false),
            outgoing: Mutex::new(Outgoing {
                socket,
                window: SendWindow::new(Arc::clone(&counter), max_message, memory),
            }),
            counter,
        }
    }
}

impl SendQueue for SocketQueue {
    type Intake<'a> = SocketIntake<'a>;

    fn intake(&self) -> SocketIntake<'_> {
        let outgoing = self.outgoing.lock();
        let is_open = !self.is_closed.load(Ordering::Acquire);
        let socket = is_open.then(|| outgoing.socket.upgrade()).flatten();
        SocketIntake { socket, outgoing }
    }

    fn left(&self) -> u64 {
        self.counter.left()
    }

    fn bytes(&self) -> usize {
        self.outgoing.lock().window.bytes()
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
        self.is_closed() || self.outgoing.window.is_empty()
    }

    fn has_room(&mut self, kind: Kind, bytes: usize) -> bool {
        self.outgoing.window.takes(kind, bytes + PACKET_OVERHEAD)
    }

    fn half_mark(&mut self) -> u64 {
        self.outgoing.window.low_mark()
    }

    fn empty_mark(&mut self) -> u64 {
        self.outgoing.window.empty_mark()
    }
}

impl SocketIntake<'_> {
    /// The socket, while it takes anything.
    pub(super) fn socket(&self) -> Option<&IoSocket> {
        self.socket.as_deref()
    }

    /// The socket, for its end.
    pub(super) fn take_socket(self) -> Option<Arc<IoSocket>> {
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
        let window = &mut self.outgoing.window;
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
