//! Reads: entities one by one, lists of them, and a project's whole state.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::condition::{is_known, tag};
use crate::contract::{EventClass, ReadRequest, Reply, read_page_token};
use crate::domain::{FieldFilter, Filter, Kind, Page};
use crate::transport::http::endpoint::{JSON, Parameter};
use crate::transport::http::request::RestRequest;

/// Items of a page if nobody says how many.
pub(super) const DEFAULT_LIMIT: u64 = 100;
/// Most items of a page.
pub(super) const MAX_LIMIT: u64 = 500;

/// Where the page begins, in the query.
pub(super) const CURSOR: &str = "cursor";
pub(super) const LIMIT: &str = "limit";

/// Serves one entity, as it is: its tag stands for its version, and nothing else is in it.
pub(super) async fn entity(call: RestRequest, kind: Kind) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let (project, id) = (call.project()?, call.id(kind)?);
    let reply = call.session.entity(&project, kind, &id).await;
    let (Some(data), Some(version)) = (
        reply.get("data"),
        reply.get("version").and_then(Value::as_i64),
    ) else {
        return Err(reply);
    };
    let mut response = if is_known(&call, version)? {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let json = [(header::CONTENT_TYPE, JSON)];
        (json, data.to_string()).into_response()
    };
    if let Ok(tag) = HeaderValue::try_from(tag(version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Serves a page of a project's entities.
pub(super) async fn entities(call: RestRequest, kind: Kind) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let (project, page) = (call.project()?, page(&call, kind)?);
    let listed = call.session.entities(&project, kind, page).await;
    Ok(listed.into_response())
}

/// Serves a page of the comments of the task that the path names.
pub(super) async fn comments_of_task(call: RestRequest, _: Body) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let (project, task) = (call.project()?, call.id(Kind::Task)?);
    let mut page = page(&call, Kind::Comment)?;
    let is_of_task = field(Kind::Task.id_key(), task.as_str().to_owned());
    page.filter.fields.push(is_of_task);
    let listed = call.session.entities(&project, Kind::Comment, page).await;
    Ok(listed.into_response())
}

fn field(name: &str, value: String) -> FieldFilter {
    FieldFilter {
        field: name.to_owned(),
        value: Value::String(value),
    }
}

/// Serves a page of the projects that the caller can see.
pub(super) async fn projects(call: RestRequest, _: Body) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let page = page(&call, Kind::Project)?;
    Ok(call.session.projects(page).await.into_response())
}

/// Serves a project's state.
pub(super) async fn snapshot(call: RestRequest, _: Body) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let project = call.project()?;
    let snapshot = call.session.read(&ReadRequest::Snapshot { project }).await;
    Ok(snapshot.into_response())
}

fn page(call: &RestRequest, kind: Kind) -> Result<Page, Reply> {
    let after = match call.parameter(CURSOR)? {
        Some(text) => Some(read_page_token(CURSOR, &text)?),
        None => None,
    };
    let limit = call.number(LIMIT, 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let of_tasks = |name| match kind {
        Kind::Task => call.parameter(name),
        _ => Ok(None),
    };
    let mut fields = Vec::new();
    let references = Kind::all().into_iter().map(Kind::id_key);
    let references = references.filter(|key| Kind::of_reference(key).is_some());
    for key in references.chain(["parentId"]).filter(|_| kind.is_beside()) {
        if let Some(text) = call.parameter(key)? {
            fields.push(field(key, text));
        }
    }
    Ok(Page {
        filter: Filter {
            status: match kind {
                Kind::Project | Kind::Member => None,
                _ => call.parameter("status")?,
            },
            sprint: of_tasks("sprintId")?,
            epic: of_tasks("epicId")?,
            assignee: of_tasks("assignee")?,
            text: call.parameter("q")?,
            fields,
        },
        after,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    })
}

/// The parameter that says how much an answer may have.
pub(super) fn limit(about: &'static str, default: u64) -> Parameter {
    let range = json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": default});
    Parameter::query(LIMIT, about, range)
}
