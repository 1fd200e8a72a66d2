//! Whether a client is still there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::{Connection, Packet};
use crate::clock::Clock;
use crate::contract::ErrorCode;
use crate::hub::Offer;
use crate::transport::outlet::Kind;
use crate::transport::websocket::close;

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct Vitals {
    /// Frames that have come in.
    heard: AtomicU64,
    /// Whether nothing is read now, so that nothing can be heard.
    paused: AtomicBool,
    /// Whether the client answered its last ping, or has got none yet.
    silent: AtomicBool,
    /// Guards the ping that was sent last: when, and how many frames had come in by then.
    asked: Mutex<Option<(Instant, u64)>>,
}

impl Vitals {
    /// Notes that something has come in.
    pub(in super::super) fn heard(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        self.silent.store(false, Ordering::Relaxed);
    }

    /// Notes whether anything is read.
    pub(in super::super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Whether the client answers.
    pub(in super::super) fn is_alive(&self) -> bool {
        !self.silent.load(Ordering::Relaxed)
    }
}

impl Connection {
    /// Does what is due: asks whether the client is there, or ends the connection of one that does not answer, or does not
    /// say in time who it is. When the next is due; nothing more if it has ended.
    pub(in super::super) fn fall_due(&self) -> Option<Instant> {
        if self.outlet.is_closed() {
            return None;
        }
        let config = self.gateway.app.config();
        let (now, is_known) = (Instant::now(), self.seat().is_some());
        let introduced_by = self.since + config.connect_timeout;
        if !is_known && now >= introduced_by {
            self.end(
                close::refused(ErrorCode::Unauthenticated),
                "unauthenticated",
            );
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
        let config = self.gateway.app.config();
        let (interval, patience) = (config.websocket_ping_interval, config.ping_timeout);
        let mut asked = self
            .vitals
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let heard = self.vitals.heard.load(Ordering::Relaxed);
        let Some((at, heard_then)) = *asked else {
            let first = self.since + interval;
            if now < first {
                return Some(first);
            }
            return Some(self.ask(&mut asked, now, heard));
        };
        let is_silent = heard == heard_then && !self.vitals.paused.load(Ordering::Relaxed);
        if now < at + patience {
            return Some(at + patience);
        }
        if is_silent {
            tracing::debug!(connection.id = %self.id, "no answer to a ping");
            drop(asked);
            self.cut(close::COME_BACK, "ping_timeout");
            return None;
        }
        if now < at + interval {
            return Some(at + interval);
        }
        Some(self.ask(&mut asked, now, heard))
    }

    fn ask(&self, asked: &mut Option<(Instant, u64)>, now: Instant, heard: u64) -> Instant {
        *asked = Some((now, heard));
        self.vitals.silent.store(true, Ordering::Relaxed);
        self.ping_due.notify_one();
        if self.wishes.heartbeat {
            let name = self.spelling.heartbeat();
            let text = self.spelling.say(name, Clock.now(), None, &[]);
            if self.outlet.try_push(Kind::Signal, Packet::other(text)) != Offer::Taken {
                tracing::debug!(connection.id = %self.id, "no room for a heartbeat");
            }
        }
        now + self.gateway.app.config().ping_timeout
    }
}
