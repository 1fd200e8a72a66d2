//! What a command means for a task: its fields, its status, and where it goes.

use serde_json::Value;

use super::Reply;
use super::body::{Body, read_id};
use super::control::{Control, Destination, Said, control, inside};
use super::field::{self, PROJECT_ID, first};
use crate::domain::{Action, EntityId, Fields, Id, Kind, Place, PlaceKey, ToColumn, Unsettled};

pub(super) const STATUS: &str = "status";
pub(super) const POSITION: &str = "position";
pub(super) const COLUMN: &str = "columnId";
pub(super) const NEW_STATUS: [&str; 2] = ["newStatus", "new_status"];
const OLD_STATUS: [&str; 2] = ["oldStatus", "old_status"];
const BEFORE: [&str; 9] = [
    "beforeId",
    "before_id",
    "beforeTaskId",
    "before_task_id",
    "before",
    "nextId",
    "next_id",
    "nextTaskId",
    "next_task_id",
];
const AFTER: [&str; 11] = [
    "afterId",
    "after_id",
    "afterTaskId",
    "after_task_id",
    "after",
    "prevId",
    "prev_id",
    "previousId",
    "prevTaskId",
    "previousTaskId",
    "previous_task_id",
];
/// The moved card's id in react-beautiful-dnd.
const DRAGGABLE: [&str; 1] = ["draggableId"];

/// The fields that are sent. What an event said of a change of status comes back with the whole object and
/// is no field of the task.
pub(super) fn task_fields(body: &Body<'_>) -> Fields {
    let mut fields = body.fields();
    let new = first(&fields, &NEW_STATUS).map(|(_, status)| status.clone());
    fields = without(fields, &[&NEW_STATUS, &OLD_STATUS]);
    if let (Some(status), false) = (new, fields.contains_key(STATUS)) {
        fields.insert(STATUS.to_owned(), status);
    }
    fields
}

/// Whether a key of what is made or changed says where a task goes, and is no field.
pub(super) fn is_destination(key: &str) -> bool {
    matches!(
        control(key),
        Some(
            Control::Status | Control::Column | Control::Sprint | Control::Epic | Control::Project
        )
    )
}

/// Sets the fields that a destination names.
pub(super) fn to_fields(to: &Destination<'_>, fields: &mut Fields) -> Result<(), Reply> {
    if let Some((key, status)) = to.status {
        if !status.is_string() {
            return Err(Reply::invalid(key, "must be a string"));
        }
        fields.insert(STATUS.to_owned(), status.clone());
    }
    for (said, reference) in [(to.sprint, "sprintId"), (to.epic, "epicId")] {
        if let Some((key, value)) = said {
            let id = match value {
                Value::Object(entity) => entity.get("id").unwrap_or(value),
                Value::String(text) if text == "backlog" => &Value::Null,
                value => value,
            };
            if !id.is_null() {
                read_id(Some((key, id)))?;
            }
            fields.insert(reference.to_owned(), id.clone());
        }
    }
    Ok(())
}

/// A task stays in its project: what is moved elsewhere would be half here and half there.
pub(super) fn refuse_project(body: &Body<'_>, to: &Destination<'_>) -> Result<(), Reply> {
    let inner = body
        .levels()
        .skip(1)
        .find_map(|level| first(level, &PROJECT_ID));
    let other = match (body.project()?, inner) {
        (Some(project), Some((key, value))) if !project.is_named_by(value) => Some(key),
        _ => None,
    };
    match to.project.map(|(key, _)| key).or(other) {
        Some(key) => Err(Reply::invalid(
            key,
            "must not be another project: a task is not moved between projects; create it there and delete it here",
        )),
        None => Ok(()),
    }
}

/// The column into which a task goes, if no field says so.
fn to_column(to: &Destination<'_>) -> Result<Option<ToColumn>, Reply> {
    let Some((key, column)) = to.column else {
        return Ok(None);
    };
    if key == "to" && column.is_number() {
        return Err(Reply::invalid(
            key,
            "must be the name of a column, or an object that says where",
        ));
    }
    if !matches!(column, Value::String(text) if !text.is_empty()) && !column.is_number() {
        return Err(Reply::invalid(
            key,
            "must be a string that is not empty, or a number",
        ));
    }
    Ok(Some(ToColumn {
        to: column.clone(),
        from: to.from.cloned(),
    }))
}

pub(super) fn task_update(body: &Body<'_>, unsettled: &mut Unsettled) -> Result<Action, Reply> {
    let id = body.require_id()?;
    let mut fields = task_fields(body);
    let mut to = Destination::read(body.said());
    refuse_project(body, &to)?;
    // What has no direction, or says nothing but one, may be a field.
    let is_bare = |key: &str| matches!(key, "index" | "idx" | POSITION | "pos");
    let is_text =
        |(key, value): &Said<'_>| control(key) == Some(Control::Somewhere) && !value.is_object();
    to.index = to
        .index
        .filter(|(key, _)| !is_bare(key) || is_in_destination(body, key));
    to.position = to
        .position
        .filter(|(key, _)| !is_bare(key) || is_in_destination(body, key));
    to.column = to.column.filter(|said| !is_text(said));
    to.status = to.status.filter(|(key, _)| !NEW_STATUS.contains(key));
    fields.retain(|key, value| match control(key) {
        Some(Control::Index | Control::Position) => is_bare(key),
        Some(Control::Somewhere) => !says_where(value),
        Some(Control::Origin) | None => true,
        Some(_) => false,
    });
    to_fields(&to, &mut fields)?;
    unsettled.column = to_column(&to)?;
    let mut place = place(&to, &mut fields)?;
    place = place.or_else(|| Place::own_in(&fields));
    Ok(match place {
        None => Action::Update {
            kind: Kind::Task,
            id,
            fields,
        },
        place => Action::TaskMove {
            id,
            fields,
            place,
            is_update: true,
        },
    })
}

/// Whether an object says where something goes.
fn says_where(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|there| there.keys().any(|key| key != "id" && inside(key).is_some()))
}

/// Whether a key stands in an object that says where something goes, and not beside it.
fn is_in_destination(body: &Body<'_>, key: &str) -> bool {
    body.said()
        .flatten()
        .any(|(_, value)| says_where(value) && value.get(key).is_some())
}

pub(super) fn status(
    kind: Kind,
    body: &Body<'_>,
    bare: Option<&Value>,
    unread: &mut Vec<String>,
) -> Result<Action, Reply> {
    let id = body.require_id()?;
    let to = Destination::read(body.levels());
    let sent = bare
        .map(|status| (STATUS, status))
        .or_else(|| body.find(&NEW_STATUS))
        .or(to.status)
        .or_else(|| body.find(&[STATUS, "state"]))
        .or(to.column);
    let status = match sent {
        Some((_, Value::String(text))) if !text.is_empty() => text,
        Some((key, _)) => return Err(Reply::invalid(key, "must be a string that is not empty")),
        None => return Err(Reply::invalid(STATUS, "is missing")),
    };
    // The status changes and nothing else.
    let others = body.said().flat_map(Fields::keys);
    unread.extend(
        others
            .filter(|key| *key != STATUS && field::is_usual(key))
            .cloned(),
    );
    let mut fields = Fields::new();
    fields.insert(STATUS.to_owned(), status.as_str().into());
    Ok(Action::Update { kind, id, fields })
}

pub(super) fn task_move(body: &Body<'_>, unsettled: &mut Unsettled) -> Result<Action, Reply> {
    let id = match body.id()? {
        Some(id) => id,
        None => match read_id(body.find(&DRAGGABLE))? {
            Some(id) => EntityId(id),
            None => body.require_id()?,
        },
    };
    let to = Destination::read(body.said());
    refuse_project(body, &to)?;
    let neighbours = neighbours(body)?;
    let mut fields = without(body.fields(), &[&BEFORE, &AFTER, &DRAGGABLE]);
    fields.retain(|key, _| control(key).is_none());
    to_fields(&to, &mut fields)?;
    unsettled.column = to_column(&to)?;
    let place = match neighbours {
        Some(place) => Some(place),
        None => match place(&to, &mut fields)? {
            None => PlaceKey::in_fields(&fields).map(Place::Own),
            place => place,
        },
    };
    Ok(Action::TaskMove {
        id,
        fields,
        place,
        is_update: false,
    })
}

/// Neighbours count more than an index.
fn neighbours(body: &Body<'_>) -> Result<Option<Place>, Reply> {
    let neighbour = |keys| read_id(body.find(keys)).map(|id: Option<Id>| id.map(EntityId));
    Ok(match (neighbour(&AFTER)?, neighbour(&BEFORE)?) {
        (Some(after), Some(before)) => Some(Place::Between(after, before)),
        (Some(after), None) => Some(Place::After(after)),
        (None, Some(before)) => Some(Place::Before(before)),
        (None, None) => None,
    })
}

/// The place that an index or a position names. A position that is no index is the frontend's own field.
fn place(to: &Destination<'_>, fields: &mut Fields) -> Result<Option<Place>, Reply> {
    let index = |value: &Value| value.as_u64().and_then(|index| usize::try_from(index).ok());
    if let Some((key, value)) = to.index {
        let index = index(value).map(|index| Some(Place::Index(index)));
        return index.ok_or_else(|| Reply::invalid(key, "must be an integer from 0"));
    }
    let Some((_, value)) = to.position else {
        return Ok(None);
    };
    Ok(match index(value) {
        Some(index) if index <= Place::MAX_INDEX => Some(Place::Position(index)),
        _ => {
            fields.insert(POSITION.to_owned(), value.clone());
            PlaceKey::of(value).map(Place::Own)
        }
    })
}

fn without(mut fields: Fields, groups: &[&[&str]]) -> Fields {
    fields.retain(|key, _| !groups.iter().any(|keys| keys.contains(&&**key)));
    fields
}
