//! What one instance makes of what it hears: names, queues, and when it may hand a message out. Pure.
//!
//! A *source* is what is asked of Redis: a channel, or a pattern that stands for many. Each has a queue.
//!
//! **Names.** Redis executes commands one after the other, so all who are subscribed to the same channels hear them in
//! the same order. A message is named by the last mark before it, its channel, and how many of that channel came since
//! the mark. Whoever has heard a mark since it subscribed has heard the last one, and everything since; so all who have
//! a name for a message have the same one, and no two messages share one. Whoever has not leaves the message to others.
//!
//! **Order.** What everybody hands out is a stretch of the same sequence, in order, under those names: the first to
//! commit a message wins, the others repeat what is known. But whoever has missed something (it just came, or was cut
//! off) must not begin while others still have older messages to commit, or these would come later in the log. So its
//! messages are *held* until another instance says, with a mark, that everything is settled up to a mark that was
//! published after the gap. Only who is not holding anything says so, hence it is true of all that came before. While
//! nobody is heard who could say it sooner or later (who is free, has something old to settle, or has been holding for
//! longer), the hold ends after [`PATIENCE`] ticks.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::mark::{self, Mark, Word};
use crate::domain::InstanceId;

/// Ticks for which others have to be silent before somebody who has missed something goes on alone.
pub(super) const PATIENCE: u32 = 3;
/// Messages of one source that may wait.
pub(super) const WAITING_MESSAGES: usize = 10_000;
/// Bytes that may wait, of all channels together.
pub(super) const WAITING_BYTES: usize = 32 * 1024 * 1024;
/// Channels of one source that are told apart between two marks.
pub(super) const MAX_CHANNELS: usize = 10_000;
/// Instances whose marks are told apart, while something is held.
const MAX_INSTANCES: usize = 1024;
/// What a chunk holds at most; one message may be larger.
pub(super) const CHUNK: Chunk = Chunk {
    messages: 256,
    bytes: 1024 * 1024,
};

/// How much is handed out at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// A message that a backend has published, with the name that all instances have for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    mark: Mark,
    number: u64,
    /// On which channel of Redis.
    pub channel: Arc<str>,
    /// What was published.
    pub message: Bytes,
    /// When it was heard.
    pub at: Instant,
}

impl Heard {
    /// The same on all instances, and of no other message of the channel.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.mark, self.number)
    }

    fn bytes(&self) -> usize {
        self.message.len() + self.channel.len()
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It waits to be handed out.
    Waits,
    /// It has no name here: others have one.
    Nameless,
    /// There is no room for it.
    Dropped,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Hearing {
    instance: InstanceId,
    /// Marks that this instance has made.
    made: u64,
    /// The last mark that was heard over this connection.
    era: Option<Mark>,
    sources: Vec<Source>,
    /// Bytes that wait.
    bytes: usize,
    /// Messages that were put into a queue since the start: the place of the next one.
    place: u64,
    /// The stretch that is being heard; a new one begins after what was missed.
    stretch: u64,
    /// Stretches that may be handed out.
    free: u64,
    /// Ticks that are left of the hold.
    patience: u32,
    /// The first mark since the gap, and the first one of each instance, while something is held.
    first: Option<Mark>,
    since_gap: HashMap<InstanceId, u64>,
    /// Marks of this stretch and the place of the message that follows, from the last one that is settled on.
    unsettled: VecDeque<(u64, Mark)>,
}

#[derive(Debug, Default)]
struct Source {
    /// Messages since the last mark, by channel.
    since_mark: HashMap<Arc<str>, u64>,
    waiting: VecDeque<Waiting>,
}

impl Source {
    /// Counts a message. `None`: there are too many channels.
    fn count(&mut self, channel: &str) -> Option<(Arc<str>, u64)> {
        if let Some((known, count)) = self.since_mark.get_key_value(channel) {
            let (known, count) = (Arc::clone(known), count + 1);
            self.since_mark.insert(Arc::clone(&known), count);
            return Some((known, count));
        }
        if self.since_mark.len() == MAX_CHANNELS {
            return None;
        }
        let new: Arc<str> = channel.into();
        self.since_mark.insert(Arc::clone(&new), 1);
        Some((new, 1))
    }
}

#[derive(Debug)]
struct Waiting {
    place: u64,
    stretch: u64,
    heard: Heard,
}

impl Hearing {
    pub(super) fn new(instance: InstanceId, sources: usize) -> Self {
        Self {
            instance,
            made: 0,
            era: None,
            sources: (0..sources).map(|_| Source::default()).collect(),
            bytes: 0,
            place: 0,
            stretch: 1,
            free: 0,
            patience: PATIENCE,
            first: None,
            since_gap: HashMap::new(),
            unsettled: VecDeque::new(),
        }
    }

    /// Whether messages have names.
    pub(super) fn is_listening(&self) -> bool {
        self.era.is_some()
    }

    /// Whether what is heard may be handed out at once.
    pub(super) fn is_free(&self) -> bool {
        self.free == self.stretch
    }

    /// Messages that wait.
    pub(super) fn waiting(&self) -> usize {
        let sources = self.sources.iter();
        sources.map(|source| source.waiting.len()).sum()
    }

    /// From here on nothing is heard until there is another connection, and then something may have been missed.
    pub(super) fn disconnect(&mut self) {
        self.era = None;
        if self.is_free() {
            self.stretch += 1;
        }
        self.patience = PATIENCE;
        self.first = None;
        self.since_gap.clear();
        self.unsettled.clear();
    }

    /// Notes a mark, one of our own as well. Whether this ends the hold.
    pub(super) fn hear_mark(&mut self, mark: &Mark, word: &Word) -> bool {
        match self.unsettled.back_mut() {
            Some((place, last)) if *place == self.place => *last = mark.clone(),
            _ => self.unsettled.push_back((self.place, mark.clone())),
        }
        for source in &mut self.sources {
            source.since_mark.clear();
        }
        self.era = Some(mark.clone());
        if self.is_free() {
            return false;
        }
        self.remember(mark);
        if mark.instance == self.instance {
            return false;
        }
        let will_tell = match word {
            Word::Settled(up_to) if self.is_since_gap(up_to) => {
                self.release();
                return true;
            }
            Word::Settled(_) | Word::Busy => true,
            Word::Since(first) => !self.is_since_gap(first),
            Word::Nothing => false,
        };
        if will_tell {
            self.patience = PATIENCE;
        }
        false
    }

    fn remember(&mut self, mark: &Mark) {
        self.first.get_or_insert_with(|| mark.clone());
        let has_place = self.since_gap.len() < MAX_INSTANCES;
        if let Some(first) = self.since_gap.get_mut(&mark.instance) {
            *first = mark.number.min(*first);
        } else if has_place {
            self.since_gap.insert(mark.instance.clone(), mark.number);
        }
    }

    /// Whether a mark was heard since the gap: each instance counts its own up.
    fn is_since_gap(&self, mark: &Mark) -> bool {
        let first = self.since_gap.get(&mark.instance);
        first.is_some_and(|first| *first <= mark.number)
    }

    /// Notes a message.
    pub(super) fn hear(
        &mut self,
        source: usize,
        channel: &str,
        message: &[u8],
        at: Instant,
    ) -> Fate {
        let source = &mut self.sources[source];
        let Some(mark) = &self.era else {
            return Fate::Nameless;
        };
        let Some((channel, number)) = source.count(channel) else {
            return Fate::Dropped;
        };
        let bytes = message.len() + channel.len();
        if source.waiting.len() == WAITING_MESSAGES || self.bytes + bytes > WAITING_BYTES {
            return Fate::Dropped;
        }
        self.bytes += bytes;
        source.waiting.push_back(Waiting {
            place: self.place,
            stretch: self.stretch,
            heard: Heard {
                mark: mark.clone(),
                number,
                channel,
                message: Bytes::copy_from_slice(message),
                at,
            },
        });
        self.place += 1;
        Fate::Waits
    }

    /// To be called at intervals, those of the marks. Whether this ends the hold.
    pub(super) fn tick(&mut self) -> bool {
        if self.is_free() || !self.is_listening() {
            return false;
        }
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 {
            self.release();
        }
        self.patience == 0
    }

    /// Ends the hold.
    pub(super) fn release(&mut self) {
        self.free = self.stretch;
        self.first = None;
        self.since_gap.clear();
    }

    /// The next mark to publish.
    pub(super) fn make_mark(&mut self) -> String {
        self.made += 1;
        mark::write(self.made, &self.word())
    }

    fn word(&mut self) -> Word {
        let sources = self.sources.iter();
        let unsettled = sources.filter_map(|source| source.waiting.front());
        let (place, stretch) = unsettled
            .map(|waiting| (waiting.place, waiting.stretch))
            .min()
            .unwrap_or((u64::MAX, u64::MAX));
        if !self.is_free() {
            // What is held does not count: else those who hold something would wait for one another.
            return match &self.first {
                _ if stretch <= self.free => Word::Busy,
                Some(first) => Word::Since(first.clone()),
                None => Word::Nothing,
            };
        }
        while self
            .unsettled
            .get(1)
            .is_some_and(|(next, _)| *next <= place)
        {
            self.unsettled.pop_front();
        }
        match self.unsettled.front() {
            Some((next, mark)) if *next <= place => Word::Settled(mark.clone()),
            _ => Word::Busy,
        }
    }

    /// What comes next of a source and may be handed out. It stays until it is settled.
    pub(super) fn chunk(&self, source: usize, limit: Chunk) -> Vec<Heard> {
        let mut bytes = 0;
        let free = self.sources[source].waiting.iter();
        free.take_while(|waiting| waiting.stretch <= self.free)
            .take(limit.messages)
            .take_while(|waiting| {
                let is_first = bytes == 0;
                bytes += waiting.heard.message.len();
                is_first || bytes <= limit.bytes
            })
            .map(|waiting| waiting.heard.clone())
            .collect()
    }

    /// The first messages of a source are in the log, or will never be.
    pub(super) fn settle(&mut self, source: usize, messages: usize) {
        let waiting = &mut self.sources[source].waiting;
        let messages = messages.min(waiting.len());
        let settled = waiting.drain(..messages);
        let bytes: usize = settled.map(|waiting| waiting.heard.bytes()).sum();
        self.bytes -= bytes;
    }

    /// All that waits, held or not.
    #[cfg(test)]
    pub(super) fn everything(&self) -> Vec<(usize, Bytes)> {
        let sources = self.sources.iter().enumerate();
        let waiting = sources.flat_map(|(no, source)| {
            let messages = source.waiting.iter();
            messages.map(move |waiting| (no, waiting.heard.message.clone()))
        });
        waiting.collect()
    }
}
