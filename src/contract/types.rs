//! Which events of a channel a subscriber wants to hear of.

use std::fmt;

use super::Reply;
use crate::domain::EventType;

/// Most types of a subscription.
pub const MAX_TYPES: usize = 16;
/// Longest type in bytes.
const MAX_TYPE_BYTES: usize = 64;

/// Types of events: only these are told. Cheap to compare with an event's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types(Box<[Box<str>]>);

impl Types {
    /// A list of types, dotted or in the spelling `task:updated`.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn new<'a>(types: impl IntoIterator<Item = &'a str>) -> Result<Self, Reply> {
        Self::read(types).map_err(|what| Reply::invalid("types", what))
    }

    fn read<'a>(types: impl IntoIterator<Item = &'a str>) -> Result<Self, &'static str> {
        let mut listed: Vec<Box<str>> = Vec::new();
        for name in types {
            let is_fine = |char: char| char.is_ascii_alphanumeric() || "_.:/-".contains(char);
            if name.is_empty() || name.len() > MAX_TYPE_BYTES || !name.chars().all(is_fine) {
                return Err(
                    "must be names of events, of letters, digits and _ . : / -, up to 64 bytes each",
                );
            }
            if !listed.iter().any(|known| **known == *name) {
                listed.push(name.into());
            }
        }
        match listed.len() {
            0 => Err("must not be empty"),
            1..=MAX_TYPES => Ok(Self(listed.into())),
            _ => Err("must not be more than 16"),
        }
    }

    /// Whether events of this type are told.
    #[must_use]
    pub fn contain(&self, event_type: &EventType) -> bool {
        self.0.iter().any(|name| is_named(event_type, name))
    }

    /// What they take up in a cursor.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names: usize = self.0.iter().map(|name| name.len()).sum();
        names + self.0.len().saturating_sub(1)
    }

    /// As it is written in a cursor.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::read(text.split('|')).ok()
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("|"))
    }
}

/// Whether a type is meant by a name: ours are dotted, and known by their colons.
fn is_named(event_type: &EventType, name: &str) -> bool {
    let known = event_type.as_str();
    let alike = |(a, b): (u8, u8)| a == b || (a == b'.' && b == b':');
    known == name
        || (event_type.is_ours()
            && known.len() == name.len()
            && known.bytes().zip(name.bytes()).all(alike))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_have_two_spellings_and_others_one() {
        let types = Types::new(["task:updated", "task.moved", "job.done"]).unwrap();
        let contains = |name: &str| types.contain(&EventType::restore(name.to_owned()));
        assert!(contains("task.updated") && contains("task.moved") && contains("job.done"));
        assert!(!contains("job:done") && !contains("task.deleted"));
        assert_eq!(types.bytes(), types.to_string().len());
        assert_eq!(Types::parse(&types.to_string()), Some(types));
    }

    #[test]
    fn says_what_is_wrong() {
        let long = "x".repeat(65);
        for bad in [vec![], vec![""], vec!["a|b"], vec!["a b"], vec![&*long]] {
            assert_eq!(Types::new(bad).unwrap_err().field(), Some("types"));
        }
        let many: Vec<_> = (0..17).map(|number| format!("t{number}")).collect();
        assert!(Types::new(many.iter().map(String::as_str)).is_err());
        assert!(Types::new(many[..16].iter().map(String::as_str)).is_ok());
    }
}
