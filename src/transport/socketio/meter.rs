//! Counts what has really left for a client, and wakes those who wait for room.
//!
//! socketioxide does not tell how full a socket's queue is. But all bytes pass through here: through a
//! [`Metered`] stream under the WebSocket, or as the body of a polling answer. Each event or ack that is seen
//! passing is one that no longer lies in the queue.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::door::Goodbye;
use super::frames::Frames;
use super::pid;
use super::polls::Polls;
use crate::domain::PrivateId;
use crate::hub::Wake;
use crate::limits::Place;

/// How often a session may enter the namespace.
const MAX_ENTRIES: u32 = 100;

/// What has left for one client, over whatever transport it is on.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Events and acks that have left.
    left: AtomicU64,
    closed: AtomicBool,
    ended: Notify,
    /// Whether an answer to CONNECT that is on its way lacks its id.
    lacks_pid: AtomicBool,
    /// Guards the id that goes into it.
    pid: Mutex<Option<PrivateId>>,
    /// Guards what ends a session that has no stream of its own, or had none at its beginning.
    goodbye: Mutex<Option<Box<Goodbye>>>,
    /// For how many microseconds nothing more is to be read; 0 if for none.
    pause: AtomicU64,
    /// How often the client has asked to enter the namespace.
    entries: AtomicU32,
    /// When the client polled, if it is on long-polling.
    pub(super) polls: Polls,
    /// Counts the session for as long as anything is kept for it.
    _place: Option<Place<IpAddr>>,
    /// Guards who waits for room and the reader that must notice a close.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whom to wake once so many events and acks have left.
    wakes: Vec<(u64, Wake)>,
    reader: Option<Waker>,
}

impl Meter {
    /// The meter of a session that begins, in its place.
    pub(super) fn new(place: Option<Place<IpAddr>>) -> Self {
        Self {
            _place: place,
            ..Self::default()
        }
    }

    /// Whether the client may enter the namespace once more. It costs more than a message, and no client does it often
    /// without a new session.
    pub(super) fn may_enter(&self) -> bool {
        self.entries.fetch_add(1, Ordering::Relaxed) < MAX_ENTRIES
    }

    /// Nothing more is read for a while.
    pub(super) fn pause(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.pause.fetch_max(micros, Ordering::Relaxed);
    }

    /// For how long nothing is to be read from now on, if at all.
    pub(super) fn take_pause(&self) -> Option<Duration> {
        if self.pause.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Some(Duration::from_micros(self.pause.swap(0, Ordering::Relaxed)))
    }

    /// Events and acks that have left so far.
    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }

    /// Wakes once so many have left in all. Whoever asks must look again afterwards: it may be so already.
    pub(super) fn wake_at(&self, left: u64, wake: &Wake) {
        let mut waiting = self.lock();
        waiting.wakes.retain(|(_, known)| !Arc::ptr_eq(known, wake));
        waiting.wakes.push((left, Arc::clone(wake)));
    }

    /// Ends the transport; the client can come back.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(reader) = self.lock().reader.take() {
            reader.wake();
        }
        self.ended.notify_waiters();
        self.say_goodbye();
    }

    /// Keeps what ends the session.
    pub(super) fn keep_goodbye(&self, goodbye: Goodbye) {
        *self.goodbye() = Some(Box::new(goodbye));
    }

    fn say_goodbye(&self) {
        let goodbye = self.goodbye().take();
        drop(goodbye);
    }

    fn goodbye(&self) -> MutexGuard<'_, Option<Box<Goodbye>>> {
        self.goodbye.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.wake_up_to(u64::MAX);
    }

    fn wake_up_to(&self, left: u64) {
        self.lock().wakes.retain(|(at, wake)| {
            let due = *at <= left;
            if due {
                wake.notify_one();
            }
            !due
        });
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The next answer to CONNECT carries this id.
    pub(super) fn give_pid(&self, pid: PrivateId) {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
        self.lacks_pid.store(true, Ordering::Release);
    }

    pub(super) fn lacks_pid(&self) -> bool {
        self.lacks_pid.load(Ordering::Acquire)
    }

    /// The id, for the answer that is passing.
    pub(super) fn take_pid(&self) -> Option<PrivateId> {
        self.lacks_pid.store(false, Ordering::Release);
        let mut pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        pid.take()
    }

    /// Notes that packets have left.
    pub(super) fn count(&self, packets: u64) {
        if packets == 0 {
            return;
        }
        let before = self.left.fetch_add(packets, Ordering::AcqRel);
        self.wake_up_to(before + packets);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that reports to a meter what is written to it, and that a meter can end.
#[derive(Debug)]
pub(super) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
    frames: Frames,
    /// A frame that was completed on its way, as far as it has not been written yet.
    completed: VecDeque<u8>,
    /// Runs while nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Drop for Metered<S> {
    fn drop(&mut self) {
        self.meter.say_goodbye();
    }
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self {
            stream,
            meter,
            frames: Frames::default(),
            completed: VecDeque::new(),
            pause: None,
        }
    }

    /// Waits until the client may be read from again.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = self.meter.take_pause() {
            self.pause = Some(Box::pin(sleep(pause)));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// What was written to.
    #[cfg(test)]
    pub(super) fn written(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncWrite + Unpin> Metered<S> {
    /// Writes what has been completed.
    fn poll_completed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.completed.is_empty() {
            let (bytes, _) = self.completed.as_slices();
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.completed.drain(..written);
        }
        if self.completed.capacity() > 0 {
            self.completed = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    /// What to do with bytes while an answer to CONNECT lacks its id: what comes before it passes.
    fn next_step(&mut self, buf: &[u8]) -> Step {
        if let Some(to_boundary) = self.frames.to_boundary() {
            return Step::Pass(to_boundary.min(buf.len()));
        }
        match pid::find_frame(buf) {
            None => Step::Pass(buf.len()),
            Some((0, end)) => match self.meter.take_pid() {
                Some(pid) => {
                    self.completed
                        .extend(pid::complete_frame(&buf[..end], &pid));
                    Step::Taken(end)
                }
                None => Step::Pass(end),
            },
            Some((start, _)) => Step::Pass(start),
        }
    }
}

/// What becomes of bytes that are to be written.
enum Step {
    /// So many are written as they stand.
    Pass(usize),
    /// So many were taken over, and are written as something else.
    Taken(usize),
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = match self.poll_pause(cx) {
            Poll::Ready(()) => Pin::new(&mut self.stream).poll_read(cx, buf),
            Poll::Pending => Poll::Pending,
        };
        if polled.is_pending() {
            self.meter.lock().reader = Some(cx.waker().clone());
        }
        // Looked at after the waker is in place, so that a close in between is not missed.
        if self.meter.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.meter.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        ready!(self.poll_completed(cx))?;
        let step = if self.meter.lacks_pid() {
            self.next_step(buf)
        } else {
            Step::Pass(buf.len())
        };
        let passing = match step {
            Step::Pass(bytes) => bytes,
            // They leave with the next bytes, or are flushed.
            Step::Taken(bytes) => return Poll::Ready(Ok(bytes)),
        };
        let polled = Pin::new(&mut self.stream).poll_write(cx, &buf[..passing]);
        if let Poll::Ready(Ok(written)) = polled {
            let packets = self.frames.follow(&buf[..written]);
            self.meter.count(packets);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_completed(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_completed(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::super::frames::frame;
    use super::*;

    /// It takes so many bytes at a time.
    #[derive(Debug, Default)]
    struct Narrow {
        written: Vec<u8>,
        at_once: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = buf.len().min(self.at_once);
            self.written.extend(&buf[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        /// However narrow the stream and wherever the answer stands, it gets its id, once, and nothing else changes.
        #[test]
        fn the_answer_to_connect_gets_its_id(
            before in prop::collection::vec(prop::sample::select(vec![2_usize, 60, 900]), 0..4),
            after in prop::collection::vec(prop::sample::select(vec![2_usize, 60, 900]), 0..4),
            at_once in 1_usize..200,
        ) {
            let event = |length: &usize| frame(1, &format!("42{}", "x".repeat(length - 2)));
            let (before, after): (Vec<_>, Vec<_>) = (
                before.iter().flat_map(event).collect(),
                after.iter().flat_map(event).collect(),
            );
            let answer = r#"40{"sid":"AAAAAAAAAAAAAAAA"}"#;
            let pid = PrivateId::generate();
            let completed = format!(r#"40{{"sid":"AAAAAAAAAAAAAAAA","pid":"{pid}"}}"#);
            let meter = Arc::new(Meter::default());
            meter.give_pid(pid);
            let mut stream = Metered::new(Narrow { at_once, ..Narrow::default() }, Arc::clone(&meter));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let bytes = [before.clone(), frame(1, answer), after.clone(), frame(1, answer)].concat();
                stream.write_all(&bytes).await.unwrap();
                stream.flush().await.unwrap();
            });
            let expected = [before, frame(1, &completed), after, frame(1, answer)].concat();
            prop_assert_eq!(&stream.stream.written, &expected);
            prop_assert!(!meter.lacks_pid());
        }
    }
}
