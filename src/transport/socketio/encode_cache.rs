//! Events as text, rendered once for all who are told of the same one at about the same time: what differs from connection to
//! connection, the namespace before it and the cursor behind it, is put around it.

use parking_lot::Mutex;

use crate::contract::EventStyle;
use crate::domain::{Event, EventId};

/// Texts that are kept, …
const SLOTS: usize = 256;
/// … and the longest of them in bytes: so all together are never more than 8 MiB.
const MAX_BYTES: usize = 32 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct EncodeCache {
    /// Each guards one text.
    slots: Box<[Mutex<Option<Kept>>]>,
}

#[derive(Debug)]
struct Kept {
    event: EventId,
    style: EventStyle,
    /// The name and the payload, as the beginning of a packet's list: `["task:updated",{…}`.
    head: Box<[u8]>,
}

impl Default for EncodeCache {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl EncodeCache {
    /// Looks at the beginning of an event's packet, which `render` makes unless it is kept. Nothing if it makes none.
    pub(super) fn with<T>(
        &self,
        style: EventStyle,
        event: &Event,
        render: impl FnOnce() -> Option<Vec<u8>>,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let mut slot = self.slot(style, event).lock();
        if let Some(kept) = &*slot
            && kept.event == event.id
            && kept.style == style
        {
            return Some(look(&kept.head));
        }
        let head = render()?;
        let looked = look(&head);
        if head.len() <= MAX_BYTES {
            *slot = Some(Kept {
                event: event.id,
                style,
                head: head.into(),
            });
        }
        Some(looked)
    }

    /// Events that follow each other in a channel have different slots.
    fn slot(&self, style: EventStyle, event: &Event) -> &Mutex<Option<Kept>> {
        let place = event.channel_no.0.wrapping_mul(31).wrapping_add(event.seq);
        let place = place.wrapping_mul(4).wrapping_add(style as i64);
        let place = usize::try_from(place.unsigned_abs()).unwrap_or_default();
        &self.slots[place % SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::value::to_raw_value;

    use super::super::frame_batch::FrameBatch;
    use super::*;
    use crate::domain::{Actor, ChannelName, ChannelNo, EventType, Seq, Timestamp};

    fn event(seq: Seq) -> Event {
        Event {
            channel: ChannelName::restore("project:p"),
            channel_no: ChannelNo(1),
            seq,
            id: EventId::generate(),
            source: None,
            event_type: EventType::known("task.updated"),
            payload: to_raw_value(&seq).unwrap().into(),
            actor: Actor::new("ann"),
            envelope: None,
            created_at: Timestamp::from_millis(0),
            origin: None,
        }
    }

    #[test]
    fn an_event_is_rendered_once_for_each_spelling() {
        let (cache, rendered) = (EncodeCache::default(), Cell::new(0));
        let get = |style, event: &Event| {
            let render = || {
                rendered.set(rendered.get() + 1);
                Some(format!("{}{style:?}", event.seq).into_bytes())
            };
            cache.with(style, event, render, <[u8]>::to_vec).unwrap()
        };
        // Of another database, with the same number.
        let (first, other) = (event(1), event(1));
        for _ in 0..3 {
            assert_eq!(get(EventStyle::Colon, &first), b"1Colon");
            assert_eq!(get(EventStyle::Camel, &first), b"1Camel");
        }
        assert_eq!(rendered.get(), 2);
        get(EventStyle::Colon, &other);
        assert_eq!(rendered.get(), 3);
        assert!(
            cache
                .with(EventStyle::Dash, &first, || None, |_| ())
                .is_none()
        );
    }

    #[test]
    fn a_delivery_allocates_nothing() {
        let (cache, event) = (EncodeCache::default(), event(1));
        let mut batch = FrameBatch::take();
        let mut deliver = |render: fn() -> Option<Vec<u8>>| {
            let cursor = b"e~s.1:1";
            for _ in 0..100 {
                let push = |head: &[u8]| batch.push(1, &[b"42"], &[head, b",\"", cursor, b"\"]"]);
                cache.with(EventStyle::Colon, &event, render, push).unwrap();
            }
            batch.clear();
        };
        deliver(|| Some(vec![b'x'; 300]));
        let allocated = allocation_counter::measure(|| deliver(|| panic!("it is kept")));
        assert_eq!(allocated.count_total, 0);
    }
}
