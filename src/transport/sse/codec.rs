//! Server-Sent Events as a door: a connection without an inbox, whose client is told and never asked.

use std::convert::Infallible;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::frame::{self, Form};
use super::params::Manner;
use crate::contract::{DirectMessage, EventClass, EventStyle, ServerWord};
use crate::domain::{ChannelName, Event, Fields, Signal};
use crate::hub::Offer;
use crate::session::Session;
use crate::transport::abort::AbortHandle;
use crate::transport::connection::Connection;
use crate::transport::connection::door::{Door, InboxLimits, Incoming, Message};
use crate::transport::connection::notice::Notice;
use crate::transport::connection::plain_queue::{PlainIntake, PlainQueue};
use crate::transport::connection::request_loop::RequestLoop;
use crate::transport::connection::send_queue::{Intake as _, SendQueue as _};

/// A connection of an event stream.
pub(super) type SseConnection = Connection<SseDoor>;
type Out<'a> = PlainIntake<'a, Bytes>;

/// What a client is told in place of events that it does not get.
const RESET: ServerWord = ServerWord::Reset;
/// What a client is told of a channel that it may not hear any more.
const REVOKED: ServerWord = ServerWord::AccessRevoked;

/// See the module's description.
pub(crate) struct SseDoor {
    manner: Manner,
    /// The channels that the client has named, if it has named any.
    channels: Option<Vec<ChannelName>>,
    abort: Option<AbortHandle>,
}

/// Nothing is ever sent by a client.
impl Message for Infallible {
    fn class(&self) -> EventClass {
        match *self {}
    }

    fn type_name(&self) -> Option<&str> {
        match *self {}
    }

    fn bytes(&self) -> usize {
        match *self {}
    }

    fn forget_payload(&mut self) {}
}

impl SseDoor {
    pub(super) fn new(
        manner: Manner,
        channels: Option<Vec<ChannelName>>,
        abort: Option<AbortHandle>,
    ) -> Self {
        Self {
            manner,
            channels,
            abort,
        }
    }

    fn form(&self, style: EventStyle) -> Form {
        let named = self.manner.named;
        Form { style, named }
    }
}

impl Door for SseDoor {
    type Queue = PlainQueue<Bytes>;
    type Message = Infallible;
    type Ack = Infallible;

    const NAME: &'static str = "sse";
    const INBOX: InboxLimits = InboxLimits {
        messages: 0,
        bytes: 0,
        is_awaited: false,
    };
    /// A client that only listens is not seen by others.
    const ATTENDS: bool = false;
    /// The client opens another stream with a newer token, from its last id.
    const REFRESHES: bool = false;

    fn event(&self, out: &mut Out<'_>, style: EventStyle, event: &Event, cursor: &str) -> Offer {
        out.push(self.form(style).event(event, cursor));
        Offer::Taken
    }

    fn signal(
        &self,
        out: &mut Out<'_>,
        style: EventStyle,
        channel: &ChannelName,
        signal: &Signal,
    ) -> Offer {
        out.push(self.form(style).signal(channel, signal));
        Offer::Taken
    }

    fn direct(&self, out: &mut Out<'_>, style: EventStyle, message: &DirectMessage) -> Offer {
        out.push(self.form(style).direct(message));
        Offer::Taken
    }

    fn notice(
        &self,
        out: &mut Out<'_>,
        style: EventStyle,
        notice: &Notice,
        cursor: Option<&str>,
    ) -> Offer {
        let (_, what) = notice
            .event_type
            .as_str()
            .rsplit_once('.')
            .unwrap_or_default();
        out.push(match &notice.payload {
            None => frame::keep_alive(cursor),
            Some(payload) if what == "reset" => frame::notice(RESET, payload, cursor),
            Some(payload) if what == "access_revoked" => {
                let payload = with_channel(payload);
                frame::notice(REVOKED, &payload, cursor)
            }
            Some(payload) => self.form(style).told(&notice.event_type, payload, cursor),
        });
        Offer::Taken
    }

    fn answer(&self, _: &mut Out<'_>, _: Option<Infallible>, _: &RawValue) -> Offer {
        Offer::Taken
    }

    async fn serve(_: &mut RequestLoop<Self>, incoming: Incoming<Infallible>) {
        match incoming.message {}
    }

    fn end(&self, queue: &Self::Queue, gently: bool) {
        queue.finish(gently);
        if let Some(abort) = self.abort.as_ref().filter(|_| !gently) {
            abort.hang_up();
        }
    }

    fn hears_itself(&self, _: &ChannelName) -> bool {
        true
    }

    fn hears_signals(&self) -> bool {
        self.manner.signals
    }

    fn chooses_presence(&self) -> Option<bool> {
        // Who wants no signals at all has chosen.
        let chosen = self.manner.presence;
        chosen.or((!self.manner.signals).then_some(false))
    }

    /// A browser whose stream ends comes back, is refused, and stops. Who has named no channel is never refused.
    fn is_over(&self, session: &Session) -> bool {
        let Some(channels) = &self.channels else {
            return false;
        };
        let mut channels = channels.iter();
        !channels.any(|channel| session.rooms.contains(channel))
    }
}

/// A sign of life with the cursor, unless there is more to be told.
pub(super) fn keep_alive(connection: &SseConnection) -> Option<Bytes> {
    // No event comes in meanwhile, which the cursor would cover.
    let mut out = connection.queue.intake();
    if !out.is_empty() {
        return None;
    }
    let subscriber = connection.subscriber();
    let cursor = subscriber.and_then(|subscriber| subscriber.cursor_if_open());
    Some(frame::keep_alive(cursor.as_deref()))
}

/// What is told of a channel that may not be heard any more names it in one way, whether it is a project's or not.
fn with_channel(payload: &RawValue) -> Value {
    let mut fields: Fields = serde_json::from_str(payload.get()).unwrap_or_default();
    if let Some(room) = fields.get("room").cloned() {
        fields.insert("channel".to_owned(), room);
    }
    Value::Object(fields)
}
