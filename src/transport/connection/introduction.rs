//! What a client has said of itself when it connected, as the templates of its dialect see it.

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::contract::dialect::{Root, Scope};

/// What a client has said of itself, as templates see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Introduction {
    /// What each root stands for.
    pub(crate) values: Vec<(Root, Value)>,
}

impl Introduction {
    /// What templates see of it.
    pub(crate) fn scope(&self) -> Scope<'_> {
        let mut scope = Scope::new();
        for (root, value) in &self.values {
            scope = scope.with(*root, value);
        }
        scope
    }
}

/// The time, as templates see it.
pub(crate) fn now() -> Value {
    let now = Clock.now();
    json!({ "iso": now.to_string(), "ms": now.as_millis() })
}
