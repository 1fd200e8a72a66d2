//! How a sprint ends: where its unfinished tasks go, all together and one by one, and which statuses are finished.

use serde_json::Value;

use super::Reply;
use super::body::{Body, read_id};
use super::control::{completion, words};
use super::field::{first, id_keys};
use crate::domain::{Action, EntityId, Fields, Kind, MoveTo, STEP_TASKS};

/// Tasks that are moved one by one.
const MOVES: [&str; 4] = ["moves", "taskMoves", "task_moves", "assignments"];
/// Under which an entry of [`MOVES`] says where to.
const TARGET: [&str; 4] = ["target", "to", "sprintId", "sprint_id"];
pub(super) const DONE_STATUSES: &str = "doneStatuses";
/// The most statuses of one's own, and the most bytes of one.
const MAX_STATUSES: usize = 100;
const MAX_STATUS_BYTES: usize = 128;

/// Reads a completion.
pub(super) fn complete(body: &Body<'_>) -> Result<Action, Reply> {
    let id = body.require_id()?;
    let mut fields = body.fields();
    let done = fields.remove(DONE_STATUSES);
    fields.retain(|key, _| !completion(key) && !MOVES.contains(&key.as_str()));
    Ok(Action::SprintComplete {
        id,
        fields,
        move_to: move_to(body)?,
        moves: moves(body)?,
        done: done_statuses(done.as_ref())?,
    })
}

/// Checks the statuses that a project names.
pub(super) fn check_done_statuses(kind: Kind, fields: &Fields) -> Result<(), Reply> {
    match kind {
        Kind::Project => done_statuses(fields.get(DONE_STATUSES)).map(drop),
        _ => Ok(()),
    }
}

fn done_statuses(sent: Option<&Value>) -> Result<Vec<String>, Reply> {
    let wrong = || {
        let what = format!(
            "must be a list of up to {MAX_STATUSES} texts of up to {MAX_STATUS_BYTES} bytes"
        );
        Reply::invalid(DONE_STATUSES, what)
    };
    let statuses = match sent {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(statuses)) if statuses.len() <= MAX_STATUSES => statuses,
        Some(_) => return Err(wrong()),
    };
    let texts = statuses.iter().map(|status| match status {
        Value::String(text) if text.len() <= MAX_STATUS_BYTES => Ok(text.clone()),
        _ => Err(wrong()),
    });
    texts.collect()
}

/// Where the unfinished tasks go that are not named one by one. Several words may say it, but only one thing.
fn move_to(body: &Body<'_>) -> Result<MoveTo, Reply> {
    let mut found: Option<(&str, MoveTo)> = None;
    let said = body.said().flatten();
    let own = id_keys(Kind::Sprint);
    for (key, value) in said.filter(|(key, _)| completion(key) && !own.contains(&key.as_str())) {
        let Some(target) = target(key, value)? else {
            continue;
        };
        found = match found {
            None | Some((_, MoveTo::Next)) if matches!(target, MoveTo::Sprint(_)) => {
                Some((key, target))
            }
            Some((at, MoveTo::Sprint(id))) if target == MoveTo::Next => {
                Some((at, MoveTo::Sprint(id)))
            }
            None => Some((key, target)),
            Some((_, other)) if other != target => {
                return Err(Reply::invalid(
                    key,
                    "says something else than another field of where tasks go",
                ));
            }
            same => same,
        };
    }
    Ok(found.map_or(MoveTo::Backlog, |(_, target)| target))
}

/// What one word says; nothing if another one says it: `{moveTo: 'sprint', targetSprintId: 's2'}`.
fn target(key: &str, value: &Value) -> Result<Option<MoveTo>, Reply> {
    let named = |word: &str| words(key).any(|found| found.as_str() == word);
    let is_about = match value {
        Value::Bool(false) | Value::Null => return Ok(None),
        Value::Bool(true) if named("backlog") => return Ok(Some(MoveTo::Backlog)),
        Value::Bool(true) if named("next") => return Ok(Some(MoveTo::Next)),
        Value::Object(sprint) => first(sprint, &id_keys(Kind::Sprint)).map(|(_, id)| id),
        value => Some(value),
    };
    let plain: String = match is_about {
        Some(Value::String(text)) => {
            let words = words(text).map(|word| word.as_str().to_owned());
            words.collect()
        }
        _ => String::new(),
    };
    Ok(match plain.as_str() {
        "backlog" | "tobacklog" | "movetobacklog" => Some(MoveTo::Backlog),
        "keep" | "stay" => Some(MoveTo::Keep),
        "next" | "nextsprint" | "tonextsprint" => Some(MoveTo::Next),
        "sprint" => None,
        _ => {
            let id = read_id(Some((key, is_about.unwrap_or(value))))?;
            id.map(|id| MoveTo::Sprint(EntityId(id)))
        }
    })
}

fn moves(body: &Body<'_>) -> Result<Vec<(EntityId, MoveTo)>, Reply> {
    let Some((key, sent)) = body.find(&MOVES) else {
        return Ok(Vec::new());
    };
    let wrong = |what: &str| Reply::invalid(key, what);
    let Value::Array(sent) = sent else {
        return Err(wrong("must be a list of {taskId, target}"));
    };
    if sent.len() > STEP_TASKS {
        return Err(wrong(&format!(
            "must not be more than {STEP_TASKS}; use moveTo for the others"
        )));
    }
    let mut moves: Vec<(EntityId, MoveTo)> = Vec::with_capacity(sent.len());
    for entry in sent {
        let entry = entry
            .as_object()
            .ok_or_else(|| wrong("must be a list of {taskId, target}"))?;
        let task = read_id(first(entry, &id_keys(Kind::Task)))
            .map_err(|_| wrong("must name each task by its taskId"))?;
        let task = EntityId(task.ok_or_else(|| wrong("must name each task by its taskId"))?);
        let said = entry
            .iter()
            .find(|(key, _)| TARGET.contains(&key.as_str()) || completion(key) && *key != "id");
        let target = match said {
            Some((_, Value::Null)) => Some(MoveTo::Backlog),
            Some((key, value)) => {
                target(key, value).map_err(|_| wrong("must name the target of each task"))?
            }
            None => None,
        };
        let target = target.ok_or_else(|| {
            wrong("must name the target of each task: a sprint's id, next or backlog")
        })?;
        if moves.iter().any(|(named, _)| *named == task) {
            return Err(wrong("must name each task once"));
        }
        moves.push((task, target));
    }
    Ok(moves)
}
