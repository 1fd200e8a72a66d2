//! A request that is being served: its parameters and its body, and the session in which it is served.

use std::error::Error;
use std::io;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use http_body_util::LengthLimitError;
use serde_json::value::RawValue;

use crate::contract::{ErrorCode, EventClass, Reply};
use crate::domain::{EntityId, Id, IdError, Kind, ProjectId};
use crate::session::Session;
use crate::state::AppState;
use crate::transport::admission::type_limited;
use crate::transport::http_caller::HttpCaller;
use crate::transport::query::from_query;

/// Stands in a path for an id that stands in the query.
pub(crate) const IN_QUERY: &str = "-";
/// How a refusal names the body as a whole.
pub(crate) const PAYLOAD: &str = "payload";

/// See the module.
pub(crate) struct RestRequest {
    pub(crate) app: AppState,
    pub(crate) session: Session,
    pub(crate) headers: HeaderMap,
    http_caller: HttpCaller,
    query: Option<String>,
    path: Vec<(String, String)>,
}

impl RestRequest {
    pub(crate) fn begin(
        app: AppState,
        http_caller: HttpCaller,
        path: Result<RawPathParams, RawPathParamsRejection>,
        parts: Parts,
    ) -> Result<Self, Reply> {
        let path = path.map_err(|_| Reply::invalid("path", "must be UTF-8"))?;
        let path = path.iter();
        let style = app.config().event_style;
        let (caller, identity) = (http_caller.caller.clone(), http_caller.identity.clone());
        let session = Session::new(app.clone(), caller, style, identity);
        Ok(Self {
            session: session.unattending(),
            path: path
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            app,
            http_caller,
        })
    }

    /// Takes the request out of what its sender may do.
    pub(crate) async fn spend(&self, class: EventClass) -> Result<(), Reply> {
        self.http_caller.spend(&self.app, class).await
    }

    /// Takes what an answer has given out, of which nobody knew the size before, out of what its sender may read.
    pub(crate) fn charge_read(&self, bytes: usize) {
        let budget = self.http_caller.budget(&self.app);
        self.app
            .limits()
            .charge_read(bytes, None, budget.as_deref());
    }

    /// Takes a message out of what its sender may send of its type.
    ///
    /// # Errors
    ///
    /// The answer, `rate_limited`, that names the type.
    pub(crate) fn spend_type(&self, name: &str) -> Result<(), Reply> {
        let Some(budget) = self.http_caller.budget(&self.app) else {
            return Ok(());
        };
        let spent = self.app.limits().spend_type(name, &budget);
        spent.map_err(|exceeded| type_limited(name, exceeded))
    }

    /// Whether what its sender has shown counts after a while as well.
    pub(crate) async fn still_counts(&self) -> Result<(), Reply> {
        self.http_caller.still_counts(&self.app).await
    }

    /// The project that the path names.
    pub(crate) fn project(&self) -> Result<ProjectId, Reply> {
        let key = Kind::Project.id_key();
        id(key, &self.named(key, key)?).map(ProjectId)
    }

    /// The entity that the path names.
    pub(crate) fn id(&self, kind: Kind) -> Result<EntityId, Reply> {
        if kind == Kind::Project {
            return self.project().map(|project| EntityId(project.0));
        }
        let key = kind.id_key();
        let is_named = self.path.iter().any(|(known, _)| known == key);
        let segment = if is_named { key } else { "id" };
        id(key, &self.named(segment, "id")?).map(EntityId)
    }

    /// A segment of the path; empty if it has no such segment.
    pub(crate) fn segment(&self, name: &str) -> &str {
        let found = self.path.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// A segment of the path, or the parameter of the query for which `-` stands there: clients take `.` and `..` out of a path,
    /// however they are encoded, as the URL standard says.
    pub(crate) fn named(&self, segment: &str, parameter: &str) -> Result<String, Reply> {
        let in_path = self.segment(segment);
        match self.parameter(parameter)? {
            Some(text) if in_path == IN_QUERY || in_path == text => Ok(text),
            Some(_) => Err(Reply::invalid(
                parameter,
                format!("is another one than in the path: write {IN_QUERY} there"),
            )),
            None => Ok(in_path.to_owned()),
        }
    }

    /// A parameter of the query; nothing if it is empty.
    pub(crate) fn parameter(&self, name: &str) -> Result<Option<String>, Reply> {
        let found = from_query(self.query.as_deref(), name).filter(|text| !text.is_empty());
        if found.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(Reply::invalid(name, "must not contain NUL characters"));
        }
        Ok(found)
    }

    /// A number in the query.
    pub(crate) fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Reply> {
        let Some(text) = self.parameter(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok();
        let number = number.filter(|number| (least..=most).contains(number));
        let what = || format!("must be an integer from {least} to {most}");
        number.map(Some).ok_or_else(|| Reply::invalid(name, what()))
    }

    /// A header's text, of all its lines.
    pub(crate) fn header(&self, name: &HeaderName) -> Result<Option<String>, Reply> {
        let lines = self.headers.get_all(name).into_iter();
        let lines: Option<Vec<_>> = lines.map(|line| line.to_str().ok()).collect();
        match lines {
            None => Err(Reply::invalid(&shown(name), "must be visible ASCII")),
            Some(lines) if lines.is_empty() => Ok(None),
            Some(lines) => Ok(Some(lines.join(", "))),
        }
    }

    /// The body, which is one JSON object; nothing if there is no body.
    pub(crate) async fn object(&self, body: Body) -> Result<Option<Box<RawValue>>, Reply> {
        let Some(raw) = self.json(body).await? else {
            return Ok(None);
        };
        if !raw.get().starts_with('{') {
            return Err(Reply::invalid(PAYLOAD, "must be an object"));
        }
        Ok(Some(raw))
    }

    /// The body, which is JSON; nothing if there is no body.
    pub(crate) async fn json(&self, body: Body) -> Result<Option<Box<RawValue>>, Reply> {
        let most = self.app.config().max_message;
        let bytes = read(body, most).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.expect_json()?;
        let raw = serde_json::from_slice(&bytes);
        raw.map(Some)
            .map_err(|_| Reply::invalid(PAYLOAD, "is not valid JSON"))
    }

    /// Checks that the body is of one of these types.
    pub(crate) fn expect_type(&self, types: &[&str]) -> Result<(), Reply> {
        if types.contains(&&*self.content_type()) {
            return Ok(());
        }
        let message = format!("the body must have one of the types {}", types.join(", "));
        let code = ErrorCode::UnsupportedMediaType;
        Err(Reply::refused(code, message).with_field("Content-Type"))
    }

    fn content_type(&self) -> String {
        let said = self.headers.get(header::CONTENT_TYPE);
        let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
        let essence = said.split(';').next().unwrap_or_default().trim();
        essence.to_ascii_lowercase()
    }

    fn expect_json(&self) -> Result<(), Reply> {
        let essence = self.content_type();
        let is_json = essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"));
        if is_json {
            return Ok(());
        }
        let message = "the body must be JSON, with Content-Type: application/json";
        let code = ErrorCode::UnsupportedMediaType;
        Err(Reply::refused(code, message).with_field("Content-Type"))
    }
}

/// Reads a body to its end. One that says itself that it is too large is refused before it has come.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, Reply> {
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    let bytes = to_bytes(body, most).await;
    bytes.map_err(|error| unread(&error, most))
}

/// Why a body was not read to its end.
fn unread(error: &axum::Error, most: usize) -> Reply {
    let mut causes = std::iter::successors(error.source(), |&error| error.source());
    let kind = |error: &(dyn Error + 'static)| Some(error.downcast_ref::<io::Error>()?.kind());
    if causes.clone().any(<dyn Error>::is::<LengthLimitError>) {
        too_large(most)
    } else if causes.any(|error| kind(error) == Some(io::ErrorKind::QuotaExceeded)) {
        let message = "too many bodies are under way; try again in a moment";
        Reply::refused(ErrorCode::Unavailable, message)
    } else {
        Reply::invalid(PAYLOAD, "could not be read to its end")
    }
}

fn too_large(most: usize) -> Reply {
    let message = format!("a body must not be larger than {most} bytes");
    Reply::refused(ErrorCode::PayloadTooLarge, message).with_field(PAYLOAD)
}

/// An id in a path. What packets must not contain must not come this way either.
fn id(key: &str, text: &str) -> Result<Id, Reply> {
    let id = Id::from_text(text).map_err(|error: IdError| Reply::invalid(key, error))?;
    if text.contains('\0') {
        return Err(Reply::invalid(key, "must not contain NUL characters"));
    }
    Ok(id)
}

/// A header's name as it is usually written.
pub(crate) fn shown(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}
