//! Events as text, for all who are told of the same one at about the same time: only the cursor is each one's own.

use std::sync::Arc;

use parking_lot::Mutex;

use super::format::Format;
use crate::contract::EventStyle;
use crate::domain::{ChannelNo, Event, Seq};

/// Texts that are kept.
const SLOTS: usize = 256;
/// Longest text that is kept, in bytes: so all together are never more than 8 MiB.
const MAX_KEPT: usize = 32 * 1024;

/// What a text is of.
type Key = (ChannelNo, Seq, Format, EventStyle);

/// See the module.
#[derive(Debug)]
pub(super) struct EncodeCache(Box<[Slot]>);

/// Guards one text.
type Slot = Mutex<Option<(Key, Arc<str>)>>;

impl Default for EncodeCache {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| Slot::default()).collect())
    }
}

impl EncodeCache {
    /// The text of an event without its end, see [`Format::with_cursor`].
    pub(super) fn get(&self, format: Format, style: EventStyle, event: &Event) -> Arc<str> {
        let key = (event.channel_no, event.seq, format, style);
        let mut slot = self.slot(&key).lock();
        if let Some((known, text)) = &*slot
            && *known == key
        {
            return Arc::clone(text);
        }
        let name = style.name(&event.event_type);
        let text: Arc<str> = format.event(&name, event).into();
        if text.len() <= MAX_KEPT {
            *slot = Some((key, Arc::clone(&text)));
        }
        text
    }

    /// Neighbours in a channel lie side by side.
    fn slot(&self, (no, seq, format, style): &Key) -> &Slot {
        let place = no.0.wrapping_mul(31).wrapping_add(*seq);
        let place = place
            .wrapping_mul(8)
            .wrapping_add(*format as i64 * 4 + *style as i64);
        let place = usize::try_from(place.unsigned_abs()).unwrap_or_default();
        &self.0[place % SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    #[test]
    fn a_text_is_made_once_and_is_of_its_event() {
        let encode_cache = EncodeCache::default();
        let get = |event: &Event| encode_cache.get(Format::Flat, EventStyle::Colon, event);
        let (first, other) = (
            event("session:s", 1, "{}"),
            event("session:s", 1 + i64::try_from(SLOTS).unwrap(), "{}"),
        );
        assert!(Arc::ptr_eq(&get(&first), &get(&first)));
        assert_ne!(get(&other), get(&first));
        assert_ne!(
            encode_cache.get(Format::Envelope, EventStyle::Colon, &first),
            get(&first)
        );
    }

    #[test]
    fn large_texts_are_not_kept() {
        let encode_cache = EncodeCache::default();
        let large = event("session:s", 1, &format!("{:?}", "x".repeat(MAX_KEPT)));
        let get = || encode_cache.get(Format::Flat, EventStyle::Colon, &large);
        assert!(!Arc::ptr_eq(&get(), &get()));
    }
}
