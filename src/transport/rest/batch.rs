//! Several commands in one request, answered one by one, in their order. One that is refused fails no other.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::command::{KEY, key, read, submit};
use crate::contract::{Arguments, CommandRequest, EventClass, EventName, Reply};
use crate::domain::{EntityId, ProjectId};
use crate::session::Pending;
use crate::transport::http::endpoint::JSON;
use crate::transport::http::request::{PAYLOAD, RestRequest};

/// Most commands of a batch.
pub(super) const MAX_COMMANDS: usize = 100;

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    commands: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    idempotency_key: Option<Cow<'a, str>>,
}

/// Serves a batch. Commands of one project keep their order in the writer's queue, so none waits for the one before.
pub(super) async fn commands(call: RestRequest, body: Body) -> Result<Response, Reply> {
    // The first command, so that a request costs something whatever it has in it.
    call.spend(EventClass::Command).await?;
    let project = call.project()?;
    if key(&call)?.is_some() {
        let what = "is of a single command; give each of several its own idempotencyKey";
        return Err(Reply::invalid(KEY, what));
    }
    let _busy = call.app.connections().busy();
    let body = call.object(body).await?;
    let body = body.ok_or_else(|| Reply::invalid(PAYLOAD, "is missing"))?;
    let Ok(Batch { commands }) = serde_json::from_str(body.get()) else {
        return Err(Reply::invalid("commands", "must be a list"));
    };
    if commands.len() > MAX_COMMANDS {
        let what = format!("must not be more than {MAX_COMMANDS}");
        return Err(Reply::invalid("commands", what));
    }
    let mut submitted = Vec::with_capacity(commands.len());
    for (index, text) in commands.into_iter().enumerate() {
        submitted.push(submit_item(&call, &project, index, text).await);
    }
    Ok(answered(submitted).await)
}

async fn submit_item(
    call: &RestRequest,
    project: &ProjectId,
    index: usize,
    text: &RawValue,
) -> Result<Pending, Reply> {
    spend_on_item(call, index).await?;
    submit(&call.session, read_item(call, project, text)?).await
}

fn read_item(
    call: &RestRequest,
    project: &ProjectId,
    text: &RawValue,
) -> Result<CommandRequest, Reply> {
    // A list would be understood as the values of the keys.
    let object = Some(text.get()).filter(|text| text.starts_with('{'));
    let item: Option<Item<'_>> = object.and_then(|text| serde_json::from_str(text).ok());
    let item = item.ok_or_else(|| {
        Reply::invalid(
            "command",
            "must be an object with event, data and perhaps idempotencyKey",
        )
    })?;
    let data = item.data.map_or("{}", RawValue::get);
    let event = EventName::find(&item.event).ok_or_else(|| EventName::unknown(&item.event))?;
    call.spend_type(event.as_str())?;
    // The path names the project: the data need not.
    let id = event
        .is_about_project()
        .then(|| EntityId(project.0.clone()));
    let mut command = read(call, event, id.as_ref(), Arguments::One(data))?;
    command.set_project(project)?;
    if let Some(key) = &item.idempotency_key {
        command.set_key("idempotencyKey", key)?;
    }
    Ok(command)
}

/// Takes an item out of what the request's sender may do. The first one has been paid for, so that a request costs something
/// whatever it has in it.
pub(super) async fn spend_on_item(call: &RestRequest, index: usize) -> Result<(), Reply> {
    if index == 0 {
        return Ok(());
    }
    call.spend(EventClass::Command).await
}

/// Answers several items, all of which were submitted before the first is answered, so that they are committed together.
pub(super) async fn answered(submitted: Vec<Result<Pending, Reply>>) -> Response {
    let mut answers = Vec::with_capacity(submitted.len());
    for pending in submitted {
        answers.push(match pending {
            Ok(mut pending) => pending.answer().await,
            Err(refusal) => refusal,
        });
    }
    let results = to_raw_value(&answers).expect("answers are JSON");
    let body = format!("{{\"results\":{results}}}");
    ([(CONTENT_TYPE, JSON)], body).into_response()
}
