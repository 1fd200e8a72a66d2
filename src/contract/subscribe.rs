//! Joining and leaving a project, and asking for its state or its history.

use serde_json::Value;

use super::arguments::First;
use super::body::{Body, Wrappers};
use super::field::first;
use super::payload_limits;
use super::{
    Join, Limits, MAX_CURSOR_CHANNELS, PAGE, PresenceWish, ReadRequest, Reply, Since, Subscribe,
    Types, read_state_token,
};
use crate::domain::{ChannelName, Family, Fields, Id, IdError, Kind, ProjectId};

const DEFAULT_LIMIT: u64 = 200;
const MAX_LIMIT: u64 = 500;
const SINCE: [&str; 2] = ["since", "cursor"];
const PAGES: [&str; 4] = [PAGE, "nextPage", "pageToken", "page_token"];

/// Reads a join; what further arguments say is who joins, or the frontend's own affair.
pub(super) fn join(arguments: Vec<Value>, limits: Limits) -> Result<Join, Reply> {
    let mut arguments = arguments.into_iter();
    let (project, payload) = project_in(arguments.next(), limits)?;
    let presence = PresenceWish::in_join(&payload, arguments.next().as_ref());
    Ok(Join {
        presence,
        project,
        since: since(&payload)?,
        snapshot: is_true(&payload, "snapshot"),
        events: is_true(&payload, "events"),
        is_unseen: false,
    })
}

/// Reads the project of a request that says nothing else.
pub(super) fn project(argument: Option<Value>, limits: Limits) -> Result<ProjectId, Reply> {
    project_in(argument, limits).map(|(project, _)| project)
}

/// Reads which page of a project's state is wanted.
pub(super) fn snapshot(argument: Option<Value>, limits: Limits) -> Result<ReadRequest, Reply> {
    let (project, payload) = project_in(argument, limits)?;
    let page = match first(&payload, &PAGES) {
        None => None,
        Some((key, Value::String(token))) => Some(Box::new(read_state_token(key, token)?)),
        Some((key, _)) => return Err(Reply::invalid(key, "must be a string")),
    };
    Ok(ReadRequest::Snapshot { project, page })
}

/// Reads from where on a project's events are wanted.
pub(super) fn sync(argument: Option<Value>, limits: Limits) -> Result<ReadRequest, Reply> {
    let (project, payload) = project_in(argument, limits)?;
    Ok(ReadRequest::Sync {
        project,
        since: since(&payload)?,
        limit: limit(&payload)?,
    })
}

/// Channels by name: `{channel}`, `{channels}`, a name by itself, or a list of names.
pub(super) fn channels(argument: Option<Value>, limits: Limits) -> Result<Subscribe, Reply> {
    let argument = match argument {
        Some(Value::String(text)) => match payload_limits::object_in(&text, limits)? {
            Some(object) => Some(object),
            None => Some(Value::String(text)),
        },
        argument => argument,
    };
    let (listed, payload) = match argument {
        Some(Value::Object(payload)) => {
            let listed = payload.get("channels").or_else(|| payload.get("channel"));
            (listed.cloned(), payload)
        }
        listed => (listed, Fields::new()),
    };
    let names = match listed {
        Some(Value::Array(names)) => names,
        Some(name @ Value::String(_)) => vec![name],
        Some(Value::Null) | None => return Err(Reply::invalid("channel", "is missing")),
        Some(_) => return Err(Reply::invalid("channel", "must be a string")),
    };
    let names: Vec<_> = names.iter().map(Value::as_str).collect();
    let Some(names) = names.into_iter().collect::<Option<Vec<_>>>() else {
        return Err(Reply::invalid("channels", "must be strings"));
    };
    Ok(Subscribe {
        channels: named(names)?,
        types: types(&payload)?,
        since: since(&payload)?,
        presence: PresenceWish::said(&payload),
    })
}

/// The list of projects, without an argument or with an object; or these projects: a list of ids, or `{projectIds}`.
pub(super) fn list(argument: Option<Value>) -> Result<Subscribe, Reply> {
    const IDS: [&str; 3] = ["projectIds", "project_ids", "projects"];
    let (key, ids, payload) = match argument {
        None | Some(Value::Null) => (IDS[0], None, Fields::new()),
        Some(Value::Object(payload)) => match first(&payload, &IDS) {
            Some((key, ids)) => (key, Some(ids.clone()), payload),
            None => (IDS[0], None, payload),
        },
        Some(ids) => (IDS[0], Some(ids), Fields::new()),
    };
    let channels = match ids {
        None => vec![ChannelName::list_of_projects()],
        Some(Value::Array(ids)) => {
            let ids = ids.iter().map(Id::from_json);
            let ids: Result<Vec<_>, _> = ids.collect();
            let ids = ids.map_err(|error| Reply::invalid(key, error))?;
            let names = ids
                .into_iter()
                .map(|id| ProjectId(id).channel().to_string());
            named(names.collect::<Vec<_>>().iter().map(String::as_str))?
        }
        Some(_) => return Err(Reply::invalid(key, "must be a list of ids")),
    };
    Ok(Subscribe {
        channels,
        types: types(&payload)?,
        since: since(&payload)?,
        presence: PresenceWish::said(&payload),
    })
}

impl Subscribe {
    /// Channels and types by their names, as they stand in the query of a request.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with one of them.
    pub fn new<'a>(
        channels: impl IntoIterator<Item = &'a str>,
        types: impl IntoIterator<Item = &'a str>,
        since: Option<Since>,
    ) -> Result<Self, Reply> {
        let mut types = types.into_iter().peekable();
        Ok(Self {
            channels: named(channels)?,
            types: match types.peek() {
                Some(_) => Some(Types::new(types)?),
                None => None,
            },
            since,
            presence: None,
        })
    }
}

/// Channels by their names, each once.
pub(super) fn named<'a>(
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<ChannelName>, Reply> {
    let mut channels = Vec::new();
    for name in names {
        let channel = ChannelName::parse(name).map_err(|error| Reply::invalid("channel", error))?;
        if let Family::Client(_) = channel.family() {
            let what = "reaches its client without a subscription";
            return Err(Reply::invalid("channel", format!("{channel} {what}")));
        }
        if !channels.contains(&channel) {
            channels.push(channel);
        }
        if channels.len() > MAX_CURSOR_CHANNELS {
            let what = format!("must not be more than {MAX_CURSOR_CHANNELS}");
            return Err(Reply::invalid("channels", what));
        }
    }
    if channels.is_empty() {
        return Err(Reply::invalid("channels", "must not be empty"));
    }
    Ok(channels)
}

fn types(payload: &Fields) -> Result<Option<Types>, Reply> {
    match payload.get("types") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(types)) => {
            let types: Option<Vec<_>> = types.iter().map(Value::as_str).collect();
            let types = types.ok_or_else(|| Reply::invalid("types", "must be strings"))?;
            Types::new(types).map(Some)
        }
        Some(_) => Err(Reply::invalid("types", "must be a list")),
    }
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
