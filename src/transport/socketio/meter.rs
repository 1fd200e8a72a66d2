//! Counts what has really left for a client, and wakes those who wait for room.
//!
//! socketioxide does not tell how full a socket's queue is. But all bytes pass through here: through a
//! [`Metered`] stream under the WebSocket, or as the body of a polling answer. Each event or ack that is seen
//! passing is one that no longer lies in the queue. Frames of a server are neither masked nor fragmented.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::door::Goodbye;
use super::pid;
use crate::domain::PrivateId;
use crate::hub::Wake;

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

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an Engine.IO packet carries a Socket.IO event or ack.
fn is_ours(packet: &[u8]) -> bool {
    matches!(packet, [b'4', b'2' | b'3', ..])
}

/// Counts the events and acks in the body of a polling answer.
pub(super) fn count_payload(body: &str, separated: bool) -> u64 {
    let mut count = 0;
    if separated {
        for packet in body.split('\u{1e}') {
            count += u64::from(is_ours(packet.as_bytes()));
        }
        return count;
    }
    // Engine.IO 3: `<length>:<packet>`, again and again.
    let mut rest = body;
    while let Some((length, after)) = rest.split_once(':') {
        let Ok(length) = length.parse::<usize>() else {
            break;
        };
        count += u64::from(is_ours(after.as_bytes()));
        rest = skip_utf16(after, length);
    }
    count
}

/// What follows so many UTF-16 units: JavaScript counts an emoji as two.
fn skip_utf16(text: &str, mut units: usize) -> &str {
    let mut chars = text.chars();
    while units > 0 {
        let Some(next) = chars.next() else { break };
        units = units.saturating_sub(next.len_utf16());
    }
    chars.as_str()
}

/// Follows the frames of a server's WebSocket through the bytes that are written.
#[derive(Debug, Default)]
struct Frames {
    /// The frame's header and first two payload bytes, as far as they have been seen.
    start: [u8; 12],
    seen: usize,
    /// Payload bytes still to come after the start.
    rest: u64,
    ours: bool,
}

impl Frames {
    /// Takes written bytes; how many frames with events or acks were completed.
    fn follow(&mut self, mut bytes: &[u8]) -> u64 {
        let mut completed = 0;
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = usize::try_from(self.rest)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                self.rest -= skipped as u64;
                bytes = &bytes[skipped..];
            } else {
                self.start[self.seen] = bytes[0];
                self.seen += 1;
                bytes = &bytes[1..];
                let Some((header, length)) = self.header() else {
                    continue;
                };
                let peeked = length.min(2);
                if (self.seen - header) as u64 != peeked {
                    continue;
                }
                let is_text = self.start[0] & 0x0f == 1;
                self.ours = is_text && is_ours(&self.start[header..self.seen]);
                self.rest = length - peeked;
            }
            if self.rest == 0 {
                completed += u64::from(self.ours);
                *self = Self::default();
            }
        }
        completed
    }

    /// Bytes until the next frame begins, or at least one more; `None` if it is there.
    fn to_boundary(&self) -> Option<usize> {
        match (self.seen, self.rest) {
            (0, 0) => None,
            (_, rest) => Some(usize::try_from(rest).unwrap_or(usize::MAX).max(1)),
        }
    }

    /// Length of header and payload, once the header is complete.
    fn header(&self) -> Option<(usize, u64)> {
        let short = *self.start[..self.seen].get(1)? & 0x7f;
        let (header, length) = match short {
            126 => (
                4,
                u64::from(u16::from_be_bytes([self.start[2], self.start[3]])),
            ),
            127 => {
                let [_, _, length @ .., _, _] = self.start;
                (10, u64::from_be_bytes(length))
            }
            short => (2, u64::from(short)),
        };
        (self.seen >= header).then_some((header, length))
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
    _goodbye: Option<Goodbye>,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, meter: Arc<Meter>, goodbye: Option<Goodbye>) -> Self {
        Self {
            _goodbye: goodbye,
            stream,
            meter,
            frames: Frames::default(),
            completed: VecDeque::new(),
        }
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
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
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

    use super::*;

    fn frame(opcode: u8, payload: &str) -> Vec<u8> {
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..=125 => bytes.push(u8::try_from(short).unwrap()),
            middle @ 126..=65_535 => {
                bytes.push(126);
                bytes.extend(u16::try_from(middle).unwrap().to_be_bytes());
            }
            long => {
                bytes.push(127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(payload.as_bytes());
        bytes
    }

    proptest! {
        /// Whatever the pieces in which bytes are written, exactly the events and acks are counted.
        #[test]
        fn counts_frames_in_any_pieces(
            frames in prop::collection::vec((prop::sample::select(vec!["42[", "43[", "40{", "2", "", "4", "3probe"]), 0_usize..70_000, any::<bool>()), 1..12),
            piece in 1_usize..5000,
        ) {
            let mut bytes = Vec::new();
            let mut expected = 0;
            for (start, padding, text) in frames {
                let payload = format!("{start}{}", "x".repeat(if start.len() < 2 { 0 } else { padding }));
                bytes.extend(frame(if text { 1 } else { 2 }, &payload));
                expected += u64::from(text && (start == "42[" || start == "43["));
            }
            let mut follower = Frames::default();
            let counted: u64 = bytes.chunks(piece).map(|chunk| follower.follow(chunk)).sum();
            prop_assert_eq!(counted, expected);
        }
    }

    #[test]
    fn counts_packets_of_polling_bodies() {
        assert_eq!(count_payload("42[\"a\"]\u{1e}2\u{1e}43[1]", true), 2);
        assert_eq!(
            count_payload(
                "7:42[\"é\"]1:27:430[\"x\"]".replace("27:", "28:").as_str(),
                false
            ),
            2
        );
        assert_eq!(count_payload("8:42[\"😀\"]4:43[]", false), 2);
        assert_eq!(count_payload("ok", false), 0);
    }
}
