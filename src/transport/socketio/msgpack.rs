//! Translates between the packets of Socket.IO's MessagePack parser and those of its default one, which are all that the rest of
//! the door knows.
//!
//! A packet of `socket.io-msgpack-parser` is a map of `type`, `nsp`, `data` and `id`, in one binary message of Engine.IO. A
//! client that enters the namespace with one speaks MessagePack, and is answered in it. What is no JSON becomes what
//! `JSON.stringify` makes of it; bytes become placeholders, which are refused as everywhere.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmp::Marker;
use rmp::decode::{RmpRead as _, read_marker};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::transport::flow::lengths;

/// Deepest nesting that is read: deeper than any payload may be.
const MAX_DEPTH: usize = 128;
/// What stands between the packets of a polling body.
const SEPARATOR: char = '\u{1e}';
/// How bytes begin in such a body.
const BYTES: char = 'b';
/// How a frame begins that is a whole text.
const TEXT_FRAME: u8 = 0x81;
/// The longest header of a frame of the server's.
const MAX_HEADER: usize = 10;
/// JavaScript's `undefined`, as the parser writes it: an extension of type 0.
const UNDEFINED: [u8; 2] = [0xd4, 0];

/// The Engine.IO message that means the same as a client's binary one, if that speaks MessagePack: its first packet tells, which is
/// a CONNECT.
pub(super) fn read(bytes: &[u8], is_msgpack: &OnceLock<bool>, most: usize) -> Option<String> {
    match is_msgpack.get() {
        Some(false) => None,
        // One that cannot be read is refused as what it is: no packet.
        Some(true) => Some(to_text(bytes, most).unwrap_or_else(|| "4".to_owned())),
        None => {
            let text = to_text(bytes, most).filter(|text| text.starts_with("40"))?;
            tracing::debug!("a client speaks MessagePack");
            is_msgpack.set(true).ok()?;
            Some(text)
        }
    }
}

/// The Engine.IO message that means the same as a packet in MessagePack, if it is one and the message has up to `most` bytes.
fn to_text(mut packet: &[u8], most: usize) -> Option<String> {
    let packet = &mut packet;
    let (mut kind, mut namespace, mut id, mut data) = (None, None, None, None);
    for _ in 0..map_length(packet)? {
        let key = read_text(packet)?;
        let mut value = String::new();
        let is_undefined = packet.starts_with(&UNDEFINED);
        Json { most }.value(packet, &mut value, 0)?;
        match (key, is_undefined) {
            ("type", _) => kind = value.parse::<u8>().ok().filter(|kind| *kind <= 4),
            ("nsp", _) => namespace = Some(serde_json::from_str::<String>(&value).ok()?),
            ("id", false) => id = Some(value.parse::<u64>().ok()?),
            ("data", false) => data = Some(value),
            _ => {}
        }
    }
    let (kind, namespace) = (kind?, namespace?);
    let mut text = format!("4{kind}");
    if !namespace.starts_with('/') || namespace.contains(',') {
        return None;
    }
    if namespace != "/" {
        text += &namespace;
        text.push(',');
    }
    if let Some(id) = id {
        write!(text, "{id}").ok()?;
    }
    text += data.as_deref().unwrap_or_default();
    packet.is_empty().then_some(text)
}

fn map_length(packet: &mut &[u8]) -> Option<usize> {
    Some(match read_marker(packet).ok()? {
        Marker::FixMap(length) => length.into(),
        Marker::Map16 => packet.read_data_u16().ok()?.into(),
        _ => return None,
    })
}

/// Takes so many bytes.
fn take<'a>(packet: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = packet.split_at_checked(length)?;
    *packet = rest;
    Some(taken)
}

fn read_text<'a>(packet: &mut &'a [u8]) -> Option<&'a str> {
    let marker = read_marker(packet).ok()?;
    let length = text_length(marker, packet)?;
    std::str::from_utf8(take(packet, length)?).ok()
}

fn text_length(marker: Marker, packet: &mut &[u8]) -> Option<usize> {
    Some(match marker {
        Marker::FixStr(length) => length.into(),
        Marker::Str8 => packet.read_data_u8().ok()?.into(),
        Marker::Str16 => packet.read_data_u16().ok()?.into(),
        Marker::Str32 => packet.read_data_u32().ok()?.try_into().ok()?,
        _ => return None,
    })
}

/// Writes values of MessagePack as JSON, up to so many bytes.
struct Json {
    most: usize,
}

impl Json {
    /// Takes the next value.
    fn value(&self, packet: &mut &[u8], json: &mut String, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH || json.len() > self.most {
            return None;
        }
        let marker = read_marker(packet).ok()?;
        match marker {
            Marker::Null => json.push_str("null"),
            Marker::True => json.push_str("true"),
            Marker::False => json.push_str("false"),
            Marker::FixPos(number) => write!(json, "{number}").ok()?,
            Marker::FixNeg(number) => write!(json, "{number}").ok()?,
            Marker::U8 => write!(json, "{}", packet.read_data_u8().ok()?).ok()?,
            Marker::U16 => write!(json, "{}", packet.read_data_u16().ok()?).ok()?,
            Marker::U32 => write!(json, "{}", packet.read_data_u32().ok()?).ok()?,
            Marker::U64 => write!(json, "{}", packet.read_data_u64().ok()?).ok()?,
            Marker::I8 => write!(json, "{}", packet.read_data_i8().ok()?).ok()?,
            Marker::I16 => write!(json, "{}", packet.read_data_i16().ok()?).ok()?,
            Marker::I32 => write!(json, "{}", packet.read_data_i32().ok()?).ok()?,
            Marker::I64 => write!(json, "{}", packet.read_data_i64().ok()?).ok()?,
            Marker::F32 => push(json, &packet.read_data_f32().ok()?)?,
            Marker::F64 => push(json, &packet.read_data_f64().ok()?)?,
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let length = text_length(marker, packet)?;
                push(json, std::str::from_utf8(take(packet, length)?).ok()?)?;
            }
            Marker::FixArray(length) => self.array(packet, json, length.into(), depth)?,
            Marker::Array16 => {
                let length = packet.read_data_u16().ok()?;
                self.array(packet, json, length.into(), depth)?;
            }
            Marker::Array32 => {
                let length = packet.read_data_u32().ok()?;
                self.array(packet, json, length, depth)?;
            }
            Marker::FixMap(length) => self.map(packet, json, length.into(), depth)?,
            Marker::Map16 => {
                let length = packet.read_data_u16().ok()?;
                self.map(packet, json, length.into(), depth)?;
            }
            Marker::Map32 => {
                let length = packet.read_data_u32().ok()?;
                self.map(packet, json, length, depth)?;
            }
            other => bytes_or_extension(other, packet, json)?,
        }
        Some(())
    }

    fn array(
        &self,
        packet: &mut &[u8],
        json: &mut String,
        length: u32,
        depth: usize,
    ) -> Option<()> {
        json.push('[');
        for index in 0..length {
            if index > 0 {
                json.push(',');
            }
            self.value(packet, json, depth + 1)?;
        }
        json.push(']');
        Some(())
    }

    fn map(&self, packet: &mut &[u8], json: &mut String, length: u32, depth: usize) -> Option<()> {
        json.push('{');
        let begun = json.len();
        for _ in 0..length {
            let key = read_text(packet)?;
            if packet.starts_with(&UNDEFINED) {
                take(packet, 3)?;
                continue;
            }
            if json.len() > begun {
                json.push(',');
            }
            push(json, key)?;
            json.push(':');
            self.value(packet, json, depth + 1)?;
        }
        json.push('}');
        Some(())
    }
}

/// What JSON has no word for: a placeholder for bytes, a time as a text, nothing for `undefined`.
fn bytes_or_extension(marker: Marker, packet: &mut &[u8], json: &mut String) -> Option<()> {
    let length = match marker {
        Marker::Bin8 | Marker::Ext8 => packet.read_data_u8().ok()?.into(),
        Marker::Bin16 | Marker::Ext16 => packet.read_data_u16().ok()?.into(),
        Marker::Bin32 | Marker::Ext32 => packet.read_data_u32().ok()?.try_into().ok()?,
        Marker::FixExt1 => 1,
        Marker::FixExt2 => 2,
        Marker::FixExt4 => 4,
        Marker::FixExt8 => 8,
        Marker::FixExt16 => 16,
        _ => return None,
    };
    let is_bytes = matches!(marker, Marker::Bin8 | Marker::Bin16 | Marker::Bin32);
    let kind = if is_bytes {
        0
    } else {
        packet.read_data_i8().ok()?
    };
    let bytes = take(packet, length)?;
    match (marker, kind) {
        (Marker::FixExt1, 0) => json.push_str("null"),
        (Marker::FixExt8, 0) => {
            let millis = i64::from_be_bytes(*bytes.first_chunk()?);
            let time = jiff::Timestamp::from_millisecond(millis).ok()?;
            write!(json, "\"{time:.3}\"").ok()?;
        }
        _ => json.push_str(r#"{"_placeholder":true,"num":0}"#),
    }
    Some(())
}

/// Adds a value as JSON has it.
fn push(json: &mut String, value: &(impl serde::Serialize + ?Sized)) -> Option<()> {
    json.push_str(&serde_json::to_string(value).ok()?);
    Some(())
}

/// The packet in MessagePack of an Engine.IO message that the server sends; `None` if it is none of Socket.IO.
fn from_text(message: &str) -> Option<Vec<u8>> {
    let rest = message.strip_prefix('4')?;
    let (kind, rest) = rest.split_at_checked(1)?;
    let kind = kind.parse().ok()?;
    let (namespace, rest) = match rest.split_once(',') {
        Some((namespace, rest)) if namespace.starts_with('/') => (namespace, rest),
        _ if rest.starts_with('/') => (rest, ""),
        _ => ("/", rest),
    };
    let (id, data) = rest.split_at(
        rest.find(|char: char| !char.is_ascii_digit())
            .unwrap_or(rest.len()),
    );
    let fields = 2 + u8::from(!id.is_empty()) + u8::from(!data.is_empty());
    let mut packet = MsgPack(vec![0x80 | fields]);
    packet.text("type");
    packet.0.push(kind);
    packet.text("nsp");
    packet.text(namespace);
    if !id.is_empty() {
        packet.text("id");
        rmp::encode::write_uint(&mut packet.0, id.parse().ok()?).ok()?;
    }
    if !data.is_empty() {
        packet.text("data");
        let mut data = serde_json::Deserializer::from_str(data);
        packet.deserialize(&mut data).ok()?;
    }
    Some(packet.0)
}

/// A frame that the server writes, in MessagePack if there is a packet of Socket.IO in it.
pub(super) fn encode_frame(frame: Vec<u8>) -> Vec<u8> {
    let payload = lengths(&frame).and_then(|(header, _)| frame.get(header..));
    let text = payload.and_then(|payload| std::str::from_utf8(payload).ok());
    let is_text = frame.first() == Some(&TEXT_FRAME);
    let Some(packet) = text.filter(|_| is_text).and_then(from_text) else {
        return frame;
    };
    let mut encoded = Vec::with_capacity(packet.len() + MAX_HEADER);
    let frame = Frame::message(packet, OpCode::Data(Data::Binary), true);
    // It cannot fail: the vector takes everything.
    frame.format(&mut encoded).ok();
    encoded
}

/// Turns each packet of Socket.IO's in the body of a polling answer into MessagePack.
pub(super) fn encode_body(body: &str) -> String {
    let packets = body.split(SEPARATOR).map(|packet| match from_text(packet) {
        Some(bytes) => format!("{BYTES}{}", STANDARD.encode(bytes)),
        None => packet.to_owned(),
    });
    packets.collect::<Vec<_>>().join("\u{1e}")
}

/// The bytes of a packet in a polling body.
pub(super) fn bytes(packet: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(packet.strip_prefix(b"b")?).ok()
}

/// Values of MessagePack as they are written.
struct MsgPack(Vec<u8>);

impl MsgPack {
    fn text(&mut self, text: &str) {
        // It cannot fail: the vector takes everything.
        rmp::encode::write_str(&mut self.0, text).ok();
    }

    /// Begins an array or a map, of which it is not known yet how long it is; where its length stands.
    fn begin(&mut self, marker: Marker) -> usize {
        self.0.push(marker.to_u8());
        self.0.extend_from_slice(&[0; 4]);
        self.0.len() - 4
    }

    fn end<E: de::Error>(&mut self, at: usize, length: usize) -> Result<(), E> {
        let length = u32::try_from(length).map_err(E::custom)?;
        self.0[at..at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut MsgPack {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut MsgPack {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        rmp::encode::write_nil(&mut self.0).map_err(E::custom)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        rmp::encode::write_bool(&mut self.0, value).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        rmp::encode::write_sint(&mut self.0, value).map_err(E::custom)?;
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        rmp::encode::write_uint(&mut self.0, value).map_err(E::custom)?;
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        rmp::encode::write_f64(&mut self.0, value).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.text(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let at = self.begin(Marker::Array32);
        let mut length = 0;
        while values.next_element_seed(&mut *self)?.is_some() {
            length += 1;
        }
        self.end(at, length)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let at = self.begin(Marker::Map32);
        let mut length = 0;
        while fields.next_key_seed(&mut *self)?.is_some() {
            fields.next_value_seed(&mut *self)?;
            length += 1;
        }
        self.end(at, length)
    }
}

#[cfg(test)]
mod tests;
