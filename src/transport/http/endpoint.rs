//! An endpoint, described: what its route is made from, and its part of the OpenAPI document.

use axum::body::HttpBody as _;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use percent_encoding::percent_decode_str;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::request::RestRequest;
use crate::contract::schema::Describe;
use crate::contract::{ErrorCode, Reply};
use crate::state::AppState;
use crate::transport::http_caller::{HttpCaller, PublicCaller};

/// What a header's value looks like: visible ASCII.
pub(crate) const VISIBLE: &str = "^[!-~]{1,128}$";

/// See the module.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// Below `/api`, with the names of its parameters in braces.
    pub(crate) path: &'static str,
    /// What programs that are made from the document call it.
    pub(crate) name: String,
    /// With which others it stands.
    pub(crate) group: &'static str,
    /// What it does, in a few words.
    pub(crate) summary: String,
    /// What else there is to know.
    pub(crate) about: &'static str,
    /// Of the query and the head; those of the path are known by its braces.
    pub(crate) parameters: Vec<Parameter>,
    /// What it takes.
    pub(crate) body: Option<Body>,
    /// What it gives if all is well.
    pub(crate) answers: Vec<Answer>,
    /// Why it may refuse, besides what every endpoint may refuse for.
    pub(crate) refusals: &'static [ErrorCode],
    pub(crate) routes: Admitted,
}

/// A route behind which nobody comes whose origin and credential were not looked at, and paid for: [`serve`], [`serve_public`] and
/// [`serve_admitting`] make it and nothing else does, so that no endpoint can forget it.
#[derive(Debug)]
pub(crate) struct Admitted(MethodRouter<AppState>);

impl Admitted {
    /// A route that is not below `/api`: it needs no credential, or asks for its own.
    pub(crate) fn elsewhere(route: MethodRouter<AppState>) -> Self {
        Self(route)
    }

    pub(crate) fn into_router(self) -> MethodRouter<AppState> {
        self.0
    }
}

/// A parameter of the query or the head.
pub(crate) struct Parameter {
    pub(crate) place: Place,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) required: bool,
    pub(crate) schema: Value,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Query,
    Header,
}

impl Place {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// A request's body: JSON.
pub(crate) struct Body {
    pub(crate) schema: Describe,
    pub(crate) required: bool,
}

/// An answer that is no refusal.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) about: &'static str,
    /// The type of its body.
    pub(crate) media: &'static str,
    /// Of its body, if it has one.
    pub(crate) schema: Option<Describe>,
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

/// The type of most bodies.
pub(crate) const JSON: &str = "application/json";

/// Describes a type: a reference to its definition, which the generator keeps.
pub(crate) fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Parameter {
    pub(crate) fn query(name: &'static str, about: &'static str, schema: Value) -> Self {
        Self {
            place: Place::Query,
            name,
            about,
            required: false,
            schema,
        }
    }

    /// One whose text matches a regular expression.
    pub(crate) fn header(name: &'static str, about: &'static str, pattern: &str) -> Self {
        Self {
            place: Place::Header,
            name,
            about,
            required: false,
            schema: json!({"type": "string", "pattern": pattern}),
        }
    }
}

impl Answer {
    pub(crate) fn ok(about: &'static str, schema: Describe) -> Self {
        Self {
            status: 200,
            about,
            media: JSON,
            schema: Some(schema),
            headers: &[],
        }
    }
}

/// A route that is served by a function of a [`RestRequest`] and its body.
pub(crate) fn serve<H, F>(method: &Method, handler: H) -> Admitted
where
    H: Fn(RestRequest, axum::body::Body) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Reply>> + Send + 'static,
{
    let served = async move |State(app): State<AppState>,
                             http_caller: HttpCaller,
                             path: Result<RawPathParams, RawPathParamsRejection>,
                             request: Request| {
        let actor = http_caller.caller.actor.clone();
        let (parts, body) = request.into_parts();
        let (limits, is_read) = (app.limits().clone(), parts.method == Method::GET);
        let budget = http_caller.budget(&app).filter(|_| is_read);
        let call = RestRequest::begin(app, http_caller, path, parts);
        let mut response = match call {
            Ok(call) => match handler(call, body).await {
                Ok(response) => response,
                Err(refusal) => refusal.into_response(),
            },
            Err(refusal) => refusal.into_response(),
        };
        response.extensions_mut().insert(actor);
        if let (Some(budget), Some(bytes)) = (budget, response.body().size_hint().exact()) {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            limits.charge_read(bytes, None, Some(&budget));
        }
        response
    };
    Admitted(on(filter(method), served))
}

/// A route for everybody, served by a function of who asks and of what follows the path's last slash.
pub(crate) fn serve_public<H>(method: &Method, handler: H) -> Admitted
where
    H: Fn(&PublicCaller, &str) -> Response + Clone + Send + Sync + 'static,
{
    let served = async move |caller: PublicCaller, uri: Uri| {
        let (_, last) = uri.path().rsplit_once('/').unwrap_or_default();
        handler(&caller, &percent_decode_str(last).decode_utf8_lossy())
    };
    Admitted(on(filter(method), served))
}

/// A route that is served by a function which admits its callers itself, as a [`HttpCaller`] is.
pub(crate) fn serve_admitting<H, F>(method: &Method, handler: H) -> Admitted
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    Admitted(on(filter(method), handler))
}

fn filter(method: &Method) -> MethodFilter {
    MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET)
}
