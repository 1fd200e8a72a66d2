//! Checks each Socket.IO packet before socketioxide reads it. Over an event that it cannot read, socketioxide ends the
//! connection; an ack id that it cannot read it ignores, and the client waits for its ack for ever.
//!
//! Such an event is replaced by a stand-in with the same namespace, ack id and attachments: the event [`MALFORMED`], which
//! says what is wrong. It takes the way of all events, so that the rates count it and its refusal keeps the order of the
//! answers. Events whose meaning is clear are written as socketioxide reads them instead: a name that is a number or has
//! escapes, whitespace after the ack id.
//!
//! Nothing here depends on the transport, and nothing is allocated for a packet that passes as it is, save what `serde_json`
//! needs to remember which brackets are open.

mod stream;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::MAX_ATTACHMENTS;
use crate::contract::Reply;
pub(super) use stream::Checked;

/// The name of a stand-in. A client's own event of this name is refused as malformed.
const MALFORMED: &str = "boardcast:malformed";
/// The ack id of an answer that nobody has asked for: socketioxide drops it. Its own ids count up from 0.
const UNASKED: i64 = i64::MAX;
/// Longest namespace, in bytes, of which a packet is replaced. No namespace that is served has a longer one, and packets to
/// others are ignored.
const MAX_NAMESPACE: usize = 255;
/// Longest event name that a stand-in repeats, in characters.
const MAX_NAME_CHARS: usize = 64;
/// What JSON allows between its values.
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The Engine.IO message that socketioxide is given in place of this one; `None` if it can read it, or if the message is to
/// end the session, as it does in Node: it is no text, no event and no ack, or announces too many attachments.
pub(super) fn replacement(message: &[u8]) -> Option<String> {
    let message = std::str::from_utf8(message).ok()?;
    let packet = Packet::read(message)?;
    if packet.is_answer() {
        return packet.unasked();
    }
    match packet.check() {
        Ok(Some(payload)) => Some(packet.with_payload(&payload)),
        Ok(None) => None,
        Err(wrong) => Some(packet.stand_in(&wrong)),
    }
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

/// An event or the answer to one:
/// `<kind>[<number of attachments>-][<namespace>,][<ack id>]<payload>`.
#[derive(Debug, PartialEq, Eq)]
struct Packet<'a> {
    kind: char,
    /// With the hyphen after them; nothing if there are none, or if their number cannot be read.
    attachments: &'a str,
    has_bad_attachments: bool,
    /// With the comma after it.
    namespace: &'a str,
    /// Its digits.
    ack: &'a str,
    payload: &'a str,
    /// The bytes of the whole message.
    bytes: usize,
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
    /// Takes an Engine.IO message apart; `None` if there is nothing in it that could be replaced.
    fn read(message: &'a str) -> Option<Self> {
        let packet = message.strip_prefix('4')?;
        let kind = packet
            .chars()
            .next()
            .filter(|kind| "2356".contains(*kind))?;
        let mut rest = &packet[1..];
        let (mut attachments, mut has_bad_attachments) = ("", false);
        if matches!(kind, '5' | '6') {
            let digits = take_digits(&mut rest);
            let is_ended = rest.starts_with('-');
            rest = &rest[usize::from(is_ended)..];
            match digits.parse() {
                Ok(0..=MAX_ATTACHMENTS) if is_ended => attachments = &packet[1..digits.len() + 2],
                Ok(_) if is_ended => return None,
                _ => has_bad_attachments = true,
            }
        }
        let namespace = match rest.find(',') {
            _ if !rest.starts_with('/') => "",
            Some(comma) => &rest[..=comma],
            None => rest,
        };
        if namespace.len() > MAX_NAMESPACE {
            return None;
        }
        rest = &rest[namespace.len()..];
        let ack = take_digits(&mut rest);
        Some(Self {
            kind,
            attachments,
            has_bad_attachments,
            namespace,
            ack,
            payload: rest,
            bytes: message.len(),
        })
    }

    fn is_answer(&self) -> bool {
        matches!(self.kind, '3' | '6')
    }

    /// What replaces an answer whose ack id socketioxide does not find. Node ignores one that it has not asked for.
    fn unasked(&self) -> Option<String> {
        let is_found = self.payload.starts_with(['[', '{']) && self.ack.parse::<i64>().is_ok();
        if is_found || self.has_bad_attachments {
            return None;
        }
        Some(format!("{}{UNASKED}[]", self.address()))
    }

    /// Checks an event: the payload that means the same and that socketioxide reads, if it does not read this one.
    fn check(&self) -> Result<Option<String>, Wrong> {
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
        if written.is_none() && (self.ack.is_empty() || payload.len() == self.payload.len()) {
            return Ok(None);
        }
        let after = &payload[1..].trim_start_matches(WHITESPACE)[name.len()..];
        let name = written.as_deref().unwrap_or(name);
        Ok(Some(format!("[{name}{after}")))
    }

    /// What stands before the ack id: socketioxide takes a namespace without a comma to be all of the packet.
    fn address(&self) -> String {
        let kind = if self.has_bad_attachments {
            '2'
        } else {
            self.kind
        };
        let comma = if self.namespace.is_empty() || self.namespace.ends_with(',') {
            ""
        } else {
            ","
        };
        format!("4{kind}{}{}{comma}", self.attachments, self.namespace)
    }

    fn with_payload(&self, payload: &str) -> String {
        format!("{}{}{payload}", self.address(), self.ack)
    }

    fn stand_in(&self, Wrong { field, what }: &Wrong) -> String {
        let ack = self.ack.parse::<i64>().map_or("", |_| self.ack);
        let event = claimed_name(self.payload);
        let payload = serde_json::json!([MALFORMED, event, field, what, self.bytes]);
        format!("{}{ack}{payload}", self.address())
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
