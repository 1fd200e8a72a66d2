//! What a backend publishes on a channel, or a client says to the others of its session: a type and data that mean
//! nothing to the server, and go to every subscriber as they were sent.

use serde::{Deserialize, Deserializer};
use serde_json::value::{RawValue, to_raw_value};

use super::data_schema::{check_published, has_schema};
use super::direct_options::DirectOptions;
use super::envelope::{EnvelopeFlaw, EnvelopeMembers};
use super::fingerprint::Fingerprint;
use super::{Arguments, Limits, Reply, ServerWord, idempotency};
use crate::domain::{ChannelName, EventType};

/// Longest type in bytes.
const MAX_TYPE_BYTES: usize = 64;
/// Longest name of a client's event that goes to a room as it is, in bytes.
const MAX_RELAYED_BYTES: usize = 128;
/// The type of what comes without one.
const MESSAGE: &str = "message";

/// What is to be published.
#[derive(Debug, Clone)]
pub struct Publication {
    /// On this channel.
    pub channel: ChannelName,
    /// What happened.
    pub event_type: EventType,
    /// The data, as it was sent.
    pub payload: Box<RawValue>,
    /// What the sender says of it beside the data: see [`EnvelopeMembers`].
    pub envelope: Option<Box<RawValue>>,
    /// The idempotency key.
    pub key: Option<String>,
    /// What else may be said on `broadcast` and `client:<id>`.
    pub direct: DirectOptions,
}

impl PartialEq for Publication {
    fn eq(&self, other: &Self) -> bool {
        let parts = |of: &Self| {
            let text = |json: &RawValue| json.get().to_owned();
            (
                of.channel.clone(),
                of.event_type.clone(),
                text(&of.payload),
                of.envelope.as_deref().map(text),
                of.key.clone(),
                of.direct.clone(),
            )
        };
        parts(self) == parts(other)
    }
}

/// An object that asks for a publication.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    #[serde(default)]
    channel: Option<serde_json::Value>,
    #[serde(default)]
    r#type: Option<serde_json::Value>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(default)]
    idempotency_key: Option<serde_json::Value>,
    #[serde(borrow, default)]
    correlation_id: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "sent")]
    r#where: Option<serde_json::Value>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// What backends say of what they publish.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    r#type: String,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    correlation_id: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "sent")]
    r#where: Option<serde_json::Value>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// The payload if no data is sent.
fn no_data() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("it is JSON")
}

/// What is there, `null` as well.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A value that is there, `null` as well.
fn sent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

impl Publication {
    /// Checks what is to be published.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn new(
        channel: ChannelName,
        event_type: &str,
        data: Option<&RawValue>,
        limits: &Limits,
    ) -> Result<Self, Reply> {
        let publication = Self::unchecked(channel, event_type, data)?;
        // Held to the same rules as the payload of any message, and kept as it stands.
        Arguments::One(publication.payload.get()).check(limits)?;
        publication.fitting()
    }

    /// A publication whose data is not checked.
    fn unchecked(
        channel: ChannelName,
        event_type: &str,
        data: Option<&RawValue>,
    ) -> Result<Self, Reply> {
        if channel.is_of_all() {
            let what = "tells of a whole family: publish on the channel that it is about";
            return Err(Reply::invalid("channel", what));
        }
        Ok(Self {
            event_type: event_type_of(&channel, event_type)?,
            channel,
            payload: data.map_or_else(no_data, ToOwned::to_owned),
            envelope: None,
            key: None,
            direct: DirectOptions::default(),
        })
    }

    /// The same if its data fits the schema of its type.
    fn fitting(self) -> Result<Self, Reply> {
        check_published(self.event_type.as_str(), &self.payload)?;
        Ok(self)
    }

    /// Checks what was sent as data, on a strict server: something that JavaScript calls an object must be there.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn check_sent(data: Option<&RawValue>, limits: &Limits) -> Result<(), Reply> {
        if !limits.strict {
            return Ok(());
        }
        let data = data.ok_or_else(|| Reply::invalid("data", "is missing"))?;
        if data.get().starts_with(['{', '[', 'n']) {
            return Ok(());
        }
        Err(Reply::invalid("data", "must be an object"))
    }

    /// What a client's message becomes that goes to a room as it is: its name and payload were checked when it came in.
    ///
    /// # Errors
    ///
    /// The refusal of a name that only the server says, or of data that is not of its type.
    pub fn relayed(
        channel: ChannelName,
        name: &str,
        payload: Box<RawValue>,
    ) -> Result<Self, Reply> {
        let event_type = EventType::restore(name.to_owned());
        if event_type.is_ours() || ServerWord::is_spelled(name) || name.is_empty() {
            return Err(ServerWord::refusal(name));
        }
        if name.len() > MAX_RELAYED_BYTES || name.contains(char::is_control) {
            let what =
                format!("must have at most {MAX_RELAYED_BYTES} bytes, and no control characters");
            return Err(Reply::invalid("event", what));
        }
        let publication = Self {
            channel,
            event_type,
            payload,
            envelope: None,
            key: None,
            direct: DirectOptions::default(),
        };
        publication.fitting()
    }

    /// Reads `{channel, type, data, idempotencyKey}`.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn read(text: &str, limits: &Limits) -> Result<Self, Reply> {
        // First: what is too large, too deep, or no object, is not looked at more closely.
        Arguments::One(text).check(limits)?;
        // A list would be understood as the values of the keys.
        let object = Some(text).filter(|text| text.trim_start().starts_with('{'));
        let asked = object.and_then(|text| serde_json::from_str(text).ok());
        let asked: Asked<'_> = asked.ok_or_else(|| {
            Reply::invalid("payload", "must be an object with channel, type and data")
        })?;
        let text = |key: &str, value: Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => Ok(text),
            Some(_) => Err(Reply::invalid(key, "must be a string")),
            None => Err(Reply::invalid(key, "is missing")),
        };
        let channel = text("channel", asked.channel)?;
        let channel =
            ChannelName::parse(&channel).map_err(|error| Reply::invalid("channel", error))?;
        let event_type = text("type", asked.r#type)?;
        Self::check_sent(asked.data, limits)?;
        // The data was checked with all of the text.
        let direct = DirectOptions::read(&channel, asked.correlation_id, asked.r#where)?;
        let envelope = EnvelopeMembers {
            id: asked.id,
            timestamp: asked.timestamp,
            metadata: asked.metadata,
            correlation_id: asked.correlation_id,
        };
        let publication = Self::unchecked(channel, &event_type, asked.data)?.fitting()?;
        let mut publication = publication.with_envelope(envelope)?;
        publication.direct = direct;
        match asked.idempotency_key {
            None | Some(serde_json::Value::Null) => Ok(publication),
            key => publication.with_key(&text("idempotencyKey", key)?),
        }
    }

    /// Understands what a backend says on a channel: an object with a type, and data beside it or in it; any other JSON; or
    /// a text.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn from_text(channel: ChannelName, text: &str, limits: &Limits) -> Result<Self, Reply> {
        let Ok(json) = serde_json::from_str::<&RawValue>(text) else {
            let text = to_raw_value(text);
            let text = text.map_err(|_| Reply::invalid("message", "is not valid"))?;
            return Self::new(channel, MESSAGE, Some(&text), limits);
        };
        let said = serde_json::from_str::<Said<'_>>(text);
        let said = said.ok();
        if let Some(said) = said
            .as_ref()
            .filter(|said| ServerWord::is_meant(&said.r#type))
        {
            return Err(ServerWord::refusal(&said.r#type));
        }
        // A name that no event can have says nothing about what happened.
        let said = said.filter(|said| event_type_of(&channel, &said.r#type).is_ok());
        match said {
            // Without data all of it is the data.
            Some(said) if said.data.is_none() && !channel.is_direct() => {
                Self::new(channel, &said.r#type, Some(json), limits)
            }
            Some(said) => {
                let envelope = EnvelopeMembers {
                    id: said.id,
                    timestamp: said.timestamp,
                    metadata: said.metadata,
                    correlation_id: said.correlation_id,
                };
                let condition = said.r#where.filter(|_| channel.is_direct());
                let direct = DirectOptions::read(&channel, said.correlation_id, condition)?;
                let data = said.data.or(Some(json));
                let publication = Self::new(channel, &said.r#type, data, limits)?;
                let mut publication = publication.with_envelope(envelope)?;
                publication.direct = direct;
                Ok(publication)
            }
            None => Self::new(channel, MESSAGE, Some(json), limits),
        }
    }

    /// The same in an envelope. That of a type that has a schema has to be what the schema says; of any other type, what
    /// fits is kept.
    fn with_envelope(mut self, members: EnvelopeMembers<'_>) -> Result<Self, Reply> {
        self.envelope = if has_schema(self.event_type.as_str()) {
            members.read().map_err(EnvelopeFlaw::refusal)?
        } else {
            members.read_leniently()
        };
        Ok(self)
    }

    /// The same under an idempotency key.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with the key.
    pub fn with_key(mut self, key: &str) -> Result<Self, Reply> {
        self.key = Some(idempotency::checked("idempotencyKey", key)?);
        Ok(self)
    }

    /// Refuses an idempotency key where nothing is kept by which a repetition would be known.
    ///
    /// # Errors
    ///
    /// The answer that names the key.
    pub fn check_key(&self) -> Result<(), Reply> {
        if self.key.is_none() || !self.channel.is_direct() {
            return Ok(());
        }
        let what = "is not possible here: what is published on broadcast and client:<id> is not kept, so nothing could \
                    tell a repetition";
        Err(Reply::invalid("idempotencyKey", what))
    }

    /// About what it takes up in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let key = self.key.as_ref().map_or(0, String::len);
        let envelope = self.envelope.as_ref().map_or(0, |said| said.get().len());
        self.payload.get().len() + self.event_type.as_str().len() + envelope + key
    }

    /// Tells whether two publications with the same key are the same, whatever their envelopes say: who repeats one may
    /// number it anew.
    #[must_use]
    pub fn fingerprint(&self) -> i64 {
        let mut hash = Fingerprint::new();
        for part in [
            self.channel.as_str(),
            self.event_type.as_str(),
            self.payload.get(),
        ] {
            hash.text(part);
        }
        hash.finish()
    }
}

/// The type, unless it could be taken for one of our own events.
fn event_type_of(channel: &ChannelName, text: &str) -> Result<EventType, Reply> {
    let invalid = |what: &str| Err(Reply::invalid("type", what));
    let is_fine = |char: char| char.is_ascii_alphanumeric() || "_.:/-".contains(char);
    if text.is_empty() {
        return invalid("must not be empty");
    }
    if text.len() > MAX_TYPE_BYTES {
        return invalid("must not be longer than 64 bytes");
    }
    if !text.chars().all(is_fine) {
        return invalid("must consist of letters, digits and _ . : / -");
    }
    if ServerWord::is_meant(text) {
        return Err(ServerWord::refusal(text));
    }
    let event_type = EventType::restore(text.to_owned());
    if event_type.is_ours() {
        return invalid("is one of the server's own: write it with colons, or send a command");
    }
    if channel.is_project() && is_about_connections(text) {
        return invalid("is one of the server's own: choose another name");
    }
    Ok(event_type)
}

/// Whether a name could be taken for what the server says of connections, and not of what they work on.
fn is_about_connections(text: &str) -> bool {
    const WORDS: [&str; 5] = ["session", "auth", "channel", "boardcast", "system"];
    let end = text.find(|char: char| !char.is_ascii_lowercase());
    WORDS.contains(&&text[..end.unwrap_or(text.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Publication, Reply> {
        Publication::read(text, &Limits::default())
    }

    #[test]
    fn data_is_kept_as_it_was_sent() {
        let data = r#"{ "b":1.50,"a" : "\u00e9", "n":12345678901234567890123 }"#;
        let text = format!(r#"{{"type":"ai_progress","data":{data},"channel":"session:s"}}"#);
        let publication = read(&text).unwrap();
        assert_eq!(publication.payload.get(), data);
        assert_eq!(publication.channel.as_str(), "session:s");
        assert_eq!(publication.event_type.as_str(), "ai_progress");
        assert_eq!(
            read(r#"{"channel":"c","type":"t"}"#).unwrap().payload.get(),
            "{}"
        );
        let null = read(r#"{"channel":"c","type":"t","data":null}"#).unwrap();
        assert_eq!(null.payload.get(), "null");
    }

    #[test]
    fn envelope_is_kept_and_that_of_a_known_type_must_fit() {
        let kept = |read: Result<Publication, Reply>| {
            let envelope = read.unwrap().envelope;
            envelope.map(|said| said.get().to_owned())
        };
        let said = r#""id":"e","timestamp":1.50,"metadata":{"source":"s","x":1}"#;
        let expected = r#"{"id":"e","timestamp":1.50,"source":"s"}"#;
        let text = format!(r#"{{"channel":"c","type":"t",{said}}}"#);
        assert_eq!(kept(read(&text)).as_deref(), Some(expected));
        let heard = |text: &str| {
            Publication::from_text(ChannelName::restore("c"), text, &Limits::default())
        };
        let text = format!(r#"{{"type":"t","data":1,{said}}}"#);
        assert_eq!(kept(heard(&text)).as_deref(), Some(expected));
        assert_eq!(kept(heard(r#"{"type":"t","id":"e"}"#)), None, "it is data");
        // A backend of its own ways is heard all the same.
        let other = r#"{"channel":"c","type":"t","data":1,"id":7,"timestamp":"2026-01-01"}"#;
        assert_eq!(kept(read(other)).as_deref(), Some(r#"{"id":7}"#));
        assert_eq!(kept(heard(other)).as_deref(), Some(r#"{"id":7}"#));
        let known =
            r#"{"channel":"c","type":"system_alert","data":{"message":"x"},"timestamp":"x"}"#;
        for refused in [read(known), heard(known)] {
            assert_eq!(refused.unwrap_err().field(), Some("timestamp"));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, field) in [
            ("7", "payload"),
            (r#"["c","t"]"#, "payload"),
            ("{", "payload"),
            (r#"{"type":"t"}"#, "channel"),
            (r#"{"channel":"a b","type":"t"}"#, "channel"),
            (r#"{"channel":7,"type":"t"}"#, "channel"),
            (r#"{"channel":"agent:*","type":"t"}"#, "channel"),
            (r#"{"channel":"c"}"#, "type"),
            (r#"{"channel":"c","type":""}"#, "type"),
            (r#"{"channel":"c","type":"a b"}"#, "type"),
            (r#"{"channel":"c","type":"task.updated"}"#, "type"),
            (r#"{"channel":"c","type":"ack"}"#, "type"),
            (r#"{"channel":"session:s","type":"sessionReset"}"#, "type"),
            (r#"{"channel":"project:p","type":"task.updated"}"#, "type"),
            (r#"{"channel":"project:p","type":"session:ended"}"#, "type"),
            (
                r#"{"channel":"c","type":"t","data":{"x":"\u0000"}}"#,
                "data.x",
            ),
            (
                r#"{"channel":"agent:a","type":"agent_status","data":{"garbage":true}}"#,
                "data.agentId",
            ),
            (r#"{"channel":"c","type":"agent_log","data":[]}"#, "data"),
            (
                r#"{"channel":"c","type":"t","idempotencyKey":""}"#,
                "idempotencyKey",
            ),
            (
                r#"{"channel":"c","type":"t","idempotencyKey":7}"#,
                "idempotencyKey",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().field(), Some(field), "{text}");
        }
        for fine in [
            r#"{"channel":"c","type":"task:updated"}"#,
            r#"{"channel":"project:p","type":"task-created"}"#,
            r#"{"channel":"project:p","type":"task:comment_added"}"#,
            r#"{"channel":"c","type":"agent_status","data":{"agentId":7,"status":"idle","mood":{}}}"#,
            r#"{"channel":"c","type":"disconnect","data":7}"#,
        ] {
            assert!(read(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn whatever_a_backend_says_becomes_an_event() {
        for (text, event_type, payload) in [
            (
                r#"{"type":"job.done","data":{"n":1.50}}"#,
                "job.done",
                r#"{"n":1.50}"#,
            ),
            (r#" {"data": [1, 2],"type":"x","id":7} "#, "x", "[1, 2]"),
            (r#"{"type":"x","data":null}"#, "x", "null"),
            (r#"{"type":"x","n":1}"#, "x", r#"{"type":"x","n":1}"#),
            (r#"{"type":7,"n":1}"#, "message", r#"{"type":7,"n":1}"#),
            (
                r#"{"type":"two words"}"#,
                "message",
                r#"{"type":"two words"}"#,
            ),
            (
                r#"{"type":"task.updated"}"#,
                "message",
                r#"{"type":"task.updated"}"#,
            ),
            (
                r#"{"type":"a","type":"b"}"#,
                "message",
                r#"{"type":"a","type":"b"}"#,
            ),
            (r#"{"data":1}"#, "message", r#"{"data":1}"#),
            ("42", "message", "42"),
            ("hello \"you\"", "message", r#""hello \"you\"""#),
            ("{broken", "message", r#""{broken""#),
            ("", "message", r#""""#),
        ] {
            let channel = ChannelName::restore("ui:activity");
            let publication = Publication::from_text(channel, text, &Limits::default()).unwrap();
            assert_eq!(publication.event_type.as_str(), event_type, "{text}");
            assert_eq!(publication.payload.get(), payload, "{text}");
        }
    }

    #[test]
    fn what_no_client_could_read_is_refused() {
        let limits = Limits {
            max_payload_bytes: 100,
            max_depth: 3,
            strict: false,
        };
        for text in [
            &"x".repeat(200),
            "a\0b",
            r#"{"type":"ack","data":{"id":"7"}}"#,
            r#"{"type":"project:access_revoked"}"#,
            r#"{"type":"x","data":"\u0000"}"#,
            r#""\ud800""#,
            r#"{"a":[[[1]]]}"#,
            r#"{"type":"x","data":{"__proto__":1}}"#,
            r#"{"type":"agent_log","garbage":1}"#,
            "1e999",
        ] {
            let channel = ChannelName::restore("ui:activity");
            assert!(
                Publication::from_text(channel, text, &limits).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn the_same_is_told_from_another() {
        let of = |text| read(text).unwrap().fingerprint();
        let first = of(r#"{"channel":"c","type":"t","data":1,"idempotencyKey":"k"}"#);
        assert_eq!(first, of(r#"{"data":1,"channel":"c","type":"t"}"#));
        assert_ne!(first, of(r#"{"data":2,"channel":"c","type":"t"}"#));
    }
}
