//! Reads: entities one by one, and lists of them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::condition::{is_known, tag};
use crate::contract::{
    CURSOR, DEFAULT_PAGE, EventClass, LIMIT, MAX_PAGE, Reply, list_filter, read_page_token,
};
use crate::domain::{FieldFilter, Kind, Page};
use crate::transport::http::endpoint::{JSON, Parameter};
use crate::transport::http::request::RestRequest;

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
    let listed = call.session.entities(&project, kind, &page).await;
    Ok(listed.into_response())
}

/// Serves a page of the comments of the task that the path names.
pub(super) async fn comments_of_task(call: RestRequest, _: Body) -> Result<Response, Reply> {
    call.spend(EventClass::Read).await?;
    let (project, task) = (call.project()?, call.id(Kind::Task)?);
    let mut page = page(&call, Kind::Comment)?;
    let is_of_task = field(Kind::Task.id_key(), task.as_str().to_owned());
    page.filter.fields.push(is_of_task);
    let listed = call.session.entities(&project, Kind::Comment, &page).await;
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

fn page(call: &RestRequest, kind: Kind) -> Result<Page, Reply> {
    let after = match call.parameter(CURSOR)? {
        Some(text) => Some(read_page_token(CURSOR, &text)?),
        None => None,
    };
    let limit = call.number(LIMIT, 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE);
    Ok(Page {
        filter: list_filter(kind, |name| call.parameter(name))?,
        after,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    })
}

/// The parameter that says how much an answer may have.
pub(super) fn limit(about: &'static str, default: u64) -> Parameter {
    let range = json!({"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": default});
    Parameter::query(LIMIT, about, range)
}
