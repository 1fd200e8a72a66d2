//! The shape of a JSON value: its types and keys, and nothing of what it says.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::anonymous;
use crate::contract::Arguments;

/// Levels that are told apart; what lies deeper is `any`.
const MAX_DEPTH: usize = 6;
/// Keys of an object that are kept.
const MAX_KEYS: usize = 64;
/// Entries of a list that are looked at.
const MAX_ENTRIES: usize = 16;
/// Arguments that are looked at.
const MAX_ARGUMENTS: usize = 16;
/// Bytes of a message that are looked at; a longer one is `any`.
const MAX_BYTES: usize = 64 * 1024;
/// Stands for the keys that are not kept.
const MORE: &str = "…";

/// See the module's description.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// Of several types, too deep, or not looked at.
    Any,
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A text.
    String,
    /// A list, and what its entries have in common; nothing of an empty one.
    List(Option<Box<Shape>>),
    /// An object, by its keys.
    Object(BTreeMap<String, Shape>),
}

impl Shape {
    /// The shapes of a message's arguments.
    #[must_use]
    pub fn of_arguments(arguments: Arguments<'_>) -> Vec<Self> {
        let (text, is_packet) = match arguments {
            Arguments::None => return Vec::new(),
            Arguments::One(text) => (text, false),
            Arguments::Packet(text) => (text, true),
        };
        if text.len() > MAX_BYTES {
            return vec![Self::Any];
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        if is_packet {
            reader
                .deserialize_seq(Packet)
                .unwrap_or_else(|_| vec![Self::Any])
        } else {
            vec![
                (At { depth: 1 })
                    .deserialize(&mut reader)
                    .unwrap_or(Self::Any),
            ]
        }
    }

    /// What two shapes have in common: objects and lists are merged, and `null` is no type of its own.
    #[must_use]
    pub fn unite(self, other: Self) -> Self {
        match (self, other) {
            (one, two) if one == two => one,
            (Self::Null, shape) | (shape, Self::Null) => shape,
            (Self::Object(mut keys), Self::Object(others)) => {
                for (key, shape) in others {
                    unite_key(&mut keys, key, shape);
                }
                Self::Object(keys)
            }
            (Self::List(one), Self::List(None)) | (Self::List(None), Self::List(one)) => {
                Self::List(one)
            }
            (Self::List(Some(one)), Self::List(Some(two))) => {
                Self::List(Some(Box::new(one.unite(*two))))
            }
            _ => Self::Any,
        }
    }

    /// What stands under a key of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(keys) => keys.get(key),
            _ => None,
        }
    }

    /// The keys of an object with their shapes; none of anything else.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &Self)> {
        let keys = match self {
            Self::Object(keys) => Some(keys),
            _ => None,
        };
        keys.into_iter()
            .flatten()
            .map(|(key, shape)| (key.as_str(), shape))
    }

    /// The same with those keys alone that fulfil a condition.
    pub(super) fn with_keys(&self, is_fine: fn(&str) -> bool) -> Self {
        match self {
            Self::Object(keys) => {
                let keys = keys.iter().filter(|(key, _)| is_fine(key));
                Self::Object(
                    keys.map(|(key, shape)| (key.clone(), shape.with_keys(is_fine)))
                        .collect(),
                )
            }
            Self::List(entry) => Self::List(
                entry
                    .as_ref()
                    .map(|entry| Box::new(entry.with_keys(is_fine))),
            ),
            scalar => scalar.clone(),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Any | Self::List(_) | Self::Object(_) => "any",
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
        }
    }

    /// The shape that its JSON says.
    fn from_json(json: Value) -> Self {
        match json {
            Value::Object(keys) => {
                let keys = keys.into_iter().take(MAX_KEYS + 1);
                Self::Object(
                    keys.map(|(key, shape)| (key, Self::from_json(shape)))
                        .collect(),
                )
            }
            Value::Array(entries) => {
                let shape = entries.into_iter().next().map(Self::from_json);
                Self::List(shape.map(Box::new))
            }
            Value::String(word) => match word.as_str() {
                "null" => Self::Null,
                "boolean" => Self::Boolean,
                "number" => Self::Number,
                "string" => Self::String,
                _ => Self::Any,
            },
            _ => Self::Any,
        }
    }
}

/// Adds a key, or counts it among those that are not kept.
fn unite_key(keys: &mut BTreeMap<String, Shape>, key: String, shape: Shape) {
    if let Some(known) = keys.remove(&key) {
        keys.insert(key, known.unite(shape));
    } else if keys.len() < MAX_KEYS {
        keys.insert(key, shape);
    } else {
        keys.insert(MORE.to_owned(), Shape::Any);
    }
}

/// As `{"taskId":"string","items":[{"id":"number"}]}`.
impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(keys) => {
                let mut map = serializer.serialize_map(Some(keys.len()))?;
                for (key, shape) in keys {
                    map.serialize_entry(key, shape)?;
                }
                map.end()
            }
            Self::List(entry) => entry.as_slice().serialize(serializer),
            scalar => serializer.serialize_str(scalar.word()),
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_json)
    }
}

/// As a table shows it: `{taskId: string, items: [{id: number}]}`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(keys) => {
                f.write_str("{")?;
                for (number, (key, shape)) in keys.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{key}: {shape}")?;
                }
                f.write_str("}")
            }
            Self::List(Some(entry)) => write!(f, "[{entry}]"),
            Self::List(None) => f.write_str("[]"),
            scalar => f.write_str(scalar.word()),
        }
    }
}

/// Reads a packet: an array of a name and arguments.
struct Packet;

impl<'de> Visitor<'de> for Packet {
    type Value = Vec<Shape>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of a name and arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut packet: A) -> Result<Vec<Shape>, A::Error> {
        let mut shapes = Vec::new();
        if packet.next_element::<IgnoredAny>()?.is_some() {
            while shapes.len() < MAX_ARGUMENTS
                && let Some(shape) = packet.next_element_seed(At { depth: 1 })?
            {
                shapes.push(shape);
            }
        }
        while packet.next_element::<IgnoredAny>()?.is_some() {}
        Ok(shapes)
    }
}

/// Reads a value at a depth.
#[derive(Clone, Copy)]
struct At {
    depth: usize,
}

impl At {
    fn deeper(self) -> Self {
        Self {
            depth: self.depth + 1,
        }
    }
}

impl<'de> DeserializeSeed<'de> for At {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        if self.depth > MAX_DEPTH {
            return IgnoredAny::deserialize(deserializer).map(|_| Shape::Any);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Number)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut shape: Option<Shape> = None;
        for _ in 0..MAX_ENTRIES {
            let Some(next) = list.next_element_seed(self.deeper())? else {
                return Ok(Shape::List(shape.map(Box::new)));
            };
            shape = Some(match shape {
                Some(shape) => shape.unite(next),
                None => next,
            });
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::List(shape.map(Box::new)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut keys = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let shape = map.next_value_seed(self.deeper())?;
            unite_key(&mut keys, anonymous::key(&key).into_owned(), shape);
        }
        Ok(Shape::Object(keys))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn shape(value: &Value) -> Value {
        let shapes = Shape::of_arguments(Arguments::One(&value.to_string()));
        serde_json::to_value(&shapes[0]).unwrap()
    }

    #[test]
    fn types_and_keys_are_kept_and_values_are_not() {
        for (value, expected) in [
            (
                json!({"taskId": "t1", "updates": {"title": "secret", "done": true, "n": 1.5, "x": null}}),
                json!({"taskId": "string",
                    "updates": {"title": "string", "done": "boolean", "n": "number", "x": "null"}}),
            ),
            (json!("t1"), json!("string")),
            (json!([]), json!([])),
            (
                json!([{"id": 1}, {"id": 2, "a": "b"}, null]),
                json!([{"id": "number", "a": "string"}]),
            ),
            (json!([1, "a"]), json!(["any"])),
            (
                json!({"507f1f77bcf86cd799439011": 1, "12": 2}),
                json!({"<id>": "number"}),
            ),
            (
                json!({"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}),
                json!({"a": {"b": {"c": {"d": {"e": {"f": "any"}}}}}}),
            ),
        ] {
            assert_eq!(shape(&value), expected, "{value}");
        }
        let packet = r#"["task:move","t1",{"to":1},true]"#;
        let shapes = Shape::of_arguments(Arguments::Packet(packet));
        assert_eq!(
            shapes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["string", "{to: number}", "boolean"]
        );
    }

    #[test]
    fn a_shape_has_bounds() {
        let many: serde_json::Map<String, Value> = ('a'..='z')
            .flat_map(|one| ('a'..='z').map(move |two| (format!("{one}{two}"), json!(1))))
            .collect();
        let shape_of = shape(&Value::Object(many));
        assert_eq!(shape_of.as_object().unwrap().len(), MAX_KEYS + 1);
        assert_eq!(shape_of[MORE], "any");
        let long = json!({"x": "y".repeat(MAX_BYTES)}).to_string();
        assert_eq!(Shape::of_arguments(Arguments::One(&long)), [Shape::Any]);
        for broken in ["", "{", r#"["a","\ud800"]"#, "7"] {
            assert_eq!(Shape::of_arguments(Arguments::Packet(broken)), [Shape::Any]);
        }
    }

    /// Any value whose objects have these keys and whose texts are these.
    fn any_json(key: &'static str, text: &'static str) -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(8, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(key, inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Words that a shape may say besides keys.
    fn words(shape: &Shape, keys: &mut Vec<String>) {
        match shape {
            Shape::Object(of) => {
                for (key, shape) in of {
                    keys.push(key.clone());
                    words(shape, keys);
                }
            }
            Shape::List(Some(entry)) => words(entry, keys),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn no_value_ever_appears(value in any_json("[A-Z]{1,8}", "SECRET[a-z ]{0,20}")) {
            let text = value.to_string();
            let shapes = Shape::of_arguments(Arguments::One(&text));
            let shown = serde_json::to_string(&shapes).unwrap();
            prop_assert!(!shown.contains("SECRET"), "{shown}");
            prop_assert!(!shapes[0].to_string().contains("SECRET"));
            let mut keys = Vec::new();
            words(&shapes[0], &mut keys);
            prop_assert!(keys.iter().all(|key| text.contains(&format!("{key:?}"))), "{keys:?}");
            let again: Vec<Shape> = serde_json::from_str(&shown).unwrap();
            prop_assert_eq!(again, shapes);
        }

        #[test]
        fn whatever_comes_has_a_shape(text: String) {
            drop(Shape::of_arguments(Arguments::One(&text)));
            drop(Shape::of_arguments(Arguments::Packet(&text)));
        }
    }
}
