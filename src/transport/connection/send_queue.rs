//! What waits on its way to a client, as every door's send queue offers it.
//!
//! Events stop at a lower mark than answers, so that answers always get through. Signals stop first: they may get lost.
//! Who finds no room registers a wake, looks again, and waits.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::hub::{Offer, Wake};

/// What a message is, which decides how much may wait before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Waits in the log if there is no room here.
    Event,
    /// A client waits for it.
    Answer,
    /// Gets lost if there is no room.
    Signal,
}

impl Kind {
    /// Messages that may wait.
    pub(crate) const fn max_messages(self) -> usize {
        match self {
            Self::Event => 256,
            Self::Answer => 384,
            Self::Signal => 128,
        }
    }
}

/// Bytes that may wait before the last event of any size; fewer if little is left of the memory for all connections.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// Whom to wake once so many messages have left in all.
#[derive(Debug, Default)]
pub(crate) struct Wakes(pub(super) Vec<(u64, Wake)>);

impl Wakes {
    /// Wakes at that number, and at no other that was asked for before.
    pub(crate) fn wake_at(&mut self, left: u64, wake: &Wake) {
        self.forget(wake);
        self.0.push((left, Arc::clone(wake)));
    }

    /// Wakes nobody any more who asked for it.
    pub(crate) fn forget(&mut self, wake: &Wake) {
        self.0.retain(|(_, known)| !Arc::ptr_eq(known, wake));
    }

    /// Wakes each waiter whose number of packets has left.
    pub(crate) fn wake_up_to(&mut self, left: u64) {
        self.0.retain(|(at, wake)| {
            let due = *at <= left;
            if due {
                wake.notify_one();
            }
            !due
        });
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }
}

/// The only writer to a send queue for as long as it is kept. Cursors need that: a message with a newer cursor must not
/// overtake a message that it covers.
pub(crate) trait Intake {
    /// Whether nothing more is taken.
    fn is_closed(&self) -> bool;

    /// Whether everything has left.
    fn is_empty(&mut self) -> bool;

    /// Whether there is room for a message of so many bytes.
    fn has_room(&mut self, kind: Kind, bytes: usize) -> bool;

    /// How many messages must have left in all for half of what waits to have left.
    fn half_mark(&mut self) -> u64;

    /// How many messages must have left in all for nothing to wait.
    fn empty_mark(&mut self) -> u64;
}

/// What waits for one client.
pub(crate) trait SendQueue: Send + Sync + 'static {
    /// See [`Intake`].
    type Intake<'a>: Intake;

    /// Keeps everybody else from putting something in.
    fn intake(&self) -> Self::Intake<'_>;

    /// Messages that have left so far.
    fn left(&self) -> u64;

    /// Bytes that have not left.
    fn bytes(&self) -> usize;

    /// Wakes once so many messages have left in all. The caller looks again afterwards: they may have left already.
    fn wake_at(&self, left: u64, wake: &Wake);

    /// Takes back what was asked with [`SendQueue::wake_at`].
    fn forget(&self, wake: &Wake);

    /// Wakes everybody who waits for room.
    fn wake_all(&self);

    /// Takes nothing more and drops what waits.
    fn close(&self);

    /// Wakes once half of what waits has left, so that room is filled in one go; at once if nothing waits, unless something
    /// else is waited for, after which [`SendQueue::wake_all`] is called.
    fn wake_when_writable(&self, wake: &Wake, holds: impl FnOnce() -> bool) {
        let half = self.intake().half_mark();
        self.wake_at(half, wake);
        let (is_closed, is_empty) = {
            let mut intake = self.intake();
            (intake.is_closed(), intake.is_empty())
        };
        // `holds` is asked last: a caller that stops holding back after that finds the wake registered.
        if is_closed || (is_empty && !holds()) {
            self.forget(wake);
            wake.notify_one();
        }
    }

    /// Writes a message of so many bytes once there is room. What became of it.
    fn push<F>(&self, kind: Kind, bytes: usize, write: F) -> impl Future<Output = Offer> + Send
    where
        F: FnOnce(&mut Self::Intake<'_>) -> Offer + Send,
    {
        let mut write = Some(write);
        self.once(move |intake| {
            if !intake.is_closed() && !intake.has_room(kind, bytes) {
                return Err(intake.half_mark());
            }
            let write = write.take().filter(|_| !intake.is_closed());
            Ok(write.map_or(Offer::Gone, |write| write(intake)))
        })
    }

    /// Waits until there is room for an answer, or nothing more is taken.
    fn room_for_answer(&self) -> impl Future<Output = ()> + Send {
        self.once(|intake| {
            let is_over = intake.is_closed() || intake.has_room(Kind::Answer, 0);
            is_over.then_some(()).ok_or_else(|| intake.half_mark())
        })
    }

    /// Resolves when everything has left, or never will.
    fn drained(&self) -> impl Future<Output = ()> + Send {
        self.once(|intake| {
            let is_empty = intake.is_empty();
            is_empty.then_some(()).ok_or_else(|| intake.empty_mark())
        })
    }

    /// Waits until `look` gives something. Until then it says how many messages must have left before it is worth another
    /// look.
    fn once<T, F>(&self, mut look: F) -> impl Future<Output = T> + Send
    where
        F: FnMut(&mut Self::Intake<'_>) -> Result<T, u64> + Send,
        T: Send,
    {
        async move {
            let wake = Arc::new(Notify::new());
            loop {
                let looked = look(&mut self.intake());
                match looked {
                    Ok(found) => return found,
                    Err(left) => self.wake_at(left, &wake),
                }
                // They may have left already.
                if let Ok(found) = look(&mut self.intake()) {
                    return found;
                }
                wake.notified().await;
            }
        }
    }
}
