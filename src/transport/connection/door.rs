//! What a protocol has to say about its connections: a door is a codec, and everything else is the connection's.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::introduction::Introduction;
use super::notice::Notice;
use super::request_loop::RequestLoop;
use super::send_queue::SendQueue;
use crate::contract::dialect::Dialect;
use crate::contract::{DirectMessage, EventClass, EventStyle, Reply};
use crate::domain::{ChannelName, Event, Signal};
use crate::hub::Offer;
use crate::learn;
use crate::session::Session;

/// The intake of a door's send queue.
pub(crate) type Out<'a, D> = <<D as Door>::Queue as SendQueue>::Intake<'a>;

/// A message of a door's protocol.
pub(crate) trait Message: Send + 'static {
    /// What it counts as.
    fn class(&self) -> EventClass;

    /// Its type, as the settings name it: a command's documented name, or else as it was sent. Nothing if it has none.
    fn type_name(&self) -> Option<&str>;

    /// About the bytes that it takes up in memory.
    fn bytes(&self) -> usize;

    /// The bytes that its client has sent.
    fn sent_bytes(&self) -> usize {
        self.bytes()
    }

    /// Keeps only what a refusal needs.
    fn forget_payload(&mut self);
}

/// How much may wait in an inbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InboxLimits {
    pub(crate) messages: usize,
    /// Fewer if little is left of the memory for all connections.
    pub(crate) bytes: usize,
    /// Whether the reader waits for room, so that every message that was read is taken.
    pub(crate) is_awaited: bool,
}

/// A message that waits.
pub(crate) struct Incoming<M> {
    pub(crate) message: M,
    /// Why it takes no effect. It waits with the others all the same: answers keep the order of the questions.
    pub(crate) refused: Option<Reply>,
}

/// One connection's codec: turns packets into requests, and events, signals, answers and notices into frames.
///
/// What is written goes out as a whole or not at all. There was room for it, so [`Offer::Full`] says that the transport
/// holds something that the queue did not count.
pub(crate) trait Door: Sized + Send + Sync + 'static {
    /// What waits for the client.
    type Queue: SendQueue;
    /// What a client sends.
    type Message: Message;
    /// Where the answer to a message goes.
    type Ack: Send + 'static;

    /// The protocol's name in log lines.
    const NAME: &'static str;
    /// How much may wait in an inbox.
    const INBOX: InboxLimits;
    /// Whether clients are present in the projects that they are subscribed to.
    const ATTENDS: bool = true;
    /// Whether clients hear broadcasts without having subscribed to them.
    const HEARS_BROADCASTS: bool = false;
    /// Whether clients can show a newer token on the same connection.
    const REFRESHES: bool = true;

    /// Writes an event, after which the client stands at `cursor`.
    fn event(
        &self,
        out: &mut Out<'_, Self>,
        style: EventStyle,
        event: &Event,
        cursor: &str,
    ) -> Offer;

    /// Writes a signal.
    fn signal(
        &self,
        out: &mut Out<'_, Self>,
        style: EventStyle,
        channel: &ChannelName,
        signal: &Signal,
    ) -> Offer;

    /// Writes a message to clients that are connected now.
    fn direct(&self, out: &mut Out<'_, Self>, style: EventStyle, message: &DirectMessage) -> Offer;

    /// Writes a list that only this client is told.
    fn list(
        &self,
        out: &mut Out<'_, Self>,
        style: EventStyle,
        channel: &ChannelName,
        list: &Signal,
    ) -> Offer {
        self.signal(out, style, channel, list)
    }

    /// Writes something that the server tells of its own accord.
    fn notice(
        &self,
        out: &mut Out<'_, Self>,
        style: EventStyle,
        notice: &Notice,
        cursor: Option<&str>,
    ) -> Offer;

    /// Writes an answer: to the ack, or else as an error that names the event.
    fn answer(&self, out: &mut Out<'_, Self>, ack: Option<Self::Ack>, answer: &RawValue) -> Offer;

    /// Serves the next message of an inbox.
    fn serve(
        requests: &mut RequestLoop<Self>,
        incoming: Incoming<Self::Message>,
    ) -> impl Future<Output = ()> + Send;

    /// Answers a message that waits for none before it, if there is room. Whether that was done.
    fn answer_at_once(&self, _: &Self::Queue, _: &Self::Message) -> bool {
        false
    }

    /// Ends the transport: gently after what waits was written, and else at once.
    fn end(&self, queue: &Self::Queue, gently: bool);

    /// Ends the transport for good: the client is not to come back by itself, where the protocol can say so.
    fn disconnect(&self, queue: &Self::Queue) {
        self.end(queue, true);
    }

    /// Which program the client is, at a door that takes messages.
    fn program(&self) -> Option<&learn::Client> {
        None
    }

    /// Whether the client hears of its own changes in a channel.
    fn hears_itself(&self, channel: &ChannelName) -> bool;

    /// Whether the client wants signals, other than presence.
    fn hears_signals(&self) -> bool {
        true
    }

    /// Whether the client wants to be told of presence, if it said so when it connected.
    fn chooses_presence(&self) -> Option<bool> {
        None
    }

    /// Whether the client can be told where it stands, besides with events.
    fn takes_cursors(&self) -> bool {
        true
    }

    /// Whether each event shows the client where it stands after it. If not, the client is told now and then.
    fn shows_cursors(&self) -> bool {
        true
    }

    /// Notes that the session is subscribed to a channel, or not any more.
    fn settle_room(&self, _: &mut Out<'_, Self>, _: &ChannelName, _is_joined: bool) {}

    /// Whether nothing is left that the client could hear.
    fn is_over(&self, _: &Session) -> bool {
        false
    }

    /// The dialect that the client speaks, at a door that has dialects.
    fn dialect(&self) -> Option<&Arc<Dialect>> {
        None
    }

    /// What the client has said of itself, as its dialect's templates see it.
    fn introduction(&self) -> Option<&Introduction> {
        None
    }

    /// Says something in the words of a dialect. `cursor` is where the client stands.
    fn say(&self, _: &mut Out<'_, Self>, _name: &str, _payload: &RawValue, _cursor: &str) -> Offer {
        Offer::Taken
    }

    /// What tells the transport apart from all others, where one may have several connections.
    fn transport(&self) -> Option<usize> {
        None
    }

    /// Whether two connections are one transport's.
    fn shares_transport(&self, other: &Self) -> bool {
        let transport = self.transport();
        transport.is_some() && transport == other.transport()
    }
}
