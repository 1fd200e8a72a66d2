//! What waits on its way from the hub to a client, for the one task that writes to it.
//!
//! Events stop at a lower mark than answers, so that answers always get through. Signals stop first of all: they may get
//! lost. Nothing is kept for a client to which nothing is on its way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::hub::{Offer, Wake};
use crate::memory::{Held, MemoryBudget};

/// Bytes that may wait before the last event.
const MAX_BYTES: usize = 1024 * 1024;
/// What a message weighs besides its text.
const OVERHEAD: usize = 64;

/// What a message is, which decides how much may wait before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Waits in the log if there is no room here.
    Event,
    /// Somebody waits for it.
    Answer,
    /// Gets lost if there is no room.
    Signal,
}

impl Kind {
    /// Messages that may wait.
    const fn max_messages(self) -> usize {
        match self {
            Self::Event => 256,
            Self::Answer => 384,
            Self::Signal => 128,
        }
    }

    /// Bytes that may wait before the last message, whatever its size; fewer if little is left of the memory for all
    /// connections.
    fn max_bytes(self, memory: &MemoryBudget) -> usize {
        let events = MAX_BYTES.min(memory.fair_share());
        match self {
            Self::Event | Self::Signal => events,
            Self::Answer => events + events / 4,
        }
    }
}

/// See the module. A message is anything with a text.
#[derive(Debug)]
pub(crate) struct Outlet<M>(Mutex<State<M>>);

#[derive(Debug)]
struct State<M> {
    queue: VecDeque<M>,
    /// Messages that the writer has in its hands, …
    in_hand: usize,
    /// … and their bytes.
    bytes_in_hand: usize,
    /// Bytes of all messages that have not been written.
    bytes: Held,
    /// Messages that have been written.
    taken: u64,
    /// Whom to wake once so many have been written.
    waiting: Vec<(u64, Wake)>,
    writer: Option<Waker>,
    end: Option<End>,
}

/// How and why it ends.
#[derive(Debug, Clone, Copy)]
struct End {
    reason: &'static str,
    /// Whether what waits is still written.
    gently: bool,
}

impl<M> Outlet<M> {
    /// Creates an outlet for a client for which nothing waits. What waits counts in `memory`.
    pub(crate) fn new(memory: &MemoryBudget) -> Self {
        Self(Mutex::new(State {
            queue: VecDeque::new(),
            in_hand: 0,
            bytes_in_hand: 0,
            bytes: memory.holder(),
            taken: 0,
            waiting: Vec::new(),
            writer: None,
            end: None,
        }))
    }
}

/// The only one who puts something in, for as long as it is kept. Cursors need that: a message with a newer one must not
/// overtake a message that it covers.
#[derive(Debug)]
pub(crate) struct Intake<'a, M>(MutexGuard<'a, State<M>>);

impl<M: AsRef<[u8]>> Intake<'_, M> {
    /// Whether nothing more is taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.end.is_some()
    }

    /// Whether something has not been written yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.len() > 0
    }

    /// Whether there is room for a message, whatever its size: else small ones would keep a large one out for ever.
    pub(crate) fn has_room(&self, kind: Kind) -> bool {
        let State { bytes, .. } = &*self.0;
        self.0.len() < kind.max_messages() && bytes.bytes() < kind.max_bytes(bytes.budget())
    }

    /// Puts a message in, whether there is room or not.
    pub(crate) fn push(&mut self, message: M) {
        let state = &mut *self.0;
        if state.end.is_some() {
            return;
        }
        state.bytes.add(weight(&message));
        state.queue.push_back(message);
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
    }
}

impl<M: AsRef<[u8]>> Outlet<M> {
    /// Keeps everybody else from putting something in.
    pub(crate) fn intake(&self) -> Intake<'_, M> {
        Intake(self.lock())
    }

    /// Puts a message in if there is room for it.
    pub(crate) fn try_push(&self, kind: Kind, message: M) -> Offer {
        let mut intake = self.intake();
        if intake.is_closed() {
            return Offer::Gone;
        }
        if !intake.has_room(kind) {
            return Offer::Full;
        }
        intake.push(message);
        Offer::Taken
    }

    /// Makes a message and puts it in once there is room for it. Whether it was put in.
    pub(crate) async fn push(&self, kind: Kind, make: impl FnOnce() -> M) -> bool {
        let wake = Arc::new(Notify::new());
        loop {
            {
                let mut intake = self.intake();
                if intake.is_closed() {
                    return false;
                }
                if intake.has_room(kind) {
                    intake.push(make());
                    return true;
                }
                intake.0.wake_at_half(&wake);
            }
            wake.notified().await;
        }
    }

    /// Waits until there is room for an answer, or nothing more is taken.
    pub(crate) async fn room_for_answer(&self) {
        let wake = Arc::new(Notify::new());
        loop {
            {
                let mut intake = self.intake();
                if intake.is_closed() || intake.has_room(Kind::Answer) {
                    return;
                }
                intake.0.wake_at_half(&wake);
            }
            wake.notified().await;
        }
    }

    /// The next message to be written, when all that were handed out before have been; `None` at the end. There is one
    /// writer.
    pub(crate) async fn next(&self) -> Option<M> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// See [`Outlet::next`].
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<M>> {
        let mut state = self.lock();
        state.note_written();
        if let Some(message) = state.hand_out() {
            return Poll::Ready(Some(message));
        }
        if state.end.is_some() {
            return Poll::Ready(None);
        }
        state.queue = VecDeque::new();
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// One more message to be written together with those before, if there is one of at most so many bytes.
    pub(crate) fn try_next(&self, max_bytes: usize) -> Option<M> {
        let mut state = self.lock();
        let fits = state.queue.front()?.as_ref().len() <= max_bytes;
        if fits { state.hand_out() } else { None }
    }

    /// Bytes that have not been written.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes.bytes()
    }

    /// Messages that have been written so far.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// Wakes once half of what waits has been written, so that room is filled in one go; at once if nothing waits, unless
    /// there is something else to be waited for, after which [`Outlet::wake_all`] is called.
    pub(crate) fn wake_when_writable(&self, wake: &Wake, holds: impl FnOnce() -> bool) {
        {
            let mut state = self.lock();
            state.wake_at_half(wake);
            if state.len() > 0 && state.end.is_none() {
                return;
            }
        }
        // Asked last: whoever stops holding back after that finds the wake.
        if !holds() || self.is_closed() {
            self.lock().forget(wake);
            wake.notify_one();
        }
    }

    /// Wakes everybody who waits for room.
    pub(crate) fn wake_all(&self) {
        self.lock().wake_up_to(u64::MAX);
    }

    /// Resolves when all has been written, or never will be.
    pub(crate) async fn drained(&self) {
        let wake = Arc::new(Notify::new());
        loop {
            {
                let mut state = self.lock();
                if state.len() == 0 || state.is_cut() {
                    return;
                }
                let mark = state.taken + state.len() as u64;
                state.wake_at(mark, &wake);
            }
            wake.notified().await;
        }
    }

    /// Takes nothing more and drops what waits.
    pub(crate) fn close(&self, reason: &'static str) {
        self.end(reason, false);
    }

    /// Takes nothing more; what waits is still written.
    pub(crate) fn finish(&self, reason: &'static str) {
        self.end(reason, true);
    }

    fn end(&self, reason: &'static str, gently: bool) {
        let mut state = self.lock();
        let reason = state.end.map_or(reason, |end| end.reason);
        let gently = gently && !state.is_cut();
        state.end = Some(End { reason, gently });
        if !gently {
            state.queue = VecDeque::new();
            let in_hand = state.bytes_in_hand;
            state.bytes.set(in_hand);
        }
        state.wake_up_to(u64::MAX);
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
    }

    /// Whether nothing more is taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Why nothing more is taken.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        self.lock().end.map(|end| end.reason)
    }
}

impl<M> Outlet<M> {
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: AsRef<[u8]>> State<M> {
    /// Messages that have not been written.
    fn len(&self) -> usize {
        self.queue.len() + self.in_hand
    }

    fn is_cut(&self) -> bool {
        self.end.is_some_and(|end| !end.gently)
    }

    fn hand_out(&mut self) -> Option<M> {
        let message = self.queue.pop_front()?;
        self.in_hand += 1;
        self.bytes_in_hand += weight(&message);
        Some(message)
    }

    /// The writer has come back for more.
    fn note_written(&mut self) {
        if self.in_hand > 0 {
            self.taken += self.in_hand as u64;
            self.bytes.give_back(self.bytes_in_hand);
            (self.in_hand, self.bytes_in_hand) = (0, 0);
            self.wake_up_to(self.taken);
        }
    }

    fn wake_at_half(&mut self, wake: &Wake) {
        let half = self.len().div_ceil(2) as u64;
        self.wake_at(self.taken + half, wake);
    }

    fn wake_at(&mut self, taken: u64, wake: &Wake) {
        self.forget(wake);
        self.waiting.push((taken, Arc::clone(wake)));
    }

    fn forget(&mut self, wake: &Wake) {
        self.waiting.retain(|(_, known)| !Arc::ptr_eq(known, wake));
    }

    fn wake_up_to(&mut self, taken: u64) {
        self.waiting.retain(|(at, wake)| {
            let due = *at <= taken;
            if due {
                wake.notify_one();
            }
            !due
        });
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
    }
}

fn weight<M: AsRef<[u8]>>(message: &M) -> usize {
    message.as_ref().len() + OVERHEAD
}

#[cfg(test)]
mod tests;
