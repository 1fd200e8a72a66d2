//! Signals: what a client tells the others in a project and nobody keeps: that its user is typing, is editing
//! a task, or is busy.
//!
//! Whatever stands in the payload is passed on; only the project is looked for, and the task that it is about.

use serde_json::Value;

use super::arguments::First;
use super::body::{Body, Wrappers};
use super::payload_limits::PAYLOAD;
use super::{Limits, Reply, SignalKind};
use crate::domain::{EntityId, Fields, Kind, ProjectId};

/// Largest packet of a signal.
const MAX_BYTES: usize = 4 * 1024;

/// A wish to tell the others something.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRequest {
    /// What of.
    pub kind: SignalKind,
    /// The project, if the payload names it.
    pub project: Option<ProjectId>,
    /// The task that it is about, if there is one.
    pub subject: Option<EntityId>,
    /// What was sent.
    pub fields: Fields,
}

/// Signals are small.
pub(super) fn limits(limits: Limits) -> Limits {
    Limits {
        max_payload_bytes: limits.max_payload_bytes.min(MAX_BYTES),
        ..limits
    }
}

/// Understands a signal's arguments; `active` is what its name says.
pub(super) fn read(
    kind: SignalKind,
    active: Option<bool>,
    arguments: Vec<Value>,
    limits: Limits,
) -> Result<SignalRequest, Reply> {
    let mut fields = fields(kind, arguments, limits)?;
    if let (Some(flag), Some(active)) = (kind.flag(), active) {
        fields.entry(flag).or_insert(active.into());
    }
    let body = Body::read(Kind::Task, None, &fields, Wrappers::Ignored)?;
    let project = body.project()?;
    // It only tells signals apart: one that cannot be read is the sender's own affair. What somebody says of themselves
    // replaces what they said before, whatever task it names.
    let subject = match kind {
        SignalKind::Typing | SignalKind::Editing => body.id().ok().flatten(),
        SignalKind::Presence => None,
    };
    Ok(SignalRequest {
        kind,
        project,
        subject,
        fields,
    })
}

/// An object, an id and perhaps an object, `true` or `false`, or nothing at all.
fn fields(kind: SignalKind, arguments: Vec<Value>, limits: Limits) -> Result<Fields, Reply> {
    let mut arguments = arguments.into_iter();
    let (key, bare) = match (arguments.next().unwrap_or_default(), kind.flag()) {
        (Value::Null, _) => return Ok(Fields::new()),
        (Value::Bool(active), Some(flag)) => (flag, active.into()),
        (argument, _) => match First::read(argument, limits)? {
            Some(First::Object(fields)) => return Ok(fields),
            Some(First::Bare(id)) => (kind.bare_key(), id),
            None => return Err(Reply::invalid(PAYLOAD, "must be an object")),
        },
    };
    let mut fields = match arguments.next() {
        Some(Value::Object(fields)) => fields,
        _ => Fields::new(),
    };
    fields.entry(key).or_insert(bare);
    Ok(fields)
}
