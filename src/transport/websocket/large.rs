//! Large messages: they are kept once for all who are told of them, and looked at beside the runtime.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::memory::{Held, MemoryBudget};

/// Texts from so many bytes on are large.
pub(super) const LARGE: usize = 256 * 1024;

/// Does some work on a text of so many bytes; if that takes long, other tasks go on meanwhile.
pub(super) fn beside_runtime<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let can_be_beside = || {
        let runtime = Handle::try_current();
        runtime.is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
    };
    if bytes >= LARGE && can_be_beside() {
        block_in_place(work)
    } else {
        work()
    }
}

/// A large text that several connections send. It counts once in the memory for what waits.
#[derive(Clone)]
pub(super) struct LargeText(Arc<Kept>);

struct Kept {
    text: String,
    _held: Held,
}

impl LargeText {
    pub(super) fn new(text: String, memory: &MemoryBudget) -> Self {
        let mut held = memory.holder();
        held.add(text.len());
        Self(Arc::new(Kept { text, _held: held }))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The same, without a copy.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// Finds it as long as somebody has it.
    pub(super) fn downgrade(&self) -> WeakText {
        WeakText(Arc::downgrade(&self.0))
    }
}

impl AsRef<[u8]> for LargeText {
    fn as_ref(&self) -> &[u8] {
        self.0.text.as_bytes()
    }
}

impl fmt::Debug for LargeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LargeText({} bytes)", self.0.text.len())
    }
}

/// A large text that is forgotten when nobody sends it any more.
#[derive(Clone)]
pub(super) struct WeakText(std::sync::Weak<Kept>);

impl WeakText {
    pub(super) fn upgrade(&self) -> Option<LargeText> {
        self.0.upgrade().map(LargeText)
    }
}

impl fmt::Debug for WeakText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakText")
    }
}
