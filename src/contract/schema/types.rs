//! What the other types are made of.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::domain::Timestamp;

/// Under this key a schema says what a field usually is.
pub const USUALLY: &str = "x-usually";

/// How schemas are made of the types: what may be missing is left out by the server, and is not null.
#[must_use]
pub fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with_transform(RecursiveTransform(adjust))
}

/// Any field.
pub type Fields = BTreeMap<String, Value>;

/// What a client said, or chose, as an id. It comes back in the JSON type in which it was first seen; `7` and `"7"` are
/// the same id.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Id {
    /// At most 255 bytes.
    Text(#[schemars(length(min = 1, max = 255))] String),
    /// Comes back as a number.
    Number(f64),
}

/// A moment in UTC, as ISO 8601: `2026-01-31T12:00:00.000Z`.
#[derive(Debug, Clone, Copy)]
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// `true`
#[derive(Debug, Clone, Copy, Default)]
pub struct True;

impl Serialize for True {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

/// `false`
pub struct False;

/// A field that belongs to clients: usually it is this, and the server keeps whatever it gets.
pub struct Usually<T>(PhantomData<T>);

/// This or null.
#[derive(Debug, Serialize)]
pub struct Nullable<T>(pub Option<T>);

/// Something that stands by itself, or an object with it.
pub struct Or<T, U>(PhantomData<(T, U)>);

/// Describes types that stand in the place where they are used and have no name of their own.
macro_rules! described {
    ($type:ty $(where $($param:ident),+)?; $name:literal, $generator:ident => $schema:expr) => {
        impl $(<$($param: JsonSchema),+>)? JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

described!(Time; "Time", _generator => json_schema!({"type": "string", "format": "date-time"}));
described!(True; "True", _generator => json_schema!({"type": "boolean", "const": true}));
described!(False; "False", _generator => json_schema!({"type": "boolean", "const": false}));
described!(Usually<T> where T; "Usually", generator => json_schema!({USUALLY: generator.subschema_for::<T>()}));
described!(Nullable<T> where T; "Nullable", generator => {
    json_schema!({"anyOf": [generator.subschema_for::<T>(), {"type": "null"}]})
});
described!(Or<T, U> where T, U; "Or", generator => {
    json_schema!({"anyOf": [generator.subschema_for::<T>(), generator.subschema_for::<U>()]})
});

/// Declares types of what crosses the wire, in camel case: each is described, and those that the server builds and sends
/// derive `Serialize` as well. `..name: Type` takes over the fields of another type.
macro_rules! wire {
    ($(
        $(#[$about:meta])*
        $name:ident $(<$param:tt>)? {
            $($(#[$about_field:meta])* $(.. $part:ident)? $($field:ident)? : $of:ty,)*
        }
    )+) => {
        $(
            #[derive(schemars::JsonSchema)]
            $(#[$about])*
            #[serde(rename_all = "camelCase")]
            pub struct $name $(<$param>)? {
                $(
                    $(#[$about_field])*
                    $(#[doc = "The fields of this type."] #[serde(flatten)] pub $part: $of,)?
                    $(pub $field: $of,)?
                )*
            }
        )+
    };
}

pub(super) use wire;

/// Takes null out of what a property may be, if it need not be there, and the machine out of numbers.
fn adjust(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    // A `usize` is as wide as its machine, which no client wants to know.
    if object.get("format").is_some_and(|format| format == "uint") {
        object.insert("format".to_owned(), "uint64".into());
    }
    let required: Vec<Value> = match object.get("required") {
        Some(Value::Array(names)) => names.clone(),
        _ => Vec::new(),
    };
    let Some(Value::Object(properties)) = object.get_mut("properties") else {
        return;
    };
    for (name, property) in properties {
        if !required.contains(&Value::String(name.clone()))
            && let Value::Object(property) = property
        {
            take_null_out(property);
        }
    }
}

fn take_null_out(property: &mut Map<String, Value>) {
    for (many, one) in [("type", "type"), ("enum", "const")] {
        if let Some(Value::Array(choices)) = property.get_mut(many) {
            choices.retain(|choice| !choice.is_null() && choice != "null");
            if let [only] = choices.as_slice() {
                let only = only.clone();
                property.remove(many);
                property.insert(one.to_owned(), only);
            }
        }
    }
    if let Some(Value::Array(choices)) = property.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            property.remove("anyOf");
            property.extend(only);
        }
    }
}
