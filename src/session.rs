//! One client's dealings with the server, whatever the transport: what it is subscribed to, the cursor that
//! covers all of it, and the requests that are no commands.

mod access;
mod join;
mod list;
mod read;
mod resume;
mod revoke;
mod rooms;
mod signal;
mod subscribe;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::app::App;
use crate::command::Caller;
use crate::contract::{CommandRequest, Document, ErrorCode, EventStyle, Reply, Request};
use crate::domain::{Action, Identity, ProjectId, Target};
use crate::hub::Subscriber;
use crate::limits::{Budget, READ_UNIT};
use crate::memory::FLOOR;
use crate::store::StoreError;
use crate::telemetry::causes;

use access::Access;
pub use access::{Refreshed, unseen};
use read::Listing;
pub use resume::{Reset, Resumed};
pub use revoke::Revoked;
pub use rooms::{Delivery, Rooms};
use signal::Signals;

/// How often it is looked whether there is memory for a large answer…
const MEMORY_LOOKS: u32 = 20;
/// … and how long it is waited in between.
const MEMORY_LOOK: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug)]
pub struct Session {
    app: App,
    /// Who is on the other end.
    pub caller: Caller,
    /// How the session's events are spelled.
    pub style: EventStyle,
    access: Access,
    /// What the session is subscribed to.
    pub rooms: Rooms,
    signals: Signals,
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
    /// A command is on its way through this queue of the writer.
    Pending {
        /// The writer's queue.
        queue: usize,
        /// The memory that the command takes up, and its answer likewise.
        bytes: usize,
        /// The answer, once there is one.
        answer: oneshot::Receiver<Reply>,
    },
}

impl Session {
    /// A session without subscriptions.
    #[must_use]
    pub fn new(app: App, caller: Caller, style: EventStyle, identity: Option<Identity>) -> Self {
        Self {
            rooms: Rooms::new(app.epoch().clone(), app.config().limits.max_rooms),
            access: Access::new(app.auth().is_required(), identity),
            app,
            caller,
            style,
            signals: Signals::default(),
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

    /// Makes of what was sent what is meant by somebody who has shown who they are.
    pub fn own(&self, request: &mut Request) {
        let Request::Command(command) = request else {
            return;
        };
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
            Request::Publish(publication) => Some(self.app.writer().queue_of(&publication.channel)),
            _ => None,
        }
    }

    /// Serves a request.
    pub async fn run(&self, request: Request, subscriber: &Arc<dyn Subscriber>) -> Outcome {
        let is_plain_read = matches!(
            request,
            Request::Snapshot { .. } | Request::Sync { .. } | Request::Replay { .. }
        );
        let reply = match request {
            Request::Command(command) => return self.submit(*command).await,
            Request::Publish(publication) => return Box::pin(self.publish(publication)).await,
            Request::Join(join) => self.join(join, subscriber).await,
            Request::Leave { project } => Ok(self.leave(&project).await),
            // Boxed, because they are large, and commands, which are many, need no room for them.
            Request::Snapshot { project } => {
                let state = async { Ok(Document::clone(&*self.snapshot(&project).await?)) };
                self.reading(&Target::project(&project), Box::pin(state))
                    .await
            }
            Request::Sync {
                project,
                since,
                limit,
            } => {
                let target = Target::project(&project);
                let events = self.sync(&target, since.as_ref(), limit, Listing::Brief);
                self.reading(&target, Box::pin(events)).await
            }
            Request::Replay {
                channel,
                since,
                limit,
            } => Box::pin(self.replay(channel, since.as_ref(), limit)).await,
            Request::Subscribe(wish) => Box::pin(self.subscribe_all(wish, subscriber)).await,
            Request::Unsubscribe { channels } => Ok(self.unsubscribe_all(&channels).await),
            Request::Refresh { token } => return Outcome::Refreshed(self.refresh(&token).await),
            Request::Signal(signal) => Ok(self.signal(signal)),
        };
        let reply = reply.unwrap_or_else(|error| unavailable(&error));
        Outcome::Done(if is_plain_read && reply.text_bytes() > FLOOR {
            Box::pin(self.if_there_is_memory(reply)).await
        } else {
            reply
        })
    }

    /// A large answer, unless so much waits for clients that none may be rendered now, even after a moment.
    async fn if_there_is_memory(&self, reply: Reply) -> Reply {
        let memory = self.app.send_memory();
        for _ in 0..MEMORY_LOOKS {
            if !memory.is_exceeded() {
                return reply;
            }
            tokio::time::sleep(MEMORY_LOOK).await;
        }
        let message = "too much waits for clients; try again in a moment";
        Reply::refused(ErrorCode::Unavailable, message)
    }

    async fn submit(&self, command: CommandRequest) -> Outcome {
        let project = match command.project.clone() {
            Some(project) => Ok(project),
            None => self.only_project(&command).await,
        };
        let submitted = async {
            let project = project?;
            self.may_ask(&command, &project).await?;
            let writer = self.app.writer();
            let (queue, bytes) = (writer.queue_of(&project.channel()), command.bytes);
            let answer = writer.submit(command, project, &self.caller, self.rights())?;
            Ok(Outcome::Pending {
                queue,
                bytes,
                answer,
            })
        };
        submitted.await.unwrap_or_else(Outcome::Done)
    }

    /// The one joined project that a command without `projectId` can mean.
    async fn only_project(&self, command: &CommandRequest) -> Result<ProjectId, Reply> {
        let joined = match &command.action {
            // What is new belongs to no project yet.
            Action::Create { .. } => Vec::new(),
            _ => self.rooms.projects(),
        };
        let missing = |message: &str| {
            Err(Reply::refused(ErrorCode::ValidationFailed, message).with_field("projectId"))
        };
        if let [only] = joined.as_slice() {
            return Ok(only.clone());
        }
        if joined.is_empty() {
            return missing("projectId is missing");
        }
        let (kind, id) = command.subject();
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
    let (code, message) = if error.is_unavailable() {
        (
            ErrorCode::Unavailable,
            "the database cannot be reached; try again in a moment",
        )
    } else {
        (ErrorCode::Internal, "something went wrong on the server")
    };
    Reply::refused(code, message)
}
