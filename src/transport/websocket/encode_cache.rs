//! Events as text, for all who are told of the same one at about the same time: only the cursor is each one's own.

use std::sync::Arc;

use parking_lot::Mutex;

use super::compression::is_worth_it;
use super::format::Format;
use super::large::{LARGE, LargeText, WeakText};
use crate::contract::EventStyle;
use crate::domain::{ChannelNo, Event, Seq};
use crate::memory::MemoryBudget;

/// Texts that are kept, and the longest of them in bytes: so all together are never more than 8 MiB. Of a large one that is sent
/// by somebody the place is kept, so that others need none of their own.
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
    /// In which large texts count.
    memory: MemoryBudget,
}

/// Texts of one sort.
#[derive(Debug)]
struct Texts {
    slots: Box<[Slot]>,
    max_bytes: usize,
}

/// Guards one text.
type Slot = Mutex<Option<(Key, Kept)>>;

/// A text as it is kept.
#[derive(Debug)]
enum Kept {
    Small(Arc<str>),
    Large(WeakText),
}

/// A text as it is sent.
#[derive(Debug, Clone)]
pub(super) enum Encoded {
    Small(Arc<str>),
    Large(LargeText),
}

impl Kept {
    fn encoded(&self) -> Option<Encoded> {
        match self {
            Self::Small(text) => Some(Encoded::Small(Arc::clone(text))),
            Self::Large(text) => text.upgrade().map(Encoded::Large),
        }
    }
}

impl EncodeCache {
    /// An empty cache. Large texts count in `memory` as long as somebody sends them.
    pub(super) fn new(memory: &MemoryBudget) -> Self {
        let texts = |(slots, max_bytes)| Texts {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            max_bytes,
        };
        Self {
            plain: texts(PLAIN),
            compressed: texts(COMPRESSED),
            memory: memory.clone(),
        }
    }

    /// The text of an event without its end, see [`Format::with_cursor`]; with large data compressed for who wants that.
    pub(super) fn get(
        &self,
        format: Format,
        style: EventStyle,
        event: &Event,
        compresses: bool,
    ) -> Encoded {
        let compresses = compresses && is_worth_it(event.payload.get());
        let texts = if compresses {
            &self.compressed
        } else {
            &self.plain
        };
        let key = (event.channel_no, event.seq, format, style);
        // Whoever waits for a large text meanwhile would have to make one of its own.
        let mut slot = texts.slot(&key).lock();
        if let Some((known, kept)) = &*slot
            && *known == key
            && let Some(encoded) = kept.encoded()
        {
            return encoded;
        }
        let name = style.name(&event.event_type);
        let text = format.event(&name, event, compresses);
        if text.len() > texts.max_bytes && text.len() >= LARGE {
            let text = LargeText::new(text, &self.memory);
            *slot = Some((key, Kept::Large(text.downgrade())));
            return Encoded::Large(text);
        }
        let text: Arc<str> = text.into();
        if text.len() <= texts.max_bytes {
            *slot = Some((key, Kept::Small(Arc::clone(&text))));
        }
        Encoded::Small(text)
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

    fn cache() -> (EncodeCache, MemoryBudget) {
        let memory = MemoryBudget::new(usize::MAX, usize::MAX);
        (EncodeCache::new(&memory), memory)
    }

    fn small(encoded: Encoded) -> Arc<str> {
        match encoded {
            Encoded::Small(text) => text,
            Encoded::Large(_) => panic!("it is small"),
        }
    }

    #[test]
    fn a_text_is_made_once_and_is_of_its_event() {
        let (encode_cache, _) = cache();
        let get =
            |event: &Event| small(encode_cache.get(Format::Flat, EventStyle::Colon, event, false));
        let (first, other) = (
            event("session:s", 1, "{}"),
            event("session:s", 1 + i64::try_from(PLAIN.0).unwrap(), "{}"),
        );
        assert!(Arc::ptr_eq(&get(&first), &get(&first)));
        assert_ne!(get(&other), get(&first));
        let envelope = encode_cache.get(Format::Envelope, EventStyle::Colon, &first, false);
        assert_ne!(small(envelope), get(&first));
    }

    #[test]
    fn texts_of_moderate_size_are_not_kept() {
        let (encode_cache, _) = cache();
        let moderate = event("session:s", 1, &format!("{:?}", "x".repeat(PLAIN.1)));
        let get = || small(encode_cache.get(Format::Flat, EventStyle::Colon, &moderate, false));
        assert!(!Arc::ptr_eq(&get(), &get()));
    }

    #[test]
    fn a_large_text_is_made_and_counted_once_as_long_as_somebody_has_it() {
        let (encode_cache, memory) = cache();
        let large = event("session:s", 1, &format!("{:?}", "x".repeat(LARGE)));
        let get = || match encode_cache.get(Format::Flat, EventStyle::Colon, &large, false) {
            Encoded::Large(text) => text,
            Encoded::Small(_) => panic!("it is large"),
        };
        let all: Vec<_> = (0..10).map(|_| get()).collect();
        assert!(
            all.iter()
                .all(|text| std::ptr::eq(text.as_str(), all[0].as_str()))
        );
        assert_eq!(memory.used(), all[0].as_str().len());
        let bytes = all[0].clone().into_bytes();
        drop(all);
        assert!(memory.used() > LARGE, "it is being written");
        drop(bytes);
        assert_eq!(memory.used(), 0);
        assert!(get().as_str().contains("xxx"));
    }

    #[test]
    fn compressed_text_is_made_once_also_of_what_is_large() {
        let (encode_cache, _) = cache();
        let get = |event: &Event| {
            small(encode_cache.get(Format::Envelope, EventStyle::Colon, event, true))
        };
        let large = event("agent:a", 1, &format!("{:?}", "x".repeat(200 * 1024)));
        assert!(Arc::ptr_eq(&get(&large), &get(&large)));
        assert!(get(&large).len() < 4096 && get(&large).contains("\"compressed\":true"));
        let text = get(&event("agent:a", 2, "{}"));
        assert!(text.contains("\"compressed\":false"));
    }
}
