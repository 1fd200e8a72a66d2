//! What is written past engineioxide ([`Wire`](super::wire::Wire)), as those see it who write.

use std::fmt;
use std::io;
use std::task::Context;

/// Where frames are written past engineioxide.
pub(super) trait DirectWrite: fmt::Debug + Send + Sync {
    /// Writes whole frames after all that was written before. What the socket does not take now follows by itself, and is
    /// counted then.
    fn write(&self, frames: &[u8]) -> Written;

    /// Writes what waits, in the task that reads. It is woken when there is room for more.
    ///
    /// # Errors
    ///
    /// The stream is broken.
    fn write_waiting(&self, cx: &mut Context<'_>) -> io::Result<()>;
}

/// What became of frames.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// They have left, or never will, because the stream is over.
    All,
    /// So many packets have left.
    Part(u64),
}
