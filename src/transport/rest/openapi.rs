//! The OpenAPI 3.1 document, made from the endpoints.

mod generators;

use axum::body::Bytes;
use axum::http::{Method, header};
use axum::response::IntoResponse as _;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::ROOT;
use crate::contract::ErrorCode;
use crate::contract::schema::answer as schema;
use crate::contract::schema::http::Problem;
use crate::contract::schema::settings;
use crate::transport::http::endpoint::VISIBLE;
use crate::transport::http::endpoint::{Admitted, Answer, Endpoint, JSON, of, serve_public};
use crate::transport::problem::{PROBLEM_JSON, title};

/// Where the document is found, below `/api`.
pub(super) const PATH: &str = "/openapi.json";
const SCHEMAS: &str = "/components/schemas";
const REQUEST_ID: &str = "#/components/parameters/RequestId";

/// Why every endpoint may refuse.
const ALWAYS: [ErrorCode; 6] = [
    ErrorCode::Unauthenticated,
    ErrorCode::Forbidden,
    ErrorCode::ValidationFailed,
    ErrorCode::RateLimited,
    ErrorCode::Internal,
    ErrorCode::Unavailable,
];

const ABOUT: &str = "The mirror of the commands and reads of Socket.IO, for programs that do not speak it. Every answer is \
    the object that an ack would be; a single entity is itself. Refusals are problem details (RFC 9457). An \
    id may stand in the query as well (`projectId`, and `id` for what is in it), with `-` in its place in the path: clients take \
    `.` and `..` out of paths.";

/// The document as text, for whoever asks.
pub(super) fn routes(document: String) -> Admitted {
    let document = Bytes::from(document);
    serve_public(&Method::GET, move |_, _| {
        ([(header::CONTENT_TYPE, JSON)], document.clone()).into_response()
    })
}

/// The document of these endpoints, of those that are not below the root, and of itself.
pub(super) fn render(endpoints: &[Endpoint], elsewhere: &[Endpoint]) -> String {
    let settings = settings().with(|settings| settings.definitions_path = SCHEMAS.into());
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let path = paths
            .entry(format!("{ROOT}{}", endpoint.path))
            .or_insert_with(|| json!({"parameters": path_parameters(endpoint.path)}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation(endpoint, &mut generator);
    }
    paths.insert(format!("{ROOT}{PATH}"), json!({"get": itself()}));
    for endpoint in elsewhere {
        let method = endpoint.method.as_str().to_ascii_lowercase();
        let path = json!({method: operation_elsewhere(endpoint, &mut generator)});
        paths.insert(endpoint.path.to_owned(), path);
    }
    let schemas = generator.take_definitions(true);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Boardcast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {"RequestId": request_id()},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token (JWT) or an API key. Needed once AUTH_REQUIRED is on.",
                },
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "The same, for programs that have no other header.",
                },
                "operator": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "ADMIN_TOKEN.",
                },
            },
        },
    });
    generators::understand(&mut document);
    document.to_string()
}

fn request_id() -> Value {
    json!({
        "name": "X-Request-Id",
        "in": "header",
        "description": "Comes back in the answer, and stands in the server's log. One is made if it is missing, longer than \
                        128 bytes, or not visible ASCII.",
        "schema": {"type": "string", "pattern": VISIBLE},
    })
}

fn path_parameters(path: &str) -> Vec<Value> {
    let segments = path.split('/');
    let names = segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        })
    };
    names.map(parameter).collect()
}

fn operation(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut operation = described(endpoint, generator);
    if let Some(parameters) = operation["parameters"].as_array_mut() {
        parameters.push(json!({"$ref": REQUEST_ID}));
    }
    operation["responses"] = responses(endpoint, generator).into();
    operation
}

/// One that is not below the root: its refusals are what acks are, and its requests have no ids.
fn operation_elsewhere(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut operation = described(endpoint, generator);
    let mut responses = below();
    for answer in &endpoint.answers {
        let mut response = response(answer, generator);
        response["headers"] = json!({});
        responses.insert(answer.status.to_string(), response);
    }
    let refused: Value = of::<schema::Refused>(generator).into();
    for code in endpoint.refusals {
        let response = json!({
            "description": format!("{} (`{code}`)", title(*code)),
            "content": {JSON: {"schema": refused}},
        });
        responses.insert(code.http_status().to_string(), response);
    }
    operation["responses"] = responses.into();
    let is_open = endpoint.refusals.is_empty();
    operation["security"] = if is_open {
        json!([])
    } else {
        json!([{"operator": []}])
    };
    operation
}

/// What all operations have.
fn described(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let parameters = endpoint.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": parameter.place.as_str(),
            "description": parameter.about,
            "required": parameter.required,
            "schema": parameter.schema,
        })
    });
    let mut operation = json!({
        "operationId": endpoint.name,
        "tags": [endpoint.group],
        "summary": endpoint.summary,
        "parameters": parameters.collect::<Vec<_>>(),
    });
    if !endpoint.about.is_empty() {
        operation["description"] = endpoint.about.into();
    }
    if let Some(body) = &endpoint.body {
        operation["requestBody"] = json!({
            "required": body.required,
            "content": {JSON: {"schema": (body.schema)(generator)}},
        });
    }
    operation
}

fn responses(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut responses = below();
    for answer in &endpoint.answers {
        responses.insert(answer.status.to_string(), response(answer, generator));
    }
    let problem: Value = of::<Problem<'_>>(generator).into();
    for code in ALWAYS.iter().chain(endpoint.refusals) {
        let status = code.http_status().to_string();
        let refusal = responses.entry(status).or_insert_with(|| {
            let headers = if code.retryable() {
                headers(&[("Retry-After", "After how many seconds to try again.")])
            } else {
                headers(&[])
            };
            json!({
                "description": "",
                "headers": headers,
                "content": {PROBLEM_JSON: {"schema": problem}},
            })
        });
        let said = refusal["description"].as_str().unwrap_or_default();
        let between = if said.is_empty() { "" } else { ", or " };
        refusal["description"] = format!("{said}{between}{} (`{code}`)", title(*code)).into();
    }
    responses
}

/// What is refused before anybody looks at it, without a word: it is no HTTP, or more of it than anybody needs.
fn below() -> Map<String, Value> {
    let refused = [
        ("400", "The request is not HTTP."),
        ("414", "The path and the query are too long."),
        ("431", "The head is too large."),
    ];
    let refused = refused.map(|(status, about)| (status.to_owned(), json!({"description": about})));
    refused.into_iter().collect()
}

fn response(answer: &Answer, generator: &mut SchemaGenerator) -> Value {
    let mut response = json!({
        "description": answer.about,
        "headers": headers(answer.headers),
    });
    if let Some(schema) = answer.schema {
        response["content"] = json!({answer.media: {"schema": schema(generator)}});
    }
    response
}

fn headers(own: &[(&str, &str)]) -> Map<String, Value> {
    let request_id = ("X-Request-Id", "The request's id.");
    let all = own.iter().chain([&request_id]);
    let header = |(name, about): &(&str, &str)| {
        let header = json!({"description": about, "schema": {"type": "string"}});
        ((*name).to_owned(), header)
    };
    all.map(header).collect()
}

fn itself() -> Value {
    let mut responses = below();
    let document = json!({
        "description": "The document.",
        "headers": headers(&[]),
        "content": {JSON: {"schema": {"type": "object"}}},
    });
    responses.insert("200".to_owned(), document);
    json!({
        "operationId": "getOpenApi",
        "summary": "Gives this document",
        "security": [],
        "parameters": [{"$ref": REQUEST_ID}],
        "responses": responses,
    })
}
