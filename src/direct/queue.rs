//! Messages that wait to be delivered on this instance, and the task that delivers them.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use super::{Delivered, Inner, Reached, wire};
use crate::contract::DirectMessage;

/// Messages that may wait.
const MESSAGES: usize = 4096;
/// Bytes that may wait.
const BYTES: usize = 64 * 1024 * 1024;
/// Connections to which a message is handed before others get their turn.
const AT_ONCE: usize = 256;

/// What waits.
pub(super) enum Queued {
    /// A message of this instance, and who is to be told how many it has reached here.
    Sent {
        message: DirectMessage,
        done: oneshot::Sender<Reached>,
    },
    /// A message of another instance, as it came.
    Heard(Bytes),
}

impl Queued {
    fn bytes(&self) -> usize {
        match self {
            Self::Sent { message, .. } => message.bytes(),
            Self::Heard(message) => message.len(),
        }
    }
}

/// See the module's description.
pub(super) struct Queue {
    sender: mpsc::Sender<Queued>,
    bytes: Arc<AtomicUsize>,
}

/// The other end of the queue.
pub(super) struct Waiting {
    receiver: mpsc::Receiver<Queued>,
    bytes: Arc<AtomicUsize>,
}

impl Queue {
    pub(super) fn new() -> (Self, Waiting) {
        let (sender, receiver) = mpsc::channel(MESSAGES);
        let bytes = Arc::<AtomicUsize>::default();
        let waiting = Waiting {
            receiver,
            bytes: Arc::clone(&bytes),
        };
        (Self { sender, bytes }, waiting)
    }

    /// Puts a message in, if there is room.
    pub(super) fn put(&self, queued: Queued) -> Result<(), ()> {
        let bytes = queued.bytes();
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > BYTES || self.sender.try_send(queued).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(());
        }
        Ok(())
    }

    /// Puts a message in once there is room among the messages, whatever its size.
    pub(super) async fn send(&self, queued: Queued) {
        let bytes = queued.bytes();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.sender.send(queued).await.is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// Delivers what waits, one after the other, until nobody can send any more.
pub(super) async fn run(mut waiting: Waiting, inner: Weak<Inner>) {
    while let Some(queued) = waiting.receiver.recv().await {
        let bytes = queued.bytes();
        let Some(inner) = inner.upgrade() else {
            return;
        };
        // A panic must not cost others their messages.
        let delivered = AssertUnwindSafe(take(&inner, queued)).catch_unwind().await;
        if delivered.is_err() {
            tracing::error!("a direct message caused a panic");
        }
        waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

async fn take(inner: &Inner, queued: Queued) {
    match queued {
        Queued::Sent { message, done } => {
            let reached = deliver(inner, &message).await;
            // Whoever has asked may have gone.
            done.send(reached).ok();
        }
        Queued::Heard(bytes) => {
            if let Some(heard) = wire::decode(&bytes) {
                let reached = deliver(inner, &heard.message).await;
                inner.answer(heard.request, &heard.from, reached);
            }
        }
    }
}

async fn deliver(inner: &Inner, message: &DirectMessage) -> Reached {
    inner.note_status(message);
    let mut total = Reached::default();
    for receivers in inner.receivers(message).chunks(AT_ONCE) {
        for receiver in receivers {
            match receiver.deliver(message) {
                Delivered::Taken => total.reached += 1,
                Delivered::Full => total.missed += 1,
                Delivered::NotMeant => {}
            }
        }
        yield_now().await;
    }
    if total.missed > 0 {
        tracing::debug!(missed = total.missed, "no room for a direct message");
    }
    total
}
