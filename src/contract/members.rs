//! An object that is about to be written. Its names and values belong to what it is made of: to what a client sent, to an
//! entity, to the program. Nothing is copied but into the text.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::domain::{Fields, Id, Timestamp};

/// A member's value.
#[derive(Debug, Clone)]
pub(super) enum Member<'a> {
    Value(&'a Value),
    Text(&'a str),
    Number(i64),
    Time(Timestamp),
    Id(&'a Id),
    Owned(Value),
}

impl Member<'_> {
    /// The value by itself.
    fn to_value(&self) -> Value {
        match self {
            Self::Value(value) => (*value).clone(),
            Self::Text(text) => (*text).into(),
            Self::Number(number) => (*number).into(),
            Self::Time(time) => time.to_string().into(),
            Self::Id(id) => id.to_json(),
            Self::Owned(value) => value.clone(),
        }
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Time(time) => serializer.collect_str(time),
            Self::Id(id) if id.is_numeric() => id.to_json().serialize(serializer),
            Self::Id(id) => serializer.serialize_str(id.as_str()),
            Self::Owned(value) => value.serialize(serializer),
        }
    }
}

/// Values by name, in the order of the names' bytes.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    entries: Vec<(&'a str, Member<'a>)>,
}

impl<'a> Members<'a> {
    /// An object without members, with room for so many.
    pub(super) fn with_capacity(members: usize) -> Self {
        Self {
            entries: Vec::with_capacity(members),
        }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|(known, _)| (*known).cmp(name))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Member<'a>> {
        let place = self.place(name).ok()?;
        Some(&self.entries[place].1)
    }

    /// Sets a member, whatever it was before.
    pub(super) fn put(&mut self, name: &'a str, value: Member<'a>) {
        // What is put in order, as the members of another object are, needs no search.
        if self.entries.last().is_none_or(|(last, _)| *last < name) {
            return self.entries.push((name, value));
        }
        match self.place(name) {
            Ok(place) => self.entries[place].1 = value,
            Err(place) => self.entries.insert(place, (name, value)),
        }
    }

    /// Puts all members of an object over what is there.
    pub(super) fn extend(&mut self, fields: impl IntoIterator<Item = (&'a str, &'a Value)>) {
        for (name, value) in fields {
            self.put(name, Member::Value(value));
        }
    }

    /// The same object, with names and values of its own.
    pub(super) fn to_fields(&self) -> Fields {
        let members = self.entries.iter();
        let members = members.map(|(name, value)| ((*name).to_owned(), value.to_value()));
        members.collect()
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (name, value) in &self.entries {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_put_last_counts_and_names_are_in_order() {
        let (below, over) = (
            json!({"b": 1, "d": [2]}),
            json!({"a": "x", "b": null, "é": 3}),
        );
        let id = Id::from_json(&json!(7)).unwrap();
        let mut members = Members::with_capacity(4);
        for object in [&below, &over] {
            let fields = object.as_object().unwrap().iter();
            members.extend(fields.map(|(name, value)| (name.as_str(), value)));
        }
        members.put("c", Member::Id(&id));
        members.put("a", Member::Time(Timestamp::from_millis(0)));
        let text = serde_json::to_string(&members).unwrap();
        assert_eq!(
            text,
            r#"{"a":"1970-01-01T00:00:00.000Z","b":null,"c":7,"d":[2],"é":3}"#
        );
        let fields = Value::Object(members.to_fields());
        assert_eq!(fields.to_string(), text);
    }
}
