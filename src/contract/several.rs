//! Several arguments of an event in one payload: the log keeps one payload for each event. Socket.IO clients hear them as arguments
//! again; at the other doors they stand in `{"$args": [...]}`.

use serde::Deserialize;
use serde::ser::{Serialize, SerializeTuple, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::json_text;

/// How such a payload begins.
const BEGIN: &str = r#"{"$args":["#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed<'a> {
    #[serde(borrow, rename = "$args")]
    arguments: Vec<&'a RawValue>,
}

/// Arguments as the payload of an event: one by itself, none as null.
#[must_use]
pub fn pack(arguments: &[Value]) -> Box<RawValue> {
    let [only] = arguments else {
        return match arguments {
            [] => json_text(&Value::Null),
            several => json_text(&serde_json::json!({ "$args": several })),
        };
    };
    let text = json_text(only);
    if unpack(&text).is_some() {
        return json_text(&serde_json::json!({ "$args": arguments }));
    }
    text
}

/// The arguments of a payload that has several.
#[must_use]
pub fn unpack(payload: &RawValue) -> Option<Vec<&RawValue>> {
    if !payload.get().starts_with(BEGIN) {
        return None;
    }
    let packed: Packed<'_> = serde_json::from_str(payload.get()).ok()?;
    (!packed.arguments.is_empty()).then_some(packed.arguments)
}

/// Arguments that are sent as such, and perhaps a cursor behind them.
#[derive(Debug)]
pub struct Several<'a> {
    /// The arguments.
    pub arguments: Vec<&'a RawValue>,
    /// What comes last.
    pub cursor: Option<&'a str>,
    /// Whether null comes last, so that a text before it is not taken for a cursor.
    pub ends_with_null: bool,
}

impl Serialize for Several<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let more = usize::from(self.cursor.is_some()) + usize::from(self.ends_with_null);
        let mut tuple = serializer.serialize_tuple(self.arguments.len() + more)?;
        for argument in &self.arguments {
            tuple.serialize_element(argument)?;
        }
        if let Some(cursor) = self.cursor {
            tuple.serialize_element(cursor)?;
        }
        if self.ends_with_null {
            tuple.serialize_element(&())?;
        }
        tuple.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_unpacked_as_they_were_packed() {
        for arguments in [
            json!([1, {"a": "b"}, null]),
            json!([{"$args": [1, 2]}]),
            json!([{"$args": [1]}, 2]),
        ] {
            let arguments = arguments.as_array().unwrap();
            let packed = pack(arguments);
            let unpacked = unpack(&packed).expect("there are several");
            assert_eq!(json!(unpacked), json!(arguments));
        }
    }

    #[test]
    fn one_argument_stands_by_itself() {
        assert_eq!(pack(&[]).get(), "null");
        for argument in [
            json!("a"),
            json!({"$args": []}),
            json!({"$args": [1], "b": 2}),
            json!([1, 2]),
        ] {
            let packed = pack(std::slice::from_ref(&argument));
            assert_eq!(packed.get(), argument.to_string());
            assert!(unpack(&packed).is_none());
        }
    }
}
