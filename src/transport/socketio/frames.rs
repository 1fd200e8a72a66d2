//! Finds the packets in what a server writes: in the frames of a WebSocket, which are neither masked nor fragmented, and
//! in the bodies of polling answers.

/// Most digits of a length.
pub(super) const MAX_DIGITS: usize = 8;

use crate::transport::flow::lengths;

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
    let mut rest = body.as_bytes();
    while let Some((length, start)) = length(rest, b'0', b':') {
        let packet = &rest[start..];
        count += u64::from(is_ours(packet));
        rest = utf16(packet, length).map_or(&[], |end| &packet[end..]);
    }
    count
}

/// Follows the frames of a server's WebSocket through the bytes that are written.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The frame's header and first two payload bytes, as far as they have been seen.
    start: [u8; 12],
    seen: usize,
    /// Payload bytes still to come after the start.
    rest: u64,
    ours: bool,
}

impl Frames {
    /// Takes written bytes; how many frames with events or acks were completed.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> u64 {
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
                let Some((header, length)) = lengths(&self.start[..self.seen]) else {
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
    pub(super) fn to_boundary(&self) -> Option<usize> {
        match (self.seen, self.rest) {
            (0, 0) => None,
            (_, rest) => Some(usize::try_from(rest).unwrap_or(usize::MAX).max(1)),
        }
    }
}

/// The number at the beginning, and where it ends: its digits from `zero` on, and what stands after them.
pub(super) fn length(bytes: &[u8], zero: u8, after: u8) -> Option<(usize, usize)> {
    let mut number = 0;
    for (at, &byte) in bytes.iter().take(MAX_DIGITS + 1).enumerate() {
        if byte == after && at > 0 {
            return Some((number, at + 1));
        }
        let digit = byte.checked_sub(zero).filter(|digit| *digit < 10)?;
        number = number * 10 + usize::from(digit);
    }
    None
}

/// The bytes of so many UTF-16 units of a text: JavaScript counts an emoji as two. `None` if there are fewer, or one would
/// be cut in two.
pub(super) fn utf16(text: &[u8], mut units: usize) -> Option<usize> {
    let mut at = 0;
    while units > 0 {
        let (bytes, width) = match text.get(at)? {
            0..0x80 => (1, 1),
            0x80..0xe0 => (2, 1),
            0xe0..0xf0 => (3, 1),
            0xf0.. => (4, 2),
        };
        at += bytes;
        units = units.checked_sub(width)?;
    }
    (at <= text.len()).then_some(at)
}

/// A frame as a server writes it.
#[cfg(test)]
pub(super) fn frame(opcode: u8, payload: &str) -> Vec<u8> {
    use tokio_tungstenite::tungstenite::protocol::frame::{Frame, coding::OpCode};

    let mut bytes = Vec::new();
    let frame = Frame::message(payload.to_owned(), OpCode::from(opcode), true);
    frame.format(&mut bytes).unwrap();
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
