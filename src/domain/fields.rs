//! What clients send as a JSON object.

use serde_json::Value;

/// A JSON object, as clients send it: an entity's fields, or a payload.
pub type Fields = serde_json::Map<String, Value>;
