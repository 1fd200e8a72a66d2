//! The arguments of an event, as they are emitted: through socketioxide, or as the text that it would make of them.

use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::SendError;

use super::IoSocket;
use crate::contract::Several;

/// See the module.
#[derive(Debug)]
pub(super) enum Emitted<'a> {
    /// A payload alone.
    One(&'a RawValue),
    /// A payload with a cursor behind it.
    WithCursor(&'a RawValue, &'a str),
    /// A payload with null behind it, so that it is not taken for a cursor.
    WithNull(&'a RawValue),
    /// Two payloads.
    Two(&'a RawValue, &'a RawValue),
    /// A payload of several arguments.
    Several(Several<'a>),
    /// A text.
    Text(&'a str),
}

impl Emitted<'_> {
    /// Emits an event through socketioxide.
    ///
    /// # Errors
    ///
    /// Its queue is full, or the socket has ended.
    pub(super) fn emit(&self, socket: &IoSocket, name: &str) -> Result<(), SendError> {
        match self {
            Self::One(payload) => socket.emit(name, payload),
            Self::WithCursor(payload, cursor) => socket.emit(name, &(payload, cursor)),
            Self::WithNull(payload) => socket.emit(name, &(payload, ())),
            Self::Two(first, second) => socket.emit(name, &(first, second)),
            Self::Several(several) => socket.emit(name, several),
            Self::Text(text) => socket.emit(name, text),
        }
    }

    /// Writes the list of an event's packet, byte for byte as socketioxide does.
    ///
    /// # Errors
    ///
    /// An argument cannot be encoded.
    pub(super) fn write(&self, name: &str, list: &mut Vec<u8>) -> serde_json::Result<()> {
        list.push(b'[');
        serde_json::to_writer(&mut *list, name)?;
        match self {
            Self::One(payload) => add(list, payload)?,
            Self::WithCursor(payload, cursor) => {
                add(list, payload)?;
                add(list, cursor)?;
            }
            Self::WithNull(payload) => {
                add(list, payload)?;
                add(list, &())?;
            }
            Self::Two(first, second) => {
                add(list, first)?;
                add(list, second)?;
            }
            Self::Several(several) => {
                for argument in &several.arguments {
                    add(list, argument)?;
                }
                if let Some(cursor) = several.cursor {
                    add(list, cursor)?;
                }
                if several.ends_with_null {
                    add(list, &())?;
                }
            }
            Self::Text(text) => add(list, text)?,
        }
        list.push(b']');
        Ok(())
    }
}

fn add<T: Serialize + ?Sized>(list: &mut Vec<u8>, argument: &T) -> serde_json::Result<()> {
    list.push(b',');
    serde_json::to_writer(list, argument)
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    fn raw(value: &Value) -> Box<RawValue> {
        to_raw_value(value).unwrap()
    }

    fn written(name: &str, emitted: &Emitted<'_>) -> String {
        let mut list = Vec::new();
        emitted.write(name, &mut list).unwrap();
        String::from_utf8(list).unwrap()
    }

    /// As socketioxide encodes them: the arguments follow the name, a tuple's one by one, and a payload is one whatever it is.
    #[test]
    fn arguments_are_written_as_they_are_emitted() {
        let name = "task:\"updated\"\u{7}";
        for payload in [
            json!({"a": [1.5, "é"]}),
            json!([1, 2]),
            json!("text"),
            json!(null),
        ] {
            let payload = &*raw(&payload);
            for (emitted, expected) in [
                (Emitted::One(payload), json!([name, payload])),
                (
                    Emitted::WithCursor(payload, "e~s.1:2"),
                    json!([name, payload, "e~s.1:2"]),
                ),
                (Emitted::WithNull(payload), json!([name, payload, null])),
                (
                    Emitted::Two(payload, payload),
                    json!([name, payload, payload]),
                ),
                (Emitted::Text("a\"b"), json!([name, "a\"b"])),
            ] {
                assert_eq!(written(name, &emitted), expected.to_string());
            }
        }
        let (one, two) = (raw(&json!(1)), raw(&json!("b")));
        let several = |cursor, ends_with_null| {
            let arguments = vec![&*one, &*two];
            Emitted::Several(Several {
                arguments,
                cursor,
                ends_with_null,
            })
        };
        assert_eq!(
            written("a", &several(Some("c"), false)),
            r#"["a",1,"b","c"]"#
        );
        assert_eq!(written("a", &several(None, true)), r#"["a",1,"b",null]"#);
    }
}
