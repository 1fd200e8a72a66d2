//! Asks a client by pings whether it is still there, and ends its connection if it is not.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::door::{Packet, WebSocketConnection};
use super::heartbeat::Due;
use crate::clock::Clock;
use crate::contract::ErrorCode;
use crate::transport::connection::Close;
use crate::transport::connection::send_queue::{Intake as _, Kind, SendQueue as _};

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
        let (interval, timeout) = (config.websocket_ping_interval, config.ping_timeout);
        let next = match self.door.heartbeat.due(now, self.since, interval, timeout) {
            Due::Later(next) => next,
            Due::Ping => {
                self.send_ping();
                now + timeout
            }
            Due::End => {
                tracing::debug!(connection.id = %self.id, "no answer to a ping");
                self.abort(Close::TryAgain, "ping_timeout");
                return None;
            }
        };
        Some(if is_known {
            next
        } else {
            next.min(introduced_by)
        })
    }

    fn send_ping(&self) {
        let door = &self.door;
        door.ping_due.notify_one();
        let mut out = self.queue.intake();
        let by_setting = self.app().config().notices.websocket_heartbeat;
        // The greeting is the first message.
        let is_greeted = !door.is_greeting_held.load(Ordering::Relaxed);
        let is_wanted = door.params.heartbeat.unwrap_or(by_setting);
        if is_wanted && is_greeted && out.has_room(Kind::Signal, 0) {
            out.push(Packet::other(door.format.beat(Clock.now())));
        }
    }
}
