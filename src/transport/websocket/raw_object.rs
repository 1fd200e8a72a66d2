//! The members of a JSON object, with their values as they stand: nothing is parsed that is only passed on.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Most members that are looked at; as many as a payload may have values.
pub(super) const MAX_MEMBERS: usize = 10_000;

/// The members of an object, in their order.
#[derive(Debug, Default)]
pub(super) struct RawObject<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

/// A key, borrowed unless something in it is escaped.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> RawObject<'a> {
    /// Reads an object; `None` if the text is none, or has too many members.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The value of a key; the last one if it is there more than once, as everybody reads JSON.
    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        let mut found = self.0.iter().rev();
        found.find(|(known, _)| known == key).map(|(_, raw)| *raw)
    }

    /// The text under a key.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.get(key)?.get()).ok()
    }

    /// The text, or the number as text, under a key. Empty ones are none.
    pub(super) fn id(&self, key: &str) -> Option<String> {
        let raw = self.get(key)?.get();
        let id = match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw).ok()?,
            b'-' | b'0'..=b'9' => raw.to_owned(),
            _ => return None,
        };
        (!id.is_empty()).then_some(id)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    if members.len() == MAX_MEMBERS {
                        return Err(A::Error::custom("too many members"));
                    }
                    members.push((key, map.next_value()?));
                }
                Ok(RawObject(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Adds a member to an object that is being written.
pub(super) fn put(object: &mut String, key: &str, raw: &str) {
    if !object.ends_with('{') {
        object.push(',');
    }
    put_text(object, key);
    object.push(':');
    object.push_str(raw);
}

/// Adds a text, quoted.
pub(super) fn put_text(json: &mut String, text: &str) {
    json.push_str(&quoted(text));
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_as_they_were_sent() {
        let text = r#"{ "a" : 1.50 , "\u0062":[1, 2],"c":null,"a": "x" }"#;
        let members = RawObject::read(text).unwrap();
        let found: Vec<_> = members
            .0
            .iter()
            .map(|(key, raw)| (&**key, raw.get()))
            .collect();
        assert_eq!(
            found,
            [
                ("a", "1.50"),
                ("b", "[1, 2]"),
                ("c", "null"),
                ("a", "\"x\"")
            ]
        );
        assert_eq!(members.text("a").as_deref(), Some("x"));
        assert_eq!(members.text("b"), None);
    }

    #[test]
    fn ids_are_texts_or_numbers() {
        let members =
            RawObject::read(r#"{"a":"x","b":7,"c":"","d":[1],"e":true,"f":null}"#).unwrap();
        let ids = ["a", "b", "c", "d", "e", "f", "g"].map(|key| members.id(key));
        let expected = [Some("x"), Some("7"), None, None, None, None, None];
        assert_eq!(ids, expected.map(|id| id.map(str::to_owned)));
    }

    #[test]
    fn only_objects_of_modest_size_are_read() {
        for text in [
            "",
            "[]",
            "7",
            "{",
            r#"{"a":}"#,
            r#"{"a":1}x"#,
            r#"{"\ud800":1}"#,
        ] {
            assert!(RawObject::read(text).is_none(), "{text}");
        }
        let many = |count: usize| format!("{{{}}}", vec!["\"\":0"; count].join(","));
        assert!(RawObject::read(&many(MAX_MEMBERS)).is_some());
        assert!(RawObject::read(&many(MAX_MEMBERS + 1)).is_none());
    }

    #[test]
    fn objects_are_written() {
        let mut object = "{".to_owned();
        put(&mut object, "a\"b", "1.50");
        put(&mut object, "c", "[]");
        assert_eq!(object, r#"{"a\"b":1.50,"c":[]"#);
    }
}
