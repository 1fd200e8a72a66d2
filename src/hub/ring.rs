//! The most recent events of a channel, in order and without a gap.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::{Event, Seq};

/// A window over the end of a log, bounded in events and in bytes of payload.
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
        self.bytes += size(&event);
        self.events.push_back(event);
        while self.events.len() > self.max_events || self.bytes > self.max_bytes {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= size(&oldest);
        }
    }

    /// Adds events that come right before the oldest, the latest first, as long as there is room.
    pub(super) fn fill(&mut self, events: &[Arc<Event>]) {
        for event in events.iter().rev() {
            let first = self.events.front().map_or(event.seq + 1, |first| first.seq);
            if event.seq >= first {
                continue;
            }
            let bytes = self.bytes + size(event);
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
        self.events.clear();
        self.bytes = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The event with this seq, if it is still here.
    pub(super) fn get(&self, seq: Seq) -> Option<&Arc<Event>> {
        let first = self.events.front()?.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.events.get(index)
    }
}

fn size(event: &Event) -> usize {
    event.payload.get().len()
}
