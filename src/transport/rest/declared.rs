//! Endpoints about entities of the kinds that the configuration declares: the same for all, by the plural in the path.

use axum::body::Body as RequestBody;
use axum::http::Method;
use axum::response::Response;
use serde_json::json;

use super::command::{Commanded, command};
use super::read::{entities, entity};
use super::table::{
    LOCATED, TAGGED, TO_CHANGE, TO_LIST, TO_READ, accepted, change_parameters, known_version,
    list_parameters, needed, possible,
};
use crate::contract::schema::answer::{Accepted, Page};
use crate::contract::schema::command::{NewOther, OtherChange, Toggled};
use crate::contract::schema::entity::{Deleted, OtherEntity};
use crate::contract::{ErrorCode, EventName, Reply};
use crate::domain::Kind;
use crate::transport::http::endpoint::{Admitted, Answer, Body, Endpoint, Parameter, of, serve};
use crate::transport::http::request::RestRequest;

const GROUP: &str = "declared kinds";
const ALL: &str = "/projects/{projectId}/{plural}";
const ONE: &str = "/projects/{projectId}/{plural}/{id}";
const ABOUT: &str =
    "The plural is that of a kind which the server's configuration declares, such as `subtasks`.";

/// All of them.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let made = vec![
        Answer {
            status: 201,
            headers: &[TAGGED, LOCATED],
            ..Answer::ok("It is made.", of::<Accepted<OtherEntity>>)
        },
        Answer {
            headers: &[TAGGED, LOCATED],
            ..Answer::ok(
                "It is there already, and the same.",
                of::<Accepted<OtherEntity>>,
            )
        },
    ];
    let deleted = accepted(
        "It is deleted, or was before.",
        of::<Accepted<Deleted<OtherEntity>>>,
    );
    vec![
        list(),
        get(),
        Endpoint {
            path: ALL,
            answers: made,
            ..change(Method::POST, ("create", "Creates"), needed(of::<NewOther>))
        },
        change(
            Method::PATCH,
            ("update", "Updates"),
            needed(of::<OtherChange>),
        ),
        Endpoint {
            answers: vec![deleted],
            ..change(Method::DELETE, ("delete", "Deletes"), None)
        },
        Endpoint {
            path: "/projects/{projectId}/{plural}/{id}/restore",
            ..change(Method::POST, ("restore", "Restores"), None)
        },
        Endpoint {
            path: "/projects/{projectId}/{plural}/{id}/toggle",
            ..change(Method::POST, ("toggle", "Toggles"), possible(of::<Toggled>))
        },
    ]
}

fn list() -> Endpoint {
    let text = json!({"type": "string"});
    let mut parameters = vec![
        Parameter::query(
            "taskId",
            "Only those that belong to this task.",
            text.clone(),
        ),
        Parameter::query("parentId", "Only those below this one.", text.clone()),
        Parameter::query("status", "Only those with this status.", text),
    ];
    parameters.extend(list_parameters());
    Endpoint {
        method: Method::GET,
        path: ALL,
        name: "listEntities".to_owned(),
        group: GROUP,
        summary: "Lists entities of a declared kind".to_owned(),
        about: ABOUT,
        parameters,
        body: None,
        answers: vec![Answer::ok("A page.", of::<Page<OtherEntity>>)],
        refusals: TO_LIST,
        routes: serve(&Method::GET, async |call: RestRequest, _| {
            let kind = kind(&call)?;
            entities(call, kind).await
        }),
    }
}

fn get() -> Endpoint {
    let (parameters, answers) = known_version(of::<OtherEntity>);
    Endpoint {
        method: Method::GET,
        path: ONE,
        name: "getEntity".to_owned(),
        group: GROUP,
        summary: "Gives an entity of a declared kind".to_owned(),
        about: ABOUT,
        parameters,
        body: None,
        answers,
        refusals: TO_READ,
        routes: serve(&Method::GET, async |call: RestRequest, _| {
            let kind = kind(&call)?;
            entity(call, kind).await
        }),
    }
}

fn change(
    method: Method,
    (verb, sentence): (&'static str, &str),
    body: impl Into<Option<Body>>,
) -> Endpoint {
    Endpoint {
        path: ONE,
        name: format!("{verb}Entity"),
        group: GROUP,
        summary: format!("{sentence} an entity of a declared kind"),
        about: ABOUT,
        parameters: change_parameters(verb == "create"),
        body: body.into(),
        answers: vec![accepted(
            "It is as it was to be.",
            of::<Accepted<OtherEntity>>,
        )],
        refusals: TO_CHANGE,
        routes: changing(&method, verb),
        method,
    }
}

fn changing(method: &Method, verb: &'static str) -> Admitted {
    serve(
        method,
        move |call: RestRequest, body: RequestBody| async move {
            let what = commanded(&call, verb)?;
            let response: Response = command(call, body, what).await?;
            Ok(response)
        },
    )
}

fn commanded(call: &RestRequest, verb: &str) -> Result<Commanded, Reply> {
    let kind = kind(call)?;
    Ok(Commanded {
        kind,
        event: EventName::find(&format!("{kind}:{verb}")).ok_or_else(Reply::internal)?,
        creates: verb == "create",
    })
}

/// The declared kind that the path names.
fn kind(call: &RestRequest) -> Result<Kind, Reply> {
    let plural = call.segment("plural");
    let found = Kind::of_plural(plural).filter(|kind| matches!(kind, Kind::Other(_)));
    found.ok_or_else(|| {
        let all = Kind::all().into_iter().map(Kind::plural).skip(1);
        let all = all.collect::<Vec<_>>().join(", ");
        let message = format!("there is nothing here: a project has {all}");
        Reply::refused(ErrorCode::NotFound, message).with_field("path")
    })
}
