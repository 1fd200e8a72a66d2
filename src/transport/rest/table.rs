//! The table of endpoints.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;
use tokio::sync::Semaphore;

use super::batch::commands;
use super::channels;
use super::command::{Commanded, command};
use super::events::{self, events};
use super::import::{self, import};
use super::read::{self, comments_of_task, entities, entity, projects};
use super::resource::{self, Resource, verbs};
use super::state::{snapshot, streams};
use crate::contract::schema::answer::{SnapshotAnswer, SyncAnswer};
use crate::contract::schema::http::{AnyAccepted, Batch, ImportEntity, Results};
use crate::contract::schema::{Describe, command as said};
use crate::contract::{CURSOR, DEFAULT_PAGE, ErrorCode, EventName, PAGE};
use crate::domain::Kind;
use crate::transport::http::endpoint::{Answer, Body, Endpoint, Parameter, VISIBLE, of, serve};

pub(super) const TO_READ: &[ErrorCode] = &[ErrorCode::NotFound, ErrorCode::Gone];
pub(super) const TO_LIST: &[ErrorCode] = &[ErrorCode::NotFound];
pub(super) const TO_CHANGE: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::Gone,
    ErrorCode::Conflict,
    ErrorCode::PreconditionFailed,
    ErrorCode::PayloadTooLarge,
    ErrorCode::UnsupportedMediaType,
];
const TO_IMPORT: &[ErrorCode] = &[ErrorCode::NotFound, ErrorCode::UnsupportedMediaType];
const TO_BATCH: &[ErrorCode] = &[ErrorCode::PayloadTooLarge, ErrorCode::UnsupportedMediaType];
/// `*`, or entity tags.
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$"#;
pub(super) const TAGGED: (&str, &str) = ("ETag", "The entity's version, in quotes.");
pub(super) const LOCATED: (&str, &str) = ("Location", "Where the entity is found.");

/// All endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = Vec::new();
    for family in resource::all() {
        let own = match family.kind {
            Kind::Task => tasks_own(&family),
            Kind::Sprint => sprints_own(&family),
            Kind::Project => whole_project(),
            Kind::Comment => vec![comments_of_one(&family)],
            Kind::Epic | Kind::Member | Kind::Other(_) => Vec::new(),
        };
        all.extend(usual(&family));
        all.extend(
            resource::restore(family.kind).map(|(event, path)| Endpoint {
                path,
                ..change(&family, Method::POST, (event, "restore"), None::<Body>)
            }),
        );
        all.extend(resource::toggle(family.kind).map(|(event, path)| Endpoint {
            path,
            ..change(
                &family,
                Method::POST,
                (event, "toggle"),
                possible(of::<said::Toggled>),
            )
        }));
        all.extend(own);
    }
    all.extend(channels::endpoints());
    all
}

fn usual(family: &Resource) -> Vec<Endpoint> {
    let [create, update, delete] = verbs(family.kind);
    vec![
        list(family),
        get(family),
        Endpoint {
            path: family.all,
            answers: vec![
                Answer {
                    status: 201,
                    headers: &[TAGGED, LOCATED],
                    ..Answer::ok("It is made.", family.accepted)
                },
                Answer {
                    headers: &[TAGGED, LOCATED],
                    ..Answer::ok("It is there already, and the same.", family.accepted)
                },
            ],
            ..change(family, Method::POST, create, needed(family.new))
        },
        change(family, Method::PATCH, update, needed(family.change)),
        Endpoint {
            answers: vec![accepted("It is deleted, or was before.", family.deleted)],
            ..change(family, Method::DELETE, delete, None::<Body>)
        },
    ]
}

pub(super) fn needed(schema: Describe) -> Body {
    let required = true;
    Body { schema, required }
}

pub(super) fn possible(schema: Describe) -> Body {
    let required = false;
    Body { schema, required }
}

fn list(family: &Resource) -> Endpoint {
    let (kind, method) = (family.kind, Method::GET);
    let filters = family.filters.iter();
    let mut parameters: Vec<_> = filters
        .map(|&(name, about)| Parameter::query(name, about, json!({"type": "string"})))
        .collect();
    parameters.extend(list_parameters());
    let routes = match kind {
        Kind::Project => serve(&method, projects),
        kind => serve(&method, move |call, _| entities(call, kind)),
    };
    Endpoint {
        method,
        path: family.all,
        name: format!("list{}", capital(family.plural)),
        group: family.plural,
        summary: format!("Lists {}", family.plural),
        about: "Ask for the next page with `cursor`, until `nextCursor` is null. A page may be shorter than `limit`. What comes \
                and goes meanwhile does not move the others. To hear of changes, ask for events since `seq`.",
        parameters,
        body: None,
        answers: vec![Answer::ok("A page.", family.listed)],
        refusals: if kind == Kind::Project { &[] } else { TO_LIST },
        routes,
    }
}

/// How a list goes on.
pub(super) fn list_parameters() -> [Parameter; 2] {
    let cursor = "What `nextCursor` was in the answer before.";
    [
        read::limit("Items of a page.", DEFAULT_PAGE),
        Parameter::query(CURSOR, cursor, json!({"type": "string"})),
    ]
}

/// The comments of a task, by its path.
fn comments_of_one(family: &Resource) -> Endpoint {
    Endpoint {
        path: "/projects/{projectId}/tasks/{taskId}/comments",
        name: "listCommentsOfTask".to_owned(),
        summary: "Lists the comments of a task".to_owned(),
        parameters: list_parameters().into(),
        routes: serve(&Method::GET, comments_of_task),
        ..list(family)
    }
}

/// What says which version is known, and the answers to that.
pub(super) fn known_version(read: Describe) -> (Vec<Parameter>, Vec<Answer>) {
    let about = "Answer 304 if the version is still this one.";
    let parameters = vec![Parameter::header("If-None-Match", about, TAGS)];
    let answers = vec![
        Answer {
            headers: &[TAGGED],
            ..Answer::ok("As it is now.", read)
        },
        Answer {
            status: 304,
            schema: None,
            headers: &[TAGGED],
            ..Answer::ok("It has the version that is known already.", read)
        },
    ];
    (parameters, answers)
}

fn get(family: &Resource) -> Endpoint {
    let (kind, method) = (family.kind, Method::GET);
    let (parameters, answers) = known_version(family.read);
    let routes = serve(&method, move |call, _| entity(call, kind));
    Endpoint {
        method,
        path: family.one,
        name: format!("get{}", capital(kind.as_str())),
        group: family.plural,
        summary: format!("Gives the {kind}"),
        about: "",
        parameters,
        body: None,
        answers,
        refusals: TO_READ,
        routes,
    }
}

/// A command, by its event and by what that is called.
fn change(
    family: &Resource,
    method: Method,
    (event, verb): (&'static str, &str),
    body: impl Into<Option<Body>>,
) -> Endpoint {
    let kind = family.kind;
    let creates = matches!(verb, "create" | "add");
    let what = Commanded {
        kind,
        event: EventName::find(event).expect("the endpoints name events of the table"),
        creates,
    };
    Endpoint {
        path: family.one,
        name: format!("{verb}{}", capital(kind.as_str())),
        group: family.plural,
        summary: format!("{} ({event})", sentence(verb, kind)),
        about: "",
        parameters: change_parameters(creates),
        body: body.into(),
        answers: vec![accepted("It is as it was to be.", family.accepted)],
        refusals: TO_CHANGE,
        routes: serve(&method, move |call, body| command(call, body, what)),
        method,
    }
}

/// What any command may say in its head.
pub(super) fn change_parameters(creates: bool) -> Vec<Parameter> {
    let mut parameters = vec![Parameter::header(
        "Idempotency-Key",
        "Of requests with the same key only the first has an effect; the others get its answer, with `duplicate`. Kept for \
         24 hours.",
        VISIBLE,
    )];
    if !creates {
        parameters.push(Parameter::header(
            "If-Match",
            "Changes nothing unless this is the entity's tag; `*`: unless it is there.",
            TAGS,
        ));
    }
    parameters
}

pub(super) fn accepted(about: &'static str, schema: Describe) -> Answer {
    Answer {
        headers: &[TAGGED],
        ..Answer::ok(about, schema)
    }
}

fn tasks_own(family: &Resource) -> Vec<Endpoint> {
    vec![
        Endpoint {
            path: "/projects/{projectId}/tasks/{taskId}/move",
            ..change(
                family,
                Method::POST,
                ("task:move", "move"),
                needed(of::<said::TaskPlace>),
            )
        },
        Endpoint {
            path: "/projects/{projectId}/tasks/{taskId}/status",
            name: "setTaskStatus".to_owned(),
            ..change(
                family,
                Method::POST,
                ("task:status", "set the status of"),
                needed(of::<said::StatusChange>),
            )
        },
    ]
}

fn sprints_own(family: &Resource) -> Vec<Endpoint> {
    vec![
        Endpoint {
            path: "/projects/{projectId}/sprints/{sprintId}/start",
            ..change(
                family,
                Method::POST,
                ("sprint:start", "start"),
                possible(of::<said::SprintChange>),
            )
        },
        Endpoint {
            path: "/projects/{projectId}/sprints/{sprintId}/complete",
            ..change(
                family,
                Method::POST,
                ("sprint:complete", "complete"),
                possible(of::<said::SprintEnd>),
            )
        },
    ]
}

fn whole_project() -> Vec<Endpoint> {
    let group = "projects";
    vec![
        whole_state(),
        Endpoint {
            method: Method::GET,
            path: "/projects/{projectId}/events",
            name: "listEvents".to_owned(),
            group,
            summary: "Gives a project's events after a point".to_owned(),
            about: "Ask for the next ones with `since` set to the `cursor` of the answer. With `wait` the answer comes as \
                    soon as there is an event, or without one after so many seconds. If events after the point cannot be \
                    had, the answer says `reset` and carries the state.",
            parameters: events::parameters(),
            body: None,
            answers: vec![Answer::ok("The events, or the state.", of::<SyncAnswer>)],
            refusals: TO_LIST,
            routes: serve(&Method::GET, events),
        },
        Endpoint {
            method: Method::POST,
            path: "/projects/{projectId}/commands",
            name: "runCommands".to_owned(),
            group,
            summary: "Runs up to 100 commands, one after the other".to_owned(),
            about: "Each is answered by itself; one that is refused fails no other.",
            parameters: Vec::new(),
            body: Some(needed(of::<Batch>)),
            answers: vec![Answer::ok(
                "The answers, in their order.",
                of::<Results<AnyAccepted>>,
            )],
            refusals: TO_BATCH,
            routes: serve(&Method::POST, commands),
        },
        importing(),
    ]
}

fn whole_state() -> Endpoint {
    let streams = streams();
    let page = "What `nextPage` was in a state that came in pages: the answer is that page.";
    Endpoint {
        method: Method::GET,
        path: "/projects/{projectId}/snapshot",
        name: "getSnapshot".to_owned(),
        group: "projects",
        summary: "Gives a project's whole state".to_owned(),
        about: "With the `seq` and the `cursor` after which events follow it. A large state is written as it is read; it must be \
                taken within 60 seconds, and is broken off otherwise. With `Accept: application/x-ndjson` it comes as a JSON \
                text a line: what it begins with, each entity by the name of its kind as in `{\"task\": …}`, and at the end \
                `{done, entities}`.",
        parameters: vec![Parameter::query(PAGE, page, json!({"type": "string"}))],
        body: None,
        answers: vec![Answer::ok("The state.", of::<SnapshotAnswer>)],
        refusals: TO_LIST,
        routes: serve(&Method::GET, move |call, _| {
            snapshot(call, Arc::clone(&streams))
        }),
    }
}

fn importing() -> Endpoint {
    let running = Arc::new(Semaphore::new(import::MAX_IMPORTS));
    Endpoint {
        method: Method::POST,
        path: "/projects/{projectId}/import",
        name: "importEntities".to_owned(),
        group: "projects",
        summary: "Imports any number of entities".to_owned(),
        about: "A list, or a JSON text a line (application/x-ndjson), of any length. `createdAt` and `createdBy` are kept. What \
                is there already and the same stays as it is, so an import may be repeated. The answer has a JSON text a \
                line: progress, refusals, and at the end the counts.",
        parameters: Vec::new(),
        body: Some(needed(of::<Vec<ImportEntity>>)),
        answers: vec![Answer {
            // Programs that are made from the document would not know what to do with lines.
            schema: None,
            ..Answer::ok(
                "What became of it, as application/x-ndjson: `{progress}`, `{item, ok, code, error, field}` and at the end \
                 `{done, ok, items, created, unchanged, refused}`.",
                of::<Batch>,
            )
        }],
        refusals: TO_IMPORT,
        routes: serve(&Method::POST, move |call, body| {
            import(call, body, Arc::clone(&running))
        }),
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

/// `Creates a task`
fn sentence(verb: &str, kind: Kind) -> String {
    let (first, rest) = verb.split_once(' ').unwrap_or((verb, ""));
    let article = if kind == Kind::Epic { "an" } else { "a" };
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!(" {rest}")
    };
    format!("{}s{rest} {article} {kind}", capital(first))
}
