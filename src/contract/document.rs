//! A JSON object of which some parts are text already, because many are told the same.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::domain::Fields;

/// See the module. It is cheap to clone, however large its texts are.
#[derive(Debug, Clone, Default)]
pub struct Document {
    fields: Fields,
    shared: Vec<(&'static str, Shared)>,
}

#[derive(Debug, Clone)]
enum Shared {
    Text(Arc<RawValue>),
    Document(Arc<Document>),
    List(Arc<[Document]>),
}

impl Document {
    /// Sets a value of its own.
    pub fn insert(&mut self, key: &str, value: impl Into<Value>) {
        self.fields.insert(key.to_owned(), value.into());
    }

    /// Turns a value into text, once for all clones.
    ///
    /// # Panics
    ///
    /// Never: JSON, as values or as texts, is always JSON.
    pub fn insert_text(&mut self, key: &'static str, value: &impl Serialize) {
        let text = to_raw_value(value).expect("JSON is always JSON");
        self.shared.push((key, Shared::Text(text.into())));
    }

    /// Puts an object into this one.
    pub fn nest(&mut self, key: &'static str, document: &Arc<Self>) {
        self.shared
            .push((key, Shared::Document(Arc::clone(document))));
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
    ///
    /// # Panics
    ///
    /// Never: a map with string keys is always JSON.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        to_raw_value(self).expect("a map with string keys is always JSON")
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
                Shared::Document(document) => map.serialize_entry(key, &**document)?,
                Shared::List(documents) => map.serialize_entry(key, &**documents)?,
            }
        }
        Ok(())
    }
}

impl From<Fields> for Document {
    fn from(fields: Fields) -> Self {
        Self {
            fields,
            shared: Vec::new(),
        }
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map)?;
        map.end()
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        let text = |document: &Self| {
            to_raw_value(document)
                .map(|text| text.get().to_owned())
                .ok()
        };
        text(self) == text(other)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_like_any_other_object() {
        let mut inner = Document::default();
        inner.insert("seq", 7);
        inner.insert_text("tasks", &json!([{"title": "Sow"}]));
        let mut outer = Document::default();
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
        assert!(inner == inner.clone() && inner != outer);
    }
}
