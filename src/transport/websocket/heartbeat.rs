//! Whether a client is still there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::codec::{Packet, WebSocketConnection};
use crate::clock::Clock;
use crate::contract::ErrorCode;
use crate::transport::connection::Close;
use crate::transport::connection::send_queue::{Intake as _, Kind, SendQueue as _};

/// What has come in from a client, and when it was asked last.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    /// Frames that have come in.
    heard: AtomicU64,
    /// Whether nothing is read now, so that nothing can be heard.
    paused: AtomicBool,
    /// Whether the client answered its last ping, or has got none yet.
    silent: AtomicBool,
    /// Guards the ping that was sent last: when, and how many frames had come in by then.
    asked: Mutex<Option<(Instant, u64)>>,
}

impl Heartbeat {
    /// Notes that something has come in.
    pub(super) fn heard(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        self.silent.store(false, Ordering::Relaxed);
    }

    /// Notes whether anything is read.
    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Whether the client answers.
    pub(super) fn is_alive(&self) -> bool {
        !self.silent.load(Ordering::Relaxed)
    }
}

impl WebSocketConnection {
    /// Does what is due: asks whether the client is there, or ends the connection of one that does not answer, or does not
    /// say in time who it is. When the next is due; nothing more if it has ended.
    pub(super) fn fall_due(&self) -> Option<Instant> {
        if self.queue.is_closed() {
            return None;
        }
        let config = self.app().config();
        let (now, is_known) = (Instant::now(), self.subscriber().is_some());
        let introduced_by = self.since + config.connect_timeout;
        if !is_known && now >= introduced_by {
            let code = ErrorCode::Unauthenticated;
            self.finish(Close::Refused(code), code.as_str());
            return None;
        }
        let next = self.check(now)?;
        Some(if is_known {
            next
        } else {
            next.min(introduced_by)
        })
    }

    fn check(&self, now: Instant) -> Option<Instant> {
        let config = self.app().config();
        let (interval, patience) = (config.websocket_ping_interval, config.ping_timeout);
        let heartbeat = &self.door.heartbeat;
        let mut asked = heartbeat.asked.lock();
        let heard = heartbeat.heard.load(Ordering::Relaxed);
        let Some((at, heard_then)) = *asked else {
            let first = self.since + interval;
            if now < first {
                return Some(first);
            }
            return Some(self.send_ping(&mut asked, now, heard));
        };
        let is_silent = heard == heard_then && !heartbeat.paused.load(Ordering::Relaxed);
        if now < at + patience {
            return Some(at + patience);
        }
        if is_silent {
            tracing::debug!(connection.id = %self.id, "no answer to a ping");
            drop(asked);
            self.abort(Close::TryAgain, "ping_timeout");
            return None;
        }
        if now < at + interval {
            return Some(at + interval);
        }
        Some(self.send_ping(&mut asked, now, heard))
    }

    fn send_ping(&self, asked: &mut Option<(Instant, u64)>, now: Instant, heard: u64) -> Instant {
        *asked = Some((now, heard));
        let door = &self.door;
        door.heartbeat.silent.store(true, Ordering::Relaxed);
        door.ping_due.notify_one();
        let mut out = self.queue.intake();
        if door.params.heartbeat && out.has_room(Kind::Signal, 0) {
            let word = door.format.heartbeat();
            let text = door.format.say(word, Clock.now(), None, &[]);
            out.push(Packet::other(text));
        }
        drop(out);
        now + self.app().config().ping_timeout
    }
}
