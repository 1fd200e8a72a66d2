//! What a queue knows of its channels from earlier commits: heads, and entities as they are at these heads.
//!
//! It may be wrong: another instance may have moved a head. So a commit compares the heads, and whoever finds one moved
//! forgets the channel. Entities change only together with their channel's head; those of a channel that was forgotten are
//! found no more, because a channel that is loaded anew has another [`Known::load`].
//!
//! The memory is bounded. There are two generations: what is used goes to the younger one, and when that has a third of the
//! memory, the older one is dropped and the younger one becomes the older.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::{ChannelName, ChannelNo, Entity, EntityId, FieldStamp, Kind};
use crate::store::{Channel, Head};

/// What an entry costs besides its texts: its key, its place in a map, and the entity's own fields.
const ENTRY_BYTES: usize = 256;
const VALUE_BYTES: usize = size_of::<Value>();
/// What a key and its place in an object cost besides the key's text.
const KEY_BYTES: usize = 48;

/// See the module.
#[derive(Debug)]
pub(super) struct Cache {
    /// The bytes at which a generation becomes the older one: a third of the memory.
    max_bytes: usize,
    young: Generation,
    old: Generation,
    loads: u64,
}

#[derive(Debug, Default)]
struct Generation {
    heads: HashMap<ChannelName, Known>,
    entities: HashMap<(ChannelNo, Kind, EntityId), Cached>,
    bytes: usize,
}

/// A channel as the last commit left it, or as it was loaded.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) channel: Channel,
    /// Tells entities that belong to this head from those of a forgotten one.
    load: u64,
}

/// What is known of an entity.
#[derive(Debug, PartialEq)]
pub(super) enum Lookup {
    Unknown,
    /// There is no such entity.
    Missing,
    Found(Arc<Entity>),
}

#[derive(Debug)]
struct Cached {
    load: u64,
    /// Nothing: there is no such entity.
    entity: Option<Arc<Entity>>,
    bytes: usize,
}

impl Cached {
    fn lookup(&self, known: &Known) -> Lookup {
        match &self.entity {
            _ if self.load != known.load => Lookup::Unknown,
            Some(entity) => Lookup::Found(Arc::clone(entity)),
            None => Lookup::Missing,
        }
    }
}

impl Cache {
    /// Creates a cache that has at most `max_bytes` between two batches.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes: max_bytes / 3,
            young: Generation::default(),
            old: Generation::default(),
            loads: 0,
        }
    }

    /// The bytes that it uses, nearly.
    pub(super) fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    /// What is known of a channel.
    pub(super) fn head(&mut self, name: &ChannelName) -> Option<&Known> {
        if let Some(known) = self.old.heads.remove(name) {
            let bytes = head_bytes(name);
            self.old.bytes -= bytes;
            self.put_known(known);
        }
        self.young.heads.get(name)
    }

    /// What is known of an entity of this channel.
    pub(super) fn entity(&mut self, known: &Known, kind: Kind, id: &EntityId) -> Lookup {
        let key = (known.channel.no, kind, id.clone());
        if let Some(cached) = self.young.entities.get(&key) {
            return cached.lookup(known);
        }
        let Some(cached) = self.old.entities.remove(&key) else {
            return Lookup::Unknown;
        };
        self.old.bytes -= cached.bytes;
        let lookup = cached.lookup(known);
        if !matches!(lookup, Lookup::Unknown) {
            self.put_cached(key, cached);
        }
        lookup
    }

    /// Takes a channel as it was loaded. If that is what was known, its entities stay.
    pub(super) fn load_head(&mut self, channel: Channel) -> Known {
        let known = self.head(&channel.name);
        let known = known
            .filter(|known| (known.channel.no, known.channel.seq) == (channel.no, channel.seq));
        if let Some(known) = known {
            return known.clone();
        }
        self.loads += 1;
        let known = Known {
            channel,
            load: self.loads,
        };
        self.put_known(known.clone());
        known
    }

    /// Takes an entity as it is at a channel's head; `None` if there is no such entity.
    pub(super) fn put_entity(
        &mut self,
        known: &Known,
        kind: Kind,
        id: &EntityId,
        entity: Option<Arc<Entity>>,
    ) {
        let key = (known.channel.no, kind, id.clone());
        let bytes = ENTRY_BYTES + id.as_str().len() + entity.as_deref().map_or(0, entity_bytes);
        if let Some(before) = self.old.entities.remove(&key) {
            self.old.bytes -= before.bytes;
        }
        let cached = Cached {
            load: known.load,
            entity,
            bytes,
        };
        self.put_cached(key, cached);
    }

    /// Takes over what was committed: the channels as they are now, and what was changed in them.
    pub(super) fn committed(&mut self, heads: &[Head], changed: &[Arc<Entity>]) {
        for head in heads {
            if head.next == 0 {
                // It has no row, and its number is not kept.
                self.forget(&head.channel.name);
                continue;
            }
            let before = self.head(&head.channel.name).map(|known| known.load);
            let load = before.unwrap_or_else(|| {
                self.loads += 1;
                self.loads
            });
            let channel = Channel {
                seq: head.next,
                ..head.channel.clone()
            };
            self.put_known(Known { channel, load });
        }
        for entity in changed {
            let name = entity.project.channel();
            if let Some(known) = self.head(&name).cloned() {
                self.put_entity(&known, entity.kind, &entity.id, Some(Arc::clone(entity)));
            }
        }
    }

    /// Forgets a channel and with it its entities.
    pub(super) fn forget(&mut self, name: &ChannelName) {
        for generation in [&mut self.young, &mut self.old] {
            if generation.heads.remove(name).is_some() {
                generation.bytes -= head_bytes(name);
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    fn put_known(&mut self, known: Known) {
        let name = known.channel.name.clone();
        let bytes = head_bytes(&name);
        if self.young.heads.insert(name, known).is_none() {
            self.young.bytes += bytes;
        }
    }

    fn put_cached(&mut self, key: (ChannelNo, Kind, EntityId), cached: Cached) {
        self.young.bytes += cached.bytes;
        if let Some(before) = self.young.entities.insert(key, cached) {
            self.young.bytes -= before.bytes;
        }
    }

    /// Drops what was not used for long, if there is too much. Between two batches, so that none loses what it has found.
    pub(super) fn trim(&mut self) {
        if self.young.bytes > self.max_bytes {
            self.old = std::mem::take(&mut self.young);
            // One batch may use more than there is room for.
            if self.old.bytes > 2 * self.max_bytes {
                self.clear();
            }
        }
    }
}

fn head_bytes(name: &ChannelName) -> usize {
    ENTRY_BYTES + 2 * name.as_str().len()
}

/// About what an entity uses in memory, which may be many times the length of its text. What it shares with other versions
/// counts for each.
fn entity_bytes(entity: &Entity) -> usize {
    let fields = entity.fields.iter();
    let fields = fields.map(|(name, value)| KEY_BYTES + name.len() + value_bytes(value));
    let history = entity.history.iter();
    let history = history.map(|(name, stamp)| {
        let was = stamp.was.as_deref().map_or(0, value_bytes);
        size_of::<FieldStamp>() + KEY_BYTES + name.len() + stamp.by.as_str().len() + was
    });
    size_of::<Entity>() + fields.sum::<usize>() + history.sum::<usize>()
}

fn value_bytes(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(value_bytes).sum(),
            Value::Object(fields) => {
                let fields = fields.iter();
                let bytes = fields.map(|(key, value)| KEY_BYTES + key.len() + value_bytes(value));
                bytes.sum()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

#[cfg(test)]
mod tests;
