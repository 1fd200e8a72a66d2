//! Which of two spellings of a field is meant. A frontend that writes `due_date` keeps the `dueDate` that the
//! server tells it, and sends both back with the whole object: what the server has said is not what it wants.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::{Command, Entity, Fields, Reference, ToColumn};

const OWN_VERSION: &str = "__v";
const COLUMN: &str = "columnId";
const STATUS: &str = "status";
const TITLE: &str = "title";
const NAME: &str = "name";

/// The version that the sender had before its eyes. As `__v` documents of other databases come with a version of their own:
/// it is ours only if it can be, and the entity has no such field.
pub(super) fn expected_version(before: &Entity, command: &Command) -> Option<i64> {
    command.expected_version.or_else(|| {
        let said = command.unsettled.own_version.as_ref()?.as_i64()?;
        let is_field = before.fields.contains_key(OWN_VERSION);
        (!is_field && (1..=before.version).contains(&said)).then_some(said)
    })
}

/// The patch with each field under the name, and with the value, that is meant.
pub(super) fn settle<'a>(before: &Entity, patch: &'a Fields, command: &Command) -> Cow<'a, Fields> {
    let unsettled = &command.unsettled;
    let mut settled = Cow::Borrowed(patch);
    if let Some(wrapper) = &unsettled.wrapper
        && before.fields.contains_key(&wrapper.name)
        && let Some(value) = command.echo.get(&wrapper.name)
    {
        let mut fields = wrapper.beside.clone();
        fields.insert(wrapper.name.clone(), value.clone());
        settled = Cow::Owned(fields);
    }
    if let Some(column) = &unsettled.column {
        let field = column_field(before, patch, column);
        settled.to_mut().insert(field, column.to.clone());
    }
    if let Some(version) = &unsettled.own_version
        && expected_version(before, command) != version.as_i64()
    {
        settled
            .to_mut()
            .insert(OWN_VERSION.to_owned(), version.clone());
    }
    for (field, other) in &unsettled.spellings {
        // No spelling changes what another one is about.
        let Some(counts) = settled.get(field) else {
            continue;
        };
        if field == TITLE {
            settle_name(before, settled.to_mut(), other);
        } else if field == STATUS {
            if before.fields.get(STATUS) == Some(counts) {
                settled.to_mut().insert(field.clone(), other.clone());
            }
        } else if has_said(before, field, counts) {
            settled.to_mut().insert(field.clone(), other.clone());
        }
    }
    settled
}

/// The field of a task that holds its column: the one that says where it comes from, or one for columns, or its status.
fn column_field(before: &Entity, patch: &Fields, column: &ToColumn) -> String {
    const SPRINT: &str = Reference::Sprint.field();
    let own = before.column_field();
    let mut fields = own.into_iter().chain([STATUS, SPRINT]);
    let from = column.from.as_ref();
    let is_from = |field: &&str| from.is_some() && before.fields.get(field) == from;
    let field = fields.find(is_from).or(own);
    let has_status = patch.contains_key(STATUS);
    let field = field.unwrap_or(if has_status { COLUMN } else { STATUS });
    field.to_owned()
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
        .and_then(|stamp| stamp.was.as_deref());
    before.fields.get(field) == Some(value) || was == Some(value)
}
