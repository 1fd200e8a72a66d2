//! Signals: who may send them where, and how often. They are told to the others in the project and then
//! forgotten.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Session;
use super::throttle::{Throttle, Verdict};
use crate::contract::{ErrorCode, PresenceWish, Reply, SignalKind, SignalRequest, payload};
use crate::domain::{EntityId, Fields, ProjectId, Signal};
use crate::presence::UpdateError;
use crate::state::AppState;
use crate::writer::Caller;

/// Signals with the same key stand in for one another.
type Key = (SignalKind, ProjectId, Option<EntityId>);

/// What is to be told.
#[derive(Debug)]
enum Message {
    Signal(ProjectId, Arc<Signal>),
    Presence(ProjectId, Fields),
}

/// One client's signals, on their way to the others. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    /// Guards what was sent when: requests add to it, and timers take out what is due.
    throttle: Arc<Mutex<Throttle<Key, Message>>>,
}

impl Session {
    pub(super) fn signal(&self, request: SignalRequest) -> Reply {
        let passed = self.pass_on(request);
        passed.map_or_else(|refusal| refusal, |()| Reply::done(Fields::new()))
    }

    fn pass_on(&self, request: SignalRequest) -> Result<(), Reply> {
        let SignalRequest {
            kind,
            project,
            subject,
            fields,
        } = request;
        let project = self.joined_project(project)?;
        if kind == SignalKind::Presence {
            self.look(&project.channel(), Some(PresenceWish::Implied));
        }
        let key = (kind, project.clone(), subject);
        let message = message(kind, project, fields, &self.caller);
        let verdict = self
            .signals
            .throttle
            .lock()
            .offer(key, message, Instant::now());
        match verdict {
            Verdict::Pass(message) => message.tell(&self.app, &self.caller),
            Verdict::Hold(at) => {
                if let Some(at) = at {
                    self.tell_at(at);
                }
                Ok(())
            }
            Verdict::Refuse => Err(Reply::refused(
                ErrorCode::RateLimited,
                "too many different signals at once; try again in a moment",
            )),
        }
    }

    /// The project, or the only one that was joined if none is named.
    fn joined_project(&self, named: Option<ProjectId>) -> Result<ProjectId, Reply> {
        if let Some(named) = named {
            let joined = self.rooms.contains(&named.channel());
            return joined.then_some(named).ok_or_else(not_joined);
        }
        match self.joined_projects().as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(not_joined()),
            _ => Err(invalid("projectId is missing")),
        }
    }

    /// Tells what was held back, even if the client has gone by then: it may be that somebody has stopped typing.
    fn tell_at(&self, at: Instant) {
        let (app, caller, signals) = (self.app.clone(), self.caller.clone(), self.signals.clone());
        self.app.lifecycle().spawn(async move {
            tokio::time::sleep_until(at).await;
            let due = signals.throttle.lock().due(Instant::now());
            for message in due {
                if message.tell(&app, &caller).is_err() {
                    tracing::debug!(connection.id = %caller.connection, "gone before its presence could be told");
                }
            }
        });
    }
}

impl Message {
    fn tell(self, app: &AppState, caller: &Caller) -> Result<(), Reply> {
        match self {
            Self::Signal(project, signal) => app.hub().signal(&project.channel(), &signal),
            Self::Presence(project, data) => {
                let (presence, connection) = (app.presence(), caller.connection);
                let updated = presence.update(&project, &caller.actor, connection, data);
                updated.map_err(|error| match error {
                    UpdateError::Absent => not_joined(),
                    UpdateError::TooLarge => {
                        Reply::refused(ErrorCode::PayloadTooLarge, error.to_string())
                    }
                })?;
            }
        }
        Ok(())
    }
}

fn message(kind: SignalKind, project: ProjectId, fields: Fields, caller: &Caller) -> Message {
    let Some(signal_type) = kind.event_type() else {
        return Message::Presence(project, fields);
    };
    let payload = payload::signal(fields, &project, &caller.actor, caller.connection);
    let signal = Signal {
        signal_type,
        payload: payload.into(),
        origin: Some(caller.connection),
        lasting: None,
    };
    Message::Signal(project, Arc::new(signal))
}

fn not_joined() -> Reply {
    invalid("join the project first")
}

fn invalid(message: &str) -> Reply {
    Reply::refused(ErrorCode::ValidationFailed, message).with_field("projectId")
}
