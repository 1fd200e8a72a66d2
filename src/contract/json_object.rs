//! A JSON object of which some parts are text already, because many are told the same.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::domain::Fields;
use crate::memory::{Held, MemoryBudget};

/// What crosses the wire, as JSON text.
///
/// # Panics
///
/// Never: maps with string keys, lists and texts are always JSON.
#[must_use]
pub fn json_text(said: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(said).expect("what crosses the wire is always JSON")
}

/// See the module. It is cheap to clone, however large its texts are.
#[derive(Debug, Clone, Default)]
pub struct JsonObject {
    fields: Fields,
    shared: Vec<(&'static str, Shared)>,
    /// Counts the memory of the texts, once for all clones.
    held: Option<Arc<Held>>,
}

#[derive(Debug, Clone)]
enum Shared {
    Text(Arc<RawValue>),
    JsonObject(Arc<JsonObject>),
    List(Arc<[JsonObject]>),
}

impl JsonObject {
    /// The fields of an answer or an event, as values.
    ///
    /// # Panics
    ///
    /// Never: what crosses the wire is an object.
    pub fn of(said: &impl Serialize) -> Self {
        match serde_json::to_value(said) {
            Ok(Value::Object(fields)) => fields.into(),
            _ => unreachable!("what crosses the wire is an object"),
        }
    }

    /// Sets a value of its own.
    pub fn insert(&mut self, key: &str, value: impl Into<Value>) {
        self.fields.insert(key.to_owned(), value.into());
    }

    /// Turns a value into text, once for all clones.
    pub fn insert_text(&mut self, key: &'static str, value: &impl Serialize) {
        self.shared
            .push((key, Shared::Text(json_text(value).into())));
    }

    /// Sets an object: as a value if it is small, and else as text, of which a value takes up to a hundred times the memory.
    pub fn insert_object(&mut self, key: &'static str, fields: Fields) {
        if has_many_values(&fields) {
            self.insert_text(key, &fields);
        } else {
            self.insert(key, fields);
        }
    }

    /// Puts an object into this one.
    pub fn nest(&mut self, key: &'static str, document: &Arc<Self>) {
        self.shared
            .push((key, Shared::JsonObject(Arc::clone(document))));
    }

    /// Takes over all that is in another one.
    pub fn extend(&mut self, other: &Self) {
        for (key, _) in &other.shared {
            self.fields.remove(*key);
        }
        self.fields.extend(other.fields.clone());
        self.shared.extend(other.shared.iter().cloned());
    }

    /// The same without some of its values.
    #[must_use]
    pub fn without(&self, keys: &[&str]) -> Self {
        let mut rest = self.clone();
        for key in keys {
            rest.remove(key);
        }
        rest
    }

    /// Sets a list of objects.
    pub fn insert_list(&mut self, key: &'static str, documents: Vec<Self>) {
        self.shared.push((key, Shared::List(documents.into())));
    }

    /// A value that is text already.
    #[must_use]
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.shared.iter().find_map(|(found, shared)| match shared {
            Shared::Text(text) if *found == key => Some(text.get()),
            _ => None,
        })
    }

    /// A value of its own.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// A value, whether it is kept as such or as text.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Cow<'_, Value>> {
        let value = self.get(key).map(Cow::Borrowed);
        let parsed = || {
            serde_json::from_str(self.text_of(key)?)
                .ok()
                .map(Cow::Owned)
        };
        value.or_else(parsed)
    }

    /// A list of objects; empty if there is none.
    #[must_use]
    pub fn list(&self, key: &str) -> &[Self] {
        let found = self.shared.iter().find(|(name, _)| *name == key);
        match found {
            Some((_, Shared::List(documents))) => documents,
            _ => &[],
        }
    }

    /// The object as JSON text.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        json_text(self)
    }

    /// Counts the memory of its texts for as long as one of its clones is there.
    pub(crate) fn count(&mut self, memory: &MemoryBudget) {
        let mut held = memory.holder();
        held.add(self.text_bytes());
        self.held = Some(Arc::new(held));
    }

    /// The bytes of its texts: what is large of it.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let shared = self.shared.iter().map(|(_, shared)| match shared {
            Shared::Text(text) => text.get().len(),
            Shared::JsonObject(document) => document.text_bytes(),
            Shared::List(documents) => documents.iter().map(Self::text_bytes).sum(),
        });
        shared.sum()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.shared.is_empty()
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.fields.remove(key);
    }

    /// Adds its entries to an object that is being written.
    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for (key, value) in &self.fields {
            map.serialize_entry(key, value)?;
        }
        for (key, shared) in &self.shared {
            match shared {
                Shared::Text(text) => map.serialize_entry(key, &**text)?,
                Shared::JsonObject(document) => map.serialize_entry(key, &**document)?,
                Shared::List(documents) => map.serialize_entry(key, &**documents)?,
            }
        }
        Ok(())
    }
}

/// Whether more values are in an object than in most tasks.
fn has_many_values(fields: &Fields) -> bool {
    const MANY: usize = 256;
    let mut waiting: Vec<&Value> = Vec::new();
    let mut seen = fields.len();
    waiting.extend(fields.values().take(MANY));
    while let (Some(value), true) = (waiting.pop(), seen <= MANY) {
        match value {
            Value::Array(values) => {
                seen += values.len();
                waiting.extend(values.iter().take(MANY));
            }
            Value::Object(fields) => {
                seen += fields.len();
                waiting.extend(fields.values().take(MANY));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    seen > MANY
}

impl From<Fields> for JsonObject {
    fn from(fields: Fields) -> Self {
        Self {
            fields,
            ..Self::default()
        }
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map)?;
        map.end()
    }
}

impl PartialEq for JsonObject {
    fn eq(&self, other: &Self) -> bool {
        self.to_raw().get() == other.to_raw().get()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_of_many_values_is_kept_as_text_and_reads_the_same() {
        let fields = |values: usize| {
            let tags: Vec<_> = (0..values).map(|_| json!({"": 0})).collect();
            let fields = json!({"title": "Sow", "tags": [tags]});
            serde_json::from_value::<Fields>(fields).unwrap()
        };
        for (values, is_text) in [(3, false), (1000, true)] {
            let mut document = JsonObject::default();
            document.insert_object("data", fields(values));
            assert_eq!(document.text_of("data").is_some(), is_text);
            let read = document.value("data").unwrap().into_owned();
            assert_eq!(read, Value::Object(fields(values)));
            let written: Value = serde_json::from_str(document.to_raw().get()).unwrap();
            assert_eq!(written["data"], read);
        }
    }

    #[test]
    fn reads_like_any_other_object() {
        let mut inner = JsonObject::default();
        inner.insert("seq", 7);
        inner.insert_text("tasks", &json!([{"title": "Sow"}]));
        let mut outer = JsonObject::default();
        assert!(outer.is_empty());
        outer.nest("snapshot", &Arc::new(inner.clone()));
        outer.insert("reset", true);
        let written = to_raw_value(&outer).unwrap();
        let expected = json!({"reset": true, "snapshot": {"seq": 7, "tasks": [{"title": "Sow"}]}});
        assert_eq!(
            serde_json::from_str::<Value>(written.get()).unwrap(),
            expected
        );
        assert_eq!(inner.get("seq"), Some(&json!(7)));
        assert_eq!(outer.text_bytes(), r#"[{"title":"Sow"}]"#.len());
        assert!(inner == inner.clone() && inner != outer);
    }
}
