//! Packets as frames of a WebSocket, one after the other, to leave with one write.

use std::cell::Cell;

use super::send_window::Ahead;

/// Bytes after which a batch leaves before more is put in.
const FULL: usize = 64 * 1024;
/// Larger buffers are not kept.
const MAX_KEPT: usize = 4 * FULL;
/// The header of a whole text message.
const TEXT: u8 = 0x81;
/// Longest payload whose length stands in the header's second byte…
const SHORT: usize = 125;
/// … or follows it in two bytes, or else in eight.
const TWO_BYTES: u8 = 126;
const EIGHT_BYTES: u8 = 127;

thread_local! {
    /// The buffers of a thread: who writes to a connection takes them, and gives them back.
    static BUFFERS: Cell<FrameBatch> = const { Cell::new(FrameBatch::EMPTY) };
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct FrameBatch {
    pub(super) frames: Vec<u8>,
    /// What each packet weighs.
    pub(super) weights: Vec<usize>,
    ahead: Ahead,
}

impl FrameBatch {
    const EMPTY: Self = Self {
        frames: Vec::new(),
        weights: Vec::new(),
        ahead: Ahead {
            packets: 0,
            bytes: 0,
        },
    };

    /// An empty batch, in the buffers of this thread.
    pub(super) fn take() -> Self {
        BUFFERS.take()
    }

    /// Gives the buffers back.
    pub(super) fn give_back(mut self) {
        if self.frames.capacity() <= MAX_KEPT {
            self.clear();
            BUFFERS.set(self);
        }
    }

    /// Forgets what has been written.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.weights.clear();
        self.ahead = Ahead::default();
    }

    /// Adds a packet of these pieces, which weighs so much.
    pub(super) fn push(&mut self, weight: usize, start: &[&[u8]], rest: &[&[u8]]) {
        let pieces = || start.iter().chain(rest);
        let length: usize = pieces().map(|piece| piece.len()).sum();
        let frames = &mut self.frames;
        frames.push(TEXT);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(byte), _) if length <= SHORT => frames.push(byte),
            (_, Ok(short)) => {
                frames.push(TWO_BYTES);
                frames.extend_from_slice(&short.to_be_bytes());
            }
            _ => {
                frames.push(EIGHT_BYTES);
                frames.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        for piece in pieces() {
            frames.extend_from_slice(piece);
        }
        self.weights.push(weight);
        self.ahead.packets += 1;
        self.ahead.bytes += weight;
    }

    /// What is in it.
    pub(super) fn ahead(&self) -> Ahead {
        self.ahead
    }

    pub(super) fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Whether it is to leave before more is put in.
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= FULL
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::frame;
    use super::*;

    #[test]
    fn frames_are_those_of_the_library() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536, 200_000] {
            let payload = "x".repeat(length);
            let (front, back) = payload.split_at(length / 3);
            let mut batch = FrameBatch::take();
            batch.push(7, &[b"", front.as_bytes()], &[back.as_bytes()]);
            batch.push(8, &[b"42"], &[]);
            assert_eq!(batch.frames, [frame(1, &payload), frame(1, "42")].concat());
            assert_eq!((batch.ahead().packets, batch.ahead().bytes), (2, 15));
            batch.give_back();
        }
    }

    #[test]
    fn buffers_are_used_again_unless_they_are_large() {
        let mut batch = FrameBatch::take();
        batch.push(1, &[&[b'x'; 1000]], &[]);
        let kept = batch.frames.as_ptr();
        batch.give_back();
        let mut batch = FrameBatch::take();
        assert!(batch.is_empty() && batch.frames.is_empty());
        batch.push(1, &[b"42"], &[]);
        assert_eq!(batch.frames.as_ptr(), kept);
        batch.push(1, &[&vec![0; 2 * MAX_KEPT]], &[]);
        assert!(batch.is_full());
        batch.give_back();
        assert_eq!(FrameBatch::take().frames.capacity(), 0);
    }
}
