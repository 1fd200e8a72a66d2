//! Commands: a request names an event, perhaps its entity, and carries the event's argument.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::ROOT;
use super::condition::{if_match, tag};
use crate::contract::{Arguments, CommandRequest, EventClass, EventName, Reply};
use crate::domain::{EntityId, Fields, Kind};
use crate::session::{Pending, Session};
use crate::transport::http::request::{IN_QUERY, RestRequest};

/// The head's idempotency key.
pub(super) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(super) const KEY: &str = "Idempotency-Key";

/// A command about entities of a kind, by its event's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commanded {
    pub(super) kind: Kind,
    pub(super) event: EventName,
    /// Whether it makes an entity: the path does not name it yet.
    pub(super) creates: bool,
}

/// Serves a command.
pub(super) async fn command(
    call: RestRequest,
    body: Body,
    what: Commanded,
) -> Result<Response, Reply> {
    call.spend(EventClass::Command).await?;
    call.spend_type(what.event.as_str())?;
    let _busy = call.app.connections().busy();
    let body = call.object(body).await?;
    let project = match what {
        Commanded {
            kind: Kind::Project,
            creates: true,
            ..
        } => None,
        _ => Some(call.project()?),
    };
    let id = if what.creates {
        None
    } else {
        Some(call.id(what.kind)?)
    };
    let arguments = body
        .as_ref()
        .map_or(Arguments::None, |body| Arguments::One(body.get()));
    let mut command = read(&call, what.event, id.as_ref(), arguments)?;
    if let Some(project) = &project {
        command.set_project(project)?;
    }
    if let Some(key) = key(&call)? {
        command.set_key(KEY, &key)?;
        // Of those as well who have not shown who they are: keys belong to a project, and a repetition must find it.
        command.make_id_of_key(&call.session.caller.key_holder());
    }
    command.if_match = if_match(&call)?;
    let reply = submit(&call.session, command).await?.answer().await;
    respond(what, reply)
}

/// Reads the command that an event's name, an id beside the payload and the payload ask for.
pub(super) fn read(
    call: &RestRequest,
    event: EventName,
    id: Option<&EntityId>,
    arguments: Arguments<'_>,
) -> Result<CommandRequest, Reply> {
    let command = CommandRequest::read(event, id, arguments, &call.app.payload_limits())?;
    if let Some(id) = id {
        let (kind, subject) = command.subject();
        if subject != id || names_another(&command.echo, kind, id) {
            return Err(Reply::invalid(
                kind.id_key(),
                "is another one than in the path",
            ));
        }
    }
    Ok(command)
}

/// Hands a command to the writer. It takes effect whether or not anybody waits for the answer.
pub(super) async fn submit(
    session: &Session,
    mut command: CommandRequest,
) -> Result<Pending, Reply> {
    session.own(&mut command);
    session.submit(Box::new(command)).await
}

/// Whether a payload says, where the server itself would say it, that it is about another entity than the path.
fn names_another(payload: &Fields, kind: Kind, id: &EntityId) -> bool {
    let said = ["id", kind.id_key()].map(|key| payload.get(key));
    let mut said = said.into_iter().flatten();
    said.any(|said| !said.is_null() && !id.is_named_by(said))
}

/// The key in the head: as it stands, or in quotes as the draft of the header has it.
pub(super) fn key(call: &RestRequest) -> Result<Option<String>, Reply> {
    let key = call.header(&IDEMPOTENCY_KEY)?;
    Ok(key.map(|key| {
        let bare = key.trim();
        let unquoted = bare
            .strip_prefix('"')
            .and_then(|bare| bare.strip_suffix('"'));
        unquoted.unwrap_or(bare).to_owned()
    }))
}

fn respond(what: Commanded, reply: Reply) -> Result<Response, Reply> {
    if !reply.is_ok() {
        return Err(reply);
    }
    let version = reply.get("version").and_then(Value::as_i64);
    let location = what.creates.then(|| location(what.kind, &reply)).flatten();
    // Nothing was made of what is there already.
    let is_new = what.creates && reply.get("noop").is_none();
    let mut response = reply.into_response();
    if is_new {
        *response.status_mut() = StatusCode::CREATED;
    }
    let texts = [
        (header::ETAG, version.map(tag)),
        (header::LOCATION, location),
    ];
    for (name, text) in texts {
        if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Where an entity is found.
fn location(kind: Kind, reply: &Reply) -> Option<String> {
    let data = reply.value("data")?;
    let text = |key: &str| match data.get(key)? {
        Value::String(text) => Some(encoded(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let project = text(Kind::Project.id_key())?;
    let mut query = in_query(Kind::Project.id_key(), &project);
    let mut path = format!("{ROOT}/projects/{}", in_path(&project));
    if kind != Kind::Project {
        let id = text("id")?;
        write!(path, "/{}/{}", kind.plural(), in_path(&id)).expect("a text takes everything");
        query.extend(in_query("id", &id));
    }
    let query = query.join("&");
    let mark = if query.is_empty() { "" } else { "?" };
    Some(format!("{path}{mark}{query}"))
}

/// An encoded id as a segment of a path, or what stands there for one that cannot be.
fn in_path(id: &str) -> &str {
    if matches!(id, "." | "..") {
        IN_QUERY
    } else {
        id
    }
}

/// The parameter with an id that cannot stand in a path.
fn in_query(name: &str, id: &str) -> Vec<String> {
    let is_needed = in_path(id) == IN_QUERY;
    is_needed
        .then(|| format!("{name}={id}"))
        .into_iter()
        .collect()
}

/// A text as a segment of a path.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a text takes everything");
        }
        encoded
    })
}
