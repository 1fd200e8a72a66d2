//! Positions that frontends keep in fields of their own, and how they sort.

use serde_json::{Number, Value};

use super::FieldSource;

/// Fields in which frontends keep positions of their own; the first one counts.
const OWN_POSITIONS: [&str; 5] = ["position", "pos", "order", "sortOrder", "orderIndex"];
/// Bytes of a text that count for its order.
const MAX_KEY_BYTES: usize = 96;

/// A position of a frontend's own, as a text that sorts like it: numbers before texts, both as they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaceKey(String);

impl PlaceKey {
    /// The key of a number or text; nothing else has an order.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_f64().map(|float| Self(sortable(float))),
            Value::String(text) if !text.is_empty() => Some(Self(format!(
                "t{}",
                &text[..text.floor_char_boundary(MAX_KEY_BYTES)]
            ))),
            _ => None,
        }
    }

    /// The field of an entity that holds its position.
    #[must_use]
    pub fn field_in(fields: &impl FieldSource) -> Option<(&'static str, &Value)> {
        let mut found = OWN_POSITIONS
            .iter()
            .filter_map(|name| Some((*name, fields.value(name)?)));
        found.find(|(_, value)| !value.is_null())
    }

    /// The key of an entity's position.
    #[must_use]
    pub fn in_fields(fields: &impl FieldSource) -> Option<Self> {
        Self::of(Self::field_in(fields)?.1)
    }

    /// A key that was stored.
    #[must_use]
    pub fn restore(text: String) -> Self {
        Self(text)
    }

    /// The text, which sorts by its bytes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A number as a text of fixed length that sorts like it.
fn sortable(float: f64) -> String {
    let bits = (float + 0.0).to_bits();
    let is_negative = bits >> 63 == 1;
    let ordered = if is_negative { !bits } else { bits | 1 << 63 };
    format!("n{ordered:016x}")
}

/// Whether a number can be an index among cards, and not a position with gaps.
pub(super) fn is_index(number: &Number) -> bool {
    /// Cards that nobody has in one column.
    const MANY: u64 = 1000;
    number.as_u64().is_some_and(|index| index < MANY)
}
