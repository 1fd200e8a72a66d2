//! The stream that engineioxide reads a WebSocket from, in which packets that socketioxide cannot read are replaced.
//!
//! A frame that was read whole is checked where it lies. A text that is not whole yet is held back until it is, and passed on
//! as one frame; control frames do not wait for it. What is longer than a message may be, and what is wrong with the frames,
//! passes as it is: the library that reads it ends the connection.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::replacement;
use crate::transport::socketio::packet_counter::PacketCounter;

/// The longest header of a frame: two bytes, the length and the mask.
const MAX_HEADER: usize = 14;
/// Time between two heartbeats for a client.
const BETWEEN_HEARTBEATS: Duration = Duration::from_millis(100);
/// By how many bytes the room for a text grows at least.
const ROOM: usize = 1024;

/// A WebSocket of which socketioxide can read every packet.
#[derive(Debug)]
pub(in super::super) struct Checked<S> {
    stream: S,
    frames: Frames,
}

/// What stands in for the pong of a client that is held back: the messages that it sent before are still to be read.
#[derive(Debug)]
struct Heartbeat {
    counter: Arc<PacketCounter>,
    packet: &'static str,
    sent: Option<Instant>,
}

impl Heartbeat {
    /// The packet, if it is time for one.
    fn due(&mut self) -> Option<&'static str> {
        if !self.counter.take_held_back() {
            return None;
        }
        let is_due = self
            .sent
            .is_none_or(|sent| sent.elapsed() >= BETWEEN_HEARTBEATS);
        is_due.then(|| {
            self.sent = Some(Instant::now());
            self.packet
        })
    }
}

impl<S> Checked<S> {
    /// Wraps a stream that begins with a frame. Messages have up to `max_message` bytes.
    pub(in super::super) fn new(stream: S, max_message: usize) -> Self {
        Self {
            stream,
            frames: Frames::new(max_message),
        }
    }

    /// Puts `packet` between what is read for as long as the counter holds the client back.
    pub(in super::super) fn vouched_for(
        mut self,
        counter: Arc<PacketCounter>,
        packet: &'static str,
    ) -> Self {
        self.frames.heartbeat = Some(Heartbeat {
            counter,
            packet,
            sent: None,
        });
        self
    }

    /// These bytes were read already, and come before what is still to be read.
    pub(in super::super) fn read_already(&mut self, bytes: &[u8]) {
        self.frames.take(bytes);
    }
}

/// The frames of a client, and what is held back of them.
#[derive(Debug)]
struct Frames {
    max_message: usize,
    /// Bytes that pass before the next header.
    passing: u64,
    header: [u8; MAX_HEADER],
    /// Bytes of the header that are there.
    seen: usize,
    /// The frame of the text that is being received.
    frame: Option<Frame>,
    /// The text that has begun and not ended.
    text: Option<Text>,
    ready: Ready,
    heartbeat: Option<Heartbeat>,
}

/// A frame whose payload is held back.
#[derive(Debug)]
struct Frame {
    is_last: bool,
    /// Turned so that it begins with the next byte.
    mask: [u8; 4],
    /// Bytes that are still to come.
    rest: usize,
}

/// What becomes of a frame.
enum Step {
    Pass,
    /// It belongs to a text.
    Hold(Frame),
    /// It passes, and so does everything that belongs to the same message.
    LetGo,
    /// It is wrong: everything passes from here on.
    GiveUp,
}

impl Frames {
    fn new(max_message: usize) -> Self {
        Self {
            max_message,
            passing: 0,
            header: [0; MAX_HEADER],
            seen: 0,
            frame: None,
            text: None,
            ready: Ready::default(),
            heartbeat: None,
        }
    }

    /// Puts a heartbeat between two messages, if it is time for one.
    fn beat(&mut self) {
        let is_between =
            self.passing == 0 && self.seen == 0 && self.frame.is_none() && self.text.is_none();
        if is_between && let Some(packet) = self.heartbeat.as_mut().and_then(Heartbeat::due) {
            self.ready.add_frame(true, Text::of(packet.as_bytes()));
        }
    }

    /// What is to be done with a frame that has this header.
    fn step(&self, header: &FrameHeader, length: u64) -> Step {
        let is_plain = !(header.rsv1 || header.rsv2 || header.rsv3);
        let Some(mask) = header.mask.filter(|_| is_plain) else {
            return Step::GiveUp;
        };
        let held = self.text.as_ref().map(Text::len);
        let held = match (header.opcode, held) {
            (OpCode::Data(Data::Continue), Some(held)) => held,
            (OpCode::Data(Data::Text), None) => 0,
            (OpCode::Data(Data::Text | Data::Binary), Some(_)) => return Step::GiveUp,
            _ => return Step::Pass,
        };
        match usize::try_from(length) {
            Ok(rest) if rest <= self.max_message.saturating_sub(held) => Step::Hold(Frame {
                is_last: header.is_final,
                mask,
                rest,
            }),
            _ => Step::LetGo,
        }
    }

    /// Checks the frames at the beginning of what was read, where they lie; how many bytes may pass.
    fn check(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        loop {
            at += self.pass(&bytes[at..]);
            let rest = &mut bytes[at..];
            if rest.is_empty() || self.seen > 0 || self.text.is_some() {
                return at;
            }
            let mut cursor = Cursor::new(&*rest);
            let Ok(Some((header, length))) = FrameHeader::parse(&mut cursor) else {
                return at;
            };
            let start = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
            match self.step(&header, length) {
                Step::Pass | Step::LetGo => self.passing = length.saturating_add(start as u64),
                Step::Hold(frame) if frame.is_last && frame.rest <= rest.len() - start => {
                    let payload = &mut rest[start..start + frame.rest];
                    apply(frame.mask, payload);
                    if replacement(payload).is_some() {
                        apply(frame.mask, payload);
                        return at;
                    }
                    rest[start - frame.mask.len()..start].fill(0);
                    at += start + frame.rest;
                }
                Step::Hold(_) | Step::GiveUp => return at,
            }
        }
    }

    /// Takes bytes over that cannot be checked where they lie.
    fn take(&mut self, mut bytes: &[u8]) {
        while let [byte, rest @ ..] = bytes {
            let passed = self.pass(bytes);
            if passed > 0 {
                self.ready.add(&bytes[..passed]);
                bytes = &bytes[passed..];
            } else if self.frame.is_some() {
                bytes = self.hold(bytes);
            } else {
                self.header[self.seen] = *byte;
                self.seen += 1;
                bytes = rest;
                self.begin();
            }
        }
    }

    /// Counts bytes as passed that need no look; how many.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let passed =
            usize::try_from(self.passing).map_or(bytes.len(), |most| most.min(bytes.len()));
        self.passing -= passed as u64;
        passed
    }

    /// Begins a frame if its header is whole.
    fn begin(&mut self) {
        let header = &self.header[..self.seen];
        let (step, length) = match FrameHeader::parse(&mut Cursor::new(header)) {
            Ok(None) => return,
            Ok(Some((header, length))) => (self.step(&header, length), length),
            Err(_) => (Step::GiveUp, 0),
        };
        if let Step::Hold(frame) = step {
            self.text.get_or_insert_default();
            self.frame = Some(frame);
            self.seen = 0;
            self.hold(&[]);
            return;
        }
        if !matches!(step, Step::Pass)
            && let Some(text) = self.text.take()
        {
            self.ready.add_frame(false, text);
        }
        self.ready.add(&self.header[..self.seen]);
        self.seen = 0;
        self.passing = match step {
            Step::GiveUp => u64::MAX,
            _ => length,
        };
    }

    /// Holds back what belongs to the frame; what comes after that.
    fn hold<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (Some(frame), Some(text)) = (&mut self.frame, &mut self.text) else {
            return bytes;
        };
        let (payload, after) = bytes.split_at(frame.rest.min(bytes.len()));
        text.add(payload, frame);
        if frame.rest == 0 {
            let is_last = frame.is_last;
            self.frame = None;
            if is_last && let Some(text) = self.text.take() {
                self.finish(text);
            }
        }
        after
    }

    /// Passes a whole text on, or what replaces it.
    fn finish(&mut self, text: Text) {
        let text = match replacement(text.payload()) {
            Some(replacement) => Text::of(replacement.as_bytes()),
            None => text,
        };
        self.ready.add_frame(true, text);
        self.beat();
    }
}

/// A text, with room for a header before it.
#[derive(Debug)]
struct Text(Vec<u8>);

impl Default for Text {
    fn default() -> Self {
        Self(vec![0; MAX_HEADER])
    }
}

impl Text {
    fn of(payload: &[u8]) -> Self {
        let mut text = Self::default();
        text.0.extend_from_slice(payload);
        text
    }

    fn len(&self) -> usize {
        self.payload().len()
    }

    fn payload(&self) -> &[u8] {
        &self.0[MAX_HEADER..]
    }

    /// Takes more of the payload of a frame.
    fn add(&mut self, payload: &[u8], frame: &mut Frame) {
        if self.0.capacity() - self.0.len() < payload.len() {
            // Doubled, but not beyond the end of the text if that is known.
            let more = self.0.len().max(ROOM);
            let end = if frame.is_last { frame.rest } else { more };
            self.0.reserve_exact(more.min(end).max(payload.len()));
        }
        let start = self.0.len();
        self.0.extend_from_slice(payload);
        apply(frame.mask, &mut self.0[start..]);
        let turned = payload.len() % frame.mask.len();
        frame.mask.rotate_left(turned);
        frame.rest -= payload.len();
    }

    /// The bytes of a frame, and where in them it begins. Its mask changes nothing.
    fn frame(mut self, is_final: bool) -> (Vec<u8>, usize) {
        let header = FrameHeader {
            is_final,
            opcode: OpCode::Data(Data::Text),
            mask: Some([0; 4]),
            ..FrameHeader::default()
        };
        let length = self.len() as u64;
        let start = MAX_HEADER - header.len(length);
        let mut room = &mut self.0[start..MAX_HEADER];
        header
            .format(length, &mut room)
            .expect("there is room for the longest header");
        (self.0, start)
    }
}

/// Puts a mask on, or takes it off.
fn apply(mask: [u8; 4], bytes: &mut [u8]) {
    let (fours, rest) = bytes.as_chunks_mut();
    for four in fours {
        *four = (u32::from_ne_bytes(*four) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// What is read before anything else.
#[derive(Debug, Default)]
struct Ready {
    bytes: Vec<u8>,
    /// Bytes that were read already.
    read: usize,
}

impl Ready {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a text, or with more to follow the beginning of one.
    fn add_frame(&mut self, is_final: bool, text: Text) {
        let (frame, start) = text.frame(is_final);
        if self.bytes.is_empty() {
            (self.bytes, self.read) = (frame, start);
        } else {
            self.add(&frame[start..]);
        }
    }

    /// Fills a buffer; whether there was anything.
    fn read(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let rest = &self.bytes[self.read..];
        if rest.is_empty() {
            return false;
        }
        let read = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..read]);
        self.read += read;
        if self.read == self.bytes.len() {
            *self = Self::default();
        }
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Checked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.frames.beat();
        loop {
            if this.frames.ready.read(buf) {
                return Poll::Ready(Ok(()));
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let read = &mut buf.filled_mut()[before..];
            let passed = this.frames.check(read);
            let is_end = read.is_empty();
            this.frames.take(&read[passed..]);
            buf.set_filled(before + passed);
            if passed > 0 || is_end {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Checked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
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
