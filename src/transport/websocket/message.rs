//! What a client says, in either format of the envelope. Reading is pure, and costs little whatever is sent.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::compression;
use super::format::Format;
use super::raw_object::{RawObject, put};
use crate::contract::{
    Arguments, DirectOptions, EnvelopeFlaw, EnvelopeMembers, EventClass, EventName, Publication,
    Reply,
};
use crate::domain::ChannelName;

/// Longest type that is looked at, in bytes. Names of commands are shorter in every format.
const MAX_TYPE: usize = 64;
/// Longest id of a message, in bytes of JSON; a longer one is not given back.
const MAX_ID: usize = 256;

const CHANNEL: &str = "channel";
const CORRELATION_ID: &str = "correlationId";
const WHERE: &str = "where";
/// The same of a message that is for connected clients.
const OF_DIRECT: [&str; 3] = [CHANNEL, CORRELATION_ID, WHERE];
/// Members of a flat message that say something about the message. All others are its data.
const ENVELOPE: [&str; 5] = ["type", "id", "data", "timestamp", "sessionId"];

/// A message as it was understood.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// The type, as it was sent.
    pub(super) name: String,
    /// What the type means.
    pub(super) meaning: Meaning,
    /// What the answer is to name, as it was sent.
    pub(super) id: Option<Box<RawValue>>,
    /// The data; an empty object if there is none.
    pub(super) data: Box<RawValue>,
    /// Whether there is any.
    pub(super) has_data: bool,
    /// The session that the message is of, if it says so.
    pub(super) session: Option<String>,
    /// The channel that the message is about, if its metadata says so; of a flat one, the clients that it is for.
    pub(super) resource: Option<String>,
    /// What ties it to what it answers, if it is for connected clients.
    pub(super) correlation_id: Option<Box<RawValue>>,
    /// Which of the connected clients are meant.
    pub(super) condition: Option<Box<RawValue>>,
    /// What else the client says of it, which is kept with what it publishes; or what is wrong with that.
    pub(super) envelope: Result<Option<Box<RawValue>>, EnvelopeFlaw>,
    /// Whether its metadata says `compressed`: of its data, if that is a text, and of what the client wants to hear.
    pub(super) is_compressed: bool,
}

/// What a message's type means in its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Something that only this door knows.
    Own(Own),
    /// An event that clients may send at every door.
    Event(EventName),
    /// Nothing to the server: the message is published.
    Publication,
}

/// What only this door knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Ping,
    Connect,
    Disconnect,
    /// Shows who the client is.
    Handshake,
    Subscribe,
    Unsubscribe,
    /// Nothing has to be done about it.
    Ignored,
}

impl Meaning {
    fn of(format: Format, name: &str) -> Self {
        let flat = format == Format::Flat;
        Self::Own(match name {
            "ping" => Own::Ping,
            "subscribe" => Own::Subscribe,
            "unsubscribe" => Own::Unsubscribe,
            "pong" | "heartbeat" | "ack" | "error" => Own::Ignored,
            "handshake" if flat => Own::Handshake,
            "auth_request" if !flat => Own::Handshake,
            "connect" if !flat => Own::Connect,
            "disconnect" if !flat => Own::Disconnect,
            _ => return EventName::find(name).map_or(Self::Publication, Self::Event),
        })
    }

    /// What a message of this type counts as.
    pub(super) fn class(self) -> EventClass {
        match self {
            Self::Own(Own::Ping | Own::Ignored) => EventClass::Signal,
            Self::Own(_) => EventClass::Read,
            Self::Event(event) => event.class(),
            // It is written to the log.
            Self::Publication => EventClass::Command,
        }
    }
}

/// A text that is no message.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// What the refusal is to name, if the text is an object.
    pub(super) id: Option<Box<RawValue>>,
}

/// What a client has sent.
#[derive(Debug)]
pub(crate) struct Received(pub(super) Result<Message, Unreadable>);

impl Message {
    /// Reads a text message.
    pub(super) fn read(format: Format, text: &str) -> Result<Self, Unreadable> {
        let members = RawObject::read(text).ok_or(Unreadable { id: None })?;
        let id = members.get("id").filter(|id| is_id(id));
        let name = members.text("type");
        let name = name.filter(|name| !name.is_empty() && name.len() <= MAX_TYPE);
        let Some(name) = name else {
            let id = id.map(ToOwned::to_owned);
            return Err(Unreadable { id });
        };
        let envelope = match format {
            Format::Flat => EnvelopeMembers::default(),
            Format::Envelope => EnvelopeMembers {
                id: members.get("id"),
                timestamp: members.get("timestamp"),
                metadata: members.get("metadata"),
                correlation_id: members.get(CORRELATION_ID),
            },
        };
        let metadata = envelope.metadata;
        let metadata = metadata.and_then(|metadata| RawObject::read(metadata.get()));
        // Of a flat message, too, they are no data if it says that it is for connected clients.
        let direct = direct_channel(format, &members);
        let beside = |key| direct.as_ref().and_then(|_| members.get(key));
        let condition = match &metadata {
            Some(metadata) => metadata.get(WHERE),
            None => beside(WHERE),
        };
        let (condition, correlation_id) =
            (condition.map(ToOwned::to_owned), beside(CORRELATION_ID));
        let data = match format {
            Format::Flat => flat_data(&members, direct.is_some()),
            Format::Envelope => sent(&members, "data").map(Cow::Borrowed),
        };
        let has_data = data.is_some() || members.get("data").is_some();
        let data = data.map_or_else(|| empty().to_owned(), Cow::into_owned);
        let compressed = metadata
            .as_ref()
            .and_then(|metadata| metadata.get("compressed"));
        Ok(Self {
            is_compressed: compressed.is_some_and(|raw| raw.get() == "true"),
            session: members.id("sessionId"),
            correlation_id: correlation_id.map(ToOwned::to_owned),
            condition,
            resource: match &metadata {
                Some(metadata) => metadata.text("resource"),
                None => direct,
            },
            meaning: Meaning::of(format, &name),
            has_data,
            envelope: envelope.read(),
            name,
            id: id.map(ToOwned::to_owned),
            data,
        })
    }

    /// The data, as an event's arguments.
    pub(super) fn arguments(&self) -> Arguments<'_> {
        Arguments::One(self.data.get())
    }

    /// A publication with what the message says besides, if it is for connected clients.
    pub(super) fn with_options(&self, publication: Publication) -> Result<Publication, Reply> {
        if !publication.channel.is_direct() {
            return Ok(publication);
        }
        let condition = self.condition.as_ref();
        let condition = condition.map(|raw| serde_json::from_str(raw.get()));
        let condition = condition.transpose();
        let condition = condition.map_err(|_| Reply::invalid(WHERE, "is not valid JSON"))?;
        let correlation_id = self.correlation_id.as_deref();
        let direct = DirectOptions::read(&publication.channel, correlation_id, condition)?;
        Ok(Publication {
            direct,
            ..publication
        })
    }

    /// Inflates data that the client has compressed, to `max` bytes at most. Who shows who they are, or asks for the
    /// greeting, may say `compressed` without that.
    pub(super) fn inflate(&mut self, max: usize) {
        let is_wish = matches!(self.meaning, Meaning::Own(Own::Connect | Own::Handshake));
        let is_text = self.data.get().starts_with('"');
        if !self.is_compressed || self.envelope.is_err() || (is_wish && !is_text) {
            return;
        }
        match compression::inflated(&self.data, max) {
            Ok(data) => self.data = data,
            Err(flaw) => {
                self.forget_data();
                self.envelope = Err(flaw);
            }
        }
    }

    /// Keeps what an answer needs alone.
    pub(super) fn forget_data(&mut self) {
        empty().clone_into(&mut self.data);
        (self.session, self.resource) = (None, None);
        (self.correlation_id, self.condition) = (None, None);
        self.envelope = Ok(None);
    }

    /// About what it takes up in memory.
    pub(super) fn bytes(&self) -> usize {
        let id = self.id.as_ref().map_or(0, |id| id.get().len());
        let names = self.session.iter().chain(&self.resource);
        let raws = self.correlation_id.iter().chain(&self.condition);
        let raws = raws.chain(self.envelope.iter().flatten());
        let more = raws.map(|raw| raw.get().len()).sum::<usize>();
        let names = names.map(String::len).sum::<usize>();
        self.name.len() + self.data.get().len() + id + names + more
    }
}

fn is_id(raw: &RawValue) -> bool {
    let text = raw.get();
    text.len() <= MAX_ID && text.starts_with(|char: char| matches!(char, '"' | '-' | '0'..='9'))
        // Half an emoji would make the answer unreadable.
        && (!text.starts_with('"') || serde_json::from_str::<Cow<'_, str>>(text).is_ok())
}

/// A member that is there, and not null.
fn sent<'a>(members: &RawObject<'a>, key: &str) -> Option<&'a RawValue> {
    members.get(key).filter(|raw| raw.get() != "null")
}

/// The channel of connected clients that a flat message names beside its data.
fn direct_channel(format: Format, members: &RawObject<'_>) -> Option<String> {
    let channel = members.text(CHANNEL).filter(|_| format == Format::Flat)?;
    let is_direct = ChannelName::parse(&channel).is_ok_and(|channel| channel.is_direct());
    is_direct.then_some(channel)
}

/// What stands under `data`, and beside it: clients put it here or there. Both together are one object, in which what
/// stands under `data` counts more. Data that is no object is all there is.
fn flat_data<'a>(members: &RawObject<'a>, is_direct: bool) -> Option<Cow<'a, RawValue>> {
    let is_envelope =
        |key: &str| ENVELOPE.contains(&key) || (is_direct && OF_DIRECT.contains(&key));
    let data = sent(members, "data");
    let mut beside = members.0.iter();
    if beside.all(|(key, _)| is_envelope(key)) {
        return data.map(Cow::Borrowed);
    }
    let within = match data {
        None => None,
        Some(data) => match RawObject::read(data.get()) {
            None => return Some(Cow::Borrowed(data)),
            within => within,
        },
    };
    let mut object = "{".to_owned();
    let within = within.unwrap_or_default();
    // Both may have thousands.
    let inner: HashSet<&str> = within.0.iter().map(|(key, _)| &**key).collect();
    for (key, raw) in &members.0 {
        if !is_envelope(key) && !inner.contains(&**key) {
            put(&mut object, key, raw.get());
        }
    }
    for (key, raw) in &within.0 {
        put(&mut object, key, raw.get());
    }
    object.push('}');
    RawValue::from_string(object).ok().map(Cow::Owned)
}

fn empty() -> &'static RawValue {
    serde_json::from_str("{}").expect("it is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(text: &str) -> Message {
        Message::read(Format::Flat, text).unwrap()
    }

    #[test]
    fn data_may_stand_under_data_or_beside_it() {
        for (text, data) in [
            (r#"{"type":"x"}"#, "{}"),
            (r#"{"type":"x","data":null,"timestamp":1}"#, "{}"),
            (
                r#"{"type":"x","data":{ "a" : 1.0 },"id":"7"}"#,
                r#"{ "a" : 1.0 }"#,
            ),
            (
                r#"{"type":"x","a": [1,  2],"b":null}"#,
                r#"{"a":[1,  2],"b":null}"#,
            ),
            (
                r#"{"type":"x","a":1,"data":{"b":2.50}}"#,
                r#"{"a":1,"b":2.50}"#,
            ),
            (r#"{"type":"x","a":1,"data":{"a":2}}"#, r#"{"a":2}"#),
            (r#"{"type":"x","a":1,"data":[1]}"#, "[1]"),
            (r#"{"type":"join:project","data":"p1"}"#, r#""p1""#),
            (
                r#"{"type":"x","sessionId":"s","file":"f"}"#,
                r#"{"file":"f"}"#,
            ),
        ] {
            assert_eq!(flat(text).data.get(), data, "{text}");
        }
    }

    #[test]
    fn a_flat_message_for_connected_clients_says_so_beside_its_data() {
        let text = r#"{"type":"x","channel":"client:a","correlationId":"q","where":{},"a":1,"data":{"b":2}}"#;
        let message = flat(text);
        assert_eq!(message.data.get(), r#"{"a":1,"b":2}"#);
        assert_eq!(message.resource.as_deref(), Some("client:a"));
        assert_eq!(message.correlation_id.unwrap().get(), "\"q\"");
        assert_eq!(message.condition.unwrap().get(), "{}");
        let message = flat(r#"{"type":"x","channel":"other","correlationId":"q"}"#);
        let data = r#"{"channel":"other","correlationId":"q"}"#;
        assert_eq!((message.data.get(), message.resource), (data, None));
    }

    #[test]
    fn an_envelope_has_its_data_under_data_alone() {
        let text = r#"{"id":"m1","type":"subscribe","timestamp":1,"data":{"resource":"a"},"x":1,
            "metadata":{"version":"1.0","source":"t","resource":"agent:a","compressed":false}}"#;
        let message = Message::read(Format::Envelope, text).unwrap();
        assert_eq!(message.data.get(), r#"{"resource":"a"}"#);
        assert_eq!(message.id.unwrap().get(), "\"m1\"");
        assert_eq!(message.resource.as_deref(), Some("agent:a"));
        let envelope = message.envelope.unwrap().unwrap();
        let expected = r#"{"id":"m1","timestamp":1,"version":"1.0","source":"t"}"#;
        assert_eq!(envelope.get(), expected);
    }

    #[test]
    fn ids_are_given_back_as_they_were_sent() {
        for (id, kept) in [
            ("\"x\"", true),
            ("7", true),
            ("-1.50", true),
            ("null", false),
            ("{}", false),
            ("[1]", false),
            ("true", false),
            (r#""\ud800""#, false),
            (&format!("\"{}\"", "x".repeat(300)), false),
        ] {
            let text = format!(r#"{{"type":"x","id":{id}}}"#);
            let found = flat(&text).id;
            assert_eq!(found.as_ref().map(|id| id.get()), kept.then_some(id));
        }
    }

    #[test]
    fn everything_else_is_unreadable() {
        let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(65));
        for text in [
            "",
            "x",
            "[]",
            "{}",
            "\"ping\"",
            r#"{"type":7}"#,
            r#"{"type":""}"#,
            r#"{"type":"\ud800"}"#,
            r#"{"type":"x""#,
            &long,
        ] {
            for format in [Format::Flat, Format::Envelope] {
                assert!(Message::read(format, text).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn many_members_in_both_places_are_put_together_at_once() {
        let members = |name: &str| {
            let member = |number| format!(r#""{name}{number:05}":0"#);
            (0..9_000).map(member).collect::<Vec<_>>().join(",")
        };
        let text = format!(
            r#"{{"type":"x",{},"data":{{{}}}}}"#,
            members("a"),
            members("b")
        );
        let began = std::time::Instant::now();
        let message = flat(&text);
        assert!(began.elapsed().as_millis() < 200, "{:?}", began.elapsed());
        let data = format!("{{{},{}}}", members("a"), members("b"));
        assert_eq!(message.data.get(), data);
    }

    #[test]
    fn all_that_is_kept_of_a_message_is_counted() {
        let long = "x".repeat(1000);
        let text =
            format!(r#"{{"type":"x","sessionId":"{long}","metadata":{{"resource":"{long}"}}}}"#);
        for (format, kept) in [(Format::Flat, 2000), (Format::Envelope, 2000)] {
            let mut message = Message::read(format, &text).unwrap();
            assert!(message.bytes() >= kept, "{}", message.bytes());
            message.forget_data();
            assert!(message.bytes() < 100, "{}", message.bytes());
        }
    }

    #[test]
    fn type_is_charged_by_what_it_means_in_its_format() {
        use EventClass::{Command, Read, Signal};
        for (name, flat, envelope) in [
            ("ping", Signal, Signal),
            ("heartbeat", Signal, Signal),
            ("typing", Signal, Signal),
            ("subscribe", Read, Read),
            ("join-project", Read, Read),
            ("task:update", Command, Command),
            ("handshake", Read, Command),
            ("auth_request", Command, Read),
            ("disconnect", Command, Read),
            ("codeContext", Command, Command),
        ] {
            let class = |format| Meaning::of(format, name).class();
            assert_eq!(class(Format::Flat), flat, "{name}");
            assert_eq!(class(Format::Envelope), envelope, "{name}");
        }
    }
}
