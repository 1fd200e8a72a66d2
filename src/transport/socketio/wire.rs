//! The stream under a WebSocket, to which whole frames can be written past engineioxide, by whoever has them.
//!
//! An event costs one system call and wakes no task: the feed writes it, as far as the socket takes it. What it does not
//! take waits here and is written by the connection's own tasks once there is room, before anything that engineioxide writes
//! after it. Frames do not tear one another: both write only where the other has ended a frame.
//!
//! The order of packets is the caller's matter: nothing is written here while packets are on their way through
//! engineioxide's queue (`send_queue.rs`).

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;

use super::direct_write::{DirectWrite, Written};
use super::frames::Frames;
use super::packet_counter::PacketCounter;

/// The stream as engineioxide has it. It is let go of when this is dropped.
#[derive(Debug)]
pub(super) struct Wire<S: AsyncWrite + Unpin>(Arc<Shared<S>>);

struct Shared<S> {
    /// Guards the stream, so that each write is whole.
    state: Mutex<State<S>>,
    tasks: Arc<Tasks>,
    /// Wakes these tasks. A socket knows one waker alone.
    waker: Waker,
}

impl<S> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Guards the connection's tasks that are woken when the socket takes more: the one that reads and the one that writes.
#[derive(Debug, Default)]
struct Tasks(Mutex<[Option<Waker>; 2]>);

const READER: usize = 0;
const WRITER: usize = 1;

struct State<S> {
    /// Nothing once engineioxide has let go of it.
    open: Option<Open<S>>,
    /// Follows what engineioxide writes.
    theirs: Frames,
    /// Follows what is written here and did not leave at once.
    ours: Frames,
    /// Frames that wait, …
    waiting: Vec<u8>,
    /// … of which so many bytes have left.
    left: usize,
    failure: Option<io::ErrorKind>,
}

struct Open<S> {
    stream: S,
    counter: Arc<PacketCounter>,
}

impl<S> Wire<S>
where
    S: AsyncWrite + Unpin + Send + 'static,
{
    /// Wraps a stream that begins with a frame; from now on packets can be written to it past engineioxide.
    pub(super) fn open(stream: S, counter: &Arc<PacketCounter>) -> Self {
        let tasks = Arc::new(Tasks::default());
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                open: Some(Open {
                    stream,
                    counter: Arc::clone(counter),
                }),
                theirs: Frames::default(),
                ours: Frames::default(),
                waiting: Vec::new(),
                left: 0,
                failure: None,
            }),
            waker: Waker::from(Arc::clone(&tasks)),
            tasks,
        });
        counter.attach(Arc::clone(&shared) as _);
        Self(shared)
    }
}

impl<S: AsyncWrite + Unpin> Drop for Wire<S> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        let open = state.open.take();
        (state.waiting, state.left) = (Vec::new(), 0);
        drop(state);
        if let Some(open) = &open {
            open.counter.detach();
        }
    }
}

impl Tasks {
    /// Wakes one that waits for the other.
    fn wake_one(&self, task: usize) {
        let waker = self.0.lock()[task].take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn set(&self, task: usize, waker: &Waker) {
        let known = &mut self.0.lock()[task];
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let tasks = std::mem::take(&mut *self.0.lock());
        for waker in tasks.into_iter().flatten() {
            waker.wake();
        }
    }
}

impl<S: AsyncWrite + Unpin> State<S> {
    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        let open = self.open.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(&mut open.stream))
    }

    /// Whether anything is still to be written.
    fn is_open(&self) -> bool {
        let open = self.open.as_ref();
        self.failure.is_none() && open.is_some_and(|open| !open.counter.is_closed())
    }

    /// Writes until the socket takes no more; how many bytes it took.
    fn write_all(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match self.stream()?.poll_write(cx, &bytes[written..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(more)) => written += more,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(written)
    }

    /// Whether engineioxide has ended its last frame.
    fn is_between_frames(&self) -> bool {
        self.theirs.to_boundary().is_none()
    }

    /// Writes what waits, if a frame may begin here.
    fn write_waiting(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.waiting.is_empty() || !self.is_between_frames() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let rest = &waiting[self.left..];
        let written = self.write_all(cx, rest)?;
        let packets = self.ours.follow(&rest[..written]);
        if let Some(open) = &self.open {
            open.counter.count(packets);
        }
        if written == rest.len() {
            self.left = 0;
        } else {
            self.left += written;
            self.waiting = waiting;
        }
        Ok(())
    }

    /// Writes frames, and keeps what the socket does not take.
    fn write(&mut self, cx: &mut Context<'_>, frames: &[u8]) -> io::Result<Written> {
        if !self.waiting.is_empty() || !self.is_between_frames() {
            self.waiting.drain(..self.left);
            self.left = 0;
            self.waiting.extend_from_slice(frames);
            return Ok(Written::Part(0));
        }
        let written = self.write_all(cx, frames)?;
        if written == frames.len() {
            return Ok(Written::All);
        }
        self.waiting.extend_from_slice(&frames[written..]);
        Ok(Written::Part(self.ours.follow(&frames[..written])))
    }
}

impl<S> DirectWrite for Shared<S>
where
    S: AsyncWrite + Unpin + Send,
{
    fn write(&self, frames: &[u8]) -> Written {
        let mut state = self.state.lock();
        if !state.is_open() {
            return Written::All;
        }
        let mut cx = Context::from_waker(&self.waker);
        // The budget of a task is for its own connections: a feed writes to many.
        let write = unconstrained(poll_fn(|cx| Poll::Ready(state.write(cx, frames))));
        let Poll::Ready(written) = pin!(write).poll(&mut cx) else {
            unreachable!("it is always ready");
        };
        written.unwrap_or_else(|error| {
            // Told where the connection is read, which ends it.
            state.failure = Some(error.kind());
            drop(state);
            self.waker.wake_by_ref();
            Written::All
        })
    }

    fn write_waiting(&self, cx: &mut Context<'_>) -> io::Result<()> {
        // Before the look, so that no room is missed that comes right after it.
        self.tasks.set(READER, cx.waker());
        let mut state = self.state.lock();
        match state.failure {
            Some(failure) => Err(failure.into()),
            None if !state.is_open() => Ok(()),
            None => {
                state.write_waiting(&mut Context::from_waker(&self.waker))?;
                if state.waiting.is_empty() {
                    // It may have found that something waited before its own.
                    self.tasks.wake_one(WRITER);
                }
                Ok(())
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.state.lock().stream()?.poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let shared = &*self.0;
        let ours = &mut Context::from_waker(&shared.waker);
        let mut state = shared.state.lock();
        let mut write = || -> Poll<io::Result<usize>> {
            state.write_waiting(ours)?;
            if !state.waiting.is_empty() && state.is_between_frames() {
                return Poll::Pending;
            }
            // Up to the end of the frame, if something waits to be written there.
            let end = match state.theirs.to_boundary() {
                Some(end) if !state.waiting.is_empty() => end.min(buf.len()),
                _ => buf.len(),
            };
            let written = ready!(state.stream()?.poll_write(ours, &buf[..end]))?;
            state.theirs.follow(&buf[..written]);
            state.write_waiting(ours)?;
            Poll::Ready(Ok(written))
        };
        let written = write();
        if written.is_ready() {
            return written;
        }
        shared.tasks.set(WRITER, cx.waker());
        // There may be room since.
        write()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.state.lock().stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.state.lock().stream()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
