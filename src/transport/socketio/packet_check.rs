//! Checks each packet of a client before engineioxide and socketioxide read it: over one that they cannot read, or do not
//! expect, they end the connection; an ack id that they cannot read they ignore, and the client waits for its ack for ever.
//!
//! An event that cannot be read is replaced by a stand-in with the same namespace and ack id: the event [`MALFORMED`], which
//! says what is wrong. It takes the way of all events, so that the rates count it and its refusal keeps the order of the
//! answers. Events whose meaning is clear are written as socketioxide reads them instead: a name that is a number or has
//! escapes, whitespace after the ack id.
//!
//! What asks for nothing is left out: packets of Engine.IO that have no meaning here, answers, of which none was asked for,
//! and what is sent to a namespace by a client that is not in it. So are attachments: an event with binary data is refused
//! for its placeholders, and goes on without waiting for them. Other bytes are packets of a client that speaks
//! [MessagePack](super::msgpack), which are translated first.
//!
//! Nothing here depends on the transport, and nothing is allocated for a packet that passes as it is, save what `serde_json`
//! needs to remember which brackets are open.

mod stream;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::namespaces::DEFAULT;
use super::packet_counter::PacketCounter;
use crate::contract::Reply;
pub(super) use stream::Checked;

/// The name of a stand-in. A client's own event of this name is refused as malformed.
const MALFORMED: &str = "boardcast:malformed";
/// Longest event name that a stand-in repeats, in characters.
const MAX_NAME_CHARS: usize = 64;
/// What JSON allows between its values.
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It can be read as it is.
    Pass,
    /// This takes its place.
    Replace(String),
    /// It is left out.
    Drop,
}

/// Decides on an Engine.IO packet that is a text, and notes if the client leaves the namespace.
pub(super) fn fate(packet: &[u8], counter: &PacketCounter) -> Fate {
    match packet {
        [b'4', message @ ..] => {
            counter.is_msgpack.get_or_init(|| false);
            fate_of_message(message, counter)
        }
        b"" | b"2probe" | b"3probe" | [b'0' | b'5' | b'6' | b'b', ..] => Fate::Drop,
        // The end, two heartbeats, and what is no Engine.IO: it ends the session, as in Node.
        _ => Fate::Pass,
    }
}

fn fate_of_message(message: &[u8], counter: &PacketCounter) -> Fate {
    let text = String::from_utf8_lossy(message);
    let is_text = matches!(text, Cow::Borrowed(_));
    if text.starts_with('0') {
        // CONNECT may name any namespace.
        let (namespace, query) = namespace_of(&text);
        // A packet that is replaced is looked at twice.
        if query.is_none_or(|query| !counter.namespaces.keeps_query(namespace, query)) {
            counter.record_namespace(namespace);
        }
        return match without_query(&text, counter) {
            Some(connect) => Fate::Replace(connect),
            None if is_text => Fate::Pass,
            None => Fate::Replace(format!("4{text}")),
        };
    }
    let Some(packet) = Packet::read(&text) else {
        if !counter.namespaces.contains(DEFAULT) {
            return Fate::Drop;
        }
        let what = "must begin with 0, 1, 2, 3, 5 or 6, as Socket.IO packets of clients do";
        let packet = Packet {
            bytes: text.len() + 1,
            ..Packet::default()
        };
        return Fate::Replace(packet.stand_in(&Wrong::new("packet", what)));
    };
    match packet.kind {
        _ if !counter.namespaces.contains(packet.namespace) => Fate::Drop,
        Kind::Answer => Fate::Drop,
        Kind::Disconnect => {
            counter.namespaces.leave(packet.namespace);
            Fate::Pass
        }
        Kind::Event => match packet.check(is_text) {
            Ok(None) => Fate::Pass,
            Ok(Some(event)) => Fate::Replace(event),
            Err(wrong) => Fate::Replace(packet.stand_in(&wrong)),
        },
    }
}

/// The namespace that a CONNECT names, and the query behind it.
fn namespace_of(connect: &str) -> (&str, Option<&str>) {
    let named = connect.get(1..).filter(|named| named.starts_with('/'));
    let Some(named) = named.and_then(|named| named.split(',').next()) else {
        return (DEFAULT, None);
    };
    match named.split_once('?') {
        Some((namespace, query)) => (namespace, Some(query)),
        None => (named, None),
    }
}

/// A CONNECT as socketioxide reads it, if it is of version 2 and has a query after its namespace, as in `0/board?token=x,`.
/// The query is kept for the answer.
fn without_query(connect: &str, counter: &PacketCounter) -> Option<String> {
    let rest = connect.strip_prefix('0')?;
    let (named, payload) = rest.split_once(',').unwrap_or((rest, ""));
    let (namespace, query) = named.split_once('?')?;
    if !namespace.starts_with('/') {
        return None;
    }
    counter.namespaces.keep_query(namespace, query);
    Some(format!("40{namespace},{payload}"))
}

/// What a stand-in says of the packet that it replaces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The name of the event, as far as it can be read.
    pub(super) event: String,
    field: String,
    what: String,
    /// The bytes of the packet.
    pub(super) bytes: usize,
}

impl Malformed {
    /// Reads an event's text if it is a stand-in.
    pub(super) fn read(name: &str, packet: Option<&RawValue>) -> Option<Self> {
        if name != MALFORMED {
            return None;
        }
        let (IgnoredAny, event, field, what, bytes) = serde_json::from_str(packet?.get()).ok()?;
        Some(Self {
            event,
            field,
            what,
            bytes,
        })
    }

    /// The answer to the packet.
    pub(super) fn refusal(&self) -> Reply {
        Reply::invalid(&self.field, &self.what)
    }
}

/// What a packet is, besides a CONNECT.
#[derive(Debug, Default, PartialEq, Eq)]
enum Kind {
    Disconnect,
    #[default]
    Event,
    Answer,
}

/// A packet: `<kind>[<number of attachments>-][<namespace>,][<ack id>]<payload>`.
#[derive(Debug, PartialEq, Eq)]
struct Packet<'a> {
    kind: Kind,
    has_attachments: bool,
    has_bad_attachments: bool,
    namespace: &'a str,
    /// Its digits.
    ack: &'a str,
    payload: &'a str,
    /// The bytes of the whole Engine.IO packet.
    bytes: usize,
}

impl Default for Packet<'_> {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            has_attachments: false,
            has_bad_attachments: false,
            namespace: DEFAULT,
            ack: "",
            payload: "",
            bytes: 0,
        }
    }
}

/// What is wrong with an event.
struct Wrong {
    field: &'static str,
    what: String,
}

impl Wrong {
    fn new(field: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { field, what }
    }
}

impl<'a> Packet<'a> {
    /// Takes a message apart; `None` if it is of no kind that clients send.
    fn read(message: &'a str) -> Option<Self> {
        let kind = match message.as_bytes().first()? {
            b'1' => Kind::Disconnect,
            b'2' | b'5' => Kind::Event,
            b'3' | b'6' => Kind::Answer,
            _ => return None,
        };
        let has_attachments = message.starts_with(['5', '6']);
        let mut rest = &message[1..];
        let mut has_bad_attachments = false;
        if has_attachments {
            let digits = take_digits(&mut rest);
            let is_ended = rest.starts_with('-');
            rest = &rest[usize::from(is_ended)..];
            has_bad_attachments = !is_ended || digits.parse::<usize>().is_err();
        }
        let namespace = match rest.find(',') {
            _ if !rest.starts_with('/') => "",
            Some(comma) => &rest[..=comma],
            None => rest,
        };
        rest = &rest[namespace.len()..];
        let ack = take_digits(&mut rest);
        Some(Self {
            kind,
            has_attachments,
            has_bad_attachments,
            namespace: match namespace.strip_suffix(',').unwrap_or(namespace) {
                "" => DEFAULT,
                named => named,
            },
            ack,
            payload: rest,
            bytes: message.len() + 1,
        })
    }

    /// Checks an event: the packet that means the same and that socketioxide reads, if it does not read this one.
    fn check(&self, is_text: bool) -> Result<Option<String>, Wrong> {
        if !is_text {
            return Err(Wrong::new("payload", "must be UTF-8"));
        }
        if self.has_bad_attachments {
            let what = "must be counted before the packet, as in 451-[…]";
            return Err(Wrong::new("attachments", what));
        }
        if !self.ack.is_empty() && self.ack.parse::<i64>().is_err() {
            return Err(Wrong::new(
                "ack",
                format!("must not be larger than {}", i64::MAX),
            ));
        }
        let payload = self.payload.trim_start_matches(WHITESPACE);
        if !payload.starts_with('[') {
            return Err(no_event());
        }
        let name = first(payload)
            .map_err(|error| Wrong::new("payload", format!("is not valid JSON: {error}")))?;
        let name = name.ok_or_else(no_event)?.get();
        let written = readable_name(name)?;
        let is_readable = self.ack.is_empty() || payload.len() == self.payload.len();
        if written.is_none() && is_readable && !self.has_attachments {
            return Ok(None);
        }
        let after = &payload[1..].trim_start_matches(WHITESPACE)[name.len()..];
        let name = written.as_deref().unwrap_or(name);
        let start = self.start();
        Ok(Some(format!("{start}{}[{name}{after}", self.ack)))
    }

    fn stand_in(&self, Wrong { field, what }: &Wrong) -> String {
        let ack = self.ack.parse::<i64>().map_or("", |_| self.ack);
        let event = claimed_name(self.payload);
        let payload = serde_json::json!([MALFORMED, event, field, what, self.bytes]);
        format!("{}{ack}{payload}", self.start())
    }

    /// How an event begins that takes the packet's place: in the same namespace.
    fn start(&self) -> Cow<'static, str> {
        match self.namespace {
            DEFAULT => "42".into(),
            named => format!("42{named},").into(),
        }
    }
}

fn no_event() -> Wrong {
    Wrong::new(
        "payload",
        "must be an array that begins with the name of the event",
    )
}

/// Takes the digits from the beginning of a text.
fn take_digits<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|char: char| !char.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    digits
}

/// The first value of an array of JSON that takes up all of a text, as it stands there.
fn first(array: &str) -> serde_json::Result<Option<&RawValue>> {
    struct First;

    impl<'de> Visitor<'de> for First {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
            let first = values.next_element()?;
            while let Some(IgnoredAny) = values.next_element()? {}
            Ok(first)
        }
    }

    let mut reader = serde_json::Deserializer::from_str(array);
    let first = reader.deserialize_seq(First)?;
    reader.end()?;
    Ok(first)
}

/// The name of an event as socketioxide reads it, as JSON: a text without escapes; `None` if it stands there already. In
/// Node, an event that is a number has the name that the number has as a text.
fn readable_name(name: &str) -> Result<Option<String>, Wrong> {
    let written = match name.as_bytes() {
        [b'"', ..] if !name.contains('\\') => None,
        [b'"', ..] => match serde_json::from_str::<String>(name) {
            Ok(name) if !name.contains(['"', '\\']) && !name.contains(|char| char < ' ') => {
                Some(format!("\"{name}\""))
            }
            _ => {
                let what =
                    "must not contain quotes, backslashes, control characters or lone surrogates";
                return Err(Wrong::new("event", what));
            }
        },
        [b'-' | b'0'..=b'9', ..] => Some(format!("\"{name}\"")),
        _ => return Err(Wrong::new("event", "must be a text")),
    };
    if written.as_deref().unwrap_or(name).trim_matches('"') == MALFORMED {
        return Err(Wrong::new(
            "event",
            "must not be a name that the server uses itself",
        ));
    }
    Ok(written)
}

/// The name that an event seems to have, of a payload that may be no JSON; nothing if it cannot be seen.
fn claimed_name(payload: &str) -> String {
    let payload = payload.trim_start_matches(WHITESPACE);
    let name = payload
        .strip_prefix('[')
        .map(|rest| rest.trim_start_matches(WHITESPACE));
    let name = name.and_then(|rest| rest.strip_prefix('"')?.split_once('"'));
    let name = name.map_or("", |(name, _)| name);
    name.chars()
        .take_while(|char| *char != '\\')
        .take(MAX_NAME_CHARS)
        .collect()
}
