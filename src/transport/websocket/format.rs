//! The two formats of the envelope: how the server's messages are written. Payloads of events are not touched.

#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

use super::compression;
use super::raw_object::{RawObject, put, quoted};
use crate::contract::{DirectMessage, ServerWord};
use crate::domain::{ChannelName, Event, EventId, EventType, Family, Signal, Timestamp};

/// Which envelope a client and the server use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Format {
    /// `{"type","timestamp": ISO 8601, …}`
    Flat,
    /// `{"id","type","timestamp": milliseconds,"data","metadata"}`
    Envelope,
}

/// What `metadata.version` says.
const VERSION: &str = "1.0";
/// What `metadata.source` says of the server's own messages.
const SOURCE: &str = "boardcast";
/// What is told of something that no client has sent as JSON.
const UNREADABLE: &str = "Invalid message format";

/// What the server says of a flat message, of who sent it and of the connection. The members of a payload that are named
/// like these stand under `data` alone: nobody could tell whose word they are.
const FLAT: [&str; 18] = [
    "type",
    "timestamp",
    "id",
    "eventId",
    "channel",
    "channels",
    "pattern",
    "seq",
    "data",
    "cursor",
    "sessionId",
    "userId",
    "clientId",
    "correlationId",
    "expiresAt",
    "server",
    "messages",
    "metadata",
];

impl Format {
    /// The first message on a connection.
    pub(super) fn connected(self) -> ServerWord {
        self.either(ServerWord::Connection, ServerWord::Connect)
    }

    /// What whoever shows who they are is told, if they are believed.
    pub(super) fn welcome(self) -> ServerWord {
        self.either(ServerWord::Welcome, ServerWord::AuthSuccess)
    }

    /// A message whose data is an object, under a name that backends may use as well.
    pub(super) fn own(self, name: &str, now: Timestamp, data: &str) -> String {
        let mut members = "{".to_owned();
        match self {
            Self::Flat => {
                put(&mut members, "data", data);
                lift(&mut members, data, &[]);
                self.wrap(name, now, None, &members[1..])
            }
            Self::Envelope => self.wrap(name, now, None, inner(data)),
        }
    }

    /// What those are told who want to hear that the connection is there.
    pub(super) fn beat(self, now: Timestamp) -> String {
        let word = self.either(ServerWord::Heartbeat, ServerWord::Ping);
        let said = format!("{{\"timestamp\":{}}}", self.time(now));
        match self {
            Self::Flat => self.say(word, now, None, &[("data", said)]),
            Self::Envelope => self.wrap(word.as_str(), now, None, inner(&said)),
        }
    }

    fn either(self, flat: ServerWord, envelope: ServerWord) -> ServerWord {
        match self {
            Self::Flat => flat,
            Self::Envelope => envelope,
        }
    }

    /// A message of the server's own: its type, its members as JSON, and the id of what it answers.
    pub(super) fn say(
        self,
        word: ServerWord,
        now: Timestamp,
        answers: Option<&RawValue>,
        members: &[(&str, String)],
    ) -> String {
        let mut fields = "{".to_owned();
        for (key, raw) in members {
            put(&mut fields, key, raw);
        }
        self.wrap(word.as_str(), now, answers, &fields[1..])
    }

    /// The answer to a message that carried an id, and carries the same. What it says stands beside that, and in the envelope
    /// under `data`.
    pub(super) fn ack(self, now: Timestamp, id: &RawValue, reply: &RawValue) -> String {
        let mut message = "{".to_owned();
        put(&mut message, "type", &quoted(ServerWord::Ack.as_str()));
        put(&mut message, "id", id.get());
        put(&mut message, "timestamp", &self.time(now));
        if self == Self::Envelope {
            put(&mut message, "data", reply.get());
            put(&mut message, "metadata", &metadata(SOURCE, Some(id.get())));
            message.push('}');
            return message;
        }
        let reply = RawObject::read(reply.get()).unwrap_or_default();
        for (key, raw) in &reply.0 {
            match &**key {
                "type" | "timestamp" | "metadata" => {}
                // The ack's own is that of the message.
                "id" => put(&mut message, "eventId", raw.get()),
                key => put(&mut message, key, raw.get()),
            }
        }
        message.push('}');
        message
    }

    /// A message of the server's own, whose members are those of an object.
    pub(super) fn object(
        self,
        word: ServerWord,
        now: Timestamp,
        answers: Option<&RawValue>,
        said: &RawValue,
    ) -> String {
        self.wrap(word.as_str(), now, answers, inner(said.get()))
    }

    /// What is told of a text that is no message.
    pub(super) fn unreadable(self, now: Timestamp) -> String {
        let error = [("error", quoted(UNREADABLE))];
        self.say(ServerWord::Error, now, None, &error)
    }

    /// An event without its end, which is the receiver's: see [`Format::with_cursor`]. In the envelope its data may be
    /// compressed.
    pub(super) fn event(self, name: &str, event: &Event, may_compress: bool) -> String {
        let payload = event.payload.get();
        let mut message = String::with_capacity(2 * payload.len() + 256);
        message.push('{');
        match self {
            Self::Flat => {
                put(&mut message, "type", &quoted(name));
                put(&mut message, "timestamp", &self.time(event.created_at));
                put_place(&mut message, event);
                put(&mut message, "data", payload);
                lift(&mut message, payload, of_the_server(&event.event_type));
            }
            Self::Envelope => {
                let packed = may_compress
                    .then(|| compression::compressed(payload))
                    .flatten();
                let said = Enveloped {
                    envelope: event.envelope.as_deref(),
                    correlation_id: None,
                    id: event.id,
                    at: event.created_at,
                    actor: event.actor.as_str(),
                    payload: packed.as_deref().unwrap_or(payload),
                    is_packed: packed.is_some(),
                };
                let place = |metadata: &mut String| put_place(metadata, event);
                self.put_enveloped(&mut message, name, &said, place);
            }
        }
        message.push_str(",\"cursor\":\"");
        message
    }

    /// What the sender says of an event, as it was sent, and what it does not say as we know it. Our own word stands beside
    /// it, in `metadata`, which the caller ends.
    fn put_enveloped(
        self,
        message: &mut String,
        name: &str,
        enveloped: &Enveloped<'_>,
        put_place: impl FnOnce(&mut String),
    ) {
        let said = enveloped.envelope.map_or("{}", RawValue::get);
        let said = RawObject::read(said).unwrap_or_default();
        let of = |key: &str, ours: String| match said.get(key) {
            Some(raw) => raw.get().to_owned(),
            None => ours,
        };
        let (id, actor) = (quoted(&enveloped.id.0.to_string()), quoted(enveloped.actor));
        let correlation = enveloped.correlation_id.map(quoted);
        let correlation = correlation.unwrap_or_else(|| of("correlationId", "null".to_owned()));
        put(message, "id", &of("id", id.clone()));
        put(message, "type", &quoted(name));
        let at = self.time(enveloped.at);
        put(message, "timestamp", &of("timestamp", at.clone()));
        put(message, "data", enveloped.payload);
        let mut metadata = "{".to_owned();
        for (key, raw) in [
            ("version", of("version", quoted(VERSION))),
            ("source", of("source", actor.clone())),
            ("correlationId", correlation),
            ("compressed", enveloped.is_packed.to_string()),
            ("eventId", id),
            ("publishedAt", at),
            ("actor", actor),
        ] {
            put(&mut metadata, key, &raw);
        }
        put_place(&mut metadata);
        put(message, "metadata", &metadata);
    }

    /// The event as one receiver gets it. Nothing in a cursor has to be escaped.
    pub(super) fn with_cursor(self, event: &str, cursor: &str) -> String {
        let end = match self {
            Self::Flat => "\"}",
            Self::Envelope => "\"}}",
        };
        let mut message = String::with_capacity(event.len() + cursor.len() + end.len());
        message.extend([event, cursor, end]);
        message
    }

    /// Something that is not logged.
    pub(super) fn signal(
        self,
        name: &str,
        now: Timestamp,
        channel: &ChannelName,
        signal: &Signal,
    ) -> String {
        let payload = signal.payload.get();
        match self {
            Self::Flat => {
                let mut message = "{".to_owned();
                put(&mut message, "type", &quoted(name));
                put(&mut message, "timestamp", &self.time(now));
                put(&mut message, "channel", &quoted(channel.as_str()));
                put(&mut message, "data", payload);
                lift(&mut message, payload, &["userId"]);
                message.push('}');
                message
            }
            Self::Envelope => self.wrap(name, now, None, inner(payload)),
        }
    }

    /// A message to clients that are connected now: like an event, but it has no place in a log.
    pub(super) fn direct(self, name: &str, direct: &DirectMessage) -> String {
        let payload = &*direct.payload;
        let channel = quoted(direct.channel.as_str());
        let mut message = String::with_capacity(2 * payload.get().len() + 256);
        message.push('{');
        match self {
            Self::Flat => {
                put(&mut message, "type", &quoted(name));
                put(&mut message, "timestamp", &self.time(direct.at));
                put(&mut message, "channel", &channel);
                if let Some(id) = &direct.correlation_id {
                    put(&mut message, "correlationId", &quoted(id));
                }
                put(&mut message, "data", payload.get());
                lift(&mut message, payload.get(), &[]);
            }
            Self::Envelope => {
                let said = Enveloped {
                    envelope: direct.envelope.as_deref(),
                    correlation_id: direct.correlation_id.as_deref(),
                    id: direct.id,
                    at: direct.at,
                    actor: direct.actor.as_str(),
                    payload: payload.get(),
                    is_packed: false,
                };
                let place = |metadata: &mut String| put(metadata, "channel", &channel);
                self.put_enveloped(&mut message, name, &said, place);
                message.push('}');
            }
        }
        message.push('}');
        message
    }

    /// Something that the server tells a client of its own accord, and where the client stands then.
    pub(super) fn tell(
        self,
        name: &str,
        now: Timestamp,
        said: Option<&RawValue>,
        cursor: Option<&str>,
    ) -> String {
        let said = said.map_or("{}", RawValue::get);
        let mut fields = "{".to_owned();
        for (key, raw) in &RawObject::read(said).unwrap_or_default().0 {
            // What it says of one channel is less than where the client stands in all.
            if key != "cursor" {
                put(&mut fields, key, raw.get());
            }
        }
        if self == Self::Flat {
            put(&mut fields, "data", said);
        }
        if let Some(cursor) = cursor {
            put(&mut fields, "cursor", &quoted(cursor));
        }
        self.wrap(name, now, None, &fields[1..])
    }

    /// Several messages as one. In a flat one they stand under `data` and beside it.
    pub(super) fn batch(self, now: Timestamp, messages: &[String]) -> String {
        let messages = format!("[{}]", messages.join(","));
        let mut members = Vec::with_capacity(2);
        if self == Self::Flat {
            members.push(("data", format!("{{\"messages\":{messages}}}")));
        }
        members.push(("messages", messages));
        self.say(ServerWord::BatchUpdate, now, None, &members)
    }

    /// `fields` are the members of an object, without its braces.
    fn wrap(self, name: &str, now: Timestamp, answers: Option<&RawValue>, fields: &str) -> String {
        let mut message = "{".to_owned();
        if self == Self::Envelope {
            put(
                &mut message,
                "id",
                &quoted(&EventId::generate().0.to_string()),
            );
        }
        put(&mut message, "type", &quoted(name));
        put(&mut message, "timestamp", &self.time(now));
        match self {
            Self::Flat => {
                if let Some(id) = answers {
                    put(&mut message, "id", id.get());
                }
                splice(&mut message, fields);
            }
            Self::Envelope => {
                put(&mut message, "data", &format!("{{{fields}}}"));
                let answers = answers.map(RawValue::get);
                put(&mut message, "metadata", &metadata(SOURCE, answers));
            }
        }
        message.push('}');
        message
    }

    fn time(self, at: Timestamp) -> String {
        match self {
            Self::Flat => quoted(&at.to_string()),
            Self::Envelope => at.as_millis().to_string(),
        }
    }
}

/// What stands in an envelope besides a type.
struct Enveloped<'a> {
    /// What the sender says beside the data.
    envelope: Option<&'a RawValue>,
    /// What ties it to what it answers, if that is not in the envelope.
    correlation_id: Option<&'a str>,
    id: EventId,
    at: Timestamp,
    actor: &'a str,
    /// The data as JSON.
    payload: &'a str,
    /// Whether that is compressed.
    is_packed: bool,
}

/// Where an event stands: what it is about, and its place among the events of what was subscribed to.
fn put_place(message: &mut String, event: &Event) {
    let subject = event.subject();
    put(message, "channel", &quoted(subject.as_str()));
    let pattern = event
        .source
        .as_ref()
        .map(|_| ("pattern", event.channel.as_str()));
    let of = match subject.family() {
        Family::Session(id) => Some(("sessionId", id)),
        Family::User(id) => Some(("userId", id)),
        _ => None,
    };
    for (key, text) in pattern.into_iter().chain(of) {
        put(message, key, &quoted(text));
    }
    put(message, "seq", &event.seq.to_string());
}

/// Members of a payload that the server has put there, so that they may stand beside it whatever they are named.
fn of_the_server(event_type: &EventType) -> &'static [&'static str] {
    if event_type.is_about_members() {
        &["id", "userId"]
    } else if event_type.is_ours() {
        &["id"]
    } else {
        &[]
    }
}

/// `answers` is the id of what is answered, as JSON.
fn metadata(source: &str, answers: Option<&str>) -> String {
    let mut metadata = "{".to_owned();
    put(&mut metadata, "version", &quoted(VERSION));
    put(&mut metadata, "source", &quoted(source));
    put(&mut metadata, "correlationId", answers.unwrap_or("null"));
    put(&mut metadata, "compressed", "false");
    metadata.push('}');
    metadata
}

/// Repeats the members of a payload beside it, without those that could be taken for the server's own word: except these.
fn lift(message: &mut String, payload: &str, except: &[&str]) {
    let Some(members) = RawObject::read(payload) else {
        return;
    };
    for (key, raw) in &members.0 {
        if !FLAT.contains(&&**key) || except.contains(&&**key) {
            put(message, key, raw.get());
        }
    }
}

/// The members of an object, without its braces.
fn inner(object: &str) -> &str {
    let object = object.trim();
    let inner = object
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap_or_default()
}

fn splice(message: &mut String, members: &str) {
    if !members.trim().is_empty() {
        message.push(',');
        message.push_str(members);
    }
}
