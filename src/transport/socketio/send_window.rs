//! What lies in a transport's packet queue, and whether there is room for more. The namespaces that a client is in over one
//! transport share the queue, and so they do the window.
//!
//! Events stop at a lower mark than acks, so that answers always get through, and both stop below the
//! queue's capacity, so that the heartbeat's pings do. Signals stop first of all: they may get lost.
//!
//! A caller that finds socketioxide's queue full although there is room here calls [`SendWindow::found_full`].

use std::collections::VecDeque;

use crate::memory::{Held, MemoryBudget};
use crate::transport::connection::send_queue::{Kind, MAX_BYTES};

/// Events and acks that may lie in the queue.
pub(super) const MAX_PACKETS: usize = Kind::Answer.max_messages();
/// Bytes of a polling answer that are left to pings and the like.
const POLL_MARGIN: usize = 1024;
/// Room for sizes that a queue keeps while it is empty.
const IDLE_CAPACITY: usize = 16;

/// See the module. The counter of what has left guards it with a lock, and tells how many packets that are.
#[derive(Debug)]
pub(super) struct SendWindow {
    /// The sizes of the packets in the queue, oldest first.
    queued: VecDeque<usize>,
    bytes: Held,
    /// Bytes that one polling answer carries.
    max_answer: usize,
    /// How many packets had left when last looked.
    left: u64,
    /// How many packets must have left before there is room in a queue that was full against expectation.
    full_until: u64,
    /// How many packets must have left before none of them lies in engineioxide's queue.
    queued_until: u64,
}

/// Packets that are about to be put in together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ahead {
    pub(super) packets: usize,
    pub(super) bytes: usize,
}

impl SendWindow {
    /// All that lies in the queue has to fit into one polling answer: engineioxide sets the packet that does not
    /// aside for the next, and forgets it if the client changes to WebSocket meanwhile.
    pub(super) fn new(left: u64, max_answer: usize, memory: &MemoryBudget) -> Self {
        Self {
            max_answer: max_answer.saturating_sub(POLL_MARGIN),
            queued: VecDeque::new(),
            bytes: memory.holder(),
            left,
            full_until: left,
            queued_until: left,
        }
    }

    /// Whether a packet of this size may be put in; a single one is let in whatever its size.
    #[cfg(test)]
    pub(super) fn takes(&self, kind: Kind, bytes: usize) -> bool {
        self.takes_after(Ahead::default(), kind, bytes)
    }

    /// Whether a packet of this size may be put in after those that are about to be; a single one is let in whatever its size.
    pub(super) fn takes_after(&self, ahead: Ahead, kind: Kind, bytes: usize) -> bool {
        let packets = self.queued.len() + ahead.packets;
        let has_place = packets < kind.max_messages() && self.left >= self.full_until;
        has_place && (packets == 0 || self.has_room_for(ahead.bytes, bytes))
    }

    /// Notes that a packet is about to be put into engineioxide's queue: before, because it may have left at once.
    pub(super) fn put(&mut self, bytes: usize) {
        self.keep(bytes);
        self.queued_until = self.left + self.queued.len() as u64;
    }

    /// Notes that a packet waits, although not in engineioxide's queue.
    pub(super) fn keep(&mut self, bytes: usize) {
        self.queued.push_back(bytes);
        self.bytes.add(bytes);
    }

    /// Notes that so many packets have left at once, when nothing else was waiting.
    pub(super) fn passed(&mut self, packets: u64) {
        self.left += packets;
    }

    /// Whether no packet waits.
    pub(super) fn holds_nothing(&self) -> bool {
        self.queued.is_empty()
    }

    /// Whether packets are on their way through engineioxide's queue.
    pub(super) fn is_queueing(&self) -> bool {
        self.left < self.queued_until
    }

    /// Notes that the last packet could not be put in after all.
    pub(super) fn take_back(&mut self) {
        if let Some(bytes) = self.queued.pop_back() {
            self.bytes.give_back(bytes);
            self.queued_until = self.left + self.queued.len() as u64;
        }
    }

    /// Notes that the queue was full of what is not ours: nothing fits until one more has left.
    pub(super) fn found_full(&mut self) {
        self.full_until = self.left + 1;
    }

    /// How many packets must have left in all for the queue to be half empty: what waits is then handed over
    /// in one go and not packet by packet.
    pub(super) fn low_mark(&self) -> u64 {
        let half = self.left + self.queued.len().div_ceil(2) as u64;
        half.max(self.full_until)
    }

    /// How many packets must have left in all for the queue to be empty.
    pub(super) fn empty_mark(&self) -> u64 {
        let all = self.left + self.queued.len() as u64;
        all.max(self.full_until)
    }

    /// The bytes that lie in the queue.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.bytes()
    }

    /// Whether nothing lies in the queue.
    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.left >= self.full_until
    }

    fn has_room_for(&self, ahead: usize, bytes: usize) -> bool {
        // The first limit is the same for all sizes, so that small acks do not keep a large event out for ever.
        let queued = self.bytes.bytes() + ahead;
        let max = MAX_BYTES.min(self.bytes.budget().fair_share());
        queued < max && queued + bytes <= self.max_answer
    }

    /// Notes how many packets have left in all.
    pub(super) fn settle(&mut self, left: u64) {
        let mut gone = 0;
        for _ in self.left..left {
            let Some(bytes) = self.queued.pop_front() else {
                break;
            };
            gone += bytes;
        }
        self.bytes.give_back(gone);
        self.left = left;
        if self.queued.is_empty() && self.queued.capacity() > IDLE_CAPACITY {
            self.queued = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(max_answer: usize) -> SendWindow {
        let memory = MemoryBudget::new(usize::MAX, usize::MAX);
        SendWindow::new(0, max_answer, &memory)
    }

    #[test]
    fn a_queue_takes_less_when_all_together_hold_much() {
        let memory = MemoryBudget::new(10 * MAX_BYTES, usize::MAX);
        let mut others = memory.holder();
        let mut window = SendWindow::new(0, 4 * MAX_BYTES, &memory);
        window.put(MAX_BYTES / 2);
        assert!(window.takes(Kind::Event, 10));
        others.set(9 * MAX_BYTES);
        assert!(!window.takes(Kind::Event, 10));
        window.settle(1);
        assert!(window.takes(Kind::Event, MAX_BYTES), "one always fits");
        assert_eq!(memory.used(), others.bytes());
        window.put(7);
        drop(window);
        assert_eq!(
            memory.used(),
            others.bytes(),
            "a queue that ends gives back what is in it"
        );
    }

    #[test]
    fn events_stop_before_acks_and_room_comes_back() {
        let mut window = window(4 * MAX_BYTES);
        while window.takes(Kind::Event, 10) {
            window.put(10);
        }
        assert_eq!(window.queued.len(), Kind::Event.max_messages());
        assert!(window.takes(Kind::Answer, 10));
        window.settle(1);
        assert!(window.takes(Kind::Event, 10));
    }

    #[test]
    fn bytes_are_bounded_but_one_packet_always_fits() {
        let mut window = window(4 * MAX_BYTES);
        assert!(window.takes(Kind::Event, 10 * MAX_BYTES));
        window.put(10 * MAX_BYTES);
        assert!(!window.takes(Kind::Event, 1) && !window.takes(Kind::Answer, 1));
    }

    #[test]
    fn what_waits_fits_into_one_polling_answer() {
        let mut window = window(20_000);
        window.put(15_000);
        assert!(window.takes(Kind::Event, 3_000) && !window.takes(Kind::Event, 5_000));
    }

    #[test]
    fn signals_stop_before_events() {
        let mut window = window(4 * MAX_BYTES);
        while window.takes(Kind::Signal, 10) {
            window.put(10);
        }
        assert_eq!(window.queued.len(), Kind::Signal.max_messages());
        assert!(window.takes(Kind::Event, 10));
    }

    #[test]
    fn a_queue_full_of_strangers_is_waited_for() {
        let mut window = window(4 * MAX_BYTES);
        assert!(window.takes(Kind::Event, 10));
        window.put(10);
        window.take_back();
        window.found_full();
        assert!(
            !window.takes(Kind::Event, 10) && !window.takes(Kind::Answer, 10) && !window.is_empty()
        );
        assert_eq!((window.low_mark(), window.empty_mark()), (1, 1));
        window.settle(1);
        assert!(window.is_empty() && window.takes(Kind::Event, 10));
    }
}
