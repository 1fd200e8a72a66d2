//! Several commands in one request, answered one by one, in their order. One that is refused fails no other.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::call::{Call, PAYLOAD};
use super::command::{answer, read, run};
use super::endpoint::JSON;
use crate::contract::{CommandRequest, EventClass, Reply};
use crate::domain::ProjectId;
use crate::session::Outcome;

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
pub(super) async fn commands(call: Call, body: Body) -> Result<Response, Reply> {
    let project = call.project()?;
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
    let mut outcomes = Vec::with_capacity(commands.len());
    for command in commands {
        outcomes.push(begin(&call, &project, command).await);
    }
    let mut answers = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        answers.push(answer(outcome).await);
    }
    let results = to_raw_value(&answers).expect("answers are JSON");
    let body = format!("{{\"results\":{results}}}");
    let json = [(CONTENT_TYPE, JSON)];
    Ok((json, body).into_response())
}

async fn begin(call: &Call, project: &ProjectId, text: &RawValue) -> Outcome {
    match understood(call, project, text) {
        Ok(command) => run(&call.session, command).await,
        Err(refusal) => Outcome::Done(refusal),
    }
}

fn understood(call: &Call, project: &ProjectId, text: &RawValue) -> Result<CommandRequest, Reply> {
    call.spend(EventClass::Command)?;
    let item: Item<'_> = serde_json::from_str(text.get()).map_err(|_| {
        Reply::invalid(
            "command",
            "must be an object with event, data and perhaps idempotencyKey",
        )
    })?;
    let data = item.data.map_or("{}", RawValue::get);
    let mut command = read(call, &item.event, &format!("[0,{data}]"))?;
    command.set_project(project)?;
    if let Some(key) = &item.idempotency_key {
        command.set_key("idempotencyKey", key)?;
    }
    Ok(command)
}
