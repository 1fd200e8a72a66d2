//! The body of a polling request, which engineioxide gets packet by packet: it looks at all that is left of a body for each
//! packet, and for each piece in which the body comes, so that its work would grow with the square of a body's size.
//!
//! The packets are told apart here, once the body is whole, in one pass. What is wrong with a body breaks it off, and
//! engineioxide ends the session; it never sees packets of version 3 whose lengths are wrong, of which some make it spin.
//! There are so many packets in a request and no more: socketioxide starts a task for each. Those that it could not read are
//! replaced or left out ([`packet_check`]).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header;
use bytes::BytesMut;
use futures_util::{Stream, stream};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep_until};

use super::frames::{MAX_DIGITS, length, utf16};
use super::msgpack;
use super::packet_check::{Fate, fate};
use super::packet_counter::PacketCounter;
use crate::memory::{Held, MemoryBudget};
use crate::transport::admission::Admission;
use crate::transport::flow::Received;

/// Packets in one request: more than an inbox takes.
const MAX_PACKETS: usize = 8192;
/// Packets of a request that may be no events at no cost…
const FREE_UNEVENTFUL: u32 = 16;
/// … and for how long each further one delays the next: as many in a second as over a WebSocket.
const PAUSE: Duration = Duration::from_millis(10);
/// For how long the packets of a request may wait for the rates.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// What stands between packets.
const SEPARATOR: u8 = 0x1e;
/// What ends the length of a packet among bytes.
const END_OF_LENGTH: u8 = 0xff;

/// Hands on a body packet by packet, and tells `counter` of what each packet is.
pub(super) async fn by_packets(
    request: Request,
    separated: bool,
    admission: &Admission,
    counter: &Arc<PacketCounter>,
) -> Request {
    let most = admission.max_message();
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_binary = kind.is_some_and(|kind| kind == "application/octet-stream");
    let encoding = match (separated, is_binary) {
        (true, _) => Encoding::Separated,
        (false, true) => Encoding::Bytes,
        (false, false) => Encoding::Counted,
    };
    let (parts, body) = request.into_parts();
    let whole = whole(body, most).await.map_err(io::Error::other);
    let packets = whole.and_then(|whole| {
        if whole.len() > most {
            // engineioxide says so.
            return Ok(Body::from(whole));
        }
        encoding.check(&whole)?;
        let longest = admission.longest_pause().min(LONGEST_DELAY);
        let (delay, held) = patience(whole.len(), longest, admission.receive_memory());
        let packets = Packets::new(encoding, whole, Arc::clone(counter), most);
        Ok(Body::from_stream(packets.paced(delay, held)))
    });
    let body =
        packets.unwrap_or_else(|error| Body::from_stream(stream::iter([Err::<Bytes, _>(error)])));
    Request::from_parts(parts, body)
}

/// For how long the packets of a body wait at most for the rates, and what counts its bytes meanwhile. They do not wait if the
/// body takes up more than its share of what all clients have sent.
fn patience(bytes: usize, longest: Duration, memory: &MemoryBudget) -> (Duration, Held) {
    let is_small = bytes <= memory.fair_share();
    let mut held = memory.holder();
    held.add(bytes);
    (if is_small { longest } else { Duration::ZERO }, held)
}

/// The whole body, or as much of it as is too much. It comes as one piece ([`TimedBody`](crate::io_timeout::TimedBody)).
async fn whole(mut body: Body, most: usize) -> Result<Bytes, axum::Error> {
    let mut whole = Bytes::new();
    while whole.len() <= most
        && let Some(frame) = body.frame().await
    {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        whole = if whole.is_empty() {
            piece
        } else {
            [whole, piece].concat().into()
        };
    }
    Ok(whole)
}

/// How packets are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Version 4: by a byte between them, that stands nowhere in a text.
    Separated,
    /// Version 3: by `<length>:` before each of them. The length is in UTF-16 units.
    Counted,
    /// Version 3, as bytes: by what each of them is, the digits of its length as bytes, and 255.
    Bytes,
}

/// A packet in a body.
#[derive(Debug, PartialEq, Eq)]
struct Packet {
    /// With all that tells it apart.
    whole: Bytes,
    /// Where in that the packet itself begins.
    start: usize,
    is_text: bool,
}

impl Encoding {
    /// Takes the next packet out of a body; `None` if there is none.
    fn next(self, rest: &mut Bytes) -> io::Result<Option<Packet>> {
        match self {
            Self::Separated => Ok(separated(rest)),
            Self::Counted => counted(rest),
            Self::Bytes => among_bytes(rest),
        }
    }

    /// Writes a text as a packet of a body in which others may follow.
    fn packet(self, text: &str) -> Packet {
        let mut whole = BytesMut::with_capacity(text.len() + MAX_DIGITS + 2);
        match self {
            Self::Separated => {}
            Self::Counted => {
                let units = text.encode_utf16().count();
                whole.extend_from_slice(units.to_string().as_bytes());
                whole.extend_from_slice(b":");
            }
            Self::Bytes => {
                let digits = text.len().to_string();
                whole.extend_from_slice(&[0]);
                whole.extend(digits.bytes().map(|digit| digit - b'0'));
                whole.extend_from_slice(&[END_OF_LENGTH]);
            }
        }
        let start = whole.len();
        whole.extend_from_slice(text.as_bytes());
        if self == Self::Separated {
            whole.extend_from_slice(&[SEPARATOR]);
        }
        Packet {
            whole: whole.freeze(),
            start,
            is_text: true,
        }
    }

    /// The Engine.IO packet, without what tells it apart.
    fn message(self, packet: &Packet) -> &[u8] {
        let message = &packet.whole[packet.start..];
        match message {
            [before @ .., SEPARATOR] if self == Self::Separated => before,
            whole => whole,
        }
    }

    /// Looks at a body as a whole.
    fn check(self, body: &[u8]) -> io::Result<()> {
        if self == Self::Counted {
            std::str::from_utf8(body).map_err(|_| invalid("no UTF-8"))?;
        }
        Ok(())
    }
}

fn separated(rest: &mut Bytes) -> Option<Packet> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|&byte| byte == SEPARATOR);
    let whole = rest.split_to(end.map_or(rest.len(), |end| end + 1));
    let is_text = whole.first() != Some(&b'b');
    let start = 0;
    Some(Packet {
        whole,
        start,
        is_text,
    })
}

fn counted(rest: &mut Bytes) -> io::Result<Option<Packet>> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (length, start) = length(rest, b'0', b':').ok_or(invalid("no length"))?;
    let bytes = utf16(&rest[start..], length).filter(|&bytes| bytes > 0);
    let whole = rest.split_to(start + bytes.ok_or(invalid("a wrong length"))?);
    let is_text = whole.get(start) != Some(&b'b');
    Ok(Some(Packet {
        whole,
        start,
        is_text,
    }))
}

fn among_bytes(rest: &mut Bytes) -> io::Result<Option<Packet>> {
    let is_text = match rest.first() {
        None => return Ok(None),
        Some(0) => true,
        Some(1) => false,
        Some(_) => return Err(invalid("neither text nor bytes")),
    };
    let (length, start) = length(&rest[1..], 0, END_OF_LENGTH).ok_or(invalid("no length"))?;
    let (start, end) = (start + 1, start + 1 + length);
    if length == 0 || end > rest.len() {
        return Err(invalid("a wrong length"));
    }
    let whole = rest.split_to(end);
    Ok(Some(Packet {
        whole,
        start,
        is_text,
    }))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The packets of a body, as engineioxide gets them.
struct Packets {
    rest: Bytes,
    encoding: Encoding,
    count: usize,
    /// Packets that were no events.
    uneventful: u32,
    /// What comes after the length that was handed on last.
    body: Option<Bytes>,
    counter: Arc<PacketCounter>,
    /// Bytes that a packet may have.
    most: usize,
}

impl Packets {
    fn new(encoding: Encoding, rest: Bytes, counter: Arc<PacketCounter>, most: usize) -> Self {
        Self {
            rest,
            encoding,
            count: 0,
            uneventful: 0,
            body: None,
            counter,
            most,
        }
    }

    /// The packet that engineioxide gets, if any.
    fn checked(&mut self, packet: Packet) -> Option<Packet> {
        let received = Received {
            is_text: packet.is_text,
            start: &packet.whole[packet.start..],
            length: packet.whole.len(),
        };
        if !self.counter.is_counted(&received) {
            self.count_uneventful();
        }
        let packet = if packet.is_text {
            packet
        } else {
            let bytes = msgpack::bytes(self.encoding.message(&packet))?;
            let text = msgpack::read(&bytes, &self.counter.is_msgpack, self.most)?;
            self.encoding.packet(&text)
        };
        match fate(self.encoding.message(&packet), &self.counter) {
            Fate::Pass => Some(packet),
            Fate::Replace(text) => Some(self.encoding.packet(&text)),
            Fate::Drop => None,
        }
    }

    /// Hands on one packet after the other, as quickly as the client may send them.
    fn paced(self, longest_delay: Duration, held: Held) -> impl Stream<Item = io::Result<Bytes>> {
        let until = Instant::now() + longest_delay;
        stream::unfold((self, held), move |(mut packets, held)| async move {
            if let Some(pause) = packets.counter.take_pause() {
                sleep_until(until.min(Instant::now() + pause)).await;
            }
            packets.next().map(|packet| (packet, (packets, held)))
        })
    }

    /// Packets that are no events cost time, and no rate counts them.
    fn count_uneventful(&mut self) {
        self.uneventful += 1;
        if self.uneventful > FREE_UNEVENTFUL {
            self.counter.pause(PAUSE);
        }
    }
}

impl Iterator for Packets {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        if let Some(body) = self.body.take() {
            return Some(Ok(body));
        }
        loop {
            let packet = match self.encoding.next(&mut self.rest) {
                Ok(packet) => packet?,
                Err(error) => return Some(Err(error)),
            };
            self.count += 1;
            if self.count > MAX_PACKETS {
                return Some(Err(invalid("too many packets")));
            }
            let Some(mut packet) = self.checked(packet) else {
                continue;
            };
            if self.encoding == Encoding::Bytes {
                // Between the two engineioxide asks for more: with the next packet, packets would pile up there.
                self.body = Some(packet.whole.split_off(packet.start));
            }
            return Some(Ok(packet.whole));
        }
    }
}

#[cfg(test)]
mod tests;
