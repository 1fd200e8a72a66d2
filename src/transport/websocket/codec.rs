//! Plain WebSockets as a door: JSON text messages, in one of two formats.

use std::sync::atomic::Ordering;

use serde_json::value::RawValue;

use super::door::{Packet, WebSocketDoor};
use super::encode_cache::Encoded;
use super::message::{Meaning, Own, Received};
use super::requests;
use crate::clock::Clock;
use crate::contract::{DirectMessage, EventStyle, ServerWord};
use crate::domain::{ChannelName, Event, Signal};
use crate::hub::Offer;
use crate::learn;
use crate::transport::connection::door::{Door, InboxLimits, Incoming};
use crate::transport::connection::notice::Notice;
use crate::transport::connection::plain_queue::{PlainIntake, PlainQueue};
use crate::transport::connection::request_loop::RequestLoop;
use crate::transport::connection::send_queue::{Intake as _, Kind, SendQueue as _};

type Out<'a> = PlainIntake<'a, Packet>;
impl Door for WebSocketDoor {
    type Queue = PlainQueue<Packet>;
    type Message = Received;
    type Ack = Box<RawValue>;

    const NAME: &'static str = "websocket";
    const HEARS_BROADCASTS: bool = true;
    const INBOX: InboxLimits = InboxLimits {
        messages: 1024,
        bytes: 1024 * 1024,
        is_awaited: true,
    };

    fn event(&self, out: &mut Out<'_>, style: EventStyle, event: &Event, cursor: &str) -> Offer {
        let format = self.format;
        let compresses = self.compresses.load(Ordering::Relaxed);
        let encoded = self
            .shared
            .encode_cache
            .get(format, style, event, compresses);
        out.push(match encoded {
            Encoded::Small(text) => Packet::event(format.with_cursor(&text, cursor)),
            Encoded::Large(head) => Packet::large_event(head, format.with_cursor("", cursor)),
        });
        Offer::Taken
    }

    fn signal(
        &self,
        out: &mut Out<'_>,
        style: EventStyle,
        channel: &ChannelName,
        signal: &Signal,
    ) -> Offer {
        let name = style.name(&signal.signal_type);
        let text = self.format.signal(&name, Clock.now(), channel, signal);
        out.push(Packet::signal(text));
        Offer::Taken
    }

    fn direct(&self, out: &mut Out<'_>, style: EventStyle, message: &DirectMessage) -> Offer {
        let text = self.shared.direct_cache.get(self.format, style, message);
        out.push(Packet::event((*text).to_owned()));
        Offer::Taken
    }

    fn notice(
        &self,
        out: &mut Out<'_>,
        style: EventStyle,
        notice: &Notice,
        cursor: Option<&str>,
    ) -> Offer {
        let name = style.name(&notice.event_type);
        let text = self
            .format
            .tell(&name, Clock.now(), notice.payload.as_deref(), cursor);
        out.push(Packet::other(text));
        Offer::Taken
    }

    fn answer(&self, out: &mut Out<'_>, ack: Option<Box<RawValue>>, answer: &RawValue) -> Offer {
        let (format, now) = (self.format, Clock.now());
        out.push(Packet::other(match ack {
            Some(id) => format.ack(now, &id, answer),
            None => format.object(ServerWord::Error, now, None, answer),
        }));
        Offer::Taken
    }

    async fn serve(requests: &mut RequestLoop<Self>, incoming: Incoming<Received>) {
        requests::serve(requests, incoming).await;
    }

    /// A ping asks whether the connection is there, and not for what was said before.
    fn answer_at_once(&self, queue: &Self::Queue, message: &Received) -> bool {
        let Ok(message) = &message.0 else {
            return false;
        };
        // Before the greeting there is no answer.
        let is_held = self.is_greeting_held.load(Ordering::Relaxed);
        let is_ping = message.meaning == Meaning::Own(Own::Ping) && message.envelope.is_ok();
        if is_held || !is_ping {
            return false;
        }
        let mut out = queue.intake();
        let has_room = out.has_room(Kind::Answer, 0);
        if has_room {
            out.push(self.pong(message.id.as_deref()));
        }
        has_room
    }

    fn end(&self, queue: &Self::Queue, gently: bool) {
        queue.finish(gently);
        if !gently {
            self.was_cut.notify_one();
        }
    }

    fn program(&self) -> Option<&learn::Client> {
        Some(&self.program)
    }

    /// What a client tells the others of its session it does not hear; its changes of projects it does, unless it does not
    /// want to.
    fn hears_itself(&self, channel: &ChannelName) -> bool {
        channel.is_project() && !self.params.is_deaf_to_itself
    }

    fn chooses_presence(&self) -> Option<bool> {
        self.presence()
    }
}
