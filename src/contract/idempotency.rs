//! The key by which a repeated command is recognised.

use serde_json::Value;

use super::Reply;
use super::field::IDEMPOTENCY_KEYS;
use crate::domain::Fields;

const MAX_KEY_BYTES: usize = 128;

/// The key in a payload.
pub(super) fn key_in(payload: &Fields) -> Result<Option<String>, Reply> {
    for key in IDEMPOTENCY_KEYS {
        match payload.get(key) {
            Some(Value::String(text)) => return checked(key, text).map(Some),
            // A number only tells the frontend which answer belongs to which question, and starts
            // again from 1 with the next page load.
            None | Some(Value::Null | Value::Number(_)) => {}
            Some(_) => return Err(Reply::invalid(key, "must be a string")),
        }
    }
    Ok(None)
}

/// The key as the last argument.
pub(super) fn trailing(text: &str) -> Result<String, Reply> {
    checked(IDEMPOTENCY_KEYS[0], text)
}

pub(super) fn checked(field: &str, text: &str) -> Result<String, Reply> {
    match text.len() {
        0 => Err(Reply::invalid(field, "must not be empty")),
        1..=MAX_KEY_BYTES => Ok(text.to_owned()),
        _ => Err(Reply::invalid(
            field,
            format!("must not be longer than {MAX_KEY_BYTES} bytes"),
        )),
    }
}
