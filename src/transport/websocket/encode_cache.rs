//! Events as text, for all who are told of the same one at about the same time: only the cursor is each one's own.

use std::sync::Arc;

use parking_lot::Mutex;

use super::compression::is_worth_it;
use super::format::Format;
use crate::contract::EventStyle;
use crate::domain::{ChannelNo, Event, Seq};

/// Texts that are kept, and the longest of them in bytes: so all together are never more than 8 MiB.
const PLAIN: (usize, usize) = (256, 32 * 1024);
/// The same for texts whose data is compressed: never more than 16 MiB. They are longer, because to make one again for each
/// receiver would cost most of all: the largest payload that is allowed by default fits.
const COMPRESSED: (usize, usize) = (64, 256 * 1024 + 2048);

/// What a text is of.
type Key = (ChannelNo, Seq, Format, EventStyle);

/// See the module.
#[derive(Debug)]
pub(super) struct EncodeCache {
    plain: Texts,
    compressed: Texts,
}

/// Texts of one sort.
#[derive(Debug)]
struct Texts {
    slots: Box<[Slot]>,
    max_bytes: usize,
}

/// Guards one text.
type Slot = Mutex<Option<(Key, Arc<str>)>>;

impl Default for EncodeCache {
    fn default() -> Self {
        let texts = |(slots, max_bytes)| Texts {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            max_bytes,
        };
        Self {
            plain: texts(PLAIN),
            compressed: texts(COMPRESSED),
        }
    }
}

impl EncodeCache {
    /// The text of an event without its end, see [`Format::with_cursor`]; with large data compressed for who wants that.
    pub(super) fn get(
        &self,
        format: Format,
        style: EventStyle,
        event: &Event,
        compresses: bool,
    ) -> Arc<str> {
        let compresses = compresses && is_worth_it(event.payload.get());
        let texts = if compresses {
            &self.compressed
        } else {
            &self.plain
        };
        let key = (event.channel_no, event.seq, format, style);
        let mut slot = texts.slot(&key).lock();
        if let Some((known, text)) = &*slot
            && *known == key
        {
            return Arc::clone(text);
        }
        let name = style.name(&event.event_type);
        let text: Arc<str> = format.event(&name, event, compresses).into();
        if text.len() <= texts.max_bytes {
            *slot = Some((key, Arc::clone(&text)));
        }
        text
    }
}

impl Texts {
    /// Neighbours in a channel lie side by side.
    fn slot(&self, (no, seq, format, style): &Key) -> &Slot {
        let place = no.0.wrapping_mul(31).wrapping_add(*seq);
        let place = place
            .wrapping_mul(8)
            .wrapping_add(*format as i64 * 4 + *style as i64);
        let place = usize::try_from(place.unsigned_abs()).unwrap_or_default();
        &self.slots[place % self.slots.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    #[test]
    fn a_text_is_made_once_and_is_of_its_event() {
        let encode_cache = EncodeCache::default();
        let get = |event: &Event| encode_cache.get(Format::Flat, EventStyle::Colon, event, false);
        let (first, other) = (
            event("session:s", 1, "{}"),
            event("session:s", 1 + i64::try_from(PLAIN.0).unwrap(), "{}"),
        );
        assert!(Arc::ptr_eq(&get(&first), &get(&first)));
        assert_ne!(get(&other), get(&first));
        assert_ne!(
            encode_cache.get(Format::Envelope, EventStyle::Colon, &first, false),
            get(&first)
        );
    }

    #[test]
    fn large_texts_are_not_kept() {
        let encode_cache = EncodeCache::default();
        let large = event("session:s", 1, &format!("{:?}", "x".repeat(PLAIN.1)));
        let get = || encode_cache.get(Format::Flat, EventStyle::Colon, &large, false);
        assert!(!Arc::ptr_eq(&get(), &get()));
    }

    #[test]
    fn compressed_text_is_made_once_also_of_what_is_large() {
        let encode_cache = EncodeCache::default();
        let large = event("agent:a", 1, &format!("{:?}", "x".repeat(200 * 1024)));
        let get = || encode_cache.get(Format::Envelope, EventStyle::Colon, &large, true);
        assert!(Arc::ptr_eq(&get(), &get()));
        assert!(get().len() < 4096 && get().contains("\"compressed\":true"));
        let small = event("agent:a", 2, "{}");
        let text = encode_cache.get(Format::Envelope, EventStyle::Colon, &small, true);
        assert!(text.contains("\"compressed\":false"));
    }
}
