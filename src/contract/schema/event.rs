//! What the server tells.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{Person, Present, ProjectRestart, Refused};
use super::entity::Task;
use super::types::{Fields, Id, Nullable, Time, True, Usually, wire};

wire! {
    /// Something became of an entity: every top-level key that the sender sent, over it the entity now.
    #[schemars(rename = "{T}Event")]
    EntityEvent<T> {
        ..entity: T,
        /// 1, 2, 3…: the event's place in the project.
        seq: i64,
    }

    /// A task was changed; if its status was, from what to what.
    TaskChanged {
        ..task: EntityEvent<Task>,
        /// On a change of status: what it was.
        old_status: Option<Usually<Option<String>>>,
        /// On a change of status: what it is.
        new_status: Option<Usually<Option<String>>>,
    }

    /// A task's status was changed.
    TaskStatusChanged {
        ..task: EntityEvent<Task>,
        /// What it was.
        old_status: Usually<Option<String>>,
        /// What it is.
        new_status: Usually<Option<String>>,
    }

    /// What is left to say of an entity that is gone: besides what is named here, its fields that say where it was, which are
    /// those whose names end in `Id`, `column` and `status`, if they are texts or numbers.
    Tombstone {
        /// Its id.
        id: Id,
        /// The project.
        project_id: Id,
        /// One more than before.
        version: i64,
        /// 1, 2, 3…: the event's place in the project.
        seq: i64,
        /// When it was deleted.
        deleted_at: Time,
        /// Who deleted it.
        deleted_by: String,
        ..more: Fields,
    }

    /// A project was deleted.
    ProjectDeleted {
        ..tombstone: Tombstone,
    }

    /// A task was deleted.
    TaskDeleted {
        /// Its id.
        task_id: Id,
        /// The column in which it was.
        status: Option<Usually<String>>,
        /// The same, where boards have columns with ids.
        column_id: Option<Usually<Id>>,
        /// The epic to which it belonged.
        epic_id: Option<Usually<Id>>,
        /// The sprint in which it was.
        sprint_id: Option<Usually<Id>>,
        ..tombstone: Tombstone,
    }

    /// An epic was deleted. Its tasks follow, each as `task:updated`.
    EpicDeleted {
        /// Its id.
        epic_id: Id,
        ..tombstone: Tombstone,
    }

    /// A sprint was deleted. Its tasks follow, each as `task:updated`.
    SprintDeleted {
        /// Its id.
        sprint_id: Id,
        ..tombstone: Tombstone,
    }

    /// A comment was deleted.
    CommentDeleted {
        /// Its id.
        comment_id: Id,
        /// The task that it belonged to.
        task_id: Option<Usually<Id>>,
        ..tombstone: Tombstone,
    }

    /// Somebody was removed from a project.
    MemberRemoved {
        /// Who.
        user_id: Id,
        ..tombstone: Tombstone,
    }

    /// The connection cannot see a project any more, and has left its room.
    #[derive(Serialize)]
    AccessRevoked {
        /// The project.
        #[schemars(with = "Id")]
        project_id: Value,
        /// Its room.
        room: String,
        /// Why.
        reason: RevokedReason,
        /// Of the event by which somebody was removed, if it was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<i64>,
    }

    /// What a client missed of a project cannot be had: this is its state, from which events follow.
    ProjectReset {
        /// Its room.
        room: String,
        ..reset: ProjectRestart,
    }

    /// It is not known what a client missed, nor of which projects: join what you need.
    #[derive(Serialize)]
    SessionReset {
        /// Always.
        reset: True,
        /// Why, for a person.
        reason: String,
    }

    /// The connection may not hear a channel any more.
    #[derive(Serialize)]
    ChannelRevoked {
        /// The channel.
        channel: String,
        /// Why.
        reason: RevokedReason,
        /// Of the event by which that is so, if it was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<i64>,
    }

    /// Not everything that a client missed of a channel can be had: it goes on with what is kept.
    #[derive(Debug, Serialize)]
    ChannelReset {
        /// The channel.
        channel: String,
        /// Always.
        reset: True,
        /// Why, for a person.
        reason: String,
        /// Events after this one follow.
        seq: i64,
    }

    /// The connection's token expires soon.
    #[derive(Serialize)]
    AuthExpiring {
        /// When.
        expires_at: Time,
        /// How many milliseconds are left.
        expires_in_ms: i64,
    }

    /// What an operator or a backend has to say. It is not logged.
    Notification {
        /// Its id.
        id: String,
        /// When it was sent.
        created_at: Time,
        /// What it is about.
        title: Option<Usually<String>>,
        /// What it says.
        message: Option<Usually<String>>,
        /// How important it is.
        level: Option<Usually<String>>,
        ..more: Fields,
    }

    /// Somebody came into a project, or says something else of themselves.
    PresenceTold {
        /// The project.
        project_id: Id,
        ..person: Person,
    }

    /// Somebody's last connection left a project.
    PresenceLeft {
        /// The project.
        project_id: Id,
        ..who: Present,
    }

    /// Where a signal comes from.
    SignalOrigin {
        /// The project.
        project_id: Id,
        /// Who.
        user_id: String,
        /// A public id of their connection.
        connection_id: String,
    }

    /// Somebody is typing, or has stopped. It is not logged.
    TypingTold {
        ..origin: SignalOrigin,
        /// Whether they are.
        is_typing: Option<Usually<bool>>,
        /// The task that it is about.
        task_id: Option<Usually<Id>>,
        ..more: Fields,
    }

    /// Somebody is editing a task, or has stopped. It is not logged.
    EditingTold {
        ..origin: SignalOrigin,
        /// Whether they are.
        is_editing: Option<Usually<bool>>,
        /// The task.
        task_id: Option<Usually<Id>>,
        ..more: Fields,
    }

    /// A message that was sent without an ack callback was refused.
    ErrorTold {
        ..refused: Refused,
        /// The message's event.
        event: String,
        /// The same as `error`: pages look for it where an `Error` has its message.
        message: String,
    }

    /// What is known of a message on `broadcast` or `client:<id>`.
    #[derive(Serialize)]
    DirectAbout<'a> {
        /// `broadcast`, or `client:<id>`.
        channel: &'a str,
        /// Its own id, a `UUIDv7`.
        id: String,
        /// When it was sent.
        timestamp: Time,
        /// Who sent it.
        actor: &'a str,
        /// What ties it to what it answers.
        #[serde(skip_serializing_if = "Option::is_none")]
        correlation_id: Option<&'a str>,
    }

    /// What a worker hears on the channel of `WORKER_CHANNEL`: what a client has sent, whose type is that of the event.
    #[derive(Serialize)]
    WorkerMessage<'a> {
        /// The client. What is published on `client:<this>` reaches it.
        client_id: &'a str,
        /// Ties the answer to the message: the message's `id`, or its `correlationId`, or else one that the server made.
        correlation_id: &'a str,
        /// Whose client it is, if that is known.
        user_id: Nullable<&'a str>,
        /// The session that the client is in.
        session_id: Nullable<&'a str>,
        /// Which program the client says it is.
        client_type: Nullable<&'a str>,
        /// Of what version.
        version: Nullable<&'a str>,
        /// The message's data, as it was sent.
        #[schemars(with = "Value")]
        data: &'a RawValue,
    }

    /// An event of a channel, whatever its type.
    #[derive(Serialize)]
    ChannelEvent<'a> {
        /// The channel that it is about.
        channel: &'a str,
        /// What happened: as its publisher named it, or the name under which a project's event is heard.
        #[serde(rename = "type")]
        event_type: String,
        /// 1, 2, 3…: its place in the channel.
        seq: i64,
        /// Its own id, a `UUIDv7`.
        id: String,
        /// When it was committed.
        timestamp: Time,
        /// Who did it.
        actor: &'a str,
        /// What its publisher said, as it was sent.
        #[schemars(with = "Value")]
        data: &'a RawValue,
        /// What its publisher said of it beside the data, if anything: `id`, `timestamp`, `version`, `source`,
        /// `correlationId`. Nobody vouches for it.
        #[schemars(with = "Option<Envelope>")]
        #[serde(skip_serializing_if = "Option::is_none")]
        envelope: Option<&'a RawValue>,
    }

    /// What a publisher says of an event beside its data.
    Envelope {
        /// The sender's own id.
        id: Option<Value>,
        /// When it happened, in milliseconds.
        timestamp: Option<f64>,
        /// Of the format.
        version: Option<Value>,
        /// Where it comes from.
        source: Option<String>,
        /// What it belongs to.
        correlation_id: Option<Value>,
    }
}

/// Why somebody cannot see a project any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RevokedReason {
    /// Removed from its members.
    Removed,
    /// A newer token gives no role any more.
    Token,
    /// What the client has shown does not allow it.
    Forbidden,
}

impl RevokedReason {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Token => "token",
            Self::Forbidden => "forbidden",
        }
    }
}
