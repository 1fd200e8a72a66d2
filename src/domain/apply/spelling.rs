//! Which of two spellings of a field is meant. A frontend that writes `due_date` keeps the `dueDate` that the
//! server tells it, and sends both back with the whole object: what the server has said is not what it wants.

use serde_json::Value;

use crate::domain::{Entity, Fields};

const STATUS: &str = "status";
const TITLE: &str = "title";
const NAME: &str = "name";

/// The patch with each field under the name, and with the value, that is meant.
pub(super) fn settle(before: &Entity, patch: &Fields, spellings: &Fields) -> Fields {
    let mut settled = patch.clone();
    for (field, other) in spellings {
        let Some(counts) = patch.get(field) else {
            continue;
        };
        if field == TITLE {
            settle_name(before, &mut settled, other);
        } else if field == STATUS {
            if before.fields.get(STATUS) == Some(counts) {
                settled.insert(field.clone(), other.clone());
            }
        } else if has_said(before, field, counts) {
            settled.insert(field.clone(), other.clone());
        }
    }
    settled
}

/// A `name` is the title of an entity that has no name of its own.
fn settle_name(before: &Entity, patch: &mut Fields, name: &Value) {
    let Some(title) = patch.get(TITLE) else {
        return;
    };
    let told = has_said(before, TITLE, title);
    match (before.fields.contains_key(NAME), patch.contains_key(NAME)) {
        (true, false) => {
            patch.remove(TITLE);
            patch.insert(NAME.to_owned(), name.clone());
        }
        (false, true) if told => {
            patch.remove(NAME);
            patch.insert(TITLE.to_owned(), name.clone());
        }
        (false, true) if has_said(before, TITLE, name) => {
            patch.remove(NAME);
        }
        _ => {}
    }
}

/// Whether this is or was the field's value.
fn has_said(before: &Entity, field: &str, value: &Value) -> bool {
    let was = before
        .history
        .get(field)
        .and_then(|stamp| stamp.was.as_ref());
    before.fields.get(field) == Some(value) || was == Some(value)
}
