//! Messages of plain WebSockets, in the flat spelling.

use schemars::JsonSchema;
use serde_json::Value;

use super::types::{Fields, Time, wire};

/// Describes messages that a type of their own tells apart.
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident = $type:literal { $($fields:tt)* })+) => {
        wire! {
            $(
                $(#[$doc])*
                $name {
                    /// What it is.
                    #[serde(rename = "type")]
                    #[schemars(extend("const" = $type))]
                    message_type: String,
                    $($fields)*
                }
            )+
        }
    };
}

messages! {
    /// The connection is there.
    FlatConnection = "connection" {
        /// Always `connected`.
        status: String,
        /// A public id of the connection.
        client_id: String,
        /// The channels to which the address has subscribed it, if any.
        channels: Option<Vec<String>>,
        /// Where the client stands in them.
        cursor: Option<String>,
        /// When.
        timestamp: Time,
    }
    /// The answer to a `ping`.
    FlatPong = "pong" {
        /// When.
        timestamp: Time,
    }
    /// The answer to a `handshake` whose API key is good.
    FlatWelcome = "welcome" {
        /// When.
        timestamp: Time,
        ..more: Fields,
    }
    /// The answer to a `subscribe`.
    FlatSubscribed = "subscribed" {
        /// The session, if one was named.
        session_id: Option<String>,
        /// When.
        timestamp: Time,
        ..more: Fields,
    }
    /// The answer to an `unsubscribe`.
    FlatUnsubscribed = "unsubscribed" {
        /// The session, if one was named.
        session_id: Option<String>,
        /// When.
        timestamp: Time,
        ..more: Fields,
    }
    /// A sign of life every 30 s, for those who ask for it by `?heartbeat=true`, or for all by `WEBSOCKET_HEARTBEAT`.
    FlatHeartbeat = "heartbeat" {
        /// When.
        timestamp: Time,
        /// The same.
        data: FlatBeat,
        ..more: Fields,
    }
    /// A burst of messages in one, for those who asked for it by `?batch=100`.
    FlatBatch = "batchUpdate" {
        /// When.
        timestamp: Time,
        /// The messages, in their order.
        messages: Vec<FlatServerMessage>,
        /// The same.
        data: FlatMessages,
    }
    /// A message was refused, or was none.
    FlatError = "error" {
        /// When.
        timestamp: Time,
        /// A sentence for a person.
        error: String,
        ..more: Fields,
    }
    /// The answer to a message that carried an `id`.
    FlatAck = "ack" {
        /// The id.
        id: Value,
        /// When.
        timestamp: Time,
        /// Whether it was accepted.
        ok: bool,
        ..more: Fields,
    }
    /// Whether the server is there.
    FlatPing = "ping" {}
    /// To hear of a session, of a channel, or of several.
    FlatSubscribe = "subscribe" {
        ..of: FlatChannels,
        /// Only events of these types.
        types: Option<Vec<String>>,
        /// What came after it is heard again.
        cursor: Option<String>,
    }
    /// To hear of them no longer.
    FlatUnsubscribe = "unsubscribe" {
        ..of: FlatChannels,
    }
    /// To say who one is.
    FlatHandshake = "handshake" {
        /// The API key, and what else a client says of itself.
        data: Handshake,
    }
}

wire! {
    /// What is to be heard, or not.
    FlatChannels {
        /// Of `session:<id>`.
        session_id: Option<String>,
        /// Of a channel.
        channel: Option<String>,
        /// Of several.
        channels: Option<Vec<String>>,
        /// Comes back with the answer.
        id: Option<Value>,
    }

    /// What a client says of itself.
    Handshake {
        /// Its API key.
        api_key: Option<String>,
        /// Or a token.
        token: Option<String>,
        ..more: Fields,
    }

    /// What a `heartbeat` says.
    FlatBeat {
        /// When.
        timestamp: Time,
    }

    /// What a `batchUpdate` says.
    FlatMessages {
        /// The messages, in their order.
        messages: Vec<FlatServerMessage>,
    }

    /// An event of a channel, or a signal. Its data stands at the top level, too, where nothing else has its name.
    FlatEvent {
        /// What happened: `ai_progress`, `task:updated`.
        #[serde(rename = "type")]
        message_type: String,
        /// When.
        timestamp: Time,
        /// The channel that it is about.
        channel: Option<String>,
        /// Of a channel `session:<id>`: the id.
        session_id: Option<String>,
        /// 1, 2, 3…: its place in the channel. A signal has none.
        seq: Option<i64>,
        /// What its publisher said, as it was sent.
        data: Option<Value>,
        /// After it. A signal has none.
        cursor: Option<String>,
        ..more: Fields,
    }

    /// A command on a project, by the name of its event: or something for the others of the sender's session.
    FlatCommand {
        /// `task:update`, or whatever the server does not know.
        #[serde(rename = "type")]
        message_type: String,
        /// What the event would carry.
        data: Option<Value>,
        /// To be acked with.
        id: Option<Value>,
        ..more: Fields,
    }
}

/// What the server says over a plain WebSocket.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum FlatServerMessage {
    /// The connection is there.
    Connection(FlatConnection),
    /// The answer to a `ping`.
    Pong(FlatPong),
    /// The answer to a `handshake`.
    Welcome(FlatWelcome),
    /// The answer to a `subscribe`.
    Subscribed(FlatSubscribed),
    /// The answer to an `unsubscribe`.
    Unsubscribed(FlatUnsubscribed),
    /// A sign of life.
    Heartbeat(FlatHeartbeat),
    /// Several in one.
    Batch(FlatBatch),
    /// A refusal.
    Error(FlatError),
    /// The answer to a message that carried an `id`.
    Ack(FlatAck),
    /// An event or a signal.
    Event(FlatEvent),
}

/// What clients say over a plain WebSocket.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum FlatClientMessage {
    /// Whether the server is there.
    Ping(FlatPing),
    /// To hear of something.
    Subscribe(FlatSubscribe),
    /// To hear of it no longer.
    Unsubscribe(FlatUnsubscribe),
    /// To say who one is.
    Handshake(FlatHandshake),
    /// A command, or something for the others.
    Command(FlatCommand),
}
