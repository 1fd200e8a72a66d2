//! What the sender of a message says of it beside its data: an id, a time, where it comes from. The envelope is kept with
//! a published event as it was sent, and given back on `/ws/v1`.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ErrorCode, Reply};

/// Longest id, source or correlation id, in bytes of JSON.
const MAX_TEXT: usize = 256;
/// Longest number, in bytes.
const MAX_NUMBER: usize = 32;

/// The members of a message that belong to its envelope, as they were sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnvelopeMembers<'a> {
    /// `id`
    pub id: Option<&'a RawValue>,
    /// `timestamp`
    pub timestamp: Option<&'a RawValue>,
    /// `metadata`
    pub metadata: Option<&'a RawValue>,
    /// `correlationId`, beside them: as if it stood in `metadata`, if none does.
    pub correlation_id: Option<&'a RawValue>,
}

/// The members of `metadata` that are kept; any others are allowed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    correlation_id: Option<&'a RawValue>,
    #[serde(borrow)]
    compressed: Option<&'a RawValue>,
}

/// What is wrong with an envelope: the field, and what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeFlaw {
    code: ErrorCode,
    field: &'static str,
    what: &'static str,
}

impl EnvelopeFlaw {
    /// A field that is not what it must be.
    #[must_use]
    pub const fn new(field: &'static str, what: &'static str) -> Self {
        let code = ErrorCode::ValidationFailed;
        Self { code, field, what }
    }

    /// A field that has more in it than anybody may send.
    #[must_use]
    pub const fn too_large(field: &'static str) -> Self {
        let (code, what) = (ErrorCode::PayloadTooLarge, "is too large");
        Self { code, field, what }
    }

    /// The answer that names the field.
    #[must_use]
    pub fn refusal(self) -> Reply {
        let Self { code, field, what } = self;
        Reply::refused(code, format!("{field} {what}")).with_field(field)
    }
}

/// What may stand in a member, and the sentence for what may not.
type Rule = (fn(&RawValue) -> bool, &'static str);

const ID: Rule = (
    |raw| is_text(raw) || is_number(raw),
    "must be a text or a number of at most 256 bytes",
);
const TEXT: Rule = (is_text, "must be a text of at most 256 bytes");
const TIME: Rule = (
    |raw| is_number(raw) && !raw.get().starts_with('-'),
    "must be a number of milliseconds",
);
const FLAG: Rule = (
    |raw| matches!(raw.get(), "true" | "false"),
    "must be true or false",
);

impl EnvelopeMembers<'_> {
    /// Reads what is to be kept: one JSON object of at most 1.2 kB, or nothing if nothing was sent. `null` counts as not
    /// sent.
    ///
    /// # Errors
    ///
    /// The first member that is not what it must be.
    pub fn read(self) -> Result<Option<Box<RawValue>>, EnvelopeFlaw> {
        self.kept(Err)
    }

    /// The same, without the members that are not what they must be.
    #[must_use]
    pub fn read_leniently(self) -> Option<Box<RawValue>> {
        self.kept(|_| Ok(())).unwrap_or_default()
    }

    fn kept(
        self,
        bad: impl Fn(EnvelopeFlaw) -> Result<(), EnvelopeFlaw>,
    ) -> Result<Option<Box<RawValue>>, EnvelopeFlaw> {
        let metadata = match self.metadata.map(RawValue::get) {
            None | Some("null") => Metadata::default(),
            Some(text) => {
                let object = Some(text).filter(|text| text.starts_with('{'));
                let read = object.and_then(|text| serde_json::from_str(text).ok());
                if read.is_none() {
                    bad(EnvelopeFlaw::new("metadata", "must be an object"))?;
                }
                read.unwrap_or_default()
            }
        };
        let mut json = "{".to_owned();
        for (key, field, raw, rule) in [
            ("id", "id", self.id, ID),
            ("timestamp", "timestamp", self.timestamp, TIME),
            ("version", "metadata.version", metadata.version, ID),
            ("source", "metadata.source", metadata.source, TEXT),
            (
                "correlationId",
                "metadata.correlationId",
                metadata.correlation_id.or(self.correlation_id),
                ID,
            ),
            ("", "metadata.compressed", metadata.compressed, FLAG),
        ] {
            let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
                continue;
            };
            let (fits, what) = rule;
            if !fits(raw) {
                bad(EnvelopeFlaw::new(field, what))?;
            } else if !key.is_empty() {
                let comma = if json.len() > 1 { "," } else { "" };
                // Nothing fails that writes to a string.
                write!(json, "{comma}\"{key}\":{}", raw.get()).unwrap_or_default();
            }
        }
        json.push('}');
        let kept = Some(json).filter(|json| json.len() > 2);
        Ok(kept.and_then(|json| RawValue::from_string(json).ok()))
    }
}

/// A text that every client can read: without half an emoji, and without NUL.
fn is_text(raw: &RawValue) -> bool {
    let text = raw.get();
    let read = || serde_json::from_str::<std::borrow::Cow<'_, str>>(text);
    text.len() <= MAX_TEXT && text.starts_with('"') && read().is_ok_and(|text| !text.contains('\0'))
}

/// A number that is finite for everybody.
fn is_number(raw: &RawValue) -> bool {
    let text = raw.get();
    text.len() <= MAX_NUMBER
        && text.starts_with(|char: char| char == '-' || char.is_ascii_digit())
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sent<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
        #[serde(borrow, default)]
        timestamp: Option<&'a RawValue>,
        #[serde(borrow, default)]
        metadata: Option<&'a RawValue>,
        #[serde(borrow, default, rename = "correlationId")]
        correlation_id: Option<&'a RawValue>,
    }

    fn members(text: &str) -> EnvelopeMembers<'_> {
        let sent: Sent<'_> = serde_json::from_str(text).unwrap();
        EnvelopeMembers {
            id: sent.id,
            timestamp: sent.timestamp,
            metadata: sent.metadata,
            correlation_id: sent.correlation_id,
        }
    }

    fn kept(text: &str) -> Option<String> {
        let kept = members(text).read().unwrap();
        kept.map(|kept| kept.get().to_owned())
    }

    #[test]
    fn what_was_sent_is_kept_as_it_stands() {
        for (text, expected) in [
            ("{}", None),
            (r#"{"id":null,"metadata":{}}"#, None),
            (r#"{"metadata":{"compressed":false,"more":[1]}}"#, None),
            (
                r#"{"id":"\u00e9","timestamp":1703775135000.50}"#,
                Some(r#"{"id":"\u00e9","timestamp":1703775135000.50}"#),
            ),
            (
                r#"{"id":7,"metadata":{"correlationId":"c","source":"s","version":"1.0"}}"#,
                Some(r#"{"id":7,"version":"1.0","source":"s","correlationId":"c"}"#),
            ),
            (
                r#"{"correlationId":"beside"}"#,
                Some(r#"{"correlationId":"beside"}"#),
            ),
            (
                r#"{"correlationId":"beside","metadata":{"correlationId":"c"}}"#,
                Some(r#"{"correlationId":"c"}"#),
            ),
        ] {
            assert_eq!(kept(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_it_must_not_be_is_named_or_left_out() {
        let long = format!(r#"{{"id":"{}","timestamp":1}}"#, "x".repeat(300));
        for (text, field) in [
            (r#"{"id":[1],"timestamp":1}"#, "id"),
            (&*long, "id"),
            (r#"{"id":"\ud800","timestamp":1}"#, "id"),
            (r#"{"id":"\u0000","timestamp":1}"#, "id"),
            (
                r#"{"timestamp":1,"metadata":{"source":7}}"#,
                "metadata.source",
            ),
            (
                r#"{"timestamp":1,"metadata":{"correlationId":{}}}"#,
                "metadata.correlationId",
            ),
            (
                r#"{"timestamp":1,"metadata":{"compressed":"no"}}"#,
                "metadata.compressed",
            ),
            (r#"{"timestamp":1,"metadata":"x"}"#, "metadata"),
            (r#"{"timestamp":1,"metadata":["1.0"]}"#, "metadata"),
        ] {
            let flaw = members(text).read().unwrap_err();
            assert_eq!(flaw.field, field, "{text}");
            let rest = members(text).read_leniently();
            assert_eq!(rest.unwrap().get(), r#"{"timestamp":1}"#, "{text}");
        }
        for time in [
            "\"notnum\"",
            "-1",
            "1e999",
            "true",
            "\"2026-01-01T00:00:00Z\"",
        ] {
            let text = format!(r#"{{"timestamp":{time}}}"#);
            assert_eq!(members(&text).read().unwrap_err().field, "timestamp");
        }
    }
}
