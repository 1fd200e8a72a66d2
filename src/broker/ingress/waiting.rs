//! Where messages wait from being heard until they are in the log: bounded, and whoever brings one never waits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::hearing::{CHUNK, Fate, Heard, Hearing};
use super::mark::{Mark, Word};
use crate::domain::InstanceId;

/// How often the log may say that messages are dropped.
const COMPLAINT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct WaitingRoom {
    /// Guards what is heard and waits; the listener puts in, the sources' workers take out.
    hearing: Mutex<Hearing>,
    /// Tell the workers, by source, that there may be something.
    news: Vec<Notify>,
    closed: AtomicBool,
    received: AtomicU64,
    dropped: AtomicU64,
    /// When the log was last told of dropped messages.
    complained: Mutex<Option<Instant>>,
}

/// What has become of what was published, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Messages that were heard, those that others have a name for included.
    pub received: u64,
    /// Messages for which there was no room.
    pub dropped: u64,
    /// Messages that wait.
    pub waiting: usize,
}

impl WaitingRoom {
    pub(super) fn new(instance: InstanceId, sources: usize) -> Self {
        Self {
            hearing: Mutex::new(Hearing::new(instance, sources)),
            news: (0..sources).map(|_| Notify::new()).collect(),
            closed: AtomicBool::new(false),
            received: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            complained: Mutex::new(None),
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        self.hearing.lock().is_listening()
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            received: self.received.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            waiting: self.hearing.lock().waiting(),
        }
    }

    pub(super) fn disconnect(&self) {
        let was_listening = {
            let mut hearing = self.hearing.lock();
            let was_listening = hearing.is_listening();
            hearing.disconnect();
            was_listening
        };
        if was_listening {
            tracing::warn!(
                "ingress is unavailable; what backends publish now is left to the other instances"
            );
        }
    }

    pub(super) fn make_mark(&self) -> String {
        self.hearing.lock().make_mark()
    }

    pub(super) fn hear_mark(&self, mark: &Mark, word: &Word) {
        let (is_first, released) = {
            let mut hearing = self.hearing.lock();
            let is_first = !hearing.is_listening();
            (is_first, hearing.hear_mark(mark, word))
        };
        if is_first {
            tracing::info!("ingress is available");
        }
        if released {
            self.released("others have settled what came before");
        }
    }

    pub(super) fn tick(&self) {
        let released = self.hearing.lock().tick();
        if released {
            self.released("nobody else has anything older");
        }
    }

    fn released(&self, why: &str) {
        tracing::debug!(why, "ingress hands messages out");
        for news in &self.news {
            news.notify_one();
        }
    }

    pub(super) fn hear(&self, source: usize, channel: &str, message: &[u8], at: Instant) {
        let fate = self.hearing.lock().hear(source, channel, message, at);
        self.received.fetch_add(1, Ordering::Relaxed);
        match fate {
            Fate::Waits => self.news[source].notify_one(),
            Fate::Nameless => {
                tracing::debug!(
                    channel.name = channel,
                    "a message is left to the other instances"
                );
            }
            Fate::Dropped => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                self.complain(channel);
            }
        }
    }

    fn complain(&self, channel: &str) {
        let mut complained = self.complained.lock();
        if complained.is_none_or(|last| last.elapsed() > COMPLAINT) {
            *complained = Some(Instant::now());
            tracing::error!(
                channel.name = channel,
                "ingress has no room: backends publish faster than the database takes it; messages are dropped"
            );
        }
    }

    /// Nothing more will be heard. What is held is handed out: nobody would hear that it may be.
    pub(super) fn close(&self) {
        self.hearing.lock().release();
        self.closed.store(true, Ordering::Release);
        for news in &self.news {
            news.notify_one();
        }
    }

    /// The next messages of a source, when there are some; they stay until they are settled. `None`: there will be no
    /// more.
    pub(super) async fn chunk(&self, source: usize) -> Option<Vec<Heard>> {
        loop {
            // In this order: what was heard before it was closed is seen.
            let closed = self.closed.load(Ordering::Acquire);
            let chunk = self.hearing.lock().chunk(source, CHUNK);
            if !chunk.is_empty() {
                return Some(chunk);
            }
            if closed {
                return None;
            }
            self.news[source].notified().await;
        }
    }

    pub(super) fn settle(&self, source: usize, messages: usize) {
        self.hearing.lock().settle(source, messages);
    }
}
