//! Identifiers. Ids that clients choose are opaque strings here; a JSON number is understood as its
//! decimal text and given back as a number.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// Longest id in bytes. Indexes of the databases rely on it.
pub(super) const MAX_ID_BYTES: usize = 255;

/// Why a JSON value is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Neither a string nor a number.
    #[error("must be a string or a number")]
    Type,
    /// The empty string.
    #[error("must not be empty")]
    Empty,
    /// More than 255 bytes.
    #[error("must not be longer than 255 bytes")]
    TooLong,
    /// `*`, which stands for all.
    #[error("must not be *, which stands for all")]
    Star,
}

/// An id as clients write it. Two ids are the same if their text is, whatever their JSON type.
#[derive(Debug, Clone)]
pub struct Id {
    text: std::sync::Arc<str>,
    numeric: bool,
}

impl Id {
    /// Reads an id from a JSON string or number. An integer that JavaScript would round to another one is given back as a
    /// string: pages must be able to tell any two ids apart.
    ///
    /// # Errors
    ///
    /// Fails when the value is of another type, empty, or longer than 255 bytes.
    pub fn from_json(value: &Value) -> Result<Self, IdError> {
        match value {
            Value::String(text) => Self::from_text(text),
            Value::Number(number) => Ok(Self {
                text: number_text(number).into(),
                numeric: is_exact(number),
            }),
            _ => Err(IdError::Type),
        }
    }

    /// An id that is a JSON string.
    ///
    /// # Errors
    ///
    /// Fails when the text is empty or longer than 255 bytes.
    pub fn from_text(text: &str) -> Result<Self, IdError> {
        match text.len() {
            _ if text == "*" => Err(IdError::Star),
            0 => Err(IdError::Empty),
            1..=MAX_ID_BYTES => Ok(Self::restore(text, false)),
            _ => Err(IdError::TooLong),
        }
    }

    /// An id that was checked before it was stored.
    #[must_use]
    pub fn restore(text: impl Into<std::sync::Arc<str>>, numeric: bool) -> Self {
        Self {
            text: text.into(),
            numeric,
        }
    }

    /// The text, which alone decides whether two ids are the same.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether clients get it as a JSON number.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        self.numeric
    }

    /// The id in the JSON type in which it was first seen.
    #[must_use]
    pub fn to_json(&self) -> Value {
        if self.numeric
            && let Ok(number) = serde_json::from_str(&self.text)
        {
            return Value::Number(number);
        }
        Value::String(self.text.to_string())
    }

    /// Whether this JSON value names the same id.
    #[must_use]
    pub fn is_named_by(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => **text == *self.text,
            Value::Number(number) => number_text(number) == *self.text,
            _ => false,
        }
    }
}

/// A number as JavaScript writes it, which knows no difference between 1 and 1.0.
pub(super) fn number_text(number: &Number) -> String {
    /// Above, not every integer has a number of its own.
    const MAX_SAFE: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= MAX_SAFE => {
            format!("{:.0}", float + 0.0)
        }
        _ => number.to_string(),
    }
}

/// Whether JavaScript, whose numbers are floats, has this very number.
fn is_exact(number: &Number) -> bool {
    let integer = number.as_i128();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "that is the question"
    )]
    integer.is_none_or(|integer| (integer as f64) as i128 == integer)
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Id {}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Defines a newtype over [`Id`], so that a project's id cannot stand where a task's is meant.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Id);

        impl $name {
            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl std::ops::Deref for $name {
            type Target = Id;

            fn deref(&self) -> &Id {
                &self.0
            }
        }

        impl From<Id> for $name {
            fn from(id: Id) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id_type! {
    /// Names a project.
    ProjectId
}
id_type! {
    /// Names an entity among those of its project and kind.
    EntityId
}

/// Defines a newtype over a text that is cheap to clone.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// One whose text was checked, or made, before.
            #[must_use]
            pub fn restore(text: impl Into<std::sync::Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type! {
    /// Tells one HTTP request from another, in answers and in the log.
    RequestId
}
text_type! {
    /// One running server among several, made anew at every start. Twelve characters of lower-case hexadecimal.
    #[derive(Serialize, Deserialize)]
    InstanceId
}

impl RequestId {
    /// A fresh id.
    #[must_use]
    pub fn generate() -> Self {
        Self::restore(fresh_uuid().to_string())
    }
}

impl InstanceId {
    /// Bytes of an id's text.
    pub const LENGTH: usize = 12;

    /// A fresh id.
    #[must_use]
    pub fn generate() -> Self {
        Self::restore(short_random())
    }
}

/// A channel's number in its database: short, for cursors and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNo(pub i64);

/// A connection's public id. It is never the Engine.IO session id: whoever knows that one can post into
/// the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(uuid::Uuid);

impl ConnectionId {
    /// A fresh id.
    #[must_use]
    pub fn generate() -> Self {
        Self(fresh_uuid())
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who changes something: a user's id, or `anonymous:<client id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(std::sync::Arc<str>);

impl Actor {
    /// An actor by its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whom events are by that backends publish through Redis.
    pub const INGRESS: &'static str = "ingress";

    /// Whether a text names somebody who is no user, so that no token may be of that name: programs with an API key, those
    /// who have shown nothing, and the server's own.
    #[must_use]
    pub fn is_reserved(text: &str) -> bool {
        const KINDS: [&str; 3] = ["apikey", "anonymous", "boardcast"];
        let kind = text.split_once(':').map_or(text, |(kind, _)| kind);
        text == Self::INGRESS || KINDS.contains(&kind)
    }

    /// The actor's text, as shown in `createdBy` and `updatedBy`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Twelve characters from a fresh UUID's random part.
pub(super) fn short_random() -> String {
    fresh_uuid().simple().to_string().split_off(20)
}

/// A fresh UUIDv7: the one place where ids are made.
#[must_use]
pub(super) fn fresh_uuid() -> uuid::Uuid {
    #[expect(clippy::disallowed_methods, reason = "this is where ids are made")]
    uuid::Uuid::now_v7()
}

impl EntityId {
    /// A fresh id for an entity whose creator named none.
    #[must_use]
    pub fn generate() -> Self {
        Self(Id::restore(fresh_uuid().to_string(), false))
    }

    /// The id of what somebody makes with an idempotency key without naming an id: the same for the same key, and
    /// nobody else comes to it.
    #[must_use]
    pub fn of_key(actor: &Actor, key: &str) -> Self {
        let actor = actor.as_str();
        let hash = Sha256::digest(format!("{}:{actor}{key}", actor.len()));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        let uuid = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        Self(Id::restore(uuid.to_string(), false))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_given_back_as_a_number_and_equals_its_text() {
        let number = Id::from_json(&json!(42)).unwrap();
        let text = Id::from_json(&json!("42")).unwrap();
        assert_eq!(number, text);
        assert_eq!(number.to_json(), json!(42));
        assert_eq!(text.to_json(), json!("42"));
        assert!(number.is_named_by(&json!("42")) && text.is_named_by(&json!(42)));
    }

    #[test]
    fn an_integer_is_the_same_id_however_it_is_written() {
        for (written, text) in [("1.0", "1"), ("1e2", "100"), ("-0.0", "0"), ("1.5", "1.5")] {
            let number: Value = serde_json::from_str(written).unwrap();
            let id = Id::from_json(&number).unwrap();
            assert_eq!(id.as_str(), text);
            assert!(id.is_named_by(&number));
        }
    }

    #[test]
    fn integer_that_javascript_rounds_is_given_back_as_text() {
        for (written, given_back) in [
            ("9007199254740992", json!(9_007_199_254_740_992_u64)),
            ("9007199254740993", json!("9007199254740993")),
            ("-9007199254740993", json!("-9007199254740993")),
            ("9007199254740994", json!(9_007_199_254_740_994_u64)),
            ("18446744073709551615", json!("18446744073709551615")),
        ] {
            let id = Id::from_json(&serde_json::from_str(written).unwrap()).unwrap();
            assert_eq!((id.as_str(), id.to_json()), (written, given_back));
        }
    }

    #[test]
    fn actors_that_are_no_users_are_reserved() {
        for name in [
            "ingress",
            "anonymous",
            "anonymous:1",
            "apikey:ci",
            "apikey",
            "boardcast",
        ] {
            assert!(Actor::is_reserved(name), "{name}");
        }
        for name in [
            "ann",
            "ingress2",
            "Ingress",
            "apikeys",
            "7",
            "user:apikey:ci",
        ] {
            assert!(!Actor::is_reserved(name), "{name}");
        }
    }

    #[test]
    fn says_why_a_value_is_no_id() {
        assert_eq!(Id::from_json(&json!("")), Err(IdError::Empty));
        assert_eq!(Id::from_json(&json!(null)), Err(IdError::Type));
        assert_eq!(
            Id::from_json(&json!("é".repeat(128))),
            Err(IdError::TooLong)
        );
    }
}
