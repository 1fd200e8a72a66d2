//! Follows the frames of a client's WebSocket through the bytes that are read. What is wrong with them is for the library
//! to say, which reads the same bytes.

/// The longest header of a frame: two bytes, the length and the mask.
const MAX_HEADER: usize = 14;
/// Bytes at the beginning of a message that tell what it is.
const START: usize = 8;
/// Opcodes.
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const FIRST_CONTROL: u8 = 8;

/// The bytes of a frame's header without the mask, and those of its payload, as soon as they are known.
pub(crate) fn lengths(frame: &[u8]) -> Option<(usize, u64)> {
    let (&short, more) = frame.get(1..)?.split_first()?;
    Some(match short & 0x7f {
        126 => (4, u16::from_be_bytes(*more.first_chunk()?).into()),
        127 => (10, u64::from_be_bytes(*more.first_chunk()?)),
        short => (2, short.into()),
    })
}

/// A message that was received to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    /// Whether it is a text, and else bytes.
    pub(crate) is_text: bool,
    /// How it begins: up to eight bytes.
    pub(crate) start: &'a [u8],
    /// The bytes of all of it.
    pub(crate) length: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ClientFrames {
    header: [u8; MAX_HEADER],
    /// Bytes of the header that are there.
    seen: usize,
    /// The frame whose header is there.
    frame: Option<Frame>,
    message: Message,
}

#[derive(Debug)]
struct Frame {
    is_control: bool,
    is_last: bool,
    mask: [u8; 4],
    /// Where in the mask the next byte is.
    mask_at: usize,
    /// Bytes of the payload that are to come.
    rest: u64,
}

/// The message that is being received.
#[derive(Debug, Default)]
struct Message {
    is_text: bool,
    start: [u8; START],
    length: usize,
}

impl ClientFrames {
    /// Takes bytes that were read and tells of each message that ends with them; how many control frames began.
    pub(super) fn follow(
        &mut self,
        mut bytes: &[u8],
        mut received: impl FnMut(Received<'_>),
    ) -> u32 {
        let mut control = 0;
        loop {
            let Some(frame) = &mut self.frame else {
                let Some((&byte, rest)) = bytes.split_first() else {
                    return control;
                };
                bytes = rest;
                self.header[self.seen] = byte;
                self.seen += 1;
                self.frame = Frame::read(&self.header[..self.seen]);
                if let Some(frame) = &self.frame {
                    control += u32::from(frame.is_control);
                    let opcode = self.header[0] & 0x0f;
                    if !frame.is_control && opcode != CONTINUATION {
                        self.message = Message::new(opcode == TEXT);
                    }
                }
                continue;
            };
            let taken = usize::try_from(frame.rest).unwrap_or(usize::MAX);
            let (payload, rest) = bytes.split_at(taken.min(bytes.len()));
            bytes = rest;
            if !frame.is_control {
                self.message.take(payload, frame);
            }
            frame.mask_at = (frame.mask_at + payload.len()) % frame.mask.len();
            frame.rest -= payload.len() as u64;
            if frame.rest > 0 {
                return control;
            }
            if frame.is_last && !frame.is_control {
                received(self.message.whole());
                self.message = Message::default();
            }
            self.seen = 0;
            self.frame = None;
        }
    }

    /// The bytes of the message that has begun and not ended.
    pub(super) fn unfinished(&self) -> usize {
        self.message.length
    }
}

impl Frame {
    /// The frame, once its header is whole.
    fn read(header: &[u8]) -> Option<Self> {
        let &[first, second, ..] = header else {
            return None;
        };
        let (before_mask, length) = lengths(header)?;
        let mask = if second & 0x80 == 0 {
            [0; 4]
        } else {
            *header[before_mask..].first_chunk()?
        };
        Some(Self {
            is_control: first & 0x0f >= FIRST_CONTROL,
            is_last: first & 0x80 != 0,
            mask,
            mask_at: 0,
            rest: length,
        })
    }
}

impl Message {
    fn new(is_text: bool) -> Self {
        Self {
            is_text,
            ..Self::default()
        }
    }

    fn take(&mut self, payload: &[u8], frame: &Frame) {
        if let Some(room) = self.start.get_mut(self.length..) {
            let mask = frame.mask.iter().cycle().skip(frame.mask_at);
            for ((place, byte), mask) in room.iter_mut().zip(payload).zip(mask) {
                *place = byte ^ mask;
            }
        }
        self.length += payload.len();
    }

    fn whole(&self) -> Received<'_> {
        Received {
            is_text: self.is_text,
            start: &self.start[..self.length.min(START)],
            length: self.length,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame as a client writes it.
    fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
            middle @ 126..=65_535 => {
                bytes.push(0x80 | 0x7e);
                bytes.extend(u16::try_from(middle).unwrap().to_be_bytes());
            }
            long => {
                bytes.push(0x80 | 0x7f);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(mask);
        let masked = payload.iter().zip(mask.iter().cycle());
        bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
        bytes
    }

    proptest! {
        /// Whatever the pieces in which they are read and sent, exactly the messages are told of, with pings between them.
        #[test]
        fn client_frames_in_any_pieces_are_followed(
            messages in prop::collection::vec((any::<bool>(), 0_usize..70_000, 1_usize..4), 1..6),
            mask in any::<[u8; 4]>(),
            piece in 1_usize..5000,
        ) {
            let (mut bytes, mut expected, mut pings) = (Vec::new(), Vec::new(), 0);
            for (is_text, length, frames) in messages {
                let payload: Vec<u8> = (0..length).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
                let mut rest = &payload[..];
                for number in 0..frames {
                    let is_last = number + 1 == frames;
                    let (part, after) = rest.split_at(if is_last { rest.len() } else { rest.len() / 2 });
                    rest = after;
                    let opcode = match (number, is_text) { (0, true) => 1, (0, false) => 2, _ => 0 };
                    bytes.extend(frame(opcode | if is_last { 0x80 } else { 0 }, part, mask));
                    bytes.extend(frame(0x89, b"ping", mask));
                    pings += 1;
                }
                expected.push((is_text, payload[..length.min(START)].to_vec(), length));
            }
            let (mut frames, mut received, mut control) = (ClientFrames::default(), Vec::new(), 0);
            for piece in bytes.chunks(piece) {
                control += frames.follow(piece, |message| {
                    received.push((message.is_text, message.start.to_vec(), message.length));
                });
            }
            prop_assert_eq!(received, expected);
            prop_assert_eq!(control, pings);
            prop_assert_eq!(frames.unfinished(), 0);
        }

        /// Bytes that are no frames are followed all the same, whatever is made of them.
        #[test]
        fn any_bytes_are_followed(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut frames = ClientFrames::default();
            frames.follow(&bytes, |_| {});
            prop_assert!(frames.unfinished() <= bytes.len());
        }
    }

    #[test]
    fn a_message_is_unfinished_until_its_last_frame() {
        let mut frames = ClientFrames::default();
        let begun = frame(1, &[b'x'; 1000], [1, 2, 3, 4]);
        frames.follow(&begun[..508], |_| unreachable!());
        assert_eq!(frames.unfinished(), 500);
        frames.follow(&begun[508..], |_| unreachable!());
        frames.follow(&frame(0x8a, b"pong", [0; 4]), |_| unreachable!());
        assert_eq!(frames.unfinished(), 1000);
        frames.follow(&frame(0x80, b"y", [0; 4]), |message| {
            assert_eq!(message.length, 1001);
        });
        assert_eq!(frames.unfinished(), 0);
    }
}
