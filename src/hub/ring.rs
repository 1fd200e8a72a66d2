//! The most recent events of a channel, in order and without a gap.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::{Event, Seq};

/// What an event takes up besides its payload and its names: the event itself, three reference counts and its places in
/// the ring.
const EVENT_OVERHEAD: usize = size_of::<Event>() + 64;

/// A window over the end of a log, bounded in events and in bytes; the newest event stays whatever its size.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
}

impl Ring {
    pub(super) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            max_events,
            max_bytes,
        }
    }

    /// Adds the next event; the oldest make room for it.
    pub(super) fn push(&mut self, event: Arc<Event>) {
        self.bytes += weight(&event);
        self.events.push_back(event);
        while self.events.len() > 1
            && (self.events.len() > self.max_events || self.bytes > self.max_bytes)
        {
            self.drop_oldest();
        }
    }

    /// Drops the oldest events until at least this many bytes are free, or nothing is left.
    pub(super) fn give_up(&mut self, bytes: usize) {
        let goal = self.bytes.saturating_sub(bytes);
        while self.bytes > goal && self.drop_oldest().is_some() {}
        if self.events.is_empty() {
            self.clear();
        }
    }

    fn drop_oldest(&mut self) -> Option<()> {
        let oldest = self.events.pop_front()?;
        self.bytes -= weight(&oldest);
        Some(())
    }

    /// The bytes of the events in it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds events that come right before the oldest, the latest first, as long as there is room.
    pub(super) fn fill(&mut self, events: &[Arc<Event>]) {
        for event in events.iter().rev() {
            let first = self.events.front().map_or(event.seq + 1, |first| first.seq);
            if event.seq >= first {
                continue;
            }
            let bytes = self.bytes + weight(event);
            let has_room = self.events.len() < self.max_events && bytes <= self.max_bytes;
            if event.seq + 1 != first || !has_room {
                return;
            }
            self.bytes = bytes;
            self.events.push_front(Arc::clone(event));
        }
    }

    /// Forgets everything, so that a later part of the log can follow.
    pub(super) fn clear(&mut self) {
        self.events = VecDeque::new();
        self.bytes = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The event with this seq, if it is still here.
    pub(super) fn get(&self, seq: Seq) -> Option<&Arc<Event>> {
        self.events.get(self.index(seq)?)
    }

    /// The event with this seq and those that follow it, up to where the ring's memory wraps around.
    pub(super) fn run(&self, seq: Seq) -> Option<&[Arc<Event>]> {
        let index = self.index(seq)?;
        let (front, back) = self.events.as_slices();
        let run = match index.checked_sub(front.len()) {
            None => &front[index..],
            Some(index) => back.get(index..)?,
        };
        (!run.is_empty()).then_some(run)
    }

    fn index(&self, seq: Seq) -> Option<usize> {
        let first = self.events.front()?.seq;
        usize::try_from(seq.checked_sub(first)?).ok()
    }
}

/// The bytes that an event takes up. A payload that stands in several rings, because it belongs to a channel and to its
/// family, counts in each of them.
pub(super) fn weight(event: &Event) -> usize {
    EVENT_OVERHEAD
        + event.payload.get().len()
        + event.event_type.as_str().len()
        + event.actor.as_str().len()
        + event.channel.as_str().len()
        + event.envelope.as_ref().map_or(0, |said| said.get().len())
        + event
            .source
            .as_ref()
            .map_or(0, |source| source.as_str().len())
}
