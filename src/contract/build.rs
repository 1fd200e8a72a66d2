//! From a payload to what is to be done.

use serde_json::Value;

use super::Reply;
use super::arguments::CommandArguments;
use super::body::{Body, Wrappers, read_id};
use super::field::{CREATED_AT, CREATED_BY, canonical, first};
use super::names::Verb;
use crate::domain::{Action, EntityId, Fields, Id, Kind, MoveTo, Place, ProjectId, SOURCE_STAMPS};

const STATUS: &str = "status";
const NEW_STATUS: [&str; 2] = ["newStatus", "new_status"];
const OLD_STATUS: [&str; 2] = ["oldStatus", "old_status"];
const BEFORE: [&str; 2] = ["beforeId", "before_id"];
const AFTER: [&str; 2] = ["afterId", "after_id"];
const POSITION: [&str; 8] = [
    "position",
    "newPosition",
    "new_position",
    "index",
    "newIndex",
    "new_index",
    "toIndex",
    "to_index",
];
const MOVE_TO: [&str; 4] = [
    "moveTo",
    "move_to",
    "moveUnfinishedTo",
    "move_unfinished_to",
];
/// What a move may name beside its wrapper.
const PLACE_FIELDS: [&str; 4] = [STATUS, "sprintId", "epicId", "columnId"];

/// An action and what is said around it.
pub(super) struct Built {
    pub(super) project: Option<ProjectId>,
    pub(super) action: Action,
    pub(super) made_id: bool,
    pub(super) expected_version: Option<i64>,
    pub(super) spellings: Fields,
}

pub(super) fn build(verb: Verb, kind: Kind, arguments: &CommandArguments) -> Result<Built, Reply> {
    let wrappers = match verb {
        Verb::Create => Wrappers::Create,
        Verb::Delete | Verb::Restore => Wrappers::Ignored,
        Verb::Update | Verb::Status | Verb::Move | Verb::Start | Verb::Complete => Wrappers::Change,
    };
    let body = Body::read(kind, arguments.bare.as_ref(), &arguments.object, wrappers)?;
    let sent_id = body.id()?;
    let action = match verb {
        Verb::Create => create(kind, sent_id.clone(), &body)?,
        Verb::Update => Action::Update {
            kind,
            id: body.require_id()?,
            fields: fields(kind, &body),
        },
        Verb::Delete => Action::Delete {
            kind,
            id: body.require_id()?,
        },
        Verb::Restore => Action::Restore {
            kind,
            id: body.require_id()?,
        },
        Verb::Status => status(kind, &body, arguments.status.as_ref())?,
        Verb::Move => task_move(&body)?,
        Verb::Start => Action::SprintStart {
            id: body.require_id()?,
            fields: without(body.fields(), &[&MOVE_TO]),
        },
        Verb::Complete => Action::SprintComplete {
            id: body.require_id()?,
            fields: without(body.fields(), &[&MOVE_TO]),
            move_to: move_to(&body)?,
        },
    };
    Ok(Built {
        project: project(&body, &action)?,
        expected_version: body.expected_version()?,
        spellings: spellings(verb, &body, arguments),
        made_id: sent_id.is_none(),
        action,
    })
}

/// A new project is its own project, also when its id was made here.
fn project(body: &Body<'_>, action: &Action) -> Result<Option<ProjectId>, Reply> {
    match action {
        Action::Create {
            kind: Kind::Project,
            id,
            ..
        } => Ok(Some(ProjectId(id.0.clone()))),
        _ => body.project(),
    }
}

/// The fields that are sent. What an event said of a change of status comes back with the whole object and
/// is no field of the task.
fn fields(kind: Kind, body: &Body<'_>) -> Fields {
    let mut fields = body.fields();
    if kind == Kind::Task {
        let new = first(&fields, &NEW_STATUS).map(|(_, status)| status.clone());
        fields = without(fields, &[&NEW_STATUS, &OLD_STATUS]);
        if let (Some(status), false) = (new, fields.contains_key(STATUS)) {
            fields.insert(STATUS.to_owned(), status);
        }
    }
    fields
}

/// `status` beside `newStatus` is the old one, or the new one beside what the last event said.
fn spellings(verb: Verb, body: &Body<'_>, arguments: &CommandArguments) -> Fields {
    let mut spellings = body.spellings();
    if matches!(verb, Verb::Status | Verb::Move)
        && arguments.status.is_none()
        && body.find(&NEW_STATUS).is_some()
        && let Some((_, status @ Value::String(_))) = body.find(&[STATUS])
    {
        spellings.insert(STATUS.to_owned(), status.clone());
    }
    spellings
}

fn create(kind: Kind, sent_id: Option<EntityId>, body: &Body<'_>) -> Result<Action, Reply> {
    let mut fields = fields(kind, body);
    for (source, sent) in SOURCE_STAMPS.into_iter().zip([CREATED_AT, CREATED_BY]) {
        if let (Some((_, value)), false) = (body.find(&sent), fields.contains_key(source)) {
            fields.insert(source.to_owned(), value.clone());
        }
    }
    match fields.get("title") {
        None | Some(Value::String(_) | Value::Number(_)) => {}
        Some(_) => {
            let sent = body.find(&["title", "name"]);
            let key = sent.map_or("title", |(key, _)| key);
            return Err(Reply::invalid(key, "must be a string"));
        }
    }
    let id = match sent_id {
        // Nobody is made here.
        None if kind == Kind::Member => body.require_id()?,
        sent_id => sent_id.unwrap_or_else(EntityId::generate),
    };
    Ok(Action::Create { kind, id, fields })
}

fn status(kind: Kind, body: &Body<'_>, bare: Option<&Value>) -> Result<Action, Reply> {
    let id = body.require_id()?;
    let sent = bare
        .map(|status| (STATUS, status))
        .or_else(|| body.find(&[NEW_STATUS[0], NEW_STATUS[1], STATUS]));
    let status = match sent {
        Some((_, Value::String(text))) if !text.is_empty() => text,
        Some((key, _)) => return Err(Reply::invalid(key, "must be a string that is not empty")),
        None => return Err(Reply::invalid(STATUS, "is missing")),
    };
    let mut fields = Fields::new();
    fields.insert(STATUS.to_owned(), status.as_str().into());
    Ok(Action::Update { kind, id, fields })
}

fn task_move(body: &Body<'_>) -> Result<Action, Reply> {
    let mut fields = body.fields();
    if body.is_wrapped() {
        let beside = body
            .top()
            .iter()
            .map(|(key, value)| (canonical(key), value));
        for (key, value) in beside.filter(|(key, _)| PLACE_FIELDS.contains(key)) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    let mut fields = without(
        fields,
        &[&NEW_STATUS, &OLD_STATUS, &BEFORE, &AFTER, &POSITION],
    );
    if let Some((key, status)) = body.find(&NEW_STATUS) {
        if !status.is_string() {
            return Err(Reply::invalid(key, "must be a string"));
        }
        fields.insert(STATUS.to_owned(), status.clone());
    }
    Ok(Action::TaskMove {
        id: body.require_id()?,
        fields,
        place: place(body)?,
    })
}

/// Neighbours count more than an index.
fn place(body: &Body<'_>) -> Result<Option<Place>, Reply> {
    let neighbour = |keys| read_id(body.find(keys)).map(|id: Option<Id>| id.map(EntityId));
    Ok(match (neighbour(&AFTER)?, neighbour(&BEFORE)?) {
        (Some(after), Some(before)) => Some(Place::Between(after, before)),
        (Some(after), None) => Some(Place::After(after)),
        (None, Some(before)) => Some(Place::Before(before)),
        (None, None) => position(body)?.map(Place::Position),
    })
}

fn position(body: &Body<'_>) -> Result<Option<usize>, Reply> {
    let Some((key, value)) = body.find(&POSITION) else {
        return Ok(None);
    };
    let index = value.as_u64().and_then(|index| usize::try_from(index).ok());
    index
        .map(Some)
        .ok_or_else(|| Reply::invalid(key, "must be an integer from 0"))
}

fn move_to(body: &Body<'_>) -> Result<MoveTo, Reply> {
    let found = body.find(&MOVE_TO);
    Ok(match found.and_then(|(_, value)| value.as_str()) {
        Some("backlog") => MoveTo::Backlog,
        Some("keep") => MoveTo::Keep,
        _ => read_id(found)?.map_or(MoveTo::Backlog, |id| MoveTo::Sprint(EntityId(id))),
    })
}

fn without(mut fields: Fields, groups: &[&[&str]]) -> Fields {
    fields.retain(|key, _| !groups.iter().any(|keys| keys.contains(&&**key)));
    fields
}
