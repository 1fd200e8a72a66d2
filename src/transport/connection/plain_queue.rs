//! The send queue of doors whose connections have one task that writes: messages wait here as text.
//!
//! Nothing is kept for a client to which nothing is on its way.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use super::send_queue::{Intake, Kind, MAX_BYTES, SendQueue, Wakes};
use crate::hub::Wake;
use crate::memory::{Held, MemoryBudget};

/// What a message weighs besides its text.
const OVERHEAD: usize = 64;

impl Kind {
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

/// A message that waits.
pub(crate) trait Waiting {
    /// The bytes of it.
    fn bytes(&self) -> usize;

    /// Those of them that other queues have as well, and that are counted where they are kept.
    fn shared_bytes(&self) -> usize {
        0
    }
}

impl Waiting for Bytes {
    fn bytes(&self) -> usize {
        self.len()
    }
}

#[cfg(test)]
impl Waiting for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

/// See the module. A message is anything with a size.
#[derive(Debug)]
pub(crate) struct PlainQueue<M>(Mutex<State<M>>);

#[derive(Debug)]
struct State<M> {
    queue: VecDeque<M>,
    /// Messages that the writer has in its hands, …
    in_hand: usize,
    /// … and their bytes.
    in_hand_bytes: Weight,
    /// Bytes of all messages that have not been written, but for those …
    bytes: Held,
    /// … that other queues have as well.
    shared: usize,
    /// Messages that have been written.
    taken: u64,
    /// Whom to wake once so many have been written.
    waiting: Wakes,
    writer: Option<Waker>,
    end: Option<End>,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// What waits is still written.
    Finishing,
    /// What waits was dropped.
    Cut,
}

impl<M> PlainQueue<M> {
    /// Creates a queue for a client for which nothing waits. What waits counts in `memory`.
    pub(crate) fn new(memory: &MemoryBudget) -> Self {
        Self(Mutex::new(State {
            queue: VecDeque::new(),
            in_hand: 0,
            in_hand_bytes: Weight::default(),
            bytes: memory.holder(),
            shared: 0,
            taken: 0,
            waiting: Wakes::default(),
            writer: None,
            end: None,
        }))
    }
}

/// See [`Intake`]. The writer is woken once, when it is dropped, for all that was put in.
#[derive(Debug)]
pub(crate) struct PlainIntake<'a, M>(MutexGuard<'a, State<M>>);

impl<M> Drop for PlainIntake<'_, M> {
    fn drop(&mut self) {
        let state = &mut *self.0;
        if !state.queue.is_empty()
            && let Some(writer) = state.writer.take()
        {
            writer.wake();
        }
    }
}

impl<M: Waiting> PlainIntake<'_, M> {
    /// Puts a message in, whether there is room or not.
    pub(crate) fn push(&mut self, message: M) {
        let state = &mut *self.0;
        if state.end.is_some() {
            return;
        }
        let weight = Weight::of(&message);
        state.bytes.add(weight.own);
        state.shared += weight.shared;
        state.queue.push_back(message);
    }
}

impl<M: Waiting> Intake for PlainIntake<'_, M> {
    fn is_closed(&self) -> bool {
        self.0.end.is_some()
    }

    fn is_empty(&mut self) -> bool {
        self.0.len() == 0 || self.0.end == Some(End::Cut)
    }

    /// Whatever the size of the message: else small ones would keep a large one out for ever.
    fn has_room(&mut self, kind: Kind, _: usize) -> bool {
        let max = kind.max_bytes(self.0.bytes.budget());
        self.0.len() < kind.max_messages() && self.0.bytes() < max
    }

    fn half_mark(&mut self) -> u64 {
        self.0.taken + self.0.len().div_ceil(2) as u64
    }

    fn empty_mark(&mut self) -> u64 {
        self.0.taken + self.0.len() as u64
    }
}

impl<M: Waiting + Send + 'static> SendQueue for PlainQueue<M> {
    type Intake<'a> = PlainIntake<'a, M>;

    fn intake(&self) -> PlainIntake<'_, M> {
        PlainIntake(self.0.lock())
    }

    fn left(&self) -> u64 {
        self.0.lock().taken
    }

    fn bytes(&self) -> usize {
        self.0.lock().bytes()
    }

    fn wake_at(&self, left: u64, wake: &Wake) {
        self.0.lock().waiting.wake_at(left, wake);
    }

    fn forget(&self, wake: &Wake) {
        self.0.lock().waiting.forget(wake);
    }

    fn wake_all(&self) {
        self.0.lock().waiting.wake_up_to(u64::MAX);
    }

    fn close(&self) {
        self.end(End::Cut);
    }
}

impl<M: Waiting> PlainQueue<M> {
    /// The next message to be written, when all that were handed out before have been; `None` at the end. There is one
    /// writer.
    pub(crate) async fn next(&self) -> Option<M> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// See [`PlainQueue::next`].
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<M>> {
        let mut state = self.0.lock();
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
        let mut state = self.0.lock();
        let fits = state.queue.front()?.bytes() <= max_bytes;
        if fits { state.hand_out() } else { None }
    }

    /// Takes nothing more; what waits is still written if it ends `gently`.
    pub(crate) fn finish(&self, gently: bool) {
        self.end(if gently { End::Finishing } else { End::Cut });
    }

    fn end(&self, end: End) {
        let mut state = self.0.lock();
        if state.end != Some(End::Cut) {
            state.end = Some(end);
        }
        if end == End::Cut {
            state.queue = VecDeque::new();
            let in_hand = state.in_hand_bytes;
            state.bytes.set(in_hand.own);
            state.shared = in_hand.shared;
        }
        state.waiting.wake_up_to(u64::MAX);
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
    }

    /// Whether nothing more is taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().end.is_some()
    }
}

impl<M: Waiting> State<M> {
    /// Bytes of messages that have not been written, whoever counts them.
    fn bytes(&self) -> usize {
        self.bytes.bytes() + self.shared
    }

    /// Messages that have not been written.
    fn len(&self) -> usize {
        self.queue.len() + self.in_hand
    }

    fn hand_out(&mut self) -> Option<M> {
        let message = self.queue.pop_front()?;
        self.in_hand += 1;
        let weight = Weight::of(&message);
        self.in_hand_bytes.own += weight.own;
        self.in_hand_bytes.shared += weight.shared;
        Some(message)
    }

    /// The writer has come back for more.
    fn note_written(&mut self) {
        if self.in_hand > 0 {
            self.taken += self.in_hand as u64;
            self.bytes.give_back(self.in_hand_bytes.own);
            self.shared -= self.in_hand_bytes.shared;
            (self.in_hand, self.in_hand_bytes) = (0, Weight::default());
            self.waiting.wake_up_to(self.taken);
        }
    }
}

/// What a message weighs.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    own: usize,
    shared: usize,
}

impl Weight {
    fn of(message: &impl Waiting) -> Self {
        let shared = message.shared_bytes();
        Self {
            own: message.bytes() - shared + OVERHEAD,
            shared,
        }
    }
}

#[cfg(test)]
mod tests;
