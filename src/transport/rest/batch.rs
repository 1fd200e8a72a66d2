//! Several commands in one request, answered one by one, in their order. One that is refused fails no other.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{Call, PAYLOAD};
use super::command::{KEY, key, read};
use super::several::answered;
use crate::contract::{CommandRequest, EventClass, Reply, Request, is_about_project};
use crate::domain::{EntityId, ProjectId};

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
    // The first command, so that a request costs something whatever it has in it.
    call.spend(EventClass::Command)?;
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
    let read = |text| {
        let command = understood(&call, &project, text)?;
        Ok(Request::Command(Box::new(command)))
    };
    Ok(answered(&call, commands, read).await)
}

fn understood(call: &Call, project: &ProjectId, text: &RawValue) -> Result<CommandRequest, Reply> {
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
    // The path names the project: the data need not.
    let id = is_about_project(&item.event).then(|| EntityId(project.0.clone()));
    let mut command = read(call, &item.event, id.as_ref(), Some(data))?;
    command.set_project(project)?;
    if let Some(key) = &item.idempotency_key {
        command.set_key("idempotencyKey", key)?;
    }
    Ok(command)
}
