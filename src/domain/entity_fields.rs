//! An entity's fields. A version of an entity shares with the one before all values that did not change: a change of one
//! field costs one value, however many fields there are.

use std::fmt;
use std::ops::{Deref, Index};
use std::sync::{Arc, OnceLock};

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use super::fields::Fields;
use super::name_map::NameMap;

/// A field's value. It is cheap to clone, and knows how long its JSON text is.
#[derive(Clone)]
pub struct FieldValue(Arc<Measured>);

struct Measured {
    value: Value,
    bytes: OnceLock<usize>,
}

impl FieldValue {
    /// The bytes of its JSON text, which are counted once.
    #[must_use]
    pub fn bytes(&self) -> usize {
        *self.0.bytes.get_or_init(|| bytes_of(&self.0.value))
    }
}

impl From<Value> for FieldValue {
    fn from(value: Value) -> Self {
        Self(Arc::new(Measured {
            value,
            bytes: OnceLock::new(),
        }))
    }
}

impl Deref for FieldValue {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.value
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.fmt(f)
    }
}

impl PartialEq for FieldValue {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.value == other.0.value
    }
}

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

/// The JSON document of an entity that clients see: values by the names of fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntityFields(NameMap<FieldValue>);

impl EntityFields {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(NameMap::new())
    }

    /// A field's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(Deref::deref)
    }

    /// A field's value, to be shared.
    #[must_use]
    pub fn share(&self, name: &str) -> Option<FieldValue> {
        self.0.get(name).cloned()
    }

    /// Whether there is such a field.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Sets a field; gives back what it was before.
    pub fn insert(
        &mut self,
        name: impl AsRef<str>,
        value: impl Into<FieldValue>,
    ) -> Option<FieldValue> {
        self.0.insert(name.as_ref(), value.into())
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &str) -> Option<FieldValue> {
        self.0.remove(name)
    }

    /// The fields, in the order of their names.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + Clone {
        self.0.iter().map(|(name, value)| (name, &**value))
    }

    /// The names of the fields, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name)
    }

    /// The number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of their JSON text.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let members = self.0.iter();
        let members = members.map(|(name, value)| text_bytes(name) + ":".len() + value.bytes());
        "{}".len() + members.sum::<usize>() + self.len().saturating_sub(1)
    }
}

impl Index<&str> for EntityFields {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).expect("the field is there")
    }
}

impl Extend<(String, Value)> for EntityFields {
    fn extend<I: IntoIterator<Item = (String, Value)>>(&mut self, fields: I) {
        for (name, value) in fields {
            self.insert(name, value);
        }
    }
}

impl From<Fields> for EntityFields {
    fn from(fields: Fields) -> Self {
        let fields = fields.into_iter();
        let fields = fields.map(|(name, value)| (name.into(), value.into()));
        Self(fields.collect())
    }
}

impl From<EntityFields> for Value {
    fn from(fields: EntityFields) -> Self {
        let fields = fields.iter();
        let fields = fields.map(|(name, value)| (name.to_owned(), value.clone()));
        Value::Object(fields.collect())
    }
}

impl Serialize for EntityFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EntityFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NameMap::deserialize(deserializer).map(Self)
    }
}

/// What has fields: an entity's document, or a payload.
pub trait FieldSource {
    /// A field's value.
    fn value(&self, name: &str) -> Option<&Value>;
}

impl FieldSource for EntityFields {
    fn value(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

impl FieldSource for Fields {
    fn value(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

/// The bytes of a value's JSON text.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(true) => "null".len(),
        Value::Bool(false) => "false".len(),
        Value::Number(number) => number_bytes(number),
        Value::String(text) => text_bytes(text),
        Value::Array(values) => {
            let within = values.iter().map(bytes_of).sum::<usize>();
            "[]".len() + within + values.len().saturating_sub(1)
        }
        Value::Object(fields) => {
            let members = fields.iter();
            let members =
                members.map(|(name, value)| text_bytes(name) + ":".len() + bytes_of(value));
            "{}".len() + members.sum::<usize>() + fields.len().saturating_sub(1)
        }
    }
}

fn number_bytes(number: &serde_json::Number) -> usize {
    struct Count(usize);
    impl fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut count = Count(0);
    // Nothing fails that only counts.
    fmt::write(&mut count, format_args!("{number}")).unwrap_or_default();
    count.0
}

/// The bytes of a text in JSON: with its quotes, and an escape for what must not stand there as it is.
fn text_bytes(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    });
    "\"\"".len() + text.len() + escapes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_those_of_the_text() {
        let every_ascii: String = (0_u8..0x80).map(char::from).collect();
        for value in [
            json!({}),
            json!({"a": null}),
            json!({
                every_ascii.clone(): every_ascii, "ü": "Größe 🎉", "list": [[], [1], {}, {"b": {"c": [true, false, null]}}],
                "numbers": [0, -1, 1.5, -0.0, 1e300, 1e-7, u64::MAX, i64::MIN, 123_456.789],
            }),
        ] {
            let fields = EntityFields::from(value.as_object().unwrap().clone());
            let text = serde_json::to_string(&fields).unwrap();
            assert_eq!(text, value.to_string());
            assert_eq!(fields.bytes(), text.len(), "{text}");
        }
    }

    #[test]
    fn a_change_of_one_field_shares_the_others() {
        let before = EntityFields::from(json!({"a": "x", "b": 1}).as_object().unwrap().clone());
        let mut after = before.clone();
        after.insert("b", json!(2));
        let shared = |name| {
            let values = [&before, &after].map(|fields| &fields.0.get(name).unwrap().0);
            Arc::ptr_eq(values[0], values[1])
        };
        assert!(shared("a") && !shared("b"));
        assert_eq!((&before["b"], &after["b"]), (&json!(1), &json!(2)));
    }
}
