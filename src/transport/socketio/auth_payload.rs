//! The fields of a client's `auth` that somebody looks for, and nothing else of it: it may be as large as a message, and
//! decoded it could take up a hundred times as much, before anybody knows who sent it.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::Fields;

/// Reads the fields with these names, each by itself: one that cannot be read, such as half an emoji, hides no other.
/// What is neither a text nor a number nor the like means nothing to anybody, and is an empty list here.
pub(super) fn read(auth: &RawValue, names: &[&str]) -> Fields {
    let mut auth = serde_json::Deserializer::from_str(auth.get());
    auth.deserialize_map(Named { names }).unwrap_or_default()
}

struct Named<'a> {
    names: &'a [&'a str],
}

impl<'de> Visitor<'de> for Named<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::new();
        while let Some(name) = map.next_key::<String>()? {
            if !self.names.contains(&&*name) {
                map.next_value::<IgnoredAny>()?;
            } else if let Some(value) = shallow(map.next_value()?) {
                fields.insert(name, value);
            }
        }
        Ok(fields)
    }
}

fn shallow(value: &RawValue) -> Option<Value> {
    if value.get().starts_with(['[', '{']) {
        return Some(Value::Array(Vec::new()));
    }
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_named_is_read() {
        for (auth, expected) in [
            (r#"{"a":"x","b":7,"c":null}"#, json!({"a": "x", "b": 7})),
            (r#"{"a":[1],"b":{"c":1}}"#, json!({"a": [], "b": []})),
            (r#"{"a":"\ud800","c":"\ud800","b":1e999}"#, json!({})),
            (r#"{"a":1,"a":2}"#, json!({"a": 2})),
            (r#"[{"a":1}]"#, json!({})),
            ("null", json!({})),
        ] {
            let auth = RawValue::from_string(auth.to_owned()).unwrap();
            assert_eq!(Value::Object(read(&auth, &["a", "b"])), expected, "{auth}");
        }
    }
}
