//! The stream that engineioxide reads a WebSocket from, in which packets that the libraries cannot read are replaced or left
//! out.
//!
//! A text that was read whole in one frame is checked where it lies. A message that is not whole yet is held back until it is,
//! and passed on as one frame; control frames do not wait for it. Bytes are translated from MessagePack or left out, as
//! attachments. What is longer than a message may be, and what is wrong with the frames, passes as it is: the library that
//! reads it ends the connection.

mod heartbeat;

use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{Fate, PacketCounter, fate};
use crate::transport::socketio::msgpack;
use heartbeat::Heartbeat;

/// The longest header of a frame: two bytes, the length and the mask.
const MAX_HEADER: usize = 14;
/// By how many bytes the room for a message grows at least.
const ROOM: usize = 1024;

/// A WebSocket of which socketioxide can read every packet.
#[derive(Debug)]
pub(in super::super) struct Checked<S> {
    stream: S,
    frames: Frames,
}

impl<S> Checked<S> {
    /// Wraps a stream that begins with a frame. Messages have up to `max_message` bytes.
    pub(in super::super) fn new(
        stream: S,
        counter: Arc<PacketCounter>,
        max_message: usize,
    ) -> Self {
        Self {
            stream,
            frames: Frames::new(counter, max_message),
        }
    }

    /// These frames come before what is read, and are not checked.
    pub(in super::super) fn begin_with(&mut self, frames: &[u8]) {
        self.frames.ready.add(frames);
    }

    /// Puts `packet` between what is read for as long as the counter holds the client back.
    pub(in super::super) fn vouched_for(mut self, packet: &'static str) -> Self {
        let counter = Arc::clone(&self.frames.counter);
        self.frames.heartbeat = Some(Heartbeat::new(counter, packet));
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
    counter: Arc<PacketCounter>,
    max_message: usize,
    /// Bytes that pass before the next header.
    passing: u64,
    header: [u8; MAX_HEADER],
    /// Bytes of the header that are there.
    seen: usize,
    /// The frame of the message that is being received.
    frame: Option<Frame>,
    /// The message that has begun and not ended.
    message: Option<Message>,
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
    /// It belongs to a message.
    Hold(Frame),
    /// It passes, and so does everything that belongs to the same message.
    LetGo,
    /// It is wrong: everything passes from here on.
    GiveUp,
}

impl Frames {
    fn new(counter: Arc<PacketCounter>, max_message: usize) -> Self {
        Self {
            counter,
            max_message,
            passing: 0,
            header: [0; MAX_HEADER],
            seen: 0,
            frame: None,
            message: None,
            ready: Ready::default(),
            heartbeat: None,
        }
    }

    /// Puts a heartbeat between two messages, if it is time for one.
    fn beat(&mut self) {
        let is_between =
            self.passing == 0 && self.seen == 0 && self.frame.is_none() && self.message.is_none();
        if is_between && let Some(packet) = self.heartbeat.as_mut().and_then(Heartbeat::due) {
            self.ready.add_frame(true, Message::text(packet));
        }
    }

    /// What is to be done with a frame that has this header.
    fn step(&self, header: &FrameHeader, length: u64) -> Step {
        let is_plain = !(header.rsv1 || header.rsv2 || header.rsv3);
        let Some(mask) = header.mask.filter(|_| is_plain) else {
            return Step::GiveUp;
        };
        let held = self.message.as_ref().map(Message::len);
        let held = match (header.opcode, held) {
            (OpCode::Data(Data::Continue), Some(held)) => held,
            (OpCode::Data(Data::Text | Data::Binary), None) => 0,
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
            if rest.is_empty() || self.seen > 0 || self.message.is_some() {
                return at;
            }
            let mut cursor = Cursor::new(&*rest);
            let Ok(Some((header, length))) = FrameHeader::parse(&mut cursor) else {
                return at;
            };
            let start = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
            match self.step(&header, length) {
                Step::Pass | Step::LetGo => self.passing = length.saturating_add(start as u64),
                Step::Hold(frame)
                    if is_text(&header) && frame.is_last && frame.rest <= rest.len() - start =>
                {
                    let payload = &mut rest[start..start + frame.rest];
                    apply(frame.mask, payload);
                    if fate(payload, &self.counter) != Fate::Pass {
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
        let (step, length, is_text) = match FrameHeader::parse(&mut Cursor::new(header)) {
            Ok(None) => return,
            Ok(Some((header, length))) => (self.step(&header, length), length, is_text(&header)),
            Err(_) => (Step::GiveUp, 0, false),
        };
        if let Step::Hold(frame) = step {
            self.message.get_or_insert_with(|| Message::new(is_text));
            self.frame = Some(frame);
            self.seen = 0;
            self.hold(&[]);
            return;
        }
        if !matches!(step, Step::Pass)
            && let Some(message) = self.message.take()
        {
            self.ready.add_frame(false, message);
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
        let (Some(frame), Some(message)) = (&mut self.frame, &mut self.message) else {
            return bytes;
        };
        let (payload, after) = bytes.split_at(frame.rest.min(bytes.len()));
        message.add(payload, frame);
        if frame.rest == 0 {
            let is_last = frame.is_last;
            self.frame = None;
            if is_last && let Some(message) = self.message.take() {
                self.finish(message);
            }
        }
        after
    }

    /// Passes a whole message on, or what replaces it.
    fn finish(&mut self, mut message: Message) {
        if !message.is_text {
            match msgpack::read(
                message.payload(),
                &self.counter.is_msgpack,
                self.max_message,
            ) {
                Some(text) => message = Message::text(&text),
                None => return self.beat(),
            }
        }
        match fate(message.payload(), &self.counter) {
            Fate::Pass => self.ready.add_frame(true, message),
            Fate::Replace(text) => self.ready.add_frame(true, Message::text(&text)),
            Fate::Drop => {}
        }
        self.beat();
    }
}

fn is_text(header: &FrameHeader) -> bool {
    header.opcode == OpCode::Data(Data::Text)
}

/// A message.
#[derive(Debug)]
struct Message {
    is_text: bool,
    /// The payload, with room for a header before it.
    bytes: Vec<u8>,
}

impl Message {
    fn new(is_text: bool) -> Self {
        let bytes = vec![0; MAX_HEADER];
        Self { is_text, bytes }
    }

    fn text(payload: &str) -> Self {
        let mut text = Self::new(true);
        text.bytes.extend_from_slice(payload.as_bytes());
        text
    }

    fn len(&self) -> usize {
        self.payload().len()
    }

    fn payload(&self) -> &[u8] {
        &self.bytes[MAX_HEADER..]
    }

    /// Takes more of the payload of a frame.
    fn add(&mut self, payload: &[u8], frame: &mut Frame) {
        let bytes = &mut self.bytes;
        if bytes.capacity() - bytes.len() < payload.len() {
            // Doubled, but not beyond the end of the message if that is known.
            let more = bytes.len().max(ROOM);
            let end = if frame.is_last { frame.rest } else { more };
            bytes.reserve_exact(more.min(end).max(payload.len()));
        }
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        apply(frame.mask, &mut bytes[start..]);
        let turned = payload.len() % frame.mask.len();
        frame.mask.rotate_left(turned);
        frame.rest -= payload.len();
    }

    /// The bytes of a frame, and where in them it begins. Its mask changes nothing.
    fn frame(mut self, is_final: bool) -> (Vec<u8>, usize) {
        let header = FrameHeader {
            is_final,
            opcode: OpCode::Data(if self.is_text {
                Data::Text
            } else {
                Data::Binary
            }),
            mask: Some([0; 4]),
            ..FrameHeader::default()
        };
        let length = self.len() as u64;
        let start = MAX_HEADER - header.len(length);
        let mut room = &mut self.bytes[start..MAX_HEADER];
        header
            .format(length, &mut room)
            .expect("there is room for the longest header");
        (self.bytes, start)
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

    /// Adds a message, or with more to follow the beginning of one.
    fn add_frame(&mut self, is_final: bool, message: Message) {
        let (frame, start) = message.frame(is_final);
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
