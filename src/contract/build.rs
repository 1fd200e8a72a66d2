//! From a payload to what is to be done.

use serde_json::Value;

use super::Reply;
use super::arguments::CommandArguments;
use super::body::{Body, OWN_VERSION, Wrappers};
use super::completion::{self, check_done_statuses};
use super::control::{Destination, is_wrapper, sounds_like_control};
use super::field::{self, CREATED_AT, CREATED_BY, TEMPORARY_IDS};
use super::names::Verb;
use super::task::{
    COLUMN, NEW_STATUS, POSITION, STATUS, is_destination, refuse_project, status, task_fields,
    task_move, task_update, to_fields,
};
use crate::domain::{Action, EntityId, Fields, Kind, ProjectId, SOURCE_STAMPS, Unsettled};

/// Names the field that is toggled.
const FIELD: &str = "field";

/// An action and what is said around it.
pub(super) struct Built {
    pub(super) project: Option<ProjectId>,
    pub(super) action: Action,
    pub(super) made_id: bool,
    pub(super) expected_version: Option<i64>,
    pub(super) unsettled: Unsettled,
    pub(super) unread: Vec<String>,
}

pub(super) fn build(
    verb: Verb,
    kind: Kind,
    arguments: &CommandArguments,
    strict: bool,
) -> Result<Built, Reply> {
    let wrappers = match verb {
        Verb::Create => Wrappers::Create,
        Verb::Delete | Verb::Restore | Verb::Status => Wrappers::Ignored,
        Verb::Move => Wrappers::Move,
        Verb::Update | Verb::Start | Verb::Complete | Verb::Toggle => Wrappers::Change,
    };
    let body = Body::read(kind, arguments.bare.as_ref(), &arguments.object, wrappers)?;
    let sent_id = body.id()?;
    let mut unsettled = Unsettled {
        spellings: spellings(verb, &body, arguments),
        wrapper: matches!(verb, Verb::Update | Verb::Move)
            .then(|| body.wrapper())
            .flatten(),
        ..Unsettled::default()
    };
    let mut unread = body.unread();
    let mut action = match verb {
        Verb::Create => create(kind, sent_id.clone(), &body)?,
        Verb::Update if kind == Kind::Task => task_update(&body, &mut unsettled)?,
        Verb::Update => {
            let (id, fields) = (body.require_id()?, body.fields());
            check_done_statuses(kind, &fields)?;
            Action::Update { kind, id, fields }
        }
        Verb::Delete => Action::Delete {
            kind,
            id: body.require_id()?,
        },
        Verb::Restore => Action::Restore {
            kind,
            id: body.require_id()?,
        },
        Verb::Status => status(kind, &body, arguments.status.as_ref(), &mut unread)?,
        Verb::Move => task_move(&body, &mut unsettled)?,
        Verb::Start => Action::SprintStart {
            id: body.require_id()?,
            fields: body.fields(),
        },
        Verb::Complete => completion::complete(&body)?,
        Verb::Toggle => toggle(kind, &body, &mut unread)?,
    };
    if strict {
        refuse_unknown(kind, verb, &action)?;
    }
    settle_own_version(verb, &mut action, &mut unsettled);
    Ok(Built {
        project: project(&body, &action)?,
        expected_version: body.expected_version()?,
        unsettled,
        unread,
        made_id: sent_id.is_none(),
        action,
    })
}

/// What is true or false beside the id is what the sender wants; of nothing else there is anything to be toggled.
fn toggle(kind: Kind, body: &Body<'_>, unread: &mut Vec<String>) -> Result<Action, Reply> {
    let (id, mut fields) = (body.require_id()?, body.fields());
    let named = match fields.remove(FIELD) {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) if field::is_field(kind, &name) && !name.is_empty() => {
            Some(field::canonical(&name).to_owned())
        }
        Some(_) => return Err(Reply::invalid(FIELD, "must be the name of a field")),
    };
    let is_meant = |key: &str| named.as_ref().is_none_or(|named| named == key);
    let sent = fields.keys().cloned().collect::<Vec<_>>();
    fields.retain(|key, value| value.is_boolean() && is_meant(key));
    unread.extend(sent.into_iter().filter(|key| !fields.contains_key(key)));
    if fields.is_empty() {
        return Ok(Action::Toggle {
            kind,
            id,
            field: named,
        });
    }
    Ok(Action::Update { kind, id, fields })
}

/// Refuses what would become a field although it sounds like a word that controls the command.
fn refuse_unknown(kind: Kind, verb: Verb, action: &Action) -> Result<(), Reply> {
    let (Action::Create { fields, .. }
    | Action::Update { fields, .. }
    | Action::TaskMove { fields, .. }
    | Action::SprintStart { fields, .. }
    | Action::SprintComplete { fields, .. }) = action
    else {
        return Ok(());
    };
    // In what is made or changed a position is a field, and so is a wrapper's name beside fields.
    let is_field = |key: &str| {
        matches!(verb, Verb::Create | Verb::Update)
            && (is_wrapper(kind, key) || matches!(key, POSITION | "pos" | "index" | "idx"))
    };
    // All that is said stands in an object of an unknown name: a wrapper, it seems.
    let is_wrapped = |key: &str, value: &Value| {
        let inside = value.as_object();
        let has_usual = inside.is_some_and(|inside| inside.keys().any(|key| field::is_usual(key)));
        fields.len() == 1 && has_usual && !field::is_usual(key)
    };
    let unknown = fields.iter().find(|(key, value)| {
        (sounds_like_control(kind, key) && !is_field(key)) || is_wrapped(key, value)
    });
    match unknown.map(|(key, _)| key) {
        Some(key) => Err(Reply::invalid(
            key,
            "is not understood, and this server is strict; rename it if it is a field",
        )),
        None => Ok(()),
    }
}

/// Takes `__v` out of the fields of what is changed: whether it is one is seen from the entity.
fn settle_own_version(verb: Verb, action: &mut Action, unsettled: &mut Unsettled) {
    if verb != Verb::Create
        && let Action::Update { fields, .. }
        | Action::TaskMove { fields, .. }
        | Action::SprintStart { fields, .. }
        | Action::SprintComplete { fields, .. } = action
    {
        unsettled.own_version = fields.remove(OWN_VERSION);
    }
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
    let mut fields = match kind {
        Kind::Task => task_fields(body),
        _ => body.fields(),
    };
    fields.retain(|key, value| !(TEMPORARY_IDS.contains(&key.as_str()) && value.is_string()));
    if kind == Kind::Task {
        let mut to = Destination::read(body.said());
        refuse_project(body, &to)?;
        to.status = to.status.filter(|(key, _)| !NEW_STATUS.contains(key));
        fields.retain(|key, _| !is_destination(key));
        to_fields(&to, &mut fields)?;
        if let Some((_, column)) = to.column.filter(|_| !fields.contains_key(COLUMN)) {
            fields.insert(COLUMN.to_owned(), column.clone());
        }
    }
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
    check_done_statuses(kind, &fields)?;
    let id = match sent_id {
        // Nobody is made here.
        None if kind == Kind::Member => body.require_id()?,
        sent_id => sent_id.unwrap_or_else(EntityId::generate),
    };
    Ok(Action::Create { kind, id, fields })
}
