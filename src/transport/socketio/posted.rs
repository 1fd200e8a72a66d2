//! The body of a polling request, with so many packets and no more. engineioxide takes them all in at once, and
//! socketioxide starts a task for each: of the smallest, a single request can hold more than a million.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::header;
use futures_util::Stream;

/// Packets in one request: more than an inbox takes.
const MAX_PACKETS: usize = 8192;

/// Counts the packets that pass; the body breaks off where they are too many, and engineioxide ends the session.
pub(super) fn bounded(request: Request, separated: bool) -> Request {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_binary = kind.is_some_and(|kind| kind == "application/octet-stream");
    let packets = match (separated, is_binary) {
        (true, _) => Packets::Begun(0x1e),
        (false, true) => Packets::Begun(0xff),
        (false, false) => Packets::Counted {
            length: 0,
            units: 0,
        },
    };
    request.map(|body| {
        let body = body.into_data_stream();
        Body::from_stream(Bounded {
            body,
            packets,
            count: 0,
        })
    })
}

/// How packets are told apart.
#[derive(Debug)]
enum Packets {
    /// By a byte before each of them, or between them, that stands nowhere in a text.
    Begun(u8),
    /// By `<length>:` before each of them. The length is in UTF-16 units.
    Counted { length: usize, units: usize },
}

impl Packets {
    /// How many begin in these bytes.
    fn count(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Begun(mark) => bytes.split(|byte| byte == mark).skip(1).count(),
            Self::Counted { length, units } => {
                let mut count = 0;
                for &byte in bytes {
                    if *units > 0 {
                        // Of a character the first byte tells: JavaScript counts an emoji as two.
                        let width = usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0);
                        *units = units.saturating_sub(width);
                    } else if byte == b':' {
                        *units = std::mem::take(length);
                        count += 1;
                    } else if byte.is_ascii_digit() {
                        *length = length
                            .saturating_mul(10)
                            .saturating_add(usize::from(byte - b'0'));
                    }
                }
                count
            }
        }
    }
}

struct Bounded {
    body: BodyDataStream,
    packets: Packets,
    count: usize,
}

impl Stream for Bounded {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(read) = ready!(Pin::new(&mut self.body).poll_next(cx)) else {
            return Poll::Ready(None);
        };
        let bytes = read.map_err(io::Error::other)?;
        self.count += self.packets.count(&bytes);
        if self.count > MAX_PACKETS {
            let error = io::Error::new(io::ErrorKind::InvalidData, "too many packets");
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(Some(Ok(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart_in_any_pieces() {
        let three = || Packets::Counted {
            length: 0,
            units: 0,
        };
        for (text, mut packets, expected) in [
            ("40\u{1e}42[\"a:1\"]\u{1e}3", Packets::Begun(0x1e), 2),
            ("2:409:42[\"é:1\"]1:3", three(), 3),
            ("8:42[\"😀\"]2:40", three(), 2),
            ("2:40", three(), 1),
            ("x:y", three(), 1),
        ] {
            let pieces = text.as_bytes().chunks(1);
            let counted: usize = pieces.map(|piece| packets.count(piece)).sum();
            assert_eq!(counted, expected, "{text}");
        }
    }
}
