//! Counts what has really left for a client, and wakes those who wait for room.
//!
//! socketioxide does not tell how full a socket's queue is. But all bytes pass through here: through a
//! [`Metered`] stream under the WebSocket, or as the body of a polling answer. Each event or ack that is seen
//! passing is one that no longer lies in the queue.

mod stream;

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::attachments::Attachments;
use super::poll_tracker::PollTracker;
use super::upgrade_state::UpgradeState;
use crate::domain::PrivateId;
use crate::hub::Wake;
use crate::limits::{Place, UnfinishedMessage};
use crate::transport::connection::send_queue::Wakes;
use crate::transport::flow::{Messages, Received};
pub(super) use stream::Metered;

/// How often a session may enter the namespace.
const MAX_ENTRIES: u32 = 100;

/// What has left for one client, over whatever transport it is on.
#[derive(Debug, Default)]
pub(super) struct PacketCounter {
    /// Events and acks that have left.
    left: AtomicU64,
    closed: AtomicBool,
    ended: Notify,
    /// Whether an answer to CONNECT that is on its way lacks its id.
    lacks_pid: AtomicBool,
    /// Guards the id that goes into it.
    pid: Mutex<Option<PrivateId>>,
    /// Guards what ends a session that has no stream of its own, or had none at its beginning.
    goodbye: Mutex<Option<Box<dyn Any + Send>>>,
    /// For how many microseconds nothing more is to be read; 0 if for none.
    pause: AtomicU64,
    /// Whether the client was held back since [`PacketCounter::take_held_back`], so that it may seem to be silent.
    held_back: AtomicBool,
    /// How often the client has asked to enter the namespace.
    entries: AtomicU32,
    /// Whether the client was let into the namespace.
    was_let_in: AtomicBool,
    /// When the client polled, if it is on long-polling.
    pub(super) polls: PollTracker,
    /// Where the client stands with its change to a WebSocket.
    pub(super) upgrade: UpgradeState,
    /// Guards the packet that waits for its attachments.
    attachments: Mutex<Attachments>,
    /// Counts the session for as long as anything is kept for it.
    _place: Option<Place<IpAddr>>,
    /// Guards who waits for room and the reader that must notice a close.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whom to wake once so many events and acks have left.
    wakes: Wakes,
    reader: Option<Waker>,
}

impl PacketCounter {
    /// The counter of a session that begins, in its place. What waits for attachments counts as `message`.
    pub(super) fn new(place: Option<Place<IpAddr>>, message: UnfinishedMessage) -> Self {
        Self {
            _place: place,
            attachments: Mutex::new(Attachments::new(message)),
            ..Self::default()
        }
    }

    /// Notes a message that socketioxide is about to get.
    pub(super) fn note_message(self: &Arc<Self>, received: &Received<'_>) {
        if !Attachments::concern(received) {
            return;
        }
        if !self.was_let_in.load(Ordering::Acquire) {
            // Nobody can have sent it to the namespace, and socketioxide would keep it until the time to enter is over,
            // also if the session ends.
            self.close();
            return;
        }
        let counter = Arc::downgrade(self);
        let give_up = move || {
            if let Some(counter) = counter.upgrade() {
                counter.close();
            }
        };
        self.attachments.lock().received(received, || give_up);
    }

    /// The client asks to enter the namespace once more: the number of times before, or `None` if it may not. It costs
    /// more than a message, and no client does it often without a new session.
    pub(super) fn enter(&self) -> Option<u32> {
        let before = self.entries.fetch_add(1, Ordering::Relaxed);
        (before < MAX_ENTRIES).then_some(before)
    }

    /// Ends the transport of a client that is not in the namespace, unless it has asked again since that time.
    pub(super) fn close_unless_back(&self, entry: u32) {
        if self.entries.load(Ordering::Relaxed) <= entry.saturating_add(1) {
            self.close();
        }
    }

    /// Nothing more is read for a while.
    pub(super) fn pause(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.pause.fetch_max(micros, Ordering::Relaxed);
        self.held_back.store(true, Ordering::Relaxed);
    }

    /// For how long nothing is to be read from now on, if at all.
    pub(super) fn take_pause(&self) -> Option<Duration> {
        if self.pause.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Some(Duration::from_micros(self.pause.swap(0, Ordering::Relaxed)))
    }

    /// Whether the client was held back since this was asked last.
    pub(super) fn take_held_back(&self) -> bool {
        self.held_back.load(Ordering::Relaxed) && self.held_back.swap(false, Ordering::Relaxed)
    }

    /// Events and acks that have left so far.
    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }

    /// Wakes once so many have left in all. Whoever asks must look again afterwards: it may be so already.
    pub(super) fn wake_at(&self, left: u64, wake: &Wake) {
        self.waiting.lock().wakes.wake_at(left, wake);
    }

    /// Wakes nobody any more who asked for it.
    pub(super) fn forget(&self, wake: &Wake) {
        self.waiting.lock().wakes.forget(wake);
    }

    /// Ends the transport; the client can come back.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(reader) = self.waiting.lock().reader.take() {
            reader.wake();
        }
        self.ended.notify_waiters();
        self.say_goodbye();
    }

    /// Keeps what ends the session when it is dropped.
    pub(super) fn keep_goodbye(&self, goodbye: impl Send + 'static) {
        *self.goodbye.lock() = Some(Box::new(goodbye));
    }

    fn say_goodbye(&self) {
        let goodbye = self.goodbye.lock().take();
        drop(goodbye);
    }

    /// Resolves when the transport is to end.
    pub(super) async fn closed(&self) {
        let mut ended = std::pin::pin!(self.ended.notified());
        ended.as_mut().enable();
        if !self.is_closed() {
            ended.await;
        }
    }

    /// Wakes everybody who waits for room: there will be none any more, or nobody who needs it.
    pub(super) fn wake_all(&self) {
        self.waiting.lock().wakes.wake_up_to(u64::MAX);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Notes that the client is let into the namespace: from now on it may send attachments.
    pub(super) fn let_in(&self) {
        self.was_let_in.store(true, Ordering::Release);
    }

    /// The next answer to CONNECT carries this id.
    pub(super) fn give_pid(&self, pid: PrivateId) {
        *self.pid.lock() = Some(pid);
        self.lacks_pid.store(true, Ordering::Release);
    }

    pub(super) fn lacks_pid(&self) -> bool {
        self.lacks_pid.load(Ordering::Acquire)
    }

    /// The id, for the answer that is passing.
    pub(super) fn take_pid(&self) -> Option<PrivateId> {
        self.lacks_pid.store(false, Ordering::Release);
        let mut pid = self.pid.lock();
        pid.take()
    }

    /// Notes that packets have left.
    pub(super) fn count(&self, packets: u64) {
        if packets == 0 {
            return;
        }
        let before = self.left.fetch_add(packets, Ordering::AcqRel);
        let left = before + packets;
        self.waiting.lock().wakes.wake_up_to(left);
    }
}

impl Messages for Arc<PacketCounter> {
    fn received(&mut self, message: &Received<'_>) -> bool {
        // What comes before a session has changed to this WebSocket is none of its messages.
        if !self.upgrade.is_probing() {
            self.note_message(message);
        }
        is_no_event(message)
    }
}

/// Whether a packet is none that a rate counts.
pub(super) fn is_no_event(message: &Received<'_>) -> bool {
    message.is_text && !matches!(message.start, [b'4', b'2' | b'5', ..])
}

/// A poll that waits for its answer.
#[derive(Debug)]
pub(super) struct Polling(Arc<PacketCounter>);

impl Polling {
    pub(super) fn begin(counter: &Arc<PacketCounter>) -> Self {
        counter.polls.begin();
        Self(Arc::clone(counter))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.polls.end();
    }
}
