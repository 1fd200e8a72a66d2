//! What only HTTP says: pages of lists, problems, publications, batches, figures.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::super::ErrorCode;
use super::answer::{Done, Refused, ResetAnswer};
use super::command::{ChangeOptions, Options, Publish};
use super::entity::Entity;
use super::event::ChannelEvent;
use super::kit::{Fields, Id, Nullable, Time, True, wire};
use crate::domain::Role;

wire! {
    /// A page of a list.
    #[schemars(rename = "{T}Page")]
    Page<T> {
        ..done: Done,
        /// Of the project's last event that is in it; not in a list of projects.
        seq: Option<i64>,
        /// After it.
        cursor: Option<String>,
        /// What is on it.
        items: Vec<T>,
        /// The `cursor` of the next page; null on the last one.
        next_cursor: Nullable<String>,
    }
}

/// Why a request was refused: problem details as in RFC 9457, and what an ack would say.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem<'a> {
    /// Which problem: `urn:boardcast:error:` and the code.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// What it is in general.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence for a person.
    pub detail: &'a str,
    /// The request's id, which the server's log names, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<&'a str>,
    /// What programs act on.
    pub code: ErrorCode,
    /// Whether the same may succeed later.
    pub retryable: bool,
    /// The field that is to blame, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
    /// On a conflict: the entity now.
    #[schemars(with = "Option<Entity>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<Cow<'a, Value>>,
    /// After how many milliseconds the same may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// It is the first answer once more, because of the idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<True>,
}

wire! {
    /// Somebody who is to belong to a project.
    NewMember {
        /// Who, as tokens say it.
        user_id: Id,
        /// As what; `member` if it is missing.
        role: Option<Role>,
        ..options: Options,
        ..more: Fields,
    }

    /// What may change of a member. Fields that are not sent stay.
    MemberChange {
        /// As what.
        role: Option<Role>,
        ..options: ChangeOptions,
        ..more: Fields,
    }

    /// Another status.
    StatusChange {
        /// What the status is to be.
        #[schemars(length(min = 1))]
        status: String,
        ..options: ChangeOptions,
    }
}

/// One publication or several.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum PublishRequest {
    /// One.
    One(Publish),
    /// Several; each is answered by itself.
    Many(#[schemars(length(min = 1, max = 100))] Vec<Publish>),
    /// The same.
    Wrapped {
        /// Several; each is answered by itself.
        #[schemars(length(min = 1, max = 100))]
        events: Vec<Publish>,
    },
}

/// A publication is in the log.
#[derive(JsonSchema)]
pub struct Published {
    /// It succeeded.
    #[serde(flatten)]
    pub done: Done,
    /// The channel.
    pub channel: String,
    /// Its own id, a `UUIDv7`.
    pub id: String,
    /// 1, 2, 3…: its place in the channel.
    pub seq: i64,
    /// After it.
    pub cursor: String,
    /// It was there before, because of the idempotency key.
    pub duplicate: Option<True>,
}

/// What became of one of several.
#[derive(JsonSchema)]
#[schemars(rename = "{T}OrRefused")]
#[serde(untagged)]
pub enum OrRefused<T> {
    /// It succeeded.
    Done(T),
    /// It was refused.
    Refused(Box<Refused>),
}

wire! {
    /// Answers to several, in their order.
    #[schemars(rename = "{T}Results")]
    Results<T> {
        /// The answers.
        results: Vec<OrRefused<T>>,
    }

    /// Commands that are run one after the other.
    Batch {
        /// The commands.
        #[schemars(length(max = 100))]
        commands: Vec<BatchCommand>,
    }

    /// A command of a batch.
    BatchCommand {
        /// The event that would carry it: `task:update`.
        event: String,
        /// What the event would say: an object, or where an id is enough, that id.
        data: Option<Value>,
        /// A command with a key has one effect however often it is sent.
        #[schemars(length(max = 128))]
        idempotency_key: Option<String>,
    }

    /// What became of any command.
    AnyAccepted {
        ..done: Done,
        ..more: Fields,
    }

    /// A channel's events after a point.
    Replayed {
        ..done: Done,
        /// The channel.
        channel: String,
        /// The project whose channel it is, if it is one's.
        project_id: Option<Id>,
        /// The events.
        events: Vec<ChannelEvent<'static>>,
        /// Of the last of them, or of the point itself.
        seq: i64,
        /// After it.
        cursor: String,
        /// Whether there are more.
        has_more: bool,
        /// Not everything after the point can be had: these are the first that are kept.
        reset: Option<True>,
        /// Why not, for a person.
        reason: Option<String>,
    }

    /// A project's state, in place of events that cannot be had.
    ReplayReset {
        /// The channel.
        channel: String,
        ..reset: ResetAnswer,
    }
}

/// What happened in a channel after a point.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Replay {
    /// The events.
    Replayed(Replayed),
    /// A project's state, in place of events that cannot be had.
    Reset(Box<ReplayReset>),
}

/// Figures of the WebSockets of an instance.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SocketStats {
    /// Since the start.
    pub total_connections: u64,
    /// Now.
    pub active_connections: u64,
    /// Who is connected; for administrators alone, once there is authentication.
    pub clients: Option<Vec<SocketClient>>,
}

/// A WebSocket.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SocketClient {
    /// A public id of the connection.
    pub id: String,
    /// Whose it is.
    pub user_id: Nullable<String>,
    /// The session that it listens to.
    pub session_id: Nullable<String>,
    /// Whether it has answered the last ping.
    pub is_alive: bool,
    /// How the connection is.
    #[schemars(with = "String")]
    pub state: &'static str,
}

/// How the WebSockets of an instance are.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SocketStatus {
    /// Always.
    pub success: True,
    /// The figures.
    pub data: SocketFigures,
}

/// Figures of the WebSockets of an instance.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SocketFigures {
    /// Whether it takes connections.
    pub connected: bool,
    /// How many there are.
    pub clients: u64,
    /// When the last message came or went; null before the first one.
    pub last_activity: Nullable<Time>,
    /// Seconds since the start.
    #[schemars(with = "f64")]
    pub uptime: u64,
    /// Messages since the start.
    pub message_count: u64,
}

wire! {
    /// A notification, to those in a project, to a user, or to everyone: exactly one of these is there. Other fields are passed on.
    Notify {
        /// To all who have joined this project.
        project_id: Option<Id>,
        /// To all connections of this user.
        user_id: Option<Id>,
        /// To all connections that are subscribed to this channel.
        channel: Option<String>,
        /// To one connection, by its id or its client's.
        connection_id: Option<String>,
        /// To all.
        everyone: Option<True>,
        ..more: Fields,
    }
}

wire! {
    /// Names connections: exactly one of these.
    Audience {
        /// `project:<id>`, `user:<id>` or another channel.
        room: Option<String>,
        /// Those that are subscribed to a project.
        project_id: Option<Id>,
        /// Those of a user.
        user_id: Option<Id>,
        /// Those that are subscribed to a channel.
        channel: Option<String>,
        /// One, by its id or its client's.
        connection_id: Option<String>,
        /// All.
        everyone: Option<True>,
    }
}
