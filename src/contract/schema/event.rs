//! What the server tells.

use schemars::JsonSchema;
use serde_json::Value;

use super::answer::{Person, ProjectState, Refused};
use super::entity::Task;
use super::kit::{Fields, Id, Time, True, Usually};

/// Something became of an entity: every top-level key that the sender sent, over it the entity now.
#[derive(JsonSchema)]
#[schemars(rename = "{T}Event")]
pub struct EntityEvent<T> {
    /// The entity now.
    #[serde(flatten)]
    pub entity: T,
    /// 1, 2, 3…: the event's place in the project.
    pub seq: i64,
}

/// A task was changed; if its status was, from what to what.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskChanged {
    /// The task now.
    #[serde(flatten)]
    pub entity: Task,
    /// 1, 2, 3…: the event's place in the project.
    pub seq: i64,
    /// On a change of status: what it was.
    pub old_status: Option<Usually<Option<String>>>,
    /// On a change of status: what it is.
    pub new_status: Option<Usually<Option<String>>>,
}

/// A task's status was changed.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatusChanged {
    /// The task now.
    #[serde(flatten)]
    pub entity: Task,
    /// 1, 2, 3…: the event's place in the project.
    pub seq: i64,
    /// What it was.
    pub old_status: Usually<Option<String>>,
    /// What it is.
    pub new_status: Usually<Option<String>>,
}

/// What is left to say of an entity that is gone.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// Its id.
    pub id: Id,
    /// The project.
    pub project_id: Id,
    /// One more than before.
    pub version: i64,
    /// 1, 2, 3…: the event's place in the project.
    pub seq: i64,
    /// When it was deleted.
    pub deleted_at: Time,
    /// Who deleted it.
    pub deleted_by: String,
    /// What the sender sent.
    #[serde(flatten)]
    pub more: Fields,
}

/// A project was deleted.
#[derive(JsonSchema)]
pub struct ProjectDeleted {
    /// What is left to say of it.
    #[serde(flatten)]
    pub tombstone: Tombstone,
}

/// A task was deleted.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDeleted {
    /// Its id.
    pub task_id: Id,
    /// What is left to say of it.
    #[serde(flatten)]
    pub tombstone: Tombstone,
}

/// An epic was deleted. Its tasks follow, each as `task:updated`.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EpicDeleted {
    /// Its id.
    pub epic_id: Id,
    /// What is left to say of it.
    #[serde(flatten)]
    pub tombstone: Tombstone,
}

/// A sprint was deleted. Its tasks follow, each as `task:updated`.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SprintDeleted {
    /// Its id.
    pub sprint_id: Id,
    /// What is left to say of it.
    #[serde(flatten)]
    pub tombstone: Tombstone,
}

/// Somebody was removed from a project.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRemoved {
    /// Who.
    pub user_id: Id,
    /// What is left to say of them.
    #[serde(flatten)]
    pub tombstone: Tombstone,
}

/// The connection cannot see a project any more, and has left its room.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessRevoked {
    /// The project.
    pub project_id: Id,
    /// Its room.
    pub room: String,
    /// Why.
    pub reason: RevokedReason,
    /// Of the event by which somebody was removed, if it was one.
    pub seq: Option<i64>,
}

/// Why somebody cannot see a project any more.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RevokedReason {
    /// Removed from its members.
    Removed,
    /// A newer token gives no role any more.
    Token,
}

/// What a client missed of a project cannot be had: this is its state, from which events follow.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectReset {
    /// The project.
    pub project_id: Id,
    /// Its room.
    pub room: String,
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

/// It is not known what a client missed, nor of which projects: join what you need.
#[derive(JsonSchema)]
pub struct SessionReset {
    /// Always.
    pub reset: True,
    /// Why, for a person.
    pub reason: String,
}

/// The connection may not hear a channel any more.
#[derive(JsonSchema)]
pub struct ChannelRevoked {
    /// The channel.
    pub channel: String,
    /// Why.
    pub reason: RevokedReason,
    /// Of the event by which that is so, if it was one.
    pub seq: Option<i64>,
}

/// Not everything that a client missed of a channel can be had: it goes on with what is kept.
#[derive(JsonSchema)]
pub struct ChannelReset {
    /// The channel.
    pub channel: String,
    /// Always.
    pub reset: True,
    /// Why, for a person.
    pub reason: String,
    /// Events after this one follow.
    pub seq: i64,
}

/// The connection's token expires soon.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthExpiring {
    /// When.
    pub expires_at: Time,
    /// How many milliseconds are left.
    pub expires_in_ms: i64,
}

/// What an operator or a backend has to say. It is not logged.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Its id.
    pub id: String,
    /// When it was sent.
    pub created_at: Time,
    /// What it is about.
    pub title: Option<Usually<String>>,
    /// What it says.
    pub message: Option<Usually<String>>,
    /// How important it is.
    pub level: Option<Usually<String>>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// Somebody came into a project, or says something else of themselves.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceTold {
    /// The project.
    pub project_id: Id,
    /// Who.
    #[serde(flatten)]
    pub person: Person,
}

/// Somebody's last connection left a project.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceLeft {
    /// The project.
    pub project_id: Id,
    /// Who.
    pub user_id: String,
    /// A public id of the connection with which the presence began.
    pub connection_id: String,
}

/// Somebody is typing, or has stopped. It is not logged.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypingTold {
    /// The project.
    pub project_id: Id,
    /// Who.
    pub user_id: String,
    /// A public id of their connection.
    pub connection_id: String,
    /// Whether they are.
    pub is_typing: Option<Usually<bool>>,
    /// The task that it is about.
    pub task_id: Option<Usually<Id>>,
    /// What the sender sent.
    #[serde(flatten)]
    pub more: Fields,
}

/// Somebody is editing a task, or has stopped. It is not logged.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EditingTold {
    /// The project.
    pub project_id: Id,
    /// Who.
    pub user_id: String,
    /// A public id of their connection.
    pub connection_id: String,
    /// Whether they are.
    pub is_editing: Option<Usually<bool>>,
    /// The task.
    pub task_id: Option<Usually<Id>>,
    /// What the sender sent.
    #[serde(flatten)]
    pub more: Fields,
}

/// A message that was sent without an ack callback was refused.
#[derive(JsonSchema)]
pub struct ErrorTold {
    /// Why.
    #[serde(flatten)]
    pub refused: Refused,
    /// The message's event.
    pub event: String,
}

/// An event of a channel, whatever its type.
#[derive(JsonSchema)]
pub struct ChannelEvent {
    /// The channel that it is about.
    pub channel: String,
    /// What happened: as its publisher named it, or the name under which a project's event is heard.
    #[serde(rename = "type")]
    pub event_type: String,
    /// 1, 2, 3…: its place in the channel.
    pub seq: i64,
    /// Its own id, a `UUIDv7`.
    pub id: String,
    /// When it was committed.
    pub timestamp: Time,
    /// Who did it.
    pub actor: String,
    /// What its publisher said, as it was sent.
    pub data: Value,
}
