//! Messages for a worker: what a client sends that means nothing to the server, with who sent it, on the channel of
//! `WORKER_CHANNEL`. The worker answers on `client:<id>`.

use serde_json::value::RawValue;

use super::door::WebSocketConnection;
use super::message::Message;
use super::raw_object::RawObject;
use super::routing::{self, Route};
use crate::contract::schema::event::WorkerMessage;
use crate::contract::schema::types::Nullable;
use crate::contract::{EnvelopeFlaw, Limits, Publication, Reply, Request, ServerWord, json_text};
use crate::domain::{ChannelName, EventId, Family};

/// Where the data may name what ties an answer to it, if the message has no id.
const CORRELATION_ID: &str = "correlationId";

impl WebSocketConnection {
    /// What is asked for with a message whose type means nothing to the server: to publish it on the channel to which it belongs,
    /// or else to have a worker look at it.
    pub(super) fn read_unknown(
        &self,
        message: &Message,
        limits: &Limits,
    ) -> Result<Request, Reply> {
        if ServerWord::is_meant(&message.name) {
            return Err(ServerWord::refusal(&message.name));
        }
        Ok(match self.route(message)? {
            Route::Channel(channel) => Request::Publish(publication(channel, message, limits)?),
            Route::Worker(channel) => {
                let publication = publication(channel, message, limits)?;
                Request::ToWorker(self.for_worker(message, publication))
            }
        })
    }

    /// A message of a session, for the worker as well. Nothing if there is none, if the message is refused, or if the sender is a
    /// worker itself.
    pub(super) fn copy_for_worker(
        &self,
        message: &Message,
        limits: &Limits,
    ) -> Option<Publication> {
        let worker = self.worker_channel()?;
        let Ok(Route::Channel(channel)) = self.route(message) else {
            return None;
        };
        if !matches!(channel.family(), Family::Session(_)) || ServerWord::is_meant(&message.name) {
            return None;
        }
        if self.subscriber()?.session.rooms.contains(worker) {
            return None;
        }
        let publication = publication(worker.clone(), message, limits).ok()?;
        Some(self.for_worker(message, publication))
    }

    fn worker_channel(&self) -> Option<&ChannelName> {
        self.app().config().worker_channel.as_ref()
    }

    fn route(&self, message: &Message) -> Result<Route, Reply> {
        let session = self.door.session_id();
        let worker = self.worker_channel();
        routing::route(self.door.format, message, session.as_deref(), worker)
    }

    /// The same with who sent it. The data was checked by itself.
    fn for_worker(&self, message: &Message, publication: Publication) -> Publication {
        let client = self.client.to_string();
        let correlation = correlation_id(message);
        let user = self.subscriber().and_then(|known| self.user_of(&known));
        let session = message.session.clone().or_else(|| self.door.session_id());
        let info = self.client_info();
        let payload = json_text(&WorkerMessage {
            client_id: &client,
            correlation_id: &correlation,
            user_id: Nullable(user.as_deref()),
            session_id: Nullable(session.as_deref()),
            client_type: Nullable(info.client_type.as_deref()),
            version: Nullable(info.version.as_deref()),
            data: &publication.payload,
        });
        Publication {
            payload,
            ..publication
        }
    }
}

/// A message as it is published.
fn publication(
    channel: ChannelName,
    message: &Message,
    limits: &Limits,
) -> Result<Publication, Reply> {
    let sent = message.has_data.then_some(&*message.data);
    Publication::check_sent(sent, limits)?;
    let publication = Publication::new(channel, &message.name, Some(&message.data), limits)?;
    let envelope = message.envelope.clone().map_err(EnvelopeFlaw::refusal)?;
    message.with_options(Publication {
        envelope,
        ..publication
    })
}

/// What ties the answer to a message: its id, or what its data says, or else something that is like nothing else.
fn correlation_id(message: &Message) -> String {
    let said = message.id.as_deref().and_then(as_text);
    let said = said.or_else(|| {
        let data = RawObject::read(message.data.get())?;
        as_text(data.get(CORRELATION_ID)?)
    });
    said.unwrap_or_else(|| EventId::generate().0.to_string())
}

/// A text, or a number as text.
fn as_text(raw: &RawValue) -> Option<String> {
    const MAX_BYTES: usize = 256;
    let text = match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str(raw.get()).ok()?,
        b'-' | b'0'..=b'9' => raw.get().to_owned(),
        _ => return None,
    };
    (!text.is_empty() && text.len() <= MAX_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::*;

    #[test]
    fn an_answer_is_tied_to_the_id_or_else_to_what_the_data_says() {
        let id = |text: &str| correlation_id(&Message::read(Format::Flat, text).unwrap());
        for (text, expected) in [
            (r#"{"type":"x","id":"m1","correlationId":"c"}"#, "m1"),
            (r#"{"type":"x","id":7}"#, "7"),
            (r#"{"type":"x","correlationId":"c"}"#, "c"),
            (r#"{"type":"x","data":{"correlationId":8}}"#, "8"),
        ] {
            assert_eq!(id(text), expected, "{text}");
        }
        for text in [r#"{"type":"x"}"#, r#"{"type":"x","id":"","data":[1]}"#] {
            assert_eq!(id(text).len(), 36, "{text}");
        }
        assert_ne!(id(r#"{"type":"x"}"#), id(r#"{"type":"x"}"#));
    }
}
