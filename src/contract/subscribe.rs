//! Joining and leaving a project, and asking for its state or its history.

use serde_json::Value;

use super::arguments::First;
use super::body::{Body, Wrappers};
use super::field::first;
use super::names::Name;
use super::{Join, Limits, Reply, Request, Since};
use crate::domain::{Fields, IdError, Kind, ProjectId};

const DEFAULT_LIMIT: u64 = 200;
const MAX_LIMIT: u64 = 500;
const SINCE: [&str; 2] = ["since", "cursor"];

/// The request, if the name is one of these; further arguments are the frontend's own affair.
pub(super) fn read(name: Name, argument: Option<Value>, limits: Limits) -> Result<Request, Reply> {
    let (project, payload) = project_in(argument, limits)?;
    Ok(match name {
        Name::Leave => Request::Leave { project },
        Name::Snapshot => Request::Snapshot { project },
        Name::Sync => Request::Sync {
            project,
            since: since(&payload)?,
            limit: limit(&payload)?,
        },
        Name::Join | Name::Refresh | Name::Command(..) | Name::Signal(..) => Request::Join(Join {
            project,
            since: since(&payload)?,
            snapshot: is_true(&payload, "snapshot"),
            events: is_true(&payload, "events"),
        }),
    })
}

fn project_in(argument: Option<Value>, limits: Limits) -> Result<(ProjectId, Fields), Reply> {
    let key = Kind::Project.id_key();
    let (bare, payload) = match argument
        .map(|argument| First::read(argument, limits))
        .transpose()?
    {
        Some(Some(First::Bare(id))) => (Some(id), Fields::new()),
        Some(Some(First::Object(payload))) => (None, payload),
        Some(None) => return Err(Reply::invalid(key, IdError::Type)),
        None => return Err(Reply::invalid(key, "is missing")),
    };
    let body = Body::read(Kind::Project, bare.as_ref(), &payload, Wrappers::Ignored)?;
    let id = body.require_id()?;
    Ok((ProjectId(id.0), payload))
}

fn since(payload: &Fields) -> Result<Option<Since>, Reply> {
    match first(payload, &SINCE) {
        None => Ok(None),
        Some((_, Value::String(cursor))) => Ok(Some(Since::Cursor(cursor.clone()))),
        Some((key, value)) => match value.as_i64() {
            Some(seq @ 0..) => Ok(Some(Since::Seq(seq))),
            _ => Err(Reply::invalid(key, "must be a cursor or a seq")),
        },
    }
}

fn limit(payload: &Fields) -> Result<usize, Reply> {
    let sent = match payload.get("limit") {
        None | Some(Value::Null) => DEFAULT_LIMIT,
        Some(value) => value
            .as_u64()
            .ok_or_else(|| Reply::invalid("limit", "must be an integer from 1"))?,
    };
    Ok(usize::try_from(sent.clamp(1, MAX_LIMIT)).expect("a number up to 500 fits"))
}

/// Anything but `true` is somebody else's key of the same name.
fn is_true(payload: &Fields, key: &str) -> bool {
    payload.get(key) == Some(&Value::Bool(true))
}
