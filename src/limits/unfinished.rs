//! The bytes of messages that have begun and not ended, over all connections: half of a WebSocket message, half of a
//! body. Each is limited by `MAX_MESSAGE`, or `WEBSOCKET_MAX_MESSAGE`; beyond a limit for all of them
//! together the oldest one is given up. A client that sends is soon done, so that is one that only holds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::{AbortHandle, Abortable, Pending, pending};
use parking_lot::Mutex;

/// The largest unfinished message that is not counted. Each connection has such a buffer anyway.
const NOT_COUNTED: usize = 16 * 1024;
/// By how many bytes a message grows between two looks at the sum.
const STEP: usize = 16 * 1024;
/// The least that all of them together may hold…
const LEAST: usize = 64 * 1024 * 1024;
/// … and the least number of messages of the largest size.
const LEAST_MESSAGES: usize = 16;

/// What is done when a message is given up. It must not wait.
type GiveUp = Box<dyn FnOnce() + Send>;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UnfinishedMessages(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    max: usize,
    /// Guards the messages and their sum, so that they change together.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    given_up: u64,
    next: u64,
    /// By their age, the oldest first.
    messages: BTreeMap<u64, Message>,
}

struct Message {
    bytes: usize,
    give_up: GiveUp,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl UnfinishedMessages {
    /// Creates the budget for messages of up to so many bytes each.
    #[must_use]
    pub fn new(max_message: usize) -> Self {
        let max = max_message.saturating_mul(LEAST_MESSAGES).max(LEAST);
        Self(Arc::new(Parts {
            max,
            state: Mutex::default(),
        }))
    }

    /// The message that a connection receives, of which nothing is there yet.
    #[must_use]
    pub fn message(&self) -> UnfinishedMessage {
        UnfinishedMessage {
            all: self.clone(),
            age: None,
            bytes: 0,
        }
    }

    /// The bytes that are counted now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.state.lock().bytes
    }

    /// The number of messages that were given up since the start.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.0.state.lock().given_up
    }
}

impl State {
    /// Takes out the oldest messages until the others fit.
    fn settle(&mut self, max: usize) -> Vec<GiveUp> {
        let mut given_up = Vec::new();
        while self.bytes > max
            && let Some((_, message)) = self.messages.pop_first()
        {
            self.bytes -= message.bytes;
            self.given_up += 1;
            given_up.push(message.give_up);
        }
        given_up
    }
}

/// Resolves when a message was given up.
pub type GivenUp = Abortable<Pending<()>>;

/// What is there of one message. It counts until it is set to less, or dropped.
#[derive(Debug)]
pub struct UnfinishedMessage {
    all: UnfinishedMessages,
    age: Option<u64>,
    bytes: usize,
}

impl UnfinishedMessage {
    /// Notes how many bytes there are now: none when the message has ended. If they come to be counted, and there are too many
    /// in all while this message is the oldest, `give_up` is called.
    pub fn set<F>(&mut self, bytes: usize, give_up: impl FnOnce() -> F)
    where
        F: FnOnce() + Send + 'static,
    {
        if bytes <= NOT_COUNTED {
            self.end();
            return;
        }
        if self.age.is_some() && bytes.abs_diff(self.bytes) < STEP {
            return;
        }
        let mut state = self.all.0.state.lock();
        if let Some(age) = self.age {
            let Some(message) = state.messages.get_mut(&age) else {
                // It was given up.
                return;
            };
            message.bytes = bytes;
        } else {
            let age = state.next;
            state.next += 1;
            let give_up: GiveUp = Box::new(give_up());
            state.messages.insert(age, Message { bytes, give_up });
            self.age = Some(age);
            self.bytes = 0;
        }
        state.bytes = state.bytes + bytes - self.bytes;
        self.bytes = bytes;
        let excess = state.settle(self.all.0.max);
        drop(state);
        for give_up in excess {
            give_up();
        }
    }

    /// As [`UnfinishedMessage::set`]; `given_up` resolves if the message is given up, and is there while it is counted.
    pub fn watch(&mut self, bytes: usize, given_up: &mut Option<GivenUp>) {
        self.set(bytes, || {
            let (handle, registration) = AbortHandle::new_pair();
            *given_up = Some(Abortable::new(pending(), registration));
            move || handle.abort()
        });
        if !self.is_counted() {
            *given_up = None;
        }
    }

    /// Whether the message is counted.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.age.is_some()
    }

    fn end(&mut self) {
        let Some(age) = self.age.take() else { return };
        let mut state = self.all.0.state.lock();
        if let Some(message) = state.messages.remove(&age) {
            state.bytes -= message.bytes;
        }
    }
}

impl Drop for UnfinishedMessage {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const MEBIBYTE: usize = 1024 * 1024;

    fn nothing() -> impl FnOnce() + Send + 'static {
        || {}
    }

    #[test]
    fn small_messages_are_not_counted() {
        let all = UnfinishedMessages::new(MEBIBYTE);
        let mut message = all.message();
        message.set(NOT_COUNTED, nothing);
        assert!(!message.is_counted());
        assert_eq!(all.bytes(), 0);
        message.set(NOT_COUNTED + 1, nothing);
        assert_eq!(all.bytes(), NOT_COUNTED + 1);
        message.set(NOT_COUNTED + 2, nothing);
        assert_eq!(
            all.bytes(),
            NOT_COUNTED + 1,
            "it is not looked at for a byte"
        );
        message.set(MEBIBYTE, nothing);
        assert_eq!(all.bytes(), MEBIBYTE);
        message.set(0, nothing);
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn the_oldest_message_is_given_up() {
        let all = UnfinishedMessages::new(MEBIBYTE);
        let given_up = Arc::new(AtomicUsize::new(usize::MAX));
        let mut messages: Vec<_> = (0..64).map(|_| all.message()).collect();
        for (number, message) in messages.iter_mut().enumerate() {
            message.set(MEBIBYTE, || {
                let given_up = Arc::clone(&given_up);
                move || given_up.store(number, Ordering::Relaxed)
            });
        }
        assert_eq!(all.bytes(), LEAST);
        assert_eq!(all.given_up(), 0);
        let mut newest = all.message();
        newest.set(MEBIBYTE, nothing);
        assert_eq!(given_up.load(Ordering::Relaxed), 0);
        assert_eq!((all.bytes(), all.given_up()), (LEAST, 1));
        // What was given up counts no more, whatever becomes of it.
        messages[0].set(3 * MEBIBYTE, nothing);
        assert_eq!(all.bytes(), LEAST);
        drop((messages, newest));
        assert_eq!(all.bytes(), 0);
    }
}
