//! From the text of an event's arguments to their values, with everything refused that no frontend sends by accident
//! and that would harm the server, its database, or other clients.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

use super::{ErrorCode, Reply};
use crate::domain::Fields;

/// Most arguments of an event.
const MAX_ARGUMENTS: usize = 16;
/// Levels of a packet around its arguments: the array.
const ENVELOPE_LEVELS: usize = 1;
/// Values of a packet besides its first argument: the array and the event's name.
const ENVELOPE_VALUES: usize = 2;
/// Most values of a packet, and of an object that comes as a string in it. In memory a value may take up a hundred times
/// the room that its text does: `{"":0}` is 8 bytes with its comma, and 650.
pub(super) const MAX_VALUES: usize = 10_000;
/// Longest path that a refusal names, in characters.
const MAX_PATH_CHARS: usize = 200;
/// How a refusal names the payload as a whole.
pub(super) const PAYLOAD: &str = "payload";

/// How much a client may send at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest text of an event's arguments in bytes.
    pub max_payload_bytes: usize,
    /// Deepest nesting of a payload.
    pub max_depth: usize,
    /// Whether words are refused that sound as if they controlled a command, and are not understood.
    pub strict: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_payload_bytes: 256 * 1024,
            max_depth: 32,
            strict: false,
        }
    }
}

/// The arguments of an event as they came in, unchecked: JSON text.
#[derive(Debug, Clone, Copy)]
pub enum Arguments<'a> {
    /// There are none.
    None,
    /// One argument.
    One(&'a str),
    /// A Socket.IO packet: an array of the event's name and its arguments.
    Packet(&'a str),
}

/// Why a text does not become values.
enum Trouble {
    NotJson,
    Refused(Reply),
}

impl Arguments<'_> {
    /// Parses and checks the arguments.
    pub(super) fn read(self, limits: Limits) -> Result<Vec<Value>, Reply> {
        if self.bytes() > limits.max_payload_bytes {
            let message = format!(
                "a payload must not be larger than {} bytes",
                limits.max_payload_bytes
            );
            return Err(Reply::refused(ErrorCode::PayloadTooLarge, message).with_field(PAYLOAD));
        }
        let arguments = self.decode(limits).map_err(|trouble| match trouble {
            Trouble::NotJson => Reply::invalid(PAYLOAD, "is not valid JSON"),
            Trouble::Refused(reply) => reply,
        })?;
        if arguments.len() > MAX_ARGUMENTS {
            let what = format!("must not have more than {MAX_ARGUMENTS} arguments");
            return Err(Reply::invalid(PAYLOAD, what));
        }
        inspect_all(&arguments)?;
        Ok(arguments)
    }

    /// Checks the arguments, whatever event they are of.
    ///
    /// # Errors
    ///
    /// The refusal that names what is wrong with them.
    pub fn check(self, limits: &Limits) -> Result<(), Reply> {
        self.read(*limits).map(drop)
    }

    /// Parses and checks the arguments, whatever event they are of.
    ///
    /// # Errors
    ///
    /// The refusal that names what is wrong with them.
    pub fn values(self, limits: &Limits) -> Result<Vec<Value>, Reply> {
        self.read(*limits)
    }

    /// The bytes of the arguments' text. The name around them in a packet does not count, so that a payload is as large at
    /// every door.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::Packet(text) if text.starts_with("[\"") => {
                let name_end = string_end(text.as_bytes(), 1);
                text.len().saturating_sub(name_end + "\",]".len())
            }
            Self::One(text) | Self::Packet(text) => text.len(),
        }
    }

    fn decode(self, limits: Limits) -> Result<Vec<Value>, Trouble> {
        let (text, levels, values) = match self {
            Self::None => return Ok(Vec::new()),
            // As if it stood in a packet.
            Self::One(text) => (text, ENVELOPE_LEVELS, ENVELOPE_VALUES),
            Self::Packet(text) => (text, 0, 0),
        };
        if let Err(TooMuch { key, what }) = survey(text, (levels, values), limits.max_depth) {
            let field = path(&[Step::Key(key)]);
            return Err(Trouble::Refused(Reply::invalid(&field, what)));
        }
        self.parse(text).or_else(|_| {
            // Lone surrogates are legal in JavaScript's JSON and not in Rust's. Put where they are, a NUL is
            // found by the same inspection, which then can name the field.
            let text = lone_surrogates_to_nul(text);
            let arguments = self.parse(&text).map_err(|_| Trouble::NotJson)?;
            Err(inspect_all(&arguments).map_or_else(Trouble::Refused, |()| Trouble::NotJson))
        })
    }

    /// Parses a text of the same form.
    fn parse(self, text: &str) -> Result<Vec<Value>, serde_json::Error> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::One(_) => serde_json::from_str(text).map(|argument| vec![argument]),
            Self::Packet(_) => serde_json::from_str(text).map(|InPacket(arguments)| arguments),
        }
    }
}

/// The arguments of a packet, whose first element is the event's name.
struct InPacket(Vec<Value>);

impl<'de> Deserialize<'de> for InPacket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Packet;
        impl<'de> Visitor<'de> for Packet {
            type Value = InPacket;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of a name and arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut packet: A) -> Result<InPacket, A::Error> {
                let name: Option<IgnoredAny> = packet.next_element()?;
                name.ok_or_else(|| A::Error::custom("there is no name"))?;
                let mut arguments = Vec::new();
                while let Some(argument) = packet.next_element()? {
                    arguments.push(argument);
                }
                Ok(InPacket(arguments))
            }
        }
        deserializer.deserialize_seq(Packet)
    }
}

/// The object that a string contains, if it contains one: some frontends stringify before they emit.
pub(super) fn object_in(text: &str, limits: Limits) -> Result<Option<Value>, Reply> {
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    match Arguments::One(text).decode(limits) {
        Ok(arguments) => inspect_all(&arguments).map(|()| arguments.into_iter().next()),
        Err(Trouble::Refused(reply)) => Err(reply),
        Err(Trouble::NotJson) => Ok(None),
    }
}

fn inspect_all(arguments: &[Value]) -> Result<(), Reply> {
    let mut arguments = arguments.iter();
    arguments.try_for_each(|argument| inspect(argument, &mut Vec::new()))
}

/// Why a text is not even looked at closely, and the payload's key that leads to the place.
struct TooMuch<'a> {
    key: &'a str,
    what: String,
}

/// Looks for too deep a nesting and too many values, before anything recurses into them or is built of them. The text
/// stands inside so many levels and behind so many values.
fn survey(
    text: &str,
    (mut depth, mut values): (usize, usize),
    max_depth: usize,
) -> Result<(), TooMuch<'_>> {
    let bytes = text.as_bytes();
    let (mut at, mut key) = (0, "");
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at);
                if depth == ENVELOPE_LEVELS + 1 {
                    key = &text[at + 1..end];
                }
                at = end;
            }
            b'[' | b'{' => {
                depth += 1;
                values += 1;
                if depth > ENVELOPE_LEVELS + max_depth {
                    let what = format!("must not be nested deeper than {max_depth} levels");
                    return Err(TooMuch { key, what });
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if values > MAX_VALUES {
            let what = format!("makes it more than {MAX_VALUES} values");
            return Err(TooMuch { key, what });
        }
        at += 1;
    }
    Ok(())
}

/// The index of the quote that closes the string opened at `start`; the end of the text if none does.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn lone_surrogates_to_nul(text: &str) -> String {
    let mut fixed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        fixed.push_str(before);
        let (replacement, length) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (&escape[..12], 12),
            (Some(0xD800..=0xDFFF), _) => ("\\u0000", 6),
            (Some(_), _) => (&escape[..6], 6),
            // Past the escaped character, which may be a backslash itself.
            (None, _) => {
                let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                (&escape[..length], length)
            }
        };
        fixed.push_str(replacement);
        rest = &escape[length..];
    }
    fixed.push_str(rest);
    fixed
}

/// The UTF-16 unit that an escape `\uXXXX` at the start of the text stands for.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// One step on the way to a value.
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Refuses what must not be stored or sent on, wherever it is. The depth was checked before.
fn inspect<'a>(value: &'a Value, steps: &mut Vec<Step<'a>>) -> Result<(), Reply> {
    match value {
        Value::String(text) if text.contains('\0') => Err(Reply::invalid(&path(steps), NUL)),
        Value::Array(values) => values.iter().enumerate().try_for_each(|(index, value)| {
            steps.push(Step::Index(index));
            inspect(value, steps)?;
            steps.pop();
            Ok(())
        }),
        Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
            Err(Reply::invalid(&path(steps), "must not be binary data"))
        }
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            steps.push(Step::Key(key));
            inspect_key(key, value, steps)?;
            inspect(value, steps)?;
            steps.pop();
            Ok(())
        }),
        _ => Ok(()),
    }
}

const NUL: &str = "must not contain NUL characters or lone surrogates";

/// `steps` leads to the key's value.
fn inspect_key(key: &str, value: &Value, steps: &[Step<'_>]) -> Result<(), Reply> {
    let refused = match key {
        "__proto__" => "is not allowed as a key",
        "constructor" | "prototype" if value.is_object() => "is not allowed as a key of an object",
        _ if key.contains('\0') => NUL,
        _ => return Ok(()),
    };
    Err(Reply::invalid(&path(steps), refused))
}

/// About how many bytes these fields take up in memory.
pub(super) fn weight(fields: &Fields) -> usize {
    /// Of a `BTreeMap`: there is room for eleven fields in it, and after a split it is half full.
    const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 112;
    let nodes = fields.len().div_ceil(6) * NODE;
    let within = fields
        .iter()
        .map(|(key, value)| key.len() + weight_of(value));
    nodes + within.sum::<usize>()
}

fn weight_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.capacity(),
        Value::Object(fields) => weight(fields),
        Value::Array(values) => {
            let within: usize = values.iter().map(weight_of).sum();
            values.capacity() * size_of::<Value>() + within
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The dotted path of a value, fit to be shown.
fn path(steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    for step in steps {
        if !path.is_empty() {
            path.push('.');
        }
        match step {
            Step::Key(key) => path.extend(key.chars().take(MAX_PATH_CHARS)),
            Step::Index(index) => path.push_str(&index.to_string()),
        }
    }
    if path.is_empty() {
        return PAYLOAD.to_owned();
    }
    path.chars()
        .take(MAX_PATH_CHARS)
        .map(|char| {
            if char.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                char
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn arguments(packet: &str, limits: Limits) -> Result<Vec<Value>, Reply> {
        Arguments::Packet(packet).read(limits)
    }

    fn refused(packet: &str) -> (ErrorCode, String) {
        let reply = arguments(packet, Limits::default()).unwrap_err();
        (reply.code().unwrap(), reply.field().unwrap().to_owned())
    }

    fn invalid(field: &str) -> (ErrorCode, String) {
        (ErrorCode::ValidationFailed, field.to_owned())
    }

    fn nested(levels: usize) -> String {
        format!(
            r#"["e",{{"a":1,"deep":{}1{}}}]"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    }

    #[test]
    fn gives_the_arguments() {
        let found = arguments(r#"["e",1,{"a":[]}]"#, Limits::default()).unwrap();
        assert_eq!(found, [json!(1), json!({"a": []})]);
    }

    #[test]
    fn refuses_what_is_no_packet() {
        for packet in [
            "",
            "{}",
            "[]",
            "[",
            "null",
            r#"["e",1e999]"#,
            r#"["e","\q"]"#,
            "[\"e\",\"\\",
        ] {
            assert_eq!(refused(packet), invalid("payload"), "{packet}");
        }
    }

    #[test]
    fn depth_is_limited_to_32() {
        assert!(arguments(&nested(31), Limits::default()).is_ok());
        assert_eq!(refused(&nested(32)), invalid("deep"));
        assert_eq!(refused(&nested(10_000)), invalid("deep"));
        assert_eq!(refused(&"[".repeat(10_000)), invalid("payload"));
        let brackets_in_text = json!(["e", "[".repeat(100)]).to_string();
        assert!(arguments(&brackets_in_text, Limits::default()).is_ok());
    }

    #[test]
    fn depth_may_be_limited_otherwise() {
        for max_depth in [1, 100] {
            let limits = Limits {
                max_depth,
                ..Limits::default()
            };
            // The object in which it lies is a level, too.
            assert!(arguments(&nested(max_depth - 1), limits).is_ok());
            let reply = arguments(&nested(max_depth), limits).unwrap_err();
            assert!(reply.message().contains(&format!("{max_depth} levels")));
        }
    }

    #[test]
    fn size_and_number_are_limited() {
        let large = json!(["e", "x".repeat(256 * 1024)]).to_string();
        assert_eq!(refused(&large).0, ErrorCode::PayloadTooLarge);
        let sixteen = json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert!(arguments(&sixteen.to_string(), Limits::default()).is_ok());
        let seventeen = format!("[0,{}", &sixteen.to_string()[1..]);
        assert_eq!(refused(&seventeen), invalid("payload"));
    }

    #[test]
    fn the_number_of_values_is_limited() {
        let zeros = |count: usize| "0,".repeat(count - 1) + "0";
        // The envelope is one, and so are the event, `a` and `b`.
        let packet = |count: usize| format!(r#"["e",{{"a":1,"b":[{}]}}]"#, zeros(count));
        assert!(arguments(&packet(MAX_VALUES - 4), Limits::default()).is_ok());
        assert_eq!(refused(&packet(MAX_VALUES - 3)), invalid("b"));
        let commas_in_text = json!(["e", ",".repeat(2 * MAX_VALUES)]).to_string();
        assert!(arguments(&commas_in_text, Limits::default()).is_ok());
        let within = format!(r#"{{"b":[{}]}}"#, zeros(2 * MAX_VALUES));
        assert_eq!(
            object_in(&within, Limits::default()).unwrap_err().field(),
            Some("b")
        );
    }

    #[test]
    fn names_the_field_with_a_nul_or_a_lone_surrogate() {
        assert_eq!(
            refused(r#"["e",{"updates":{"title":"a\u0000"}}]"#),
            invalid("updates.title")
        );
        for text in [
            r"\ud800",
            r"\udc00",
            r"\ud83d\n",
            r"\uD83Dx",
            r"\ud83d\ud83d\ude00",
            r"\\\udfff",
        ] {
            let packet = format!(r#"["e",{{"id":1,"tags":["ok","{text}"]}}]"#);
            assert_eq!(refused(&packet), invalid("tags.1"), "{packet}");
        }
        assert_eq!(refused(r#"["e",{"a\u0000b":1}]"#), invalid("a\u{fffd}b"));
        assert_eq!(refused(r#"["e","\ud800"]"#), invalid("payload"));
        for fine in [r#"["e","\ud83d\ude00"]"#, r#"["e","\\ud800"]"#] {
            assert!(arguments(fine, Limits::default()).is_ok(), "{fine}");
        }
    }

    #[test]
    fn refuses_prototype_keys() {
        assert_eq!(
            refused(r#"["e",{"a":{"__proto__":1}}]"#),
            invalid("a.__proto__")
        );
        assert_eq!(
            refused(r#"["e",{"constructor":{}}]"#),
            invalid("constructor")
        );
        assert_eq!(refused(r#"["e",{"prototype":{}}]"#), invalid("prototype"));
        assert!(arguments(r#"["e",{"constructor":"ACME"}]"#, Limits::default()).is_ok());
    }

    #[test]
    fn refuses_binary_data() {
        let reply = arguments(
            r#"["e",{"file":{"_placeholder":true,"num":0}}]"#,
            Limits::default(),
        );
        let reply = reply.unwrap_err();
        assert_eq!(reply.field(), Some("file"));
        assert!(reply.message().contains("binary"));
    }

    #[test]
    fn an_object_in_a_string_is_held_to_the_same_rules() {
        assert_eq!(
            object_in(r#" {"a":1}"#, Limits::default()).unwrap(),
            Some(json!({"a": 1}))
        );
        assert_eq!(object_in("{3F25-04E0}", Limits::default()).unwrap(), None);
        assert_eq!(object_in("plain", Limits::default()).unwrap(), None);
        let deep = format!(r#"{{"d":{}}}"#, "[".repeat(10_000));
        assert_eq!(
            object_in(&deep, Limits::default()).unwrap_err().field(),
            Some("d")
        );
        assert_eq!(
            object_in(r#"{"t":"\ud800"}"#, Limits::default())
                .unwrap_err()
                .field(),
            Some("t")
        );
        assert_eq!(
            object_in(r#"{"__proto__":1}"#, Limits::default())
                .unwrap_err()
                .field(),
            Some("__proto__")
        );
    }

    proptest! {
        #[test]
        fn fixing_surrogates_changes_nothing_else(text in r#"(\\[u\\"nd]|[a-f0-9d"é]|\\u[dD][89abcdef8-9]0[0-9])*"#) {
            let fixed = lone_surrogates_to_nul(&text);
            prop_assert_eq!(fixed.len(), text.len());
            prop_assert_eq!(lone_surrogates_to_nul(&fixed), fixed);
        }
    }
}
