//! Answers: acks of Socket.IO, bodies of HTTP responses, `ack` messages of WebSockets.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::ErrorCode;
use super::entity::{Comment, Entity, Epic, Member, Project, Sprint, Task};
use super::types::{False, Fields, Id, Nullable, Time, True, wire};

wire! {
    /// A command was accepted.
    #[schemars(rename = "{T}Accepted")]
    Accepted<T> {
        /// Always.
        ok: True,
        /// The same.
        success: True,
        /// Of the command's last event, or of the project's last event if there was none.
        seq: i64,
        /// After it.
        cursor: String,
        /// The entity's version now.
        version: i64,
        /// The entity now.
        data: T,
        /// Nothing had to change.
        noop: Option<True>,
        /// It was made against an older version and did not collide.
        merged: Option<True>,
        /// Keys that were sent and have no effect: the server's own word, and what says who sends something in a wrapper.
        ignored: Option<Vec<String>>,
        /// The number of tasks that have yet to follow, each by an event of its own; 10,000 if there are more. Absent if all is
        /// done.
        pending: Option<u64>,
        /// It is the first answer once more, because of the idempotency key.
        duplicate: Option<True>,
    }

    /// Something that is no change succeeded.
    #[derive(Debug, Default, Serialize)]
    Done {
        /// Always.
        ok: True,
        /// The same.
        success: True,
    }

    /// Something was refused, and had no effect.
    Refused {
        /// Always.
        ok: False,
        /// The same.
        success: False,
        /// A sentence for a person.
        error: String,
        ..refusal: Refusal<'static>,
    }

    /// What a refusal says besides its sentence.
    #[derive(Serialize)]
    Refusal<'a> {
        /// What programs act on.
        code: ErrorCode,
        /// Whether the same may succeed later.
        retryable: bool,
        /// The field that is to blame, if one is.
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'a str>,
        /// On a conflict: the entity now.
        #[schemars(with = "Option<Entity>")]
        #[serde(skip_serializing_if = "Option::is_none")]
        current: Option<Cow<'a, Value>>,
        /// After how many milliseconds the same may succeed.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// It is the first answer once more, because of the idempotency key.
        #[serde(skip_serializing_if = "Option::is_none")]
        duplicate: Option<True>,
    }

    /// The answer to a message with several commands.
    BulkAnswer {
        ..done: Done,
        /// What became of each, in their order.
        results: Vec<Value>,
    }

    /// Part of a list.
    #[schemars(rename = "{T}Items")]
    Items<T> {
        /// The project; not in a list of projects.
        project_id: Option<Id>,
        /// What is on it: tasks by rank, all others from the oldest.
        items: Vec<T>,
        /// The `cursor` of the next page; null on the last one.
        next_cursor: Nullable<String>,
        /// Keys that were sent and have no effect.
        ignored: Option<Vec<String>>,
    }

    /// A page of a list, for those who asked for it and waited for no answer: every top-level key that they sent, over it the
    /// page.
    #[schemars(rename = "{T}Listed")]
    Listed<T> {
        ..items: Items<T>,
        ..sent: Fields,
    }

    /// A page of a list.
    #[schemars(rename = "{T}Page")]
    Page<T> {
        ..done: Done,
        /// Of the project's last event that is in it; not in a list of projects.
        seq: Option<i64>,
        /// After it.
        cursor: Option<String>,
        ..page: Items<T>,
    }

    /// A project's state.
    ProjectState {
        /// The project's id.
        project_id: Id,
        /// Of the last event that is in it.
        seq: i64,
        /// After it.
        cursor: String,
        /// The project; null if it is deleted or unknown.
        project: Nullable<Project>,
        /// Its epics.
        epics: Vec<Epic>,
        /// Its sprints.
        sprints: Vec<Sprint>,
        /// Its tasks, by rank.
        tasks: Vec<Task>,
        /// Who belongs to it.
        members: Vec<Member>,
        /// The newest comments, from the oldest of them: up to 20 of each task or other entity to which they belong, up to
        /// 1,000 together.
        comments: Vec<Comment>,
        /// How many there are besides those that are listed, by the names of the lists: `{"comments": 12}`. Absent if all are.
        more: Option<BTreeMap<String, u64>>,
        /// There is more of a large state: ask `project:snapshot` for the next page, with this as `page`, until it is absent. All
        /// pages have the same `seq`. Once they are put together, the events after it lead to the state now.
        next_page: Option<String>,
        /// The newest 1,000 entities of each declared kind, by its plural.
        ..kinds: Fields,
    }

    /// The answer to `project:snapshot`.
    SnapshotAnswer {
        ..done: Done,
        ..state: ProjectState,
    }

    /// Somebody who is present in a project.
    Present {
        /// Who.
        user_id: String,
        /// A public id of the connection with which the presence began.
        connection_id: String,
    }

    /// Somebody who is present in a project, and what they say of themselves.
    Person {
        ..who: Present,
        /// When that was.
        joined_at: Time,
        ..more: Fields,
    }

    /// An event of the log in a list.
    #[derive(Serialize)]
    ListedEvent<'a> {
        /// The name under which it is delivered.
        event: String,
        /// 1, 2, 3…: its place in the project.
        seq: i64,
        /// What is delivered.
        #[schemars(with = "Value")]
        payload: &'a RawValue,
    }

    /// The answer to `join:project`.
    JoinAnswer {
        ..done: Done,
        /// The room that was joined, `project:<id>`.
        room: String,
        /// The project.
        project_id: Id,
        /// Of the project's last event.
        seq: i64,
        /// After it.
        cursor: String,
        /// Everybody who is present, the client that asks included.
        presence: Vec<Person>,
        /// How many are there; more than are listed, if there are many.
        presence_count: u64,
        /// The state, if it was asked for, or if `reset` is there.
        snapshot: Option<ProjectState>,
        /// The first events after `since`, if they were asked for.
        events: Option<Vec<ListedEvent<'static>>>,
        /// What happened after `since` cannot be had: go on from the snapshot.
        reset: Option<True>,
        /// Why not, for a person.
        reason: Option<String>,
    }

    /// The answer to `leave:project`.
    #[derive(Serialize)]
    LeaveAnswer {
        ..done: Done,
        /// The room that was left.
        room: String,
        /// The project.
        #[schemars(with = "Id")]
        project_id: Value,
        /// It was not joined.
        #[serde(skip_serializing_if = "Option::is_none")]
        noop: Option<True>,
    }

    /// Events after a point.
    Synced {
        ..done: Done,
        /// The project.
        project_id: Id,
        /// The events.
        events: Vec<ListedEvent<'static>>,
        /// Of the last of them, or of the point itself.
        seq: i64,
        /// After it.
        cursor: String,
        /// Whether there are more.
        has_more: bool,
    }

    /// A project's state, in place of events that cannot be had.
    ProjectRestart {
        /// The project.
        project_id: Id,
        /// Of the last event that is in the state.
        seq: i64,
        /// After it.
        cursor: String,
        /// Always.
        reset: True,
        /// Why, for a person.
        reason: String,
        /// The state.
        snapshot: ProjectState,
    }

    /// The state, in place of events that cannot be had.
    ResetAnswer {
        ..done: Done,
        ..state: ProjectRestart,
    }

    /// The answer to `subscribe`.
    SubscribeAnswer {
        ..done: Done,
        /// What is heard from now on.
        channels: Vec<Subscribed>,
    }

    /// A channel that is heard from now on.
    Subscribed {
        /// Its name.
        channel: String,
        /// Of its last event.
        seq: i64,
        /// After it.
        cursor: String,
        /// Not everything after `since` can be had: a project goes on from `snapshot`, other channels from what is kept.
        reset: Option<True>,
        /// Why not, for a person.
        reason: Option<String>,
        /// On a reset: the project.
        project_id: Option<Id>,
        /// On a reset of a project: its state.
        snapshot: Option<ProjectState>,
    }

    /// The answer to `auth:refresh`.
    #[derive(Serialize)]
    RefreshAnswer {
        ..done: Done,
        /// Who the user is.
        user_id: String,
        /// When the new token expires; null if it never does.
        expires_at: Nullable<Time>,
    }

    /// The answer to `unsubscribe`.
    #[derive(Serialize)]
    UnsubscribeAnswer {
        ..done: Done,
        /// What is not heard any more.
        channels: Vec<String>,
        /// Nothing of it was heard.
        #[serde(skip_serializing_if = "Option::is_none")]
        noop: Option<True>,
    }
}

/// The answer to `project:sync`.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum SyncAnswer {
    /// The events.
    Synced(Synced),
    /// The state, in place of events that cannot be had.
    Reset(Box<ResetAnswer>),
}
