//! The stream under a WebSocket, for both doors: it bounds what a client makes the server do and keep by its frames alone,
//! before any of them is a message.
//!
//! - **Answers that do not leave.** The library answers pings by itself and buffers what cannot be written, without a limit.
//!   So nothing is read while [`MAX_UNANSWERED`] bytes were read since the client stopped taking what is written.
//! - **Control frames.** Pings and pongs cost a system call and are no messages, so no rate counts them, nor the packets of
//!   Engine.IO and Socket.IO that are no events. After [`MAX_CONTROL_FRAMES`] in a second nothing is read until that second
//!   is over.
//! - **Unfinished messages.** They count among those of all connections ([`UnfinishedMessages`]), and a large one has a time
//!   limit.
//!
//! [`UnfinishedMessages`]: crate::limits::UnfinishedMessages

mod frames;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::limits::{GivenUp, UnfinishedMessage};
use frames::ClientFrames;
pub(crate) use frames::{Received, lengths};

/// Bytes that are read while the client takes nothing of what is written. An answer is not longer than what it answers, so
/// this bounds what waits besides messages.
const MAX_UNANSWERED: usize = 64 * 1024;
/// Control frames in a second.
const MAX_CONTROL_FRAMES: u32 = 100;
/// What they are counted in.
const SECOND: Duration = Duration::from_secs(1);

/// Learns of each message that a client has sent.
pub(crate) trait Messages {
    /// Takes a message that was received to its end; whether it counts as a control frame, because no rate counts it.
    fn received(&mut self, message: &Received<'_>) -> bool;
}

/// Every message is counted.
impl Messages for () {
    fn received(&mut self, _: &Received<'_>) -> bool {
        false
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Flow<S, M> {
    stream: S,
    messages: M,
    frames: ClientFrames,
    writing: Writing,
    control: ControlFrames,
    /// Runs while nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
    large: Large,
}

/// How far the client takes what is written.
#[derive(Debug, Default)]
struct Writing {
    is_blocked: bool,
    /// Bytes that were read since then.
    unanswered: usize,
    /// Who wants to read on once it takes something.
    reader: Option<Waker>,
}

/// The control frames of the second that began last.
#[derive(Debug, Default)]
struct ControlFrames {
    since: Option<Instant>,
    count: u32,
}

/// The message that is unfinished, if it is large.
#[derive(Debug)]
struct Large {
    message: UnfinishedMessage,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    given_up: Option<GivenUp>,
}

impl<S, M> Flow<S, M> {
    /// Wraps a stream. Large messages count as `message`, and have `patience` to end.
    pub(crate) fn new(
        stream: S,
        messages: M,
        message: UnfinishedMessage,
        patience: Duration,
    ) -> Self {
        Self {
            stream,
            messages,
            frames: ClientFrames::default(),
            writing: Writing::default(),
            control: ControlFrames::default(),
            pause: None,
            large: Large {
                message,
                patience,
                deadline: None,
                given_up: None,
            },
        }
    }
}

impl<S, M> Flow<S, M> {
    /// The stream itself, for what is read and not looked at.
    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl Writing {
    fn is_full(&self) -> bool {
        self.unanswered >= MAX_UNANSWERED
    }

    fn read(&mut self, bytes: usize) {
        if self.is_blocked {
            self.unanswered += bytes;
        }
    }

    /// Notes what became of a write of so many bytes.
    fn written(&mut self, polled: &Poll<io::Result<usize>>, bytes: usize) {
        match polled {
            Poll::Pending => self.is_blocked = true,
            Poll::Ready(Ok(written)) if *written < bytes => {
                self.unanswered = self.unanswered.saturating_sub(*written);
            }
            Poll::Ready(_) => {
                self.is_blocked = false;
                self.unanswered = 0;
            }
        }
        if !self.is_full()
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
    }
}

impl ControlFrames {
    /// Counts frames; until when nothing more is to be read, if they are too many.
    fn count(&mut self, frames: u32) -> Option<Instant> {
        let now = Instant::now();
        let since = self.since.filter(|since| now - *since < SECOND);
        if since.is_none() {
            self.count = 0;
        }
        let since = *self.since.insert(since.unwrap_or(now));
        self.count += frames;
        (self.count > MAX_CONTROL_FRAMES).then(|| since + SECOND)
    }
}

impl Large {
    /// Notes how much there is of the message.
    fn set(&mut self, bytes: usize) {
        self.message.watch(bytes, &mut self.given_up);
        if !self.message.is_counted() {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Box::pin(sleep(self.patience)));
        }
    }

    /// Resolves when the message takes too long, or holds too much.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(given_up) = &mut self.given_up else {
            return Poll::Pending;
        };
        if given_up.poll_unpin(cx).is_ready() {
            return Poll::Ready(io::ErrorKind::QuotaExceeded.into());
        }
        if let Some(deadline) = &mut self.deadline {
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(io::ErrorKind::TimedOut.into());
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin, M: Messages + Unpin> AsyncRead for Flow<S, M> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(error) = this.large.poll_over(cx) {
            return Poll::Ready(Err(error));
        }
        if this.writing.is_full() {
            this.writing.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        this.writing.read(read.len());
        let (messages, mut uncounted, mut has_ended) = (&mut this.messages, 0, false);
        let control = this.frames.follow(read, |message| {
            has_ended = true;
            uncounted += u32::from(messages.received(&message));
        });
        let control = control + uncounted;
        if control > 0
            && let Some(until) = this.control.count(control)
        {
            this.pause = Some(Box::pin(sleep_until(until)));
        }
        if has_ended {
            // What is unfinished now is another message than before, with an age and a deadline of its own.
            this.large.set(0);
        }
        this.large.set(this.frames.unfinished());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, M: Unpin> AsyncWrite for Flow<S, M> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.writing.written(&polled, buf.len());
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
