//! What only HTTP says: pages of lists, problems, publications, batches, figures.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::answer::{Done, Refusal, Refused, ResetAnswer};
use super::command::{Options, Publish};
use super::event::ChannelEvent;
use super::types::{Fields, Id, Nullable, Time, True, wire};

wire! {
    /// Why a request was refused: problem details as in RFC 9457, and what an ack would say.
    #[derive(Serialize)]
    Problem<'a> {
        /// Which problem: `urn:boardcast:error:` and the code.
        #[serde(rename = "type")]
        problem_type: String,
        /// What it is in general.
        title: String,
        /// The HTTP status.
        status: u16,
        /// A sentence for a person.
        detail: &'a str,
        /// The request's id, which the server's log names, too.
        #[serde(skip_serializing_if = "Option::is_none")]
        instance: Option<&'a str>,
        ..refusal: Refusal<'a>,
    }

    /// A publication is in the log.
    Published {
        ..done: Done,
        /// The channel.
        channel: String,
        /// Its own id, a `UUIDv7`.
        id: String,
        /// 1, 2, 3…: its place in the channel.
        seq: i64,
        /// After it.
        cursor: String,
        /// It was there before, because of the idempotency key.
        duplicate: Option<True>,
    }

    /// A message on `broadcast` or `client:<id>` was sent. It is not in any log.
    Sent {
        ..done: Done,
        /// The channel.
        channel: String,
        /// How many connections it has reached, on all instances.
        reached: u64,
        /// How many more were meant that had no room for it; absent if there is none.
        missed: Option<u64>,
        /// What has not answered in time, so that more may have been reached: instances, by their ids, or `redis`. Absent
        /// if all have.
        unanswered: Option<Vec<String>>,
    }

    /// What becomes of a webhook of which nothing is published.
    #[derive(Default, Serialize)]
    WebhookAnswer {
        ..done: Done,
        /// The answer to a ping.
        #[serde(skip_serializing_if = "Option::is_none")]
        pong: Option<True>,
        /// What happened, which is nothing that is published.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignored: Option<String>,
    }

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
        ..options: Options,
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

    /// How many items of an import have been worked on, and what became of them.
    #[derive(Debug, Default, Clone, Copy, Serialize)]
    Imported {
        /// Read so far.
        items: u64,
        /// Made.
        created: u64,
        /// There already, and the same.
        unchanged: u64,
        /// Refused.
        refused: u64,
    }

    /// How far an import is: once a second.
    #[derive(Debug, Serialize)]
    ImportProgress {
        /// The counts.
        progress: Imported,
    }

    /// An item that was refused. The first 100 are told one by one.
    #[derive(Debug, Serialize)]
    ImportRefused {
        /// Its place among the items, from 1.
        item: u64,
        /// Never.
        #[schemars(with = "super::types::False")]
        ok: bool,
        /// Why.
        #[schemars(with = "String")]
        code: &'static str,
        /// Why, for a person.
        error: String,
        /// What is to blame.
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<String>,
    }

    /// The end of an import.
    #[derive(Debug, Serialize)]
    ImportDone {
        /// Always.
        done: True,
        /// Whether everything is there: the body was read to its end, and nothing was refused.
        ok: bool,
        /// The same.
        success: bool,
        /// Why it was not read to its end.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        code: Option<&'static str>,
        /// Why, for a person.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// Whether to repeat the import.
        #[serde(skip_serializing_if = "Option::is_none")]
        retryable: Option<bool>,
        ..imported: Imported,
    }

    /// Something that was kept elsewhere.
    ImportEntity {
        /// What it is: `task` if it does not say, `epic`, `sprint`, `comment`, or a kind that the configuration declares.
        kind: Option<String>,
        /// Its id; one that is the same when the import is repeated if it has none.
        id: Option<Id>,
        /// When it was made: as of ISO 8601, or milliseconds since 1970.
        created_at: Option<Value>,
        /// By whom it was made.
        created_by: Option<Id>,
        ..more: Fields,
    }

    /// Figures of the WebSockets of an instance.
    #[derive(Debug, Serialize)]
    SocketStats {
        /// Since the start.
        total_connections: u64,
        /// Now.
        active_connections: u64,
        /// Messages to clients since the start.
        messages_sent: u64,
        /// Messages of clients since the start.
        messages_received: u64,
        /// Connections since the start whose clients said where to go on.
        reconnects: u64,
        /// Mean of the latest answers, in milliseconds.
        average_latency: f64,
        /// Who is connected; for administrators alone, once there is authentication.
        clients: Option<Vec<SocketClient>>,
        /// How many of them there are of each type and version, as they say, the most common first; at most 100.
        client_versions: Vec<SocketClientVersion>,
        /// How many others there are.
        other_versions: u64,
    }

    /// How many WebSockets there are of a type and version.
    #[derive(Debug, Serialize)]
    SocketClientVersion {
        /// Which program they say they are.
        #[serde(rename = "type")]
        client_type: Nullable<String>,
        /// Of what version.
        version: Nullable<String>,
        /// How many.
        clients: u64,
    }

    /// A WebSocket.
    #[derive(Debug, Serialize)]
    SocketClient {
        /// A public id of the connection.
        id: String,
        /// Which program it says it is.
        #[serde(rename = "type")]
        client_type: Nullable<String>,
        /// Of what version.
        version: Nullable<String>,
        /// Whose it is.
        user_id: Nullable<String>,
        /// The session that it listens to.
        session_id: Nullable<String>,
        /// Whether it has answered the last ping.
        is_alive: bool,
        /// When it sent its last message, or connected.
        last_activity: Time,
        /// How the connection is, as a `WebSocket`'s `readyState` says it: 0 connecting, 1 open, 2 closing, 3 closed.
        #[schemars(range(max = 3))]
        state: u8,
    }

    /// How the WebSockets of an instance are.
    #[derive(Debug, Serialize)]
    SocketStatus {
        /// Always.
        success: True,
        /// The figures.
        data: SocketFigures,
    }

    /// Figures of the WebSockets of an instance.
    #[derive(Debug, Serialize)]
    SocketFigures {
        /// Whether it takes connections.
        connected: bool,
        /// How many there are.
        clients: u64,
        /// When the last message came or went; null before the first one.
        last_activity: Nullable<Time>,
        /// Seconds since the start.
        #[schemars(with = "f64")]
        uptime: u64,
        /// Messages since the start.
        message_count: u64,
    }

    /// A notification, to those in a project, to a user, or to everyone: exactly one of these is there. Other fields are passed on.
    Notify {
        ..to: Named,
        ..more: Fields,
    }

    /// Names connections: exactly one of these.
    Audience {
        /// `project:<id>`, `user:<id>` or another channel.
        room: Option<String>,
        ..named: Named,
    }

    /// Names connections.
    Named {
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

/// One publication or several.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum PublishRequest {
    /// One.
    One(Box<Publish>),
    /// Several; each is answered by itself.
    Many(#[schemars(length(min = 1, max = 100))] Vec<Publish>),
    /// The same.
    Wrapped {
        /// Several; each is answered by itself.
        #[schemars(length(min = 1, max = 100))]
        events: Vec<Publish>,
    },
}

/// What became of a publication.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum PublishAnswer {
    /// It is in the log.
    Published(Published),
    /// It went to clients that are connected now.
    Sent(Sent),
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

/// What happened in a channel after a point.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Replay {
    /// The events.
    Replayed(Replayed),
    /// A project's state, in place of events that cannot be had.
    Reset(Box<ReplayReset>),
}
