//! Answers: acks of Socket.IO, bodies of HTTP responses, `ack` messages of WebSockets.

use schemars::JsonSchema;
use serde_json::Value;

use super::entity::{Entity, Epic, Member, Project, Sprint, Task};
use super::kit::{False, Fields, Id, Nullable, Time, True};

/// A command was accepted.
#[derive(JsonSchema)]
#[schemars(rename = "{T}Accepted")]
pub struct Accepted<T> {
    /// Always.
    pub ok: True,
    /// The same.
    pub success: True,
    /// Of the command's last event, or of the project's last event if there was none.
    pub seq: i64,
    /// After it.
    pub cursor: String,
    /// The entity's version now.
    pub version: i64,
    /// The entity now.
    pub data: T,
    /// Nothing had to change.
    pub noop: Option<True>,
    /// It was made against an older version and did not collide.
    pub merged: Option<True>,
    /// The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
    /// done.
    pub pending: Option<u64>,
    /// It is the first answer once more, because of the idempotency key.
    pub duplicate: Option<True>,
}

/// Something that is no change succeeded.
#[derive(JsonSchema)]
pub struct Done {
    /// Always.
    pub ok: True,
    /// The same.
    pub success: True,
}

/// Something was refused, and had no effect.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Always.
    pub ok: False,
    /// The same.
    pub success: False,
    /// What programs act on.
    pub code: Code,
    /// Whether the same may succeed later.
    pub retryable: bool,
    /// A sentence for a person.
    pub error: String,
    /// The field that is to blame, if one is.
    pub field: Option<String>,
    /// On a conflict: the entity now.
    pub current: Option<Entity>,
    /// After how many milliseconds the same may succeed.
    pub retry_after_ms: Option<u64>,
    /// It is the first answer once more, because of the idempotency key.
    pub duplicate: Option<True>,
}

/// Why something was refused.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ErrorCode")]
pub enum Code {
    /// There is no event of that name.
    UnknownEvent,
    /// The payload breaks a rule; `field` says where.
    ValidationFailed,
    /// The payload, or what would become of the entity, is too large.
    PayloadTooLarge,
    /// There is no token, or it is not valid.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It has been deleted.
    Gone,
    /// Somebody else has changed the same in the meantime.
    Conflict,
    /// It is not, or not any more, as `If-Match` says that it must be.
    PreconditionFailed,
    /// The idempotency key belongs to another command.
    IdempotencyKeyReused,
    /// Something else can be done there.
    MethodNotAllowed,
    /// The body is of another form than the server understands.
    UnsupportedMediaType,
    /// Too much at once; `retryAfterMs` says when to try again.
    RateLimited,
    /// The server can't do it now.
    Unavailable,
    /// The server is to blame.
    Internal,
}

/// A project's state.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectState {
    /// The project's id.
    pub project_id: Id,
    /// Of the last event that is in it.
    pub seq: i64,
    /// After it.
    pub cursor: String,
    /// The project; null if it is deleted or unknown.
    pub project: Nullable<Project>,
    /// Its epics.
    pub epics: Vec<Epic>,
    /// Its sprints.
    pub sprints: Vec<Sprint>,
    /// Its tasks, by rank.
    pub tasks: Vec<Task>,
    /// Who belongs to it.
    pub members: Vec<Member>,
}

/// The answer to `project:snapshot`.
#[derive(JsonSchema)]
pub struct SnapshotAnswer {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// The state.
    #[serde(flatten)]
    pub state: ProjectState,
}

/// Somebody who is present in a project, and what they say of themselves.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Who.
    pub user_id: String,
    /// A public id of the connection with which the presence began.
    pub connection_id: String,
    /// When that was.
    pub joined_at: Time,
    /// What they say of themselves.
    #[serde(flatten)]
    pub more: Fields,
}

/// An event of the log in a list.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedEvent {
    /// The name under which it is delivered.
    pub event: String,
    /// 1, 2, 3…: its place in the project.
    pub seq: i64,
    /// What is delivered.
    pub payload: Value,
}

/// The answer to `join:project`.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinAnswer {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// The room that was joined, `project:<id>`.
    pub room: String,
    /// The project.
    pub project_id: Id,
    /// Of the project's last event.
    pub seq: i64,
    /// After it.
    pub cursor: String,
    /// Who is there, whoever asks included.
    pub presence: Vec<Person>,
    /// How many are there; more than are listed, if there are many.
    pub presence_count: u64,
    /// The state, if it was asked for, or if `reset` is there.
    pub snapshot: Option<ProjectState>,
    /// The first events after `since`, if they were asked for.
    pub events: Option<Vec<ListedEvent>>,
    /// What happened after `since` cannot be had: go on from the snapshot.
    pub reset: Option<True>,
    /// Why not, for a person.
    pub reason: Option<String>,
}

/// The answer to `leave:project`.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeaveAnswer {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// The room that was left.
    pub room: String,
    /// The project.
    pub project_id: Id,
    /// It was not joined.
    pub noop: Option<True>,
}

/// Events after a point.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Synced {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// The project.
    pub project_id: Id,
    /// The events.
    pub events: Vec<ListedEvent>,
    /// Of the last of them, or of the point itself.
    pub seq: i64,
    /// After it.
    pub cursor: String,
    /// Whether there are more.
    pub has_more: bool,
}

/// The state, in place of events that cannot be had.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetAnswer {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// The project.
    pub project_id: Id,
    /// Of the last event that is in the state.
    pub seq: i64,
    /// After it.
    pub cursor: String,
    /// Always.
    pub reset: True,
    /// Why, for a person.
    pub reason: String,
    /// The state.
    pub snapshot: ProjectState,
}

/// The answer to `project:sync`.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum SyncAnswer {
    /// The events.
    Synced(Synced),
    /// The state, in place of events that cannot be had.
    Reset(ResetAnswer),
}

/// The answer to `auth:refresh`.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshAnswer {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// Who the user is.
    pub user_id: String,
    /// When the new token expires; null if it never does.
    pub expires_at: Nullable<Time>,
}

/// The answer to `subscribe`.
#[derive(JsonSchema)]
pub struct SubscribeAnswer {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// What is heard from now on.
    pub channels: Vec<Subscribed>,
}

/// A channel that is heard from now on.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscribed {
    /// Its name.
    pub channel: String,
    /// Of its last event.
    pub seq: i64,
    /// After it.
    pub cursor: String,
    /// Not everything after `since` can be had: a project goes on from `snapshot`, other channels from what is kept.
    pub reset: Option<True>,
    /// Why not, for a person.
    pub reason: Option<String>,
    /// On a reset: the project.
    pub project_id: Option<Id>,
    /// On a reset of a project: its state.
    pub snapshot: Option<ProjectState>,
}

/// The answer to `unsubscribe`.
#[derive(JsonSchema)]
pub struct UnsubscribeAnswer {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// What is not heard any more.
    pub channels: Vec<String>,
    /// Nothing of it was heard.
    pub noop: Option<True>,
}
