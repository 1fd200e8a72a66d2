//! A JSON object of which some parts are text already, because many are told the same.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::entity_state;
use crate::domain::{Entity, Fields};
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
    /// By their names, in order.
    members: Vec<(Cow<'static, str>, Member)>,
    shared: Vec<(&'static str, Shared)>,
    /// Counts the memory of the texts, once for all clones.
    held: Option<Arc<Held>>,
}

#[derive(Debug, Clone)]
enum Member {
    Value(Value),
    Text(Arc<RawValue>),
    /// As it was told of; it is rendered when it is written.
    Entity(Arc<Entity>),
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

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.members
            .binary_search_by(|(known, _)| (**known).cmp(key))
    }

    fn put(&mut self, key: Cow<'static, str>, member: Member) {
        match self.place(&key) {
            Ok(place) => self.members[place].1 = member,
            Err(place) => {
                if self.members.is_empty() {
                    self.members.reserve(USUAL_MEMBERS);
                }
                self.members.insert(place, (key, member));
            }
        }
    }

    /// Sets a value of its own.
    pub fn insert(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.put(key.into(), Member::Value(value.into()));
    }

    /// Sets a value that is text already.
    pub fn insert_json(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        text: impl Into<Arc<RawValue>>,
    ) {
        self.put(key.into(), Member::Text(text.into()));
    }

    /// Sets an entity's state.
    pub fn insert_entity(&mut self, key: impl Into<Cow<'static, str>>, entity: &Arc<Entity>) {
        self.put(key.into(), Member::Entity(Arc::clone(entity)));
    }

    /// Turns a value into text, once for all clones. It comes behind all others, because it may be large.
    pub fn insert_text(&mut self, key: &'static str, value: &impl Serialize) {
        self.shared
            .push((key, Shared::Text(json_text(value).into())));
    }

    /// Puts an object into this one.
    pub fn nest(&mut self, key: &'static str, document: &Arc<Self>) {
        self.shared
            .push((key, Shared::JsonObject(Arc::clone(document))));
    }

    /// Takes over all that is in another one.
    pub fn extend(&mut self, other: &Self) {
        for (key, _) in &other.shared {
            self.remove(key);
        }
        for (key, member) in &other.members {
            self.put(key.clone(), member.clone());
        }
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
        if let Some(Member::Text(text)) = self.member(key) {
            return Some(text.get());
        }
        self.shared.iter().find_map(|(found, shared)| match shared {
            Shared::Text(text) if *found == key => Some(text.get()),
            _ => None,
        })
    }

    fn member(&self, key: &str) -> Option<&Member> {
        let place = self.place(key).ok()?;
        Some(&self.members[place].1)
    }

    /// A value of its own.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self.member(key)? {
            Member::Value(value) => Some(value),
            Member::Text(_) | Member::Entity(_) => None,
        }
    }

    /// A value, whether it is kept as such, as text, or as an entity.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Cow<'_, Value>> {
        if let Some(Member::Entity(entity)) = self.member(key) {
            return Some(Cow::Owned(entity_state::entity(entity).into()));
        }
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
        let members = self.members.iter().map(|(_, member)| match member {
            Member::Text(text) => text.get().len(),
            Member::Value(_) | Member::Entity(_) => 0,
        });
        shared.chain(members).sum()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.shared.is_empty()
    }

    pub(super) fn remove(&mut self, key: &str) {
        if let Ok(place) = self.place(key) {
            self.members.remove(place);
        }
    }

    /// Adds its entries to an object that is being written.
    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for (key, member) in &self.members {
            match member {
                Member::Value(value) => map.serialize_entry(key, value)?,
                Member::Text(text) => map.serialize_entry(key, &**text)?,
                Member::Entity(entity) => map.serialize_entry(key, &entity_state::state(entity))?,
            }
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

/// Members of most answers.
const USUAL_MEMBERS: usize = 6;

impl From<Fields> for JsonObject {
    fn from(fields: Fields) -> Self {
        // They are in order.
        let members = fields.into_iter();
        let members = members.map(|(key, value)| (key.into(), Member::Value(value)));
        Self {
            members: members.collect(),
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
    fn a_value_that_is_text_stands_in_its_place_and_reads_the_same() {
        let data = json!({"title": "Sow", "tags": [{"": 0}]});
        let mut document = JsonObject::default();
        document.insert("seq", 7);
        document.insert_json("data", json_text(&data));
        document.insert("cursor", "c");
        assert_eq!(document.get("data"), None);
        assert_eq!(document.text_of("data"), Some(&*data.to_string()));
        assert_eq!(document.text_bytes(), data.to_string().len());
        assert_eq!(document.value("data").unwrap().into_owned(), data);
        let whole = json!({"seq": 7, "data": data, "cursor": "c"});
        assert_eq!(document.to_raw().get(), whole.to_string());
        document.insert("data", 1);
        assert_eq!(
            (document.get("data"), document.text_of("data")),
            (Some(&json!(1)), None)
        );
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
