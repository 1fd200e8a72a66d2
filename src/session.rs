//! One client's dealings with the server, whatever the transport: what it is subscribed to, the cursor that
//! covers all of it, and the requests that are no commands.

mod access;
mod dialect;
mod join;
mod list;
mod listed;
mod looking;
mod read;
mod resume;
mod revoke;
mod rooms;
mod signal;
mod state;
mod state_text;
mod subscribe;
mod throttle;

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::contract::{CommandRequest, ErrorCode, EventStyle, Reply, Request};
use crate::domain::{Action, EntityId, Identity, Kind, ProjectId};
use crate::hub::Subscriber;
use crate::limits::{Budget, READ_UNIT};
use crate::state::AppState;
use crate::store::StoreError;
use crate::telemetry::causes;
use crate::writer::Caller;

pub use crate::contract::schema::event::RevokedReason;
use access::Access;
pub use access::{Refreshed, unseen};
use dialect::Speaking;
pub use dialect::people;
use listed::Lookup;
use looking::Looking;
pub use resume::{Reset, Resumed};
pub use rooms::{Delivery, Rooms};
use signal::Signals;
pub use state_text::{StateFormat, StateText};

/// See the module.
#[derive(Debug)]
pub struct Session {
    app: AppState,
    /// Who is on the other end.
    pub caller: Caller,
    /// How the session's events are spelled.
    pub style: EventStyle,
    access: Access,
    /// What the session is subscribed to.
    pub rooms: Rooms,
    signals: Signals,
    lookup: Lookup,
    speaking: Speaking,
    looking: Looking,
    /// Whether the client counts as present in the projects that it is subscribed to.
    attends: bool,
    /// Out of which reads are paid: the connection's, and that of all connections of its user.
    own_budget: Option<Arc<Budget>>,
    shared_budget: Option<Arc<Budget>>,
}

/// What a request leads to.
#[derive(Debug)]
pub enum Outcome {
    /// The answer.
    Done(Reply),
    /// A newer token was shown.
    Refreshed(Refreshed),
    /// A change is on its way through the writer.
    Pending(Pending),
}

/// Stands for a queue of the writer where a message does not go through the writer.
const DIRECT_QUEUE: usize = usize::MAX;
/// What the id of a project takes up in memory, at most.
const MAX_PROJECT_BYTES: usize = 300;

/// A command or a publication on its way through the writer, or a message on its way to other clients. It takes effect whether or not anybody waits for the answer.
#[derive(Debug)]
pub struct Pending {
    /// The writer's queue, or what keeps the order in its place.
    pub queue: usize,
    /// The bytes of memory that it takes up, and its answer likewise.
    pub bytes: usize,
    answer: oneshot::Receiver<Reply>,
}

impl Pending {
    /// Waits for the answer, which is there once.
    pub async fn answer(&mut self) -> Reply {
        let answer = (&mut self.answer).await;
        answer.unwrap_or_else(|_| Reply::internal())
    }
}

impl From<Result<Pending, Reply>> for Outcome {
    fn from(submitted: Result<Pending, Reply>) -> Self {
        submitted.map_or_else(Self::Done, Self::Pending)
    }
}

impl Session {
    /// A session without subscriptions.
    #[must_use]
    pub fn new(
        app: AppState,
        caller: Caller,
        style: EventStyle,
        identity: Option<Identity>,
    ) -> Self {
        Self {
            rooms: Rooms::new(app.epoch().clone(), app.config().limits.max_rooms),
            access: Access::new(app.auth().is_required(), identity),
            app,
            caller,
            style,
            signals: Signals::default(),
            lookup: Lookup::default(),
            speaking: Speaking::default(),
            looking: Looking::default(),
            attends: true,
            own_budget: None,
            shared_budget: None,
        }
    }

    /// One that pays for what it reads out of these budgets.
    #[must_use]
    pub fn paying(mut self, own: Option<Arc<Budget>>, shared: Option<Arc<Budget>>) -> Self {
        self.own_budget = own;
        self.shared_budget = shared;
        self
    }

    /// Takes the price of so many subscriptions: one read each. The door has taken the price of the message.
    pub fn charge_channels(&self, channels: usize) {
        self.charge_read(channels.saturating_mul(READ_UNIT));
    }

    /// Takes the price of so many bytes that the client was given to read.
    pub fn charge_read(&self, bytes: usize) {
        let (own, shared) = (self.own_budget.as_deref(), self.shared_budget.as_deref());
        self.app.limits().charge_read(bytes, own, shared);
    }

    /// One that nobody sees in the projects that it is subscribed to.
    #[must_use]
    pub fn unattending(mut self) -> Self {
        self.attends = false;
        self
    }

    /// Makes of a command what is meant by a client that has shown who it is. Comes before [`Session::submit`].
    pub fn own(&self, command: &mut CommandRequest) {
        if self.identity().is_some() {
            command.make_id_of_key(&self.caller.actor);
        }
        if self.rights().is_some() {
            command.disown_stamps();
        }
    }

    /// The queue that a command would go through, if its project is known without a look at the store.
    #[must_use]
    pub fn queue_of(&self, request: &Request) -> Option<usize> {
        match request {
            Request::Command(command) => {
                let project = command.project.as_ref()?;
                Some(self.app.writer().queue_of(&project.channel()))
            }
            Request::Publish(publication) | Request::Relay(publication)
                if publication.channel.is_direct() =>
            {
                Some(DIRECT_QUEUE)
            }
            Request::Publish(publication)
            | Request::Relay(publication)
            | Request::ToWorker(publication) => {
                Some(self.app.writer().queue_of(&publication.channel))
            }
            _ => None,
        }
    }

    /// Serves a request. Events of what it subscribes to go to the subscriber.
    pub async fn run(&self, request: Request, subscriber: &Arc<dyn Subscriber>) -> Outcome {
        // What is large is boxed: commands, which are many, need no room for it.
        Outcome::Done(match request {
            Request::Command(command) => return self.submit(command).await.into(),
            Request::Bulk(commands) => Box::pin(self.submit_all(commands)).await,
            Request::Publish(publication) => {
                return Box::pin(self.publish(publication)).await.into();
            }
            Request::Relay(publication) => return Box::pin(self.relay(publication)).await.into(),
            Request::ToWorker(publication) => return self.publish_to_worker(publication).into(),
            Request::Refresh { token } => {
                return Outcome::Refreshed(Box::pin(self.refresh(&token)).await);
            }
            Request::Join(join) => {
                let reply = Box::pin(self.join(join, subscriber)).await;
                reply.unwrap_or_else(|error| unavailable(&error))
            }
            Request::Leave { project } => Box::pin(self.leave(&project)).await,
            Request::Read(read) => Box::pin(self.read(&read)).await,
            Request::Subscribe(wish) => Box::pin(self.subscribe_all(wish, subscriber)).await,
            Request::Unsubscribe { channels } => Box::pin(self.unsubscribe_all(&channels)).await,
            Request::Signal(signal) => self.signal(signal),
        })
    }

    /// Hands a command to the writer.
    ///
    /// # Errors
    ///
    /// The refusal of a command that the writer is not asked about.
    pub async fn submit(&self, mut command: Box<CommandRequest>) -> Result<Pending, Reply> {
        let project = match command.project.clone() {
            Some(project) => {
                if command.may_mean_elsewhere() {
                    command.elsewhere = self.rooms.projects();
                    command.elsewhere.retain(|joined| *joined != project);
                    command.bytes += command.elsewhere.len() * MAX_PROJECT_BYTES;
                }
                project
            }
            None => Box::pin(self.project_of_command(&command)).await?,
        };
        self.may_ask(&command, &project).await?;
        let writer = self.app.writer();
        Ok(Pending {
            queue: writer.queue_of(&project.channel()),
            bytes: command.bytes,
            answer: writer.submit(*command, project, &self.caller, self.rights())?,
        })
    }

    /// Hands several commands to the writer, so that they are committed together, and waits for all of them.
    async fn submit_all(&self, commands: Vec<CommandRequest>) -> Reply {
        let mut submitted = Vec::with_capacity(commands.len());
        for mut command in commands {
            self.own(&mut command);
            submitted.push(self.submit(Box::new(command)).await);
        }
        let mut results = Vec::with_capacity(submitted.len());
        for pending in submitted {
            results.push(match pending {
                Ok(mut pending) => pending.answer().await,
                Err(refusal) => refusal,
            });
        }
        Reply::of_all(&results)
    }

    /// The one joined project that a command without `projectId` can mean.
    async fn project_of_command(&self, command: &CommandRequest) -> Result<ProjectId, Reply> {
        let joined = match &command.action {
            // What is new belongs to no project yet.
            Action::Create { .. } if !self.makes_in_joined() => Vec::new(),
            _ => self.joined_projects(),
        };
        self.only_project(joined, Some(command.subject())).await
    }

    /// The one project of these that can be meant: the only one, or the one that has the entity.
    async fn only_project(
        &self,
        joined: Vec<ProjectId>,
        entity: Option<(Kind, &EntityId)>,
    ) -> Result<ProjectId, Reply> {
        let missing = |message: &str| {
            Err(Reply::refused(ErrorCode::ValidationFailed, message).with_field("projectId"))
        };
        if let [only] = joined.as_slice() {
            return Ok(only.clone());
        }
        let Some((kind, id)) = entity.filter(|_| !joined.is_empty()) else {
            return missing("projectId is missing");
        };
        let found = self
            .app
            .store()
            .entity_projects(kind, id, &joined)
            .await
            .map_err(|error| unavailable(&error))?;
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => missing("projectId is missing, and none of the joined projects has this id"),
            _ => missing("projectId is missing, and several of the joined projects have this id"),
        }
    }
}

fn unavailable(error: &StoreError) -> Reply {
    tracing::warn!(error = %causes(error), "a read failed");
    if error.is_unavailable() {
        let message = "the database cannot be reached; try again in a moment";
        Reply::refused(ErrorCode::Unavailable, message)
    } else {
        Reply::internal()
    }
}
